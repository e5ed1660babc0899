"""What there is to say of one trial."""

from hashlib import blake2b
from typing import Any

from app.domain.errors import LeaseLost
from app.domain.states import TRIAL_ENDS
from app.domain.values import Params, params_key, to_json_number, to_rfc3339
from app.store.trials import Trial


def params_digest(params: Params) -> bytes:
    """What equal parameters share, for looking them up."""
    return blake2b(params_key(params).encode(), digest_size=16).digest()


def describe(trial: Trial) -> dict[str, Any]:
    """A trial as the API and the events show it."""
    return {
        "trial_id": str(trial.trial_id),
        "tuner_id": str(trial.tuner_id),
        "number": trial.number,
        "params": trial.params,
        "state": trial.state,
        "score": None if trial.score is None else to_json_number(trial.score),
        "scores": trial.scores,
        "reason": trial.reason,
        "worker": trial.worker,
        "attempt": trial.shown_attempt,
        "lease_expires_at": None if trial.lease_expires_at is None else to_rfc3339(trial.lease_expires_at),
        "why": trial.why,
        "create_time": to_rfc3339(trial.create_time),
        "end_time": None if trial.end_time is None else to_rfc3339(trial.end_time),
    }


def has_ended(trial: Trial) -> bool:
    """Whether the trial has its outcome."""
    return trial.state in TRIAL_ENDS


def require_holder(trial: Trial, worker: str | None, attempt: int | None) -> None:
    """Refuse whoever speaks for a trial that somebody else holds; who does not say who they are (None) is believed.

    Raises:
        LeaseLost: another one holds it.
    """
    is_late = attempt not in (None, trial.attempt, trial.shown_attempt)
    is_foreign = worker is not None and trial.worker is not None and worker != trial.worker
    if is_late or is_foreign:
        raise LeaseLost(
            f"Trial {trial.trial_id} is at attempt {trial.shown_attempt} and no longer yours: drop this training, "
            "and ask the tuner for another trial."
        )
