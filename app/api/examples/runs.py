"""Examples of runs, their epochs and curves."""

from typing import Any

from app.api.examples.ids import AFTER, BEFORE, RUN_ID, TRIAL_ID, TUNER_ID
from app.api.examples.trials import PARAMS

LOSS = {"last": 0.41, "min": 0.41, "max": 1.0, "epoch_of_min": 2, "epoch_of_max": 0, "count": 3}
RUN = {
    "run_id": RUN_ID,
    "name": "baseline",
    "params": PARAMS,
    "tags": ["integration-test"],
    "note": "",
    "status": "finished",
    "start_time": BEFORE,
    "end_time": AFTER,
    "duration_s": 215.530865,
    "metrics": {"loss": 0.41, "accuracy": 0.85},
    "summary": {"loss": LOSS},
    "final_metrics": {"accuracy": 0.85},
    "last_epoch": 2,
    "last_epoch_time": AFTER,
    "tuner_id": TUNER_ID,
    "trial_id": TRIAL_ID,
    "stop_requested": False,
    "stop": None,
}
STOP = {"rule": "asha", "reason": "7th of 9 at rung 3, keeps 3", "epoch": 3}
COMPARED_PARAM = {"values": [0.01, 0.001], "differs": True}
COMPARED_METRIC = {
    "latest": [0.85, None],
    "last": [0.88, None],
    "min": [0.31, None],
    "max": [0.91, None],
    "epoch_of_min": [0, None],
    "epoch_of_max": [7, None],
    "best": [0.91, None],
    "differs": True,
}

EXAMPLES: dict[str, Any] = {
    "RunRequest": {"params": {"learning_rate": 0.01}, "tags": ["integration-test"], "name": "baseline"},
    "Run": RUN,
    "RunPage": {"items": [RUN], "trial_numbers": [17], "next_page_token": None},
    "SomeOfRun": {"run_id": RUN_ID, "metrics": {"loss": 0.41}},
    "ComparedParam": COMPARED_PARAM,
    "ComparedMetric": COMPARED_METRIC,
    "Comparison": {
        "run_ids": [RUN_ID, RUN_ID],
        "names": ["baseline", "wider"],
        "trial_numbers": [None, 17],
        "params": {"learning_rate": COMPARED_PARAM},
        "metrics": {"accuracy": COMPARED_METRIC},
    },
    "EpochRequest": {"epoch": 3, "metrics": {"loss": 0.41, "accuracy": 0.88}},
    "EpochBatchRequest": {
        "epochs": [
            {"epoch": 3, "metrics": {"loss": 0.41}},
            {"epoch": 4, "metrics": {"loss": 0.39}, "timestamp": BEFORE},
        ]
    },
    "EpochAnswer": {
        "event_id": 17,
        "accepted": 2,
        "duplicates": 0,
        "should_stop": True,
        "stop": STOP,
        "lease_expires_at": AFTER,
    },
    "HeartbeatAnswer": {"should_stop": True, "stop": STOP, "lease_expires_at": AFTER},
    "StopRequest": {"reason": "the loss explodes"},
    "RunPatch": {"tags": ["baseline"], "note": "the one to beat", "params": {"git_commit": "9fceb02"}},
    "EndRequest": {"final_metrics": {"accuracy": 0.85}, "status": "finished"},
    "ManySeries": {"runs": [{"run_id": RUN_ID, "series": {"loss": {"epochs": [0, 1, 2], "values": [1.0, 0.5, 0.41]}}}]},
    "RunSeries": {"run_id": RUN_ID, "series": {"loss": {"epochs": [0, 1, 2], "values": [1.0, 0.5, 0.41]}}},
}
