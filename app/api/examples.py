"""An example of every body and answer, by the name of its model: the OpenAPI document shows them."""

from typing import Any

_TUNER_ID = "019ab1c2-3d4e-7f50-8a61-b2c3d4e5f607"
_TRIAL_ID = "019ab1c2-4a10-7b21-9c32-d4e5f6071829"
_RUN_ID = "019ab1c2-5f77-7c88-8d99-e0f1a2b3c4d5"
_BEFORE, _AFTER = "2026-11-23T20:21:07.123456Z", "2026-11-23T20:24:42.654321Z"

_SPACE_SENT = {
    "learning_rate": {"type": "float_range", "min": 0.0001, "max": 0.1, "log": True},
    "num_layers": {"type": "int_range", "min": 1, "max": 6},
}
_SPACE = {
    "learning_rate": {"type": "float_range", "min": 0.0001, "max": 0.1, "log": True, "step": None, "when": None},
    "num_layers": {"type": "int_range", "min": 1, "max": 6, "log": False, "step": None, "when": None},
}
_OBJECTIVE = {"metric": "accuracy", "direction": "maximize"}
_BUDGET = {
    "max_trials": 50,
    "max_parallel": 8,
    "max_failures": 10,
    "max_attempts": 3,
    "target": 0.99,
    "wallclock_s": 3600.0,
}
_STOPPER = {"type": "asha", "min_epochs": 1, "max_epochs": 27, "reduction_factor": 3}
_PARAMS = {"learning_rate": 0.0123, "num_layers": 3}
_WHY = {"strategy": "random", "phase": "startup", "chosen_by": "auto"}

_RUNNING_TRIAL = {
    "trial_id": _TRIAL_ID,
    "tuner_id": _TUNER_ID,
    "number": 0,
    "params": _PARAMS,
    "state": "running",
    "score": None,
    "scores": None,
    "reason": None,
    "worker": "gpu-7",
    "attempt": 1,
    "lease_expires_at": _AFTER,
    "why": _WHY,
    "create_time": _BEFORE,
    "end_time": None,
}
_TRIAL = _RUNNING_TRIAL | {"state": "completed", "score": 0.85, "lease_expires_at": None, "end_time": _AFTER}
_QUEUED_TRIAL = _RUNNING_TRIAL | {"state": "queued", "worker": None, "attempt": 0, "lease_expires_at": None}

_TUNER = {
    "tuner_id": _TUNER_ID,
    "name": "digits-mlp",
    "strategy": "auto",
    "space": _SPACE,
    "objective": _OBJECTIVE,
    "objectives": [_OBJECTIVE],
    "seed": 7,
    "options": {},
    "budget": _BUDGET,
    "stopper": _STOPPER,
    "lease_s": 600.0,
    "tags": ["demo"],
    "state": "active",
    "stop_reason": None,
    "counts": {"queued": 0, "running": 0, "completed": 1, "stopped": 0, "failed": 0, "infeasible": 0, "stale": 0},
    "best": _TRIAL,
    "create_time": _BEFORE,
    "update_time": _AFTER,
}

