"""Trials of one tuner found by a condition, in an order: of all of them, thousands at most, what these name is read."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, case, literal, select

from app.domain.filters import TRIAL_FIELDS, Condition, Field, Kind, fields_of, holds
from app.domain.order import Order, OrderKey, Place
from app.domain.sortable import decode_integer
from app.domain.states import TrialState
from app.domain.values import to_rfc3339
from app.store import trials as trial_rows
from app.store.tables import trials
from app.store.trials import Trial

BY_NUMBER = Order((OrderKey(Field("number", Kind.number), is_descending=False),))

_IS_TRIED_AGAIN = and_(trials.c.state == TrialState.queued, trials.c.attempt > 0)
_COLUMNS: Mapping[str, ColumnElement[Any]] = {name: trials.c[name] for name in TRIAL_FIELDS} | {
    "attempt": trials.c.attempt + case((_IS_TRIED_AGAIN, 1), else_=0)  # as `Trial.shown_attempt`
}


@dataclass(frozen=True, slots=True)
class Found:
    """A trial, and where it stands in the order."""

    trial: Trial
    place: Place


def list_found(
    connection: Connection,
    tuner_id: UUID,
    states: Collection[TrialState],
    condition: Condition | None,
    order: Order,
    after: Place | None,
    limit: int,
) -> list[Found]:
    """The next trials of a tuner, at most `limit`; an empty `states` means all."""
    is_by_number = order == BY_NUMBER
    named = {key.field for key in order.keys} | set(fields_of(condition))
    places = (
        (trial_id, order.place_of(thing, trial_id.bytes))
        for trial_id, thing in _iterate(connection, tuner_id, states, named, after if is_by_number else None)
        if condition is None or holds(condition, thing)
    )
    if after is not None:
        places = ((trial_id, place) for trial_id, place in places if order.compare(place, after) > 0)
    found = list(islice(places, limit)) if is_by_number else order.first(places, itemgetter(1), limit)
    rows = trial_rows.find_many(connection, [trial_id for trial_id, _ in found])
    return [Found(rows[trial_id], place) for trial_id, place in found]


def _iterate(
    connection: Connection,
    tuner_id: UUID,
    states: Collection[TrialState],
    named: Collection[Field],
    after: Place | None,
) -> Iterator[tuple[UUID, Mapping[str, Any]]]:
    """Each trial's id, and those of its fields that are named, as conditions see them."""
    names = sorted({field.name for field in named})
    times = {field.name for field in named if field.kind is Kind.time}
    query = select(trials.c.trial_id, *(_COLUMNS[name] for name in names))
    query = query.where(trials.c.tuner_id == tuner_id).order_by(trials.c.number)
    if states:
        query = query.where(trials.c.state.in_(states))
    if after is not None and after[0] is not None:
        query = query.where(trials.c.number > literal(decode_integer(after[0]), BigInteger))
    for trial_id, *values in connection.execute(query.execution_options(yield_per=200)):
        thing = dict(zip(names, values, strict=True))
        for name in times:
            thing[name] = None if thing[name] is None else to_rfc3339(thing[name])
        yield trial_id, thing
