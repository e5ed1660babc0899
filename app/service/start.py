"""A run begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from app.domain.errors import DomainError, IdConflict, LeaseLost, TrialEnded, TunerStopped, UnknownTrial
from app.domain.events import RunStart
from app.domain.states import RunStatus, TrialState, TunerState
from app.domain.values import Scalar, same_scalar
from app.service.each import each, get_known
from app.service.lifecycle import OpenTuner, open_tuners, save_tuners
from app.service.stop import STOPPED_TUNER
from app.service.trial import has_ended, require_holder
from app.store import leavings, runs, trials
from app.store.locks import Rows, locking
from app.store.runs import Run
from app.store.transaction import Transaction
from app.store.trials import Trial


@dataclass(frozen=True, slots=True)
class StartRun:
    """A run to start.

    Args:
        run_id: chosen by the client, or None.
        params: None takes those of the trial.
        worker, attempt: who speaks for the trial.
        stale_after_s: for how long the run may be silent before it is given up; None is for ever.
        start_time: of what was trained elsewhere; None is now.
        body_digest: of what the client sent: the same again is a repeat, anything else a conflict.
    """

    run_id: UUID | None
    name: str
    params: dict[str, Scalar] | None
    tags: list[str]
    note: str
    trial_id: UUID | None
    worker: str | None
    attempt: int | None
    stale_after_s: float | None
    body_digest: bytes
    start_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The run, and whether this request made it (or an earlier one that said the same)."""

    run: Run
    is_new: bool


def _rows(connection: Connection, requests: Sequence[StartRun]) -> Rows:
    of_trials = trials.find_many(connection, {request.trial_id for request in requests if request.trial_id is not None})
    run_ids = {trial.run_id for trial in of_trials.values() if trial.run_id is not None}
    return Rows({trial.tuner_id for trial in of_trials.values()}, run_ids)


@locking(_rows)
def start_runs(transaction: Transaction, requests: Sequence[StartRun]) -> list[Started | DomainError]:
    """Start runs. One that speaks for a trial takes the place of an earlier run of it.

    Records `run_start`; `run_crash` for a run that is replaced, and `trial_start` where the trial waited for a worker.
    """
    connection = transaction.connection
    chosen = {request.run_id for request in requests if request.run_id is not None}
    there = runs.find_many(connection, chosen)
    leavings.delete_left(connection, chosen - there.keys())
    trial_ids = {request.trial_id for request in requests if request.trial_id is not None}
    opened = open_tuners(transaction, {trial.tuner_id for trial in trials.find_many(connection, trial_ids).values()})
    of_trials = trials.find_many(connection, trial_ids)  # as they are now that nobody else can change them
    added: list[Run] = []

    def start(request: StartRun) -> Started:
        same = None if request.run_id is None else there.get(request.run_id)
        if same is not None:
            return _repeat(same, request)
        trial = None if request.trial_id is None else get_known(of_trials, request.trial_id, UnknownTrial)
        run = _new(transaction, request, trial, None if trial is None else opened.get(trial.tuner_id))
        there[run.run_id] = run
        added.append(run)
        return Started(run, is_new=True)

    answers = each(requests, start)
    runs.add(connection, added)
    save_tuners(transaction, opened.values())
    return answers


def _repeat(same: Run, request: StartRun) -> Started:
    if same.body_digest != request.body_digest:
        raise IdConflict(_differing(same, request))
    return Started(same, is_new=False)


def _differing(same: Run, request: StartRun) -> list[str]:
    """What is another one in the request; params may have joined those of the run since."""
    said = (request.params or {}).items()
    changed = any(name not in same.params or not same_scalar(same.params[name], value) for name, value in said)
    kept = ("name", "tags", "note", "trial_id", "stale_after_s")
    others = [field for field in kept if getattr(same, field) != getattr(request, field)]
    return ["params", *others] if changed else others


def _new(transaction: Transaction, request: StartRun, trial: Trial | None, tuner: OpenTuner | None) -> Run:
    now, silence_s = transaction.now, request.stale_after_s
    run = Run(
        run_id=request.run_id or uuid7(),
        tuner_id=None if trial is None else trial.tuner_id,
        trial_id=request.trial_id,
        name=request.name,
        params=request.params if request.params is not None else {} if trial is None else trial.params,
        tags=request.tags,
        note=request.note,
        status=RunStatus.running,
        start_time=request.start_time or now,
        end_time=None,
        last_epoch=None,
        summary={},
        final_metrics=None,
        stop=None,
        lease_s=None,
        stale_after_s=silence_s,
        stale_at=None if silence_s is None else now + timedelta(seconds=silence_s),
        body_digest=request.body_digest,
    )
    if trial is not None and tuner is not None:
        _speak_for(run, trial, tuner, request)
    transaction.record(RunStart(run.run_id, run.params, run.tags, run.tuner_id, run.trial_id))
    return run


def _speak_for(run: Run, trial: Trial, tuner: OpenTuner, request: StartRun) -> None:
    """The run holds the trial from now on.

    Raises:
        TrialEnded, LeaseLost: it is not to be had; or it waits for a worker, and none may have it now.
        TunerStopped: it waits for a worker, but the tuner was stopped.
    """
    if has_ended(trial):
        raise TrialEnded(f"Trial {trial.trial_id} has ended as {trial.state}: ask for another one.")
    require_holder(trial, request.worker, request.attempt)
    is_stopped = tuner.tuner.state is TunerState.stopped
    if trial.state is TrialState.queued:
        if is_stopped:
            raise TunerStopped()
        if tuner.n_free == 0:
            raise LeaseLost(f"Trial {trial.trial_id} waits, and no more may be handed out now: ask the tuner later.")
        tuner.hand_out(trial, request.worker)
    tuner.take_over(trial, run.run_id)
    run.lease_s = tuner.tuner.lease_s
    run.stop = STOPPED_TUNER if is_stopped else None
