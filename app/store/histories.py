"""The epochs of many runs, part by part."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Connection, Row, select

from app.domain.values import Number
from app.store.tables import events


class WholeEpoch(NamedTuple):
    """All that a run logged of one epoch; `timestamp` is that of the last word."""

    run_id: UUID
    epoch: int
    timestamp: datetime
    metrics: dict[str, Number]


def list_next(
    connection: Connection, run_ids: Sequence[UUID], after_epoch: int, limit: int
) -> tuple[list[WholeEpoch], bool]:
    """The next epochs of these runs, and whether there are more.

    Args:
        run_ids: in order; the first of them is known up to an epoch.
        limit: of events; more than there can be of one epoch.
    """
    told, begun = run_ids[0], run_ids[1:]
    rows = _fetch(connection, (events.c.run_id == told) & (events.c.epoch > after_epoch), limit)
    if begun and len(rows) < limit:
        rows += _fetch(connection, events.c.run_id.in_(begun) & events.c.epoch.is_not(None), limit - len(rows))
    found = list(_merge(rows))
    if len(rows) < limit:
        return found, False
    return found[:-1], True  # there may be more of the last one


def _fetch(connection: Connection, which: ColumnElement[bool], limit: int) -> list[Row[Any]]:
    query = select(events.c.run_id, events.c.epoch, events.c.timestamp, events.c.body).where(which)
    query = query.order_by(events.c.run_id, events.c.epoch, events.c.event_id).limit(limit)
    return list(connection.execute(query))


def _merge(rows: Sequence[Row[Any]]) -> Iterator[WholeEpoch]:
    for (run_id, epoch), same in groupby(rows, lambda row: (row.run_id, row.epoch)):
        metrics: dict[str, Number] = {}
        parts = list(same)
        for part in parts:
            metrics |= orjson.loads(part.body)
        yield WholeEpoch(run_id, epoch, parts[-1].timestamp, metrics)
