"""Examples of trials: what is proposed, what came of it."""

from typing import Any

from app.api.examples.ids import AFTER, BEFORE, TRIAL_ID, TUNER_ID

PARAMS = {"learning_rate": 0.0123, "num_layers": 3}
WHY = {
    "strategy": "gp",
    "phase": "startup",
    "chosen_by": "auto",
    "because": "2 parameters are not more than 100",
}
RUNNING_TRIAL = {
    "trial_id": TRIAL_ID,
    "tuner_id": TUNER_ID,
    "number": 0,
    "params": PARAMS,
    "state": "running",
    "score": None,
    "scores": None,
    "reason": None,
    "worker": "gpu-7",
    "attempt": 1,
    "lease_expires_at": AFTER,
    "why": WHY,
    "create_time": BEFORE,
    "end_time": None,
}
TRIAL = RUNNING_TRIAL | {"state": "completed", "score": 0.85, "lease_expires_at": None, "end_time": AFTER}
QUEUED_TRIAL = RUNNING_TRIAL | {"state": "queued", "worker": None, "attempt": 0, "lease_expires_at": None}

EXAMPLES: dict[str, Any] = {
    "SuggestRequest": {"worker": "gpu-7"},
    "Suggestion": {"trials": [RUNNING_TRIAL], "tuner_state": "active", "retry_after_s": None},
    "ResultRequest": {"trial_id": TRIAL_ID, "score": 0.85},
    "TrialRequest": {"params": PARAMS, "score": 0.85},
    "TrialBatchRequest": {"trials": [{"params": PARAMS}, {"params": PARAMS, "state": "infeasible"}]},
    "AddedTrials": {"trials": [QUEUED_TRIAL]},
    "HolderRequest": {"worker": "gpu-7", "attempt": 1},
    "TrialList": {"items": [TRIAL]},
    "ResultAnswer": {"trial": TRIAL, "best": TRIAL, "tuner_state": "active"},
    "Trial": TRIAL,
    "TrialPage": {"items": [TRIAL], "next_page_token": None},
}
