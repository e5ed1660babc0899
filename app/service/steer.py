"""Tuners are paused, resumed, stopped, edited, deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.domain.errors import DomainError, TunerStopped, UnknownTuner
from app.domain.states import TunerState, TunerStopReason
from app.service.lifecycle import OpenTuner, open_tuners, save_tuners
from app.service.stop import STOPPED_TUNER
from app.store import runs, tuners
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
    answers: list[Steered | DomainError] = []
    stopped: set[UUID] = set()
    for request in requests:
        tuner = opened.get(request.tuner_id)
        if tuner is None:
            answers.append(UnknownTuner(request.tuner_id))
        elif tuner.tuner.state is TunerState.stopped and request.turn is not Turn.stop:
            answers.append(TunerStopped())
        else:
            if _turn(tuner, request.turn):
                stopped.add(request.tuner_id)
            answers.append(Steered(tuner.tuner, tuner.best))
    locked = runs.lock(transaction.connection, runs.list_open(transaction.connection, stopped))
    for run in locked.values():
        run.stop = run.stop or STOPPED_TUNER
    runs.save(transaction.connection, locked.values())
    save_tuners(transaction, opened.values())
    return answers


def _turn(tuner: OpenTuner, turn: Turn) -> bool:
    """Whether this stopped it."""
    state = tuner.tuner.state
    if turn is Turn.pause and state is TunerState.active:
        tuner.tuner.state = TunerState.paused
    elif turn is Turn.resume and state is TunerState.paused:
        tuner.tuner.state = TunerState.active
    elif turn is Turn.stop and state is not TunerState.stopped:
        tuner.close(TunerState.stopped, TunerStopReason.stopped)
        return True
    return False


@dataclass(frozen=True, slots=True)
class EditTuner:
    """What to change of a tuner; None leaves it as it is.

    Args:
        budget: the fields to change, by name.
    """

    tuner_id: UUID
    name: str | None
    tags: list[str] | None
    budget: Mapping[str, Any]


@locking(lambda _, requests: Rows(tuner_ids={request.tuner_id for request in requests}))
def edit_tuners(transaction: Transaction, requests: Sequence[EditTuner]) -> list[Steered | DomainError]:
    """Edit tuners. A completed one whose budget is raised goes on; one whose budget is used up now completes.

    Records `tuner_end` for the latter.
    """
    opened = open_tuners(transaction, {request.tuner_id for request in requests})
    answers: list[Steered | DomainError] = []
    for request in requests:
        tuner = opened.get(request.tuner_id)
        try:
            if tuner is None:
                raise UnknownTuner(request.tuner_id)
            _edit(tuner, request)
            answers.append(Steered(tuner.tuner, tuner.best))
        except DomainError as error:
            answers.append(error)
    tuners.edit(transaction.connection, [one.tuner for one in opened.values()])
    save_tuners(transaction, opened.values())
    return answers


def _edit(tuner: OpenTuner, request: EditTuner) -> None:
    row = tuner.tuner
    budget = replace(tuner.budget, **request.budget)
    budget.check(len(row.objectives))
    tuner.budget = budget
    row.budget, row.deadline = budget.to_json(), budget.deadline(row.create_time)
    row.name = row.name if request.name is None else request.name
    row.tags = row.tags if request.tags is None else request.tags


@locking(lambda connection, requests: Rows(set(requests), {*runs.list_of(connection, set(requests))}))
def delete_tuners(transaction: Transaction, requests: Sequence[UUID]) -> list[DomainError | None]:
    """Delete tuners with their trials. Their runs stay, without a tuner."""
    connection = transaction.connection
    locked = tuners.lock(connection, set(requests))
    of_tuners = runs.lock(connection, runs.list_of(connection, locked.keys()))
    for run in of_tuners.values():
        run.lease_s = None
    runs.save(connection, of_tuners.values())
    tuners.delete(connection, locked.keys())
    return [None if tuner_id in locked else UnknownTuner(tuner_id) for tuner_id in requests]
