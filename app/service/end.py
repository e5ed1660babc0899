"""A run ends, and with it its trial."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.errors import DomainError, InvalidRequest, MissingObjective, RunEnded, UnknownRun
from app.domain.events import TrainingEnd
from app.domain.goal import Direction, Objective, Outcome
from app.domain.states import RUN_ENDS, RunStatus, TrialState
from app.domain.values import MAX_NAMES, Number, from_json_number
from app.service.each import each, get_known
from app.service.holding import Holdings, open_holdings, require_hold, rows_of_runs, save_holdings
from app.service.report import end_once
from app.service.trial import has_ended
from app.store.locks import locking
from app.store.runs import Run
from app.store.transaction import Transaction

_OUTCOMES = {
    RunStatus.finished: TrialState.completed,
    RunStatus.stopped: TrialState.stopped,
    RunStatus.failed: TrialState.failed,
}


@dataclass(frozen=True, slots=True)
class EndRun:
    """How a run ended; `end_time` is when, if not now, and `reason` why, for its trial."""

    run_id: UUID
    status: RunStatus
    final_metrics: Mapping[str, Number]
    end_time: datetime | None = None
    reason: str | None = None


@locking(lambda connection, requests: rows_of_runs(connection, {request.run_id for request in requests}))
def end_runs(transaction: Transaction, requests: Sequence[EndRun]) -> list[Run | DomainError]:
    """End runs; where one belongs to a trial, its result is told in the same transaction.

    Records `training_end`; `trial_end` and `tuner_end` as the result does.
    """
    holdings = open_holdings(transaction, {request.run_id for request in requests})
    answers = each(requests, lambda request: _end(transaction, holdings, request))
    save_holdings(transaction, holdings)
    return answers


def _end(transaction: Transaction, holdings: Holdings, request: EndRun) -> Run:
    run = get_known(holdings.runs, request.run_id, UnknownRun)
    if run.status in RUN_ENDS:
        is_same_time = request.end_time is None or run.end_time == request.end_time
        if run.status is request.status and run.final_metrics == request.final_metrics and is_same_time:
            return run
        raise RunEnded(f"Run {run.run_id} has already ended as {run.status}, with other values; that cannot change.")
    if request.end_time is not None and request.end_time < run.start_time:
        raise InvalidRequest("a run does not end before it starts", "body", "end_time")
    if len(run.summary.keys() | request.final_metrics.keys()) > MAX_NAMES:
        raise InvalidRequest(f"a run has at most {MAX_NAMES} metrics, by name", "body", "final_metrics")
    tuner, trial = holdings.of(run)
    require_hold(run, trial)
    # A trial that has its result already keeps it; the run ends all the same.
    if tuner is not None and trial is not None and not has_ended(trial):
        end_once(tuner, trial, _outcome(run, request, tuner.objectives))
    # A clock that was set back makes no training end before it began.
    run.status, run.end_time = request.status, request.end_time or max(transaction.now, run.start_time)
    run.final_metrics, run.lease_s, run.stale_at = dict(request.final_metrics), None, None
    duration_s = (run.end_time - run.start_time).total_seconds()
    event = TrainingEnd(run.run_id, run.status, run.final_metrics, duration_s)
    transaction.record(event, tuner_id=run.tuner_id)
    return run


def _outcome(run: Run, request: EndRun, objectives: Sequence[Objective]) -> Outcome:
    """What the run comes to for its trial.

    Raises:
        MissingObjective: it finished without the metric of an objective.
    """
    state = _OUTCOMES[request.status]
    if state is TrialState.failed:
        return Outcome(state, reason=request.reason)
    if state is TrialState.stopped and len(objectives) == 1:
        values = {objectives[0].metric: _best_value(run, request, objectives[0])}
    else:  # the best of several objectives, each at an epoch of its own, were never reached together
        values = {objective.metric: _value(run, request, objective.metric) for objective in objectives}
    missing = next((metric for metric, value in values.items() if value is None), None)
    if missing is not None and state is TrialState.completed:
        raise MissingObjective(missing)
    known = {metric: from_json_number(value) for metric, value in values.items() if value is not None}
    if missing is not None:
        return Outcome(state, reason=request.reason)  # stopped before it could tell
    if len(known) > 1:
        return Outcome(state, scores=known, reason=request.reason)
    return Outcome(state, score=next(iter(known.values())), reason=request.reason)


def _value(run: Run, request: EndRun, metric: str) -> Number | None:
    """What the run came to: what its last words say, else its latest value."""
    told = request.final_metrics.get(metric)
    return told if told is not None else run.metrics.get(metric)


def _best_value(run: Run, request: EndRun, objective: Objective) -> Number | None:
    """What the run reached before it was stopped; its latest value where none was finite."""
    told, summary = request.final_metrics.get(objective.metric), run.summary.get(objective.metric)
    if summary is not None:
        best = summary.max if objective.direction is Direction.maximize else summary.min
        reached = [value for value in (best, told) if isinstance(value, float) and math.isfinite(value)]
        if reached:
            return min(reached, key=objective.loss)
    return _value(run, request, objective.metric)
