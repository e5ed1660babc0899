"""Examples of tuners, their snapshots and strategies."""

from typing import Any

from app.api.examples.ids import AFTER, BEFORE, TUNER_ID
from app.api.examples.trials import TRIAL

SPACE_SENT = {
    "learning_rate": {"type": "float_range", "min": 0.0001, "max": 0.1, "log": True},
    "num_layers": {"type": "int_range", "min": 1, "max": 6},
}
SPACE = {
    "learning_rate": {"type": "float_range", "min": 0.0001, "max": 0.1, "log": True, "step": None, "when": None},
    "num_layers": {"type": "int_range", "min": 1, "max": 6, "log": False, "step": None, "when": None},
}
OBJECTIVE = {"metric": "accuracy", "direction": "maximize"}
BUDGET = {
    "max_trials": 50,
    "max_parallel": 8,
    "max_failures": 10,
    "max_attempts": 3,
    "target": 0.99,
    "wallclock_s": 3600.0,
}
STOPPER = {"type": "asha", "min_epochs": 1, "max_epochs": 27, "reduction_factor": 3}
TUNER = {
    "tuner_id": TUNER_ID,
    "name": "digits-mlp",
    "strategy": "auto",
    "space": SPACE,
    "objective": OBJECTIVE,
    "objectives": [OBJECTIVE],
    "seed": 7,
    "options": {},
    "budget": BUDGET,
    "stopper": STOPPER,
    "lease_s": 600.0,
    "tags": ["demo"],
    "state": "active",
    "stop_reason": None,
    "counts": {"queued": 0, "running": 0, "completed": 1, "stopped": 0, "failed": 0, "infeasible": 0, "stale": 0},
    "best": TRIAL,
    "create_time": BEFORE,
    "update_time": AFTER,
}

EXAMPLES: dict[str, Any] = {
    "TunerRequest": {
        "name": "digits-mlp",
        "space": SPACE_SENT,
        "objective": OBJECTIVE,
        "budget": {"max_trials": 50},
        "stopper": {"type": "asha", "max_epochs": 27},
    },
    "TunerPatch": {"budget": {"max_trials": 100}},
    "Stopper": STOPPER,
    "Tuner": TUNER,
    "TunerPage": {"items": [TUNER], "next_page_token": None},
    "Snapshot": {
        "version": 1,
        "tuner": {
            "name": "digits-mlp",
            "strategy": "auto",
            "space": SPACE,
            "objectives": [OBJECTIVE],
            "seed": 7,
            "options": {},
            "budget": BUDGET,
            "stopper": STOPPER,
            "lease_s": 600.0,
            "tags": ["demo"],
            "state": "active",
            "stop_reason": None,
            "n_proposed": 1,
            "is_exhausted": False,
        },
        "trials": [
            {key: value for key, value in TRIAL.items() if key not in ("trial_id", "tuner_id", "lease_expires_at")}
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
        ],
        "left_out": [
            {
                "kind": "strategy",
                "name": "annealing",
                "value": "our_plugins.annealing:Annealing",
                "reason": "ModuleNotFoundError: No module named 'our_plugins'",
            }
        ],
    },
    "ImportanceAnswer": {
        "importance": {"learning_rate": 0.71, "optimizer": 0.2, "dropout": 0.09},
        "trials": 48,
        "by_metric": {"loss": {"learning_rate": 0.71, "optimizer": 0.2, "dropout": 0.09}},
    },
}