_IMPROVEMENT = {"place": 1, "trial_id": _TRIAL_ID, "number": 0, "score": 0.85}
_STANDING = (
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
_TUNER_LINE = {key: _TUNER[key] for key in _STANDING} | {
    "n_proposed": 1,
    "improvements": [_IMPROVEMENT],
    "last_sign_time": _AFTER,
}
_COLUMNS = ("trial_id", "number", "state", "score", "reason", "worker", "attempt", "create_time", "end_time")
_TRIAL_COLUMNS = {key: [_TRIAL[key]] for key in _COLUMNS} | {
    "run_id": [_RUN_ID],
    "place": [1],
    "params": {key: [value] for key, value in _PARAMS.items()},
    "scores": {},
}

_LOSS = {"last": 0.41, "min": 0.41, "max": 1.0, "epoch_of_min": 2, "epoch_of_max": 0, "count": 3}
_RUN = {
    "run_id": _RUN_ID,
    "name": "baseline",
    "params": _PARAMS,
    "tags": ["integration-test"],
    "note": "",
    "status": "finished",
    "start_time": _BEFORE,
    "end_time": _AFTER,
    "duration_s": 215.530865,
    "metrics": {"loss": 0.41, "accuracy": 0.85},
    "summary": {"loss": _LOSS},
    "final_metrics": {"accuracy": 0.85},
    "last_epoch": 2,
    "tuner_id": _TUNER_ID,
    "trial_id": _TRIAL_ID,
    "stop_requested": False,
    "stop": None,
}
_STOP = {"rule": "asha", "reason": "7th of 9 at rung 3, keeps 3", "epoch": 3}

_EPOCH_END = {
    "event_id": 17,
    "type": "epoch_end",
    "timestamp": _BEFORE,
    "run_id": _RUN_ID,
    "epoch": 3,
    "metrics": {"loss": 0.41, "accuracy": 0.88},
}

_OBSERVER_ID = "019ab1c2-7d22-7e13-9f34-a45566778899"
_FILTERS = {"types": ["training_end"], "tuner_id": _TUNER_ID, "run_id": None, "tag": None}
_URL = "https://ci.example.com/retrain"
_WHEN = "final_metrics.accuracy < 0.9"
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
_OBSERVER = {
    "observer_id": _OBSERVER_ID,
    "url": _URL,
    **_FILTERS,
    "when": _WHEN,
    "state": "on",
    "off_reason": None,
    "create_time": _BEFORE,
}
_DELIVERY = {
    "delivery_id": "019ab1c2-8e33-7f24-a045-b56677889900",
    "event_id": 17,
    "state": "pending",
    "attempts": 1,
    "last_status": 503,
    "last_error": "the receiver answered 503",
    "next_attempt_time": _AFTER,
    "create_time": _BEFORE,
}
_COMPARED_PARAM = {"values": [0.01, 0.001], "differs": True}
_COMPARED_METRIC = {
    "latest": [0.85, None],
    "last": [0.88, None],
    "min": [0.31, None],
    "max": [0.91, None],
    "epoch_of_min": [0, None],
    "epoch_of_max": [7, None],
    "best": [0.91, None],
    "differs": True,
}
_TRAINING_END = {
    "event_id": 18,
    "type": "training_end",
    "timestamp": _AFTER,
    "run_id": _RUN_ID,
    "status": "finished",
    "final_metrics": {"accuracy": 0.85},
    "duration_s": 215.530865,
}

EXAMPLES: dict[str, Any] = {
    "TunerRequest": {
        "name": "digits-mlp",
        "space": _SPACE_SENT,
        "objective": _OBJECTIVE,
        "budget": {"max_trials": 50},
        "stopper": {"type": "asha", "max_epochs": 27},
    },
    "TunerPatch": {"budget": {"max_trials": 100}},
    "Stopper": _STOPPER,
    "Tuner": _TUNER,
    "TunerPage": {"items": [_TUNER], "next_page_token": None},
    "SuggestRequest": {"worker": "gpu-7"},
    "Suggestion": {"trials": [_RUNNING_TRIAL], "tuner_state": "active", "retry_after_s": None},
    "ResultRequest": {"trial_id": _TRIAL_ID, "score": 0.85},
    "TrialRequest": {"params": _PARAMS, "score": 0.85},
    "TrialBatchRequest": {"trials": [{"params": _PARAMS}, {"params": _PARAMS, "state": "infeasible"}]},
    "AddedTrials": {"trials": [_QUEUED_TRIAL]},
    "HolderRequest": {"worker": "gpu-7", "attempt": 1},
    "TrialList": {"items": [_TRIAL]},
    "ResultAnswer": {"trial": _TRIAL, "best": _TRIAL, "tuner_state": "active"},
    "Trial": _TRIAL,
    "TrialPage": {"items": [_TRIAL], "next_page_token": None},
    "Snapshot": {
        "version": 1,
        "tuner": {
            "name": "digits-mlp",
            "strategy": "auto",
            "space": _SPACE,
            "objectives": [_OBJECTIVE],
            "seed": 7,
            "options": {},
            "budget": _BUDGET,
            "stopper": _STOPPER,
            "lease_s": 600.0,
            "tags": ["demo"],
            "state": "active",
            "stop_reason": None,
            "n_proposed": 1,
            "is_exhausted": False,
        },
        "trials": [
            {key: value for key, value in _TRIAL.items() if key not in ("trial_id", "tuner_id", "lease_expires_at")}
        ],
        "checksum": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    },
    "StrategyList": {
        "items": [
            {
                "name": "random",
                "aliases": ["random_search"],
                "description": "Independent draws, uniform over the space (in the logarithm where a range is log).",
                "options": {"type": "object", "properties": {}, "additionalProperties": False},
            }
        ]
    },
    "ImportanceAnswer": {"importance": {"learning_rate": 0.71, "optimizer": 0.2, "dropout": 0.09}, "trials": 48},
    "RunRequest": {"params": {"learning_rate": 0.01}, "tags": ["integration-test"], "name": "baseline"},
    "Run": _RUN,
    "RunPage": {"items": [_RUN], "next_page_token": None},
    "SomeOfRun": {"run_id": _RUN_ID, "metrics": {"loss": 0.41}},
    "ComparedParam": _COMPARED_PARAM,
    "ComparedMetric": _COMPARED_METRIC,
    "Comparison": {
        "run_ids": [_RUN_ID, _RUN_ID],
        "names": ["baseline", "wider"],
        "params": {"learning_rate": _COMPARED_PARAM},
        "metrics": {"accuracy": _COMPARED_METRIC},
    },
    "EpochRequest": {"epoch": 3, "metrics": {"loss": 0.41, "accuracy": 0.88}},
    "EpochBatchRequest": {
        "epochs": [
            {"epoch": 3, "metrics": {"loss": 0.41}},
            {"epoch": 4, "metrics": {"loss": 0.39}, "timestamp": _BEFORE},
        ]
    },
    "EpochAnswer": {
        "event_id": 17,
        "accepted": 2,
        "duplicates": 0,
        "should_stop": True,
        "stop": _STOP,
        "lease_expires_at": _AFTER,
    },
    "HeartbeatAnswer": {"should_stop": True, "stop": _STOP, "lease_expires_at": _AFTER},
    "StopRequest": {"reason": "the loss explodes"},
    "RunPatch": {"tags": ["baseline"], "note": "the one to beat", "params": {"git_commit": "9fceb02"}},
    "EndRequest": {"final_metrics": {"accuracy": 0.85}, "status": "finished"},
    "ManySeries": {
        "runs": [{"run_id": _RUN_ID, "series": {"loss": {"epochs": [0, 1, 2], "values": [1.0, 0.5, 0.41]}}}]
    },
    "RunSeries": {"run_id": _RUN_ID, "series": {"loss": {"epochs": [0, 1, 2], "values": [1.0, 0.5, 0.41]}}},
    "Overview": {"last_event_id": 17, "items": [_TUNER_LINE], "next_page_token": None},
    "TunerOverview": {
        "last_event_id": 17,
        "tuner": _TUNER,
        "n_proposed": 1,
        "n_trials": 1,
        "n_ended": 1,
        "improvements": [_IMPROVEMENT],
        "trials": _TRIAL_COLUMNS,
        "n_runs": 1,
        "curves": [
            {
                "run_id": _RUN_ID,
                "trial_id": _TRIAL_ID,
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
        "run": _RUN,
        "tuner_name": "digits-mlp",
        "objective": _OBJECTIVE,
        "trial": _TRIAL,
        "series": {"loss": {"epochs": [0, 1, 2], "values": [1.0, 0.5, 0.41]}},
        "events": [_TRAINING_END],
    },
    "EventPage": {"items": [_EPOCH_END], "last_event_id": 17},
    "Event": _EPOCH_END,
    "SignInRequest": {"key": "tunetrack_0000000000000000000000000000000000000000000AbC12d"},
    "Session": {"name": "ci", "scope": "train"},
    "ObserverRequest": {"url": _URL, "types": ["training_end"], "tuner_id": _TUNER_ID, "when": _WHEN},
    "ObserverPatch": {"state": "on"},
    "RotateRequest": {},
    "Observer": _OBSERVER,
    "ObserverWithSecret": _OBSERVER | {"secret": _SECRET},
    "ObserverPage": {"items": [_OBSERVER], "next_page_token": None},
    "Delivery": _DELIVERY,
    "DeliveryPage": {"items": [_DELIVERY], "next_page_token": None},
    "Health": {"status": "ok"},
    "Problem": {
        "type": "/problems/unknown-run",
        "title": "Unknown run",
        "status": 404,
        "detail": f"There is no run {_RUN_ID}. GET /v1/runs lists those that exist.",
        "instance": f"/v1/runs/{_RUN_ID}",
        "code": "unknown-run",
        "request_id": "019ab1c2-6c01-7d12-8e23-f34455667788",
    },
}
