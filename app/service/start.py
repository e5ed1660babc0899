"""A run begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from uuid_utils.compat import uuid7

from app.domain.errors import DomainError, IdConflict, TrialEnded, UnknownTrial
from app.domain.events import RunStart
from app.domain.states import RunStatus
from app.domain.values import Scalar
from app.service.lifecycle import has_ended
from app.store import runs, trials
from app.store.runs import Run
from app.store.transaction import Transaction
from app.store.trials import Trial


@dataclass(frozen=True, slots=True)
class StartRun:
    """A run to start.

    Args:
        run_id: chosen by the client, or None.
        params: None takes those of the trial.
        body_digest: of what the client sent: the same again is a repeat, anything else a conflict.
    """

    run_id: UUID | None
    name: str
    params: dict[str, Scalar] | None
    tags: list[str]
    note: str
    trial_id: UUID | None
    body_digest: bytes


@dataclass(frozen=True, slots=True)
class Started:
    """The run, and whether this request made it (or an earlier one that said the same)."""

    run: Run
    is_new: bool


def start_runs(transaction: Transaction, requests: Sequence[StartRun]) -> list[Started | DomainError]:
    """Start runs. Records `run_start`."""
    connection = transaction.connection
    there = runs.find_many(connection, {request.run_id for request in requests if request.run_id is not None})
    of_trials = trials.find_many(connection, {request.trial_id for request in requests if request.trial_id is not None})
    answers: list[Started | DomainError] = []
    added: list[Run] = []
    for request in requests:
        same = None if request.run_id is None else there.get(request.run_id)
        trial = None if request.trial_id is None else of_trials.get(request.trial_id)
        if same is not None:
            is_repeat = same.body_digest == request.body_digest
            answers.append(Started(same, is_new=False) if is_repeat else IdConflict())
        elif request.trial_id is not None and trial is None:
            answers.append(UnknownTrial(request.trial_id))
        elif trial is not None and has_ended(trial):
            answers.append(TrialEnded(f"Trial {trial.trial_id} has ended as {trial.state}: ask for another one."))
        else:
            run = _new(transaction, request, trial)
            there[run.run_id] = run
            added.append(run)
            answers.append(Started(run, is_new=True))
    runs.add(connection, added)
    return answers


def _new(transaction: Transaction, request: StartRun, trial: Trial | None) -> Run:
    params = request.params if request.params is not None else {} if trial is None else trial.params
    run = Run(
        run_id=request.run_id or uuid7(),
        tuner_id=None if trial is None else trial.tuner_id,
        trial_id=request.trial_id,
        name=request.name,
        params=params,
        tags=request.tags,
        note=request.note,
        status=RunStatus.running,
        start_time=transaction.now,
        end_time=None,
        last_epoch=None,
        summary={},
        final_metrics=None,
        body_digest=request.body_digest,
    )
    transaction.record(RunStart(run.run_id, run.params, run.tags, run.tuner_id, run.trial_id))
    return run
