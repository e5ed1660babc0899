"""The log read back: events as they go out, and the epochs of a run."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    text,
    union,
)

from app.domain.curve import Logged
from app.domain.events import EpochEnd
from app.domain.values import INT64_MAX, Number, to_rfc3339
from app.store import driver
from app.store.log import COLUMNS_SHOWN, Appended
from app.store.tables import events, tags


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events; an empty collection means all. `tags` are those of the event's run or tuner."""

    types: frozenset[str] = frozenset()
    run_ids: frozenset[UUID] = frozenset()
    tuner_ids: frozenset[UUID] = frozenset()
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its number; `data` is the whole of it as one line of JSON."""

    event_id: int
    type: str
    run_id: UUID | None
    tuner_id: UUID | None
    data: bytes


@dataclass(frozen=True, slots=True)
class StoredEpoch:
    """What one event of a run's history says."""

    event_id: int
    run_id: UUID
    epoch: int
    metrics: dict[str, Number]


def last_event_id(connection: Connection) -> int:
    """The number of the newest event, 0 while there is none."""
    return connection.execute(select(func.max(events.c.event_id))).scalar() or 0


def list_after(
    connection: Connection, after: int, event_filter: EventFilter, limit: int
) -> tuple[list[StoredEvent], int]:
    """The next events after a number, at most `limit`, in order; and the number up to which these are all."""
    found = list_next(connection, after, event_filter, limit)
    reached = found[-1].event_id if len(found) == limit else max(after, last_event_id(connection))
    return found, reached


_STRETCH, _LONGER = 8192, 8


def list_next(connection: Connection, after: int, event_filter: EventFilter, limit: int) -> list[StoredEvent]:
    """The next events after a number, at most `limit`, in order.

    Those with a common tag are found soonest by looking at each event, those with a rare one by looking at what carries
    it. Which it is shows in the first stretch of the log; each of the others is longer than the one before.
    """
    wanted: dict[str, Any] = {name: tuple(values) for name in _FILTERED if (values := getattr(event_filter, name))}
    for one, many in _OWNERS.items():
        if len(wanted.get(many, ())) == 1:
            (wanted[one],) = wanted.pop(many)
    has_epochs = _has_epochs(event_filter.types)
    found: list[StoredEvent] = []

    def find(first: int, last: int, *, by_owner: bool = False) -> None:
        query = _matching(frozenset(wanted), has_epochs=has_epochs, by_owner=by_owner)
        bounds = {"after": first, "up_to": min(last, INT64_MAX), "limit": limit - len(found)}
        found.extend(stored(row) for row in connection.execute(query, bounds | wanted))

    if "tags" not in wanted or event_filter.run_ids or event_filter.tuner_ids or not has_epochs:  # an index leads there
        find(after, INT64_MAX)
        return found
    last, stretch = last_event_id(connection), _STRETCH
    find(after, after + stretch)
    while len(found) < limit and after + stretch < last:
        after, stretch = after + stretch, _LONGER * stretch
        find(after, after + stretch, by_owner=True)
    return found


def _has_epochs(types: Collection[str]) -> bool:
    """Whether epochs are among events of these types; none named means all."""
    return not types or EpochEnd.type in types


def list_news(
    connection: Connection, after: int, limit: int, types: Collection[str] = ()
) -> list[tuple[StoredEvent, frozenset[str]]]:
    """The next events after a number, at most `limit`, in order, each with the tags of its run and tuner; no `types`
    means all.

    One statement: a feed reads so after every commit.
    """
    query = _news(connection.dialect.name, is_any=not types, has_epochs=_has_epochs(types))
    rows = connection.execute(query, {"after": after, "limit": limit} | ({"types": list(types)} if types else {}))
    return [(stored(row), frozenset([*_tags(row.run_tags), *_tags(row.tuner_tags)])) for row in rows]


