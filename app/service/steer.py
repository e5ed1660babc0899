"""Tuners are paused, resumed, stopped, edited, deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.domain.errors import DomainError, TunerStopped, UnknownTuner
from app.domain.states import RUN_ENDS, TrialState, TunerState, TunerStopReason
from app.service.each import each, get_known
from app.service.edition import require_edition
from app.service.lifecycle import OpenTuner, open_tuners, save_tuners
from app.service.stop import DELETED_TUNER, STOPPED_TUNER
from app.store import runs, trials, tuners
from app.store.locks import Rows, locking
from app.store.transaction import Transaction
from app.store.trials import Trial
from app.store.tuners import Tuner


class Turn(Enum):
    """Where a tuner is steered."""

    pause = auto()
    resume = auto()
    stop = auto()


@dataclass(frozen=True, slots=True)
class Steer:
    """A tuner to steer."""

    tuner_id: UUID
    turn: Turn


@dataclass(frozen=True, slots=True)
class Steered:
    """The tuner as it is now, with its best trial."""

    tuner: Tuner
    best: Trial | None


def _rows(connection: Connection, requests: Sequence[Steer]) -> Rows:
    stopped = {request.tuner_id for request in requests if request.turn is Turn.stop}
    return Rows({request.tuner_id for request in requests}, {*runs.list_open(connection, stopped)})


@locking(_rows)
def steer(transaction: Transaction, requests: Sequence[Steer]) -> list[Steered | DomainError]:
    """Pause tuners, resume them, or stop them for good and tell their runs to stop. Repeating it is harmless.

    Records `tuner_end` for a tuner that is stopped.
    """
    opened = open_tuners(transaction, {request.tuner_id for request in requests})
    stopped: set[UUID] = set()
    answers = each(requests, lambda request: _turn(opened, request, stopped))
    locked = runs.lock(transaction.connection, runs.list_open(transaction.connection, stopped))
    for run in locked.values():
        run.stop = run.stop or STOPPED_TUNER
    runs.save(transaction.connection, locked.values())
    save_tuners(transaction, opened.values())
    return answers


def _turn(opened: Mapping[UUID, OpenTuner], request: Steer, stopped: set[UUID]) -> Steered:
    """Notes which tuner this has stopped."""
    tuner, turn = get_known(opened, request.tuner_id, UnknownTuner), request.turn
    state = tuner.tuner.state
    if state is TunerState.stopped and turn is not Turn.stop:
        raise TunerStopped()
    if turn is Turn.pause and state is TunerState.active:
        tuner.tuner.state = TunerState.paused
    elif turn is Turn.resume and state is TunerState.paused:
        tuner.tuner.state = TunerState.active
    elif turn is Turn.stop and state is not TunerState.stopped:
        tuner.close(TunerState.stopped, TunerStopReason.stopped)
        stopped.add(request.tuner_id)
    return Steered(tuner.tuner, tuner.best)


@dataclass(frozen=True, slots=True)
class EditTuner:
    """What to change of a tuner; None leaves it as it is.

    Args:
        budget: the fields to change, by name.
        editions: those that the change was made from; empty means any.
    """

    tuner_id: UUID
    name: str | None
    tags: list[str] | None
    budget: Mapping[str, Any]
    editions: frozenset[str] = frozenset()


def _rows_of_edit(connection: Connection, requests: Sequence[EditTuner]) -> Rows:
    found = tuners.find_many(connection, {one.tuner_id for one in requests if "max_attempts" in one.budget})
    waiting = [trial for tuner in found.values() for trial in _list_waiting(connection, tuner)]
    run_ids = {trial.run_id for trial in waiting if trial.run_id is not None}
    return Rows({request.tuner_id for request in requests}, run_ids)


@locking(_rows_of_edit)
def edit_tuners(transaction: Transaction, requests: Sequence[EditTuner]) -> list[Steered | DomainError]:
    """Edit tuners. A completed one whose budget is raised goes on; one whose budget is used up now completes. Waiting
    trials that have had all attempts that are left to them have failed.

    Records `trial_end` for these, and `tuner_end`.
    """
    opened = open_tuners(transaction, {request.tuner_id for request in requests})
    lowered: set[UUID] = set()
    answers = each(requests, lambda request: _edit(opened, request, lowered))
    for tuner_id in lowered:
        opened[tuner_id].give_up_spent(_list_waiting(transaction.connection, opened[tuner_id].tuner))
    tuners.edit(transaction.connection, [one.tuner for one in opened.values()])
    save_tuners(transaction, opened.values())
    return answers


def _list_waiting(connection: Connection, tuner: Tuner) -> list[Trial]:
    n_waiting = tuner.counts[TrialState.queued] + tuner.counts[TrialState.stale]
    return trials.list_waiting(connection, tuner.tuner_id, n_waiting)


def _edit(opened: Mapping[UUID, OpenTuner], request: EditTuner, lowered: set[UUID]) -> Steered:
    """Notes of which tuner this has lowered the attempts."""
    tuner = get_known(opened, request.tuner_id, UnknownTuner)
    row = tuner.tuner
    require_edition(row, request.editions)
    budget = replace(tuner.budget, **request.budget)
    budget.check(len(row.objectives))
    if budget.max_attempts < tuner.budget.max_attempts:
        lowered.add(row.tuner_id)
    tuner.budget = budget
    row.budget, row.deadline = budget.to_json(), budget.deadline(row.create_time)
    row.name = row.name if request.name is None else request.name
    row.tags = row.tags if request.tags is None else request.tags
    return Steered(row, tuner.best)


@locking(lambda connection, requests: Rows(set(requests), {*runs.list_of(connection, set(requests))}))
def delete_tuners(transaction: Transaction, requests: Sequence[UUID]) -> list[DomainError | None]:
    """Delete tuners with their trials. Their runs stay, without a tuner, and those that go on are told to stop."""
    connection = transaction.connection
    locked = tuners.lock(connection, set(requests))
    of_tuners = runs.lock(connection, runs.list_of(connection, locked.keys()))
    for run in of_tuners.values():
        run.lease_s = None
        if run.status not in RUN_ENDS:
            run.stop = run.stop or DELETED_TUNER
    runs.save(connection, of_tuners.values())
    tuners.delete(connection, locked.keys())
    return [None if tuner_id in locked else UnknownTuner(tuner_id) for tuner_id in requests]
