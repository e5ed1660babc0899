"""Trials of one tuner found by a condition, in an order: read from their rows, of which there are thousands at most."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Connection, literal, select

from app.domain.filters import Condition, Field, Kind, holds
from app.domain.order import Order, OrderKey, Place
from app.domain.sortable import decode_integer
from app.domain.states import TrialState
from app.domain.values import to_rfc3339
from app.store import trials as trial_rows
from app.store.tables import trials
from app.store.trials import Trial

BY_NUMBER = Order((OrderKey(Field("number", Kind.number), is_descending=False),))


@dataclass(frozen=True, slots=True)
class Found:
    """A trial, and where it stands in the order."""

    trial: Trial
    place: Place


def thing_of(trial: Trial) -> Mapping[str, Any]:
    """A trial as conditions see it."""
    return {
        "number": trial.number,
        "state": trial.state,
        "score": trial.score,
        "worker": trial.worker,
        "attempt": trial.shown_attempt,
        "create_time": to_rfc3339(trial.create_time),
        "end_time": None if trial.end_time is None else to_rfc3339(trial.end_time),
        "params": trial.params,
    }


def list_found(
    connection: Connection,
    tuner_id: UUID,
    states: Collection[TrialState],
    condition: Condition | None,
    order: Order,
    after: Place | None,
    limit: int,
) -> list[Found]:
    """The next trials of a tuner, at most `limit`; an empty `states` is any."""
    is_by_number = order == BY_NUMBER
    best: list[Found] = []
    for trial in _iterate(connection, tuner_id, states, after if is_by_number else None):
        thing = thing_of(trial)
        if condition is not None and not holds(condition, thing):
            continue
        one = Found(trial, order.place_of(thing, trial.trial_id.bytes))
        if after is not None and order.compare(one.place, after) <= 0:
            continue
        best.append(one)
        if is_by_number and len(best) == limit:
            return best
        if len(best) >= 2 * limit:
            order.sort(best, lambda found: found.place)
            del best[limit:]
    order.sort(best, lambda found: found.place)
    return best[:limit]


def _iterate(
    connection: Connection, tuner_id: UUID, states: Collection[TrialState], after: Place | None
) -> Iterator[Trial]:
    query = select(trials).where(trials.c.tuner_id == tuner_id).order_by(trials.c.number)
    if states:
        query = query.where(trials.c.state.in_(states))
    if after is not None and after[0] is not None:
        query = query.where(trials.c.number > literal(decode_integer(after[0]), BigInteger))
    for row in connection.execute(query.execution_options(yield_per=200)):
        yield trial_rows.read(row)
