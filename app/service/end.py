"""A run ends, and with it its trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from app.domain.errors import DomainError, MissingObjective, RunEnded, UnknownRun
from app.domain.events import TrainingEnd
from app.domain.goal import Direction, Objective
from app.domain.states import RunStatus, TrialState
from app.domain.values import Number, from_json_number
from app.service.lifecycle import OpenTuner, has_ended, open_tuners, save_tuners
from app.service.report import end_once
from app.store import runs, trials
from app.store.locks import Rows, locking
from app.store.runs import Run
from app.store.transaction import Transaction
from app.store.trials import Trial

_OUTCOMES = {
    RunStatus.finished: TrialState.completed,
    RunStatus.stopped: TrialState.stopped,
    RunStatus.failed: TrialState.failed,
}


@dataclass(frozen=True, slots=True)
class EndRun:
    """How a run ended."""

    run_id: UUID
    status: RunStatus
    final_metrics: Mapping[str, Number]


def _rows(connection: Connection, requests: Sequence[EndRun]) -> Rows:
    run_ids = {request.run_id for request in requests}
    seen = runs.find_many(connection, run_ids)
    return Rows({run.tuner_id for run in seen.values() if run.tuner_id is not None}, run_ids)


@locking(_rows)
def end_runs(transaction: Transaction, requests: Sequence[EndRun]) -> list[Run | DomainError]:
    """End runs; where one belongs to a trial, its result is told in the same transaction.

    Records `training_end`; `trial_end` and `tuner_end` as the result does.
    """
    connection = transaction.connection
    # A run never changes its tuner and trial: they may be read before anything is locked, tuners first.
    seen = runs.find_many(connection, {request.run_id for request in requests})
    opened = open_tuners(transaction, {run.tuner_id for run in seen.values() if run.tuner_id is not None})
    of_trials = trials.find_many(connection, {run.trial_id for run in seen.values() if run.trial_id is not None})
    locked = runs.lock(connection, seen.keys())
    changed: dict[UUID, Run] = {}
    answers: list[Run | DomainError] = []
    for request in requests:
        run = locked.get(request.run_id)
        try:
            if run is None:
                raise UnknownRun(request.run_id)
            tuner = None if run.tuner_id is None else opened.get(run.tuner_id)
            trial = None if run.trial_id is None else of_trials.get(run.trial_id)
            if _end(transaction, run, request, tuner, trial):
                changed[run.run_id] = run
            answers.append(run)
        except DomainError as error:
            answers.append(error)
    runs.save(connection, changed.values())
    save_tuners(transaction, opened.values())
    return answers


def _end(transaction: Transaction, run: Run, request: EndRun, tuner: OpenTuner | None, trial: Trial | None) -> bool:
    """Whether this ended the run; it may have ended so before."""
    if run.status is not RunStatus.running:
        if run.status is request.status and run.final_metrics == request.final_metrics:
            return False
        raise RunEnded(f"Run {run.run_id} has ended as {run.status} already, with other words; that cannot change.")
    # A trial that has its result already keeps it; the run ends all the same.
    if tuner is not None and trial is not None and not has_ended(trial):
        score = _score(run, request, tuner.objective)
        end_once(tuner, trial, _OUTCOMES[request.status], score, reason=None)
    # A clock that was set back makes no training end before it began.
    run.status, run.end_time = request.status, max(transaction.now, run.start_time)
    run.final_metrics = dict(request.final_metrics)
    duration_s = (run.end_time - run.start_time).total_seconds()
    event = TrainingEnd(run.run_id, run.status, run.final_metrics, duration_s)
    transaction.record(event, tuner_id=run.tuner_id)
    return True


def _score(run: Run, request: EndRun, objective: Objective) -> float | None:
    """What the run achieved.

    Raises:
        MissingObjective: it finished without the objective's metric.
    """
    metric = objective.metric
    if request.status is RunStatus.failed:
        return None
    if request.status is RunStatus.stopped and metric in run.summary:
        summary = run.summary[metric]
        best = summary.max if objective.direction is Direction.maximize else summary.min
        if best is not None:
            return best
    value = request.final_metrics.get(metric, run.metrics.get(metric))
    if value is None and request.status is RunStatus.finished:
        raise MissingObjective(metric)
    return None if value is None else from_json_number(value)