@cache
def _news(dialect: str, *, is_any: bool, has_epochs: bool) -> Select[Any]:
    collect = func.json_agg if dialect == "postgresql" else func.json_group_array
    of_run, of_tuner = (
        select(collect(tags.c.tag)).where(tags.c.owner_id == owner).correlate(events).scalar_subquery()
        for owner in (events.c.run_id, events.c.tuner_id)
    )
    query = select(events, of_run.label("run_tags"), of_tuner.label("tuner_tags")).order_by(events.c.event_id)
    if not is_any:
        query = query.where(events.c.type.in_(bindparam("types", expanding=True)))
    if not has_epochs:
        query = query.where(events.c.epoch.is_(None))
    return query.where(events.c.event_id > bindparam("after")).limit(bindparam("limit"))


def _tags(collected: str | list[str] | None) -> list[str]:
    """PostgreSQL's driver has read the JSON, and of nothing there is none; SQLite's has not."""
    if isinstance(collected, str):
        read: list[str] = orjson.loads(collected)
        return read
    return collected or []


def list_told(connection: Connection, run_id: UUID, limit: int | None = None) -> list[StoredEvent]:
    """The events of a run but for its epochs, the first so many, in order."""
    query = select(events).where(events.c.run_id == _some("run_id"), events.c.epoch.is_(None))
    query = query.order_by(events.c.event_id).limit(limit)
    return [stored(row) for row in connection.execute(query, {"run_id": run_id})]


def find_many(connection: Connection, event_ids: Collection[int]) -> dict[int, StoredEvent]:
    """Those of these events that exist, by number."""
    if not event_ids:
        return {}
    rows = connection.execute(select(events).where(events.c.event_id.in_(event_ids)))
    return {row.event_id: stored(row) for row in rows}


_FILTERED = ("types", "run_ids", "tuner_ids", "tags")
_OWNERS = {"run_id": "run_ids", "tuner_id": "tuner_ids"}


def of_one(name: str) -> ColumnElement[bool]:
    """Of the one run or tuner that is given, and not before its first event."""
    first = events.alias()
    begin = select(func.min(first.c.event_id)).where(
        first.c[name] == _some(name), first.c.event_id > bindparam("after")
    )
    return and_(events.c[name] == bindparam(name), events.c.event_id >= begin.scalar_subquery())


def _some(name: str) -> ScalarSelect[Any]:
    """The run or tuner that is given, without PostgreSQL's knowing which it is.

    Of one of which it knows that it has much of the log, it expects to come across some events soon, and walks through
    those of all others.
    """
    return select(bindparam(name, type_=events.c[name].type)).scalar_subquery()


@cache
def _matching(filtered: frozenset[str], *, has_epochs: bool, by_owner: bool) -> Select[Any]:
    """Built once for each choice of what is filtered by: to build a query costs more than to run it.

    Args:
        by_owner: those with a tag are looked up by the runs and tuners that have it.
    """
    is_between = and_(events.c.event_id > bindparam("after"), events.c.event_id <= bindparam("up_to"))
    wanted: dict[str, BindParameter[Any]] = {name: bindparam(name, expanding=True) for name in _FILTERED}
    is_its_owner = or_(tags.c.owner_id == events.c.run_id, tags.c.owner_id == events.c.tuner_id)
    conditions = {
        "types": events.c.type.in_(wanted["types"]),
        **{one: of_one(one) for one in _OWNERS},
        "run_ids": events.c.run_id.in_(wanted["run_ids"]),
        "tuner_ids": events.c.tuner_id.in_(wanted["tuner_ids"]),
        "tags": exists().where(is_its_owner, tags.c.tag.in_(wanted["tags"])),
    }
    if by_owner:
        owners = select(tags.c.owner_id).where(tags.c.tag.in_(wanted["tags"]))
        of_each = (
            select(events.c.event_id).where(owner.in_(owners), is_between)
            for owner in (events.c.run_id, events.c.tuner_id)
        )
        conditions["tags"] = events.c.event_id.in_(union(*of_each))
    query = select(events).where(is_between, *(conditions[name] for name in filtered))
    if not has_epochs:
        query = query.where(events.c.epoch.is_(None))
    return query.order_by(events.c.event_id).limit(bindparam("limit"))


