"""The log written: events appended, numbered in commit order.

The hottest statements of the service: they go past SQLAlchemy's compiler, which would cost more than they do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Connection

from app.domain.events import EVENT_TYPES, EpochEnd, Event
from app.store import bulk, driver
from app.store.types import EVENT_CODES, to_microseconds

CHANNEL = "tunetrack_events"

# Any number will do; all replicas must use the same one.
_ORDER_LOCK = 7_236_741_001

# What has a column stands in no body; the body of an epoch is its metrics, and nothing more.
_WITH_COLUMNS = ("run_id", "tuner_id", "epoch")
COLUMNS_SHOWN = {
    name: tuple(field.name for field in fields(event_type) if field.name in _WITH_COLUMNS)
    for name, event_type in EVENT_TYPES.items()
}
_BODY_FIELDS = {
    name: tuple(field.name for field in fields(event_type) if field.name not in _WITH_COLUMNS)
    for name, event_type in EVENT_TYPES.items()
}


@dataclass(slots=True, eq=False)
class Record:
    """An event that will be stored with its transaction; its number is known once it is.

    Args:
        timestamp: when it happened; None is now.
        tuner_id: the tuner that it concerns.
    """

    event: Event
    timestamp: datetime | None
    tuner_id: UUID | None
    event_id: int = 0


class Appended(NamedTuple):
    """An event as it stands in the log: the columns of its row, as reading it back would find them."""

    event_id: int
    type: str
    timestamp: datetime
    run_id: UUID | None
    tuner_id: UUID | None
    epoch: int | None
    body: str


def append(connection: Connection, records: Sequence[Record]) -> list[Appended]:
    """Append events, at least one, and answer their rows, with numbers that rise in commit order.

    The last thing that a transaction does: from here to its commit no other one can take a number.
    """
    if connection.dialect.name == "postgresql":
        return _append_postgresql(connection, records)
    return _append_sqlite(connection, records)


def _body(event: Event) -> str:
    if isinstance(event, EpochEnd):
        return orjson.dumps(event.metrics).decode()
    return orjson.dumps({name: getattr(event, name) for name in _BODY_FIELDS[event.type]}).decode()


def _columns(record: Record) -> tuple[UUID | None, UUID | None, int | None, str]:
    """Those after the time: run, tuner, epoch, body."""
    event = record.event
    epoch = event.epoch if isinstance(event, EpochEnd) else None
    return getattr(event, "run_id", None), record.tuner_id, epoch, _body(event)


_STORED = ("event_id", "type", "timestamp", "run_id", "tuner_id", "epoch", "body")


def _append_sqlite(connection: Connection, records: Sequence[Record]) -> list[Appended]:
    # There is one writer, and it holds the lock already: the next numbers are ours.
    found = driver.fetch(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'events'")
    last: int = found[0][0] if found else 0
    now = datetime.now(UTC)
    appended = [
        Appended(number, one.event.type, one.timestamp or now, *_columns(one))
        for number, one in enumerate(records, last + 1)
    ]
    rows = [
        (
            one.event_id,
            EVENT_CODES[one.type],
            to_microseconds(one.timestamp),
            None if one.run_id is None else one.run_id.bytes,
            None if one.tuner_id is None else one.tuner_id.bytes,
            one.epoch,
            one.body,
        )
        for one in appended
    ]
    bulk.insert_rows(connection, "events", _STORED, rows)
    return appended


# One round trip: the lock is taken before the first row takes a number, and held to the commit.
_APPEND = f"""
    WITH locked AS MATERIALIZED (
        SELECT pg_advisory_xact_lock({_ORDER_LOCK})
    ), appended AS (
        INSERT INTO events (type, timestamp, run_id, tuner_id, epoch, body)
        SELECT type, coalesce(timestamp, clock_timestamp()), run_id, tuner_id, epoch, body
        FROM locked, unnest(%b::smallint[], %b::timestamptz[], %b::uuid[], %b::uuid[], %b::bigint[], %b::text[])
             WITH ORDINALITY AS event (type, timestamp, run_id, tuner_id, epoch, body, position)
        ORDER BY position
        RETURNING event_id, timestamp
    )
    SELECT event_id, timestamp, CASE WHEN row_number() OVER () = 1 THEN pg_notify('{CHANNEL}', '') END
    FROM appended
    ORDER BY event_id
"""


def _append_postgresql(connection: Connection, records: Sequence[Record]) -> list[Appended]:
    columns = [_columns(one) for one in records]
    codes, times = [EVENT_CODES[one.event.type] for one in records], [one.timestamp for one in records]
    stored = driver.fetch(connection, _APPEND, (codes, times, *map(list, zip(*columns, strict=True))))
    return [
        Appended(event_id, one.event.type, time, *rest)
        for (event_id, time, _), one, rest in zip(stored, records, columns, strict=True)
    ]
