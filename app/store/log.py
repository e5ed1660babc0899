"""The log written: events appended, numbered in commit order.

The hottest statements of the service: they go past SQLAlchemy's compiler, which would cost more than they do.
"""

from collections.abc import Sequence
from dataclasses import fields
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

Recorded = tuple[Event, datetime | None, UUID | None]
"""An event, its time (None: now) and the tuner that it concerns."""


class Appended(NamedTuple):
    """An event as it stands in the log: the columns of its row, as reading it back would find them."""

    event_id: int
    type: str
    timestamp: datetime
    run_id: UUID | None
    tuner_id: UUID | None
    epoch: int | None
    body: str


def append(connection: Connection, recorded: Sequence[Recorded]) -> list[Appended]:
    """Append events and answer their rows, with numbers that rise in commit order.

    The last thing that a transaction does: from here to its commit no other one can take a number.
    """
    if connection.dialect.name == "postgresql":
        return _append_postgresql(connection, recorded)
    return _append_sqlite(connection, recorded)


def _body(event: Event) -> str:
    if isinstance(event, EpochEnd):
        return orjson.dumps(event.metrics).decode()
    return orjson.dumps({name: getattr(event, name) for name in _BODY_FIELDS[event.type]}).decode()


def _epoch(event: Event) -> int | None:
    return event.epoch if isinstance(event, EpochEnd) else None


def _run_id(event: Event) -> UUID | None:
    run_id: UUID | None = getattr(event, "run_id", None)
    return run_id


_STORED = ("event_id", "type", "timestamp", "run_id", "tuner_id", "epoch", "body")


def _append_sqlite(connection: Connection, recorded: Sequence[Recorded]) -> list[Appended]:
    # There is one writer, and it holds the lock already: the next numbers are ours.
    found = driver.fetch(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'events'")
    last: int = found[0][0] if found else 0
    now = datetime.now(UTC)
    appended = [
        Appended(number, event.type, time or now, _run_id(event), tuner_id, _epoch(event), _body(event))
        for number, (event, time, tuner_id) in enumerate(recorded, last + 1)
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


def _append_postgresql(connection: Connection, recorded: Sequence[Recorded]) -> list[Appended]:
    run_ids = [_run_id(event) for event, _, _ in recorded]
    tuner_ids = [tuner_id for _, _, tuner_id in recorded]
    epochs = [_epoch(event) for event, _, _ in recorded]
    bodies = [_body(event) for event, _, _ in recorded]
    codes, times = [EVENT_CODES[event.type] for event, _, _ in recorded], [time for _, time, _ in recorded]
    stored = driver.fetch(connection, _APPEND, (codes, times, run_ids, tuner_ids, epochs, bodies))
    return [
        Appended(event_id, event.type, time, *columns)
        for (event_id, time, _), (event, _, _), *columns in zip(
            stored, recorded, run_ids, tuner_ids, epochs, bodies, strict=True
        )
    ]