def stored(row: Row[Any] | Appended) -> StoredEvent:
    """The event of a row, which was read or just written: both are the same to the byte."""
    head: dict[str, Any] = {"event_id": row.event_id, "type": row.type, "timestamp": to_rfc3339(row.timestamp)}
    for name in COLUMNS_SHOWN[row.type]:
        head[name] = getattr(row, name)
    if row.epoch is not None:
        data = orjson.dumps(head)[:-1] + b',"metrics":' + row.body.encode() + b"}"
    else:
        data = orjson.dumps(head)[:-1] + b"," + row.body[1:].encode()
    return StoredEvent(row.event_id, row.type, row.run_id, row.tuner_id, data)


def find_epochs(connection: Connection, wanted: Collection[tuple[UUID, int]]) -> list[StoredEpoch]:
    """What is stored of these (run, epoch) pairs; of each pair oldest first."""
    if not wanted:
        return []
    if connection.dialect.name == "postgresql":
        run_ids, epochs = zip(*wanted, strict=True)
        rows = connection.execute(_FIND_EPOCHS, {"run_ids": list(run_ids), "epochs": list(epochs)})
        return [StoredEpoch(event_id, run_id, epoch, orjson.loads(body)) for event_id, run_id, epoch, body in rows]
    return [
        StoredEpoch(event_id, run_id, epoch, orjson.loads(body))
        for run_id, epoch in wanted
        for event_id, body in driver.fetch(connection, _FIND_EPOCH, (run_id.bytes, epoch))
    ]


_FIND_EPOCH = "SELECT event_id, body FROM events WHERE run_id = ? AND epoch = ? ORDER BY event_id"
_FIND_EPOCHS = text(
    """
    SELECT event_id, run_id, epoch, body
    FROM unnest(:run_ids ::uuid[], :epochs ::bigint[]) AS wanted (run_id, epoch)
         JOIN events USING (run_id, epoch)
    ORDER BY event_id
    """
)


_EPOCHS_AT_ONCE = 2000

_LOGGED = """
    SELECT epoch, event_id, body
    FROM events
    WHERE run_id = {id} AND epoch BETWEEN {number} AND {number} AND (epoch > {number} OR event_id > {number})
    ORDER BY epoch, event_id
    LIMIT {number}
"""


def iterate_logged(connection: Connection, run_id: UUID, start: int, stop: int | None) -> Iterator[Logged]:
    """A run's history from an epoch on, up to and without another; held in memory a part at a time."""
    last, after = INT64_MAX if stop is None else stop - 1, 0
    while True:
        rows = driver.fetch_of_run(connection, _LOGGED, run_id, start, last, start, after, _EPOCHS_AT_ONCE)
        if rows:
            yield _read_logged(rows)
        if len(rows) < _EPOCHS_AT_ONCE:
            return
        start, after, _ = rows[-1]


def list_logged(connection: Connection, run_id: UUID, start: int, limit: int) -> Logged:
    """The beginning of a run's history from an epoch on, of at most so many events."""
    return _read_logged(driver.fetch_of_run(connection, _LOGGED, run_id, start, INT64_MAX, start, 0, limit))


def _read_logged(rows: Sequence[tuple[Any, ...]]) -> Logged:
    # One text is read faster than thousands are.
    return Logged([row[0] for row in rows], orjson.loads("[" + ",".join([row[2] for row in rows]) + "]"))


_FIRST = "SELECT min(epoch) FROM events WHERE run_id = {id} AND epoch >= {number}"


def first_epoch(connection: Connection, run_id: UUID, start: int) -> int:
    """The first epoch of a run that is not before this one; 0 where there is none."""
    ((first,),) = driver.fetch_of_run(connection, _FIRST, run_id, start)
    return first or 0
