"""Examples of what the dashboard asks for."""

from typing import Any

from app.api.examples.events import TRAINING_END
from app.api.examples.ids import AFTER, RUN_ID, TRIAL_ID
from app.api.examples.runs import RUN
from app.api.examples.trials import PARAMS, TRIAL
from app.api.examples.tuners import OBJECTIVE, TUNER

IMPROVEMENT = {"place": 1, "trial_id": TRIAL_ID, "number": 0, "score": 0.85}
STANDING = (
    "tuner_id",
    "name",
    "state",
    "stop_reason",
    "objectives",
    "budget",
    "counts",
    "best",
    "tags",
    "create_time",
)
TUNER_LINE = {key: TUNER[key] for key in STANDING} | {
    "n_proposed": 1,
    "improvements": [IMPROVEMENT],
    "last_sign_time": AFTER,
}
COLUMNS = ("trial_id", "number", "state", "score", "reason", "worker", "attempt", "create_time", "end_time")
TRIAL_COLUMNS = {key: [TRIAL[key]] for key in COLUMNS} | {
    "run_id": [RUN_ID],
    "place": [1],
    "params": {key: [value] for key, value in PARAMS.items()},
    "scores": {},
}

EXAMPLES: dict[str, Any] = {
    "Overview": {"last_event_id": 17, "items": [TUNER_LINE], "next_page_token": None},
    "TunerOverview": {
        "last_event_id": 17,
        "tuner": TUNER,
        "n_proposed": 1,
        "n_trials": 1,
        "n_ended": 1,
        "improvements": [IMPROVEMENT],
        "trials": TRIAL_COLUMNS,
        "n_runs": 1,
        "curves": [
            {
                "run_id": RUN_ID,
                "trial_id": TRIAL_ID,
                "number": 0,
                "status": "finished",
                "score": 0.85,
                "epochs": [0, 1, 2],
                "values": [0.6, 0.8, 0.85],
            }
        ],
    },
    "RunOverview": {
        "last_event_id": 17,
        "run": RUN,
        "tuner_name": "digits-mlp",
        "objective": OBJECTIVE,
        "trial": TRIAL,
        "series": {"loss": {"epochs": [0, 1, 2], "values": [1.0, 0.5, 0.41]}},
        "events": [TRAINING_END],
    },
}
