"""The whole tuner as JSON, enough to rebuild it elsewhere and go on with the same proposals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from app.domain.errors import DomainError, InvalidRequest
from app.domain.goal import Objective, Outcome
from app.domain.states import SCORED, TRIAL_ENDS, TrialState, TunerState, TunerStopReason
from app.domain.values import Number, Scalar, from_json_number
from app.service.create import Created, Definition, Present, new_tuner
from app.service.trial import describe, params_digest
from app.store import trials, tuners
from app.store.transaction import Transaction
from app.store.trials import Trial
from app.store.tuners import Tuner

VERSION = 1


def take_snapshot(connection: Connection, tuner_id: UUID) -> dict[str, Any]:
    """The tuner with all its trials, and a checksum over both.

    Raises:
        UnknownTuner: there is no such tuner.
    """
    tuner = tuners.get(connection, tuner_id)
    content = {
        "version": VERSION,
        "tuner": {name: getattr(tuner, name) for name in _KEPT_OF_TUNER},
        "trials": [_trial_to_json(trial) for trial in trials.list_all(connection, tuner_id)],
    }
    return content | {"checksum": checksum(content)}


_KEPT_OF_TUNER = (
    "name",
    "strategy",
    "space",
    "objectives",
    "seed",
    "options",
    "budget",
    "stopper",
    "lease_s",
    "tags",
    "state",
    "stop_reason",
    "n_proposed",
    "is_exhausted",
)


def _trial_to_json(trial: Trial) -> dict[str, Any]:
    shown = {name: value for name, value in describe(trial).items() if name not in _LEFT_OUT}
    return shown | {"attempt": trial.attempt}


_LEFT_OUT = ("trial_id", "tuner_id", "lease_expires_at")
"""What a trial has only where it is: elsewhere it gets another id, and nobody holds it."""


def checksum(content: dict[str, Any]) -> str:
    """Over the content without its checksum, in whatever order its keys are, and however its numbers are written.

    JavaScript and jq write 600.0, which they have read, as 600.
    """
    kept = {key: value for key, value in content.items() if key != "checksum"}
    return "sha256:" + sha256(orjson.dumps(_plainly(kept), option=orjson.OPT_SORT_KEYS)).hexdigest()


def _plainly(value: object) -> object:
    """With whole numbers as integers, where those have 64 bits."""
    match value:
        case float() if value.is_integer() and abs(value) < 2**63:
            return int(value)
        case dict():
            return {key: _plainly(one) for key, one in value.items()}
        case list():
            return [_plainly(one) for one in value]
        case _:
            return value


@dataclass(frozen=True, slots=True)
class RestoredTrial:
    """A trial of a snapshot, checked."""

    params: dict[str, Scalar]
    state: TrialState
    score: float | None
    scores: dict[str, Number] | None
    reason: str | None
    worker: str | None
    attempt: int
    why: dict[str, Any]
    create_time: datetime
    end_time: datetime | None


@dataclass(frozen=True, slots=True)
class RestoreTuner:
    """A tuner to rebuild, under an id that the client chose or that is new; `trials` as `rebuild` makes them."""

    tuner_id: UUID
    definition: Definition
    body_digest: bytes
    state: TunerState
    stop_reason: TunerStopReason | None
    n_proposed: int
    is_exhausted: bool
    trials: Sequence[Trial]


def require_numbered(numbers: Sequence[int]) -> None:
    """Refuse what are not the numbers of a whole tuner's trials, in order.

    Raises:
        InvalidRequest: a number is missing or out of order.
    """
    if list(numbers) != list(range(len(numbers))):
        raise InvalidRequest("the trials of a snapshot are numbered 0, 1, 2, … in order", "body", "snapshot", "trials")


def check_outcomes(restored: Sequence[RestoredTrial], objectives: Sequence[Objective]) -> None:
    """Refuse trials that have not the scores that their states and the tuner's objectives ask for.

    Raises:
        InvalidRequest: one has others, or none.
    """
    metrics = {objective.metric for objective in objectives}
    for number, trial in enumerate(restored):
        scores = {metric: from_json_number(value) for metric, value in (trial.scores or {}).items()}
        is_fitting = trial.scores is None if len(metrics) == 1 else trial.score is None
        is_whole = trial.scores is None or scores.keys() == metrics
        is_scored = trial.score is not None or trial.scores is not None
        wanted = {TrialState.completed: (True,), TrialState.stopped: (True, False), TrialState.failed: (True, False)}
        is_right = is_fitting and is_whole and is_scored in wanted.get(trial.state, (False,))
        outcome = Outcome(trial.state, trial.score, scores or None).settled
        if not is_right or outcome.state is not trial.state:
            raise InvalidRequest(
                f"a {trial.state} trial of this tuner cannot have this outcome", "body", "snapshot", "trials", number
            )


def rebuild(tuner_id: UUID, restored: Sequence[RestoredTrial]) -> list[Trial]:
    """The trials of a snapshot, by number, as they will stand; running ones as queued.

    Before the transaction: everybody who writes waits for that, and to name and digest many trials takes long.
    """
    return [_rebuilt(tuner_id, number, trial) for number, trial in enumerate(restored)]


def restore_tuners(transaction: Transaction, requests: Sequence[RestoreTuner]) -> list[Created | DomainError]:
    """Rebuild tuners, with their trials."""
    there = Present(transaction, [request.tuner_id for request in requests])
    answers: list[Created | DomainError] = []
    for request in requests:
        answer = there.answer(request.tuner_id, request.definition, request.body_digest)
        if answer is None:
            tuner = new_tuner(transaction, request.tuner_id, request.definition, request.body_digest)
            best = _best(request.trials, request.definition.objectives)
            _fill(tuner, request, best)
            tuners.add(transaction.connection, [tuner])
            trials.add(transaction.connection, request.trials)
            answer = there.add(tuner, best)
        answers.append(answer)
    return answers


def _fill(tuner: Tuner, request: RestoreTuner, best: Trial | None) -> None:
    tuner.state, tuner.stop_reason = request.state, request.stop_reason
    tuner.n_trials, tuner.n_proposed = len(request.trials), request.n_proposed
    tuner.is_exhausted = request.is_exhausted
    tuner.best_trial_id = None if best is None else best.trial_id
    for trial in request.trials:
        tuner.counts[trial.state] += 1


def _rebuilt(tuner_id: UUID, number: int, trial: RestoredTrial) -> Trial:
    return Trial(
        trial_id=uuid7(),
        tuner_id=tuner_id,
        number=number,
        params=trial.params,
        params_digest=params_digest(trial.params),
        state=trial.state if trial.state in TRIAL_ENDS else TrialState.queued,
        score=trial.score,
        scores=trial.scores,
        reason=trial.reason,
        worker=trial.worker if trial.state in TRIAL_ENDS else None,
        attempt=trial.attempt,
        lease_expires_at=None,
        run_id=None,
        why=trial.why,
        create_time=trial.create_time,
        end_time=trial.end_time,
    )


def _best(rebuilt: Sequence[Trial], objectives: Sequence[Objective]) -> Trial | None:
    objective = objectives[0]
    scored = [(objective.loss(t.score), t.number, t) for t in rebuilt if t.state in SCORED and t.score is not None]
    return min(scored)[2] if scored else None
