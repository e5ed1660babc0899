"""What is to be sent to webhooks, and what came of it.

To claim a delivery is to postpone it: whoever sent it says how it went before then, or is taken for dead.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, delete, func, or_, select, true, update

from app.domain.states import DeliveryState, ObserverState
from app.store import bulk, clock
from app.store.observers import Observer
from app.store.tables import deliveries, observers


@dataclass(slots=True)
class Delivery:
    """A row of `deliveries`; without `event_id` it is a test."""

    delivery_id: UUID
    observer_id: UUID
    event_id: int | None
    state: DeliveryState
    attempts: int
    is_under_way: bool
    last_status: int | None
    last_error: str | None
    next_attempt_time: datetime | None
    create_time: datetime


_COLUMNS = tuple(field.name for field in fields(Delivery))


def _read(row: Row[Any] | tuple[Any, ...]) -> Delivery:
    """A delivery from its row, whose columns are in the order of the fields."""
    delivery = Delivery(*row)
    delivery.state = DeliveryState(delivery.state)
    return delivery


def add(connection: Connection, added: Sequence[Delivery]) -> None:
    """Add new deliveries."""
    bulk.insert(connection, deliveries, _COLUMNS, added)


def lock(connection: Connection, delivery_ids: Collection[UUID]) -> dict[UUID, Delivery]:
    """Those of these deliveries that exist, locked until the commit, always in the same order."""
    rows = bulk.select(connection, deliveries, _COLUMNS, "delivery_id", delivery_ids, is_locked=True)
    return {delivery.delivery_id: delivery for delivery in map(_read, rows)}


_CHANGING = ("delivery_id", "state", "attempts", "is_under_way", "last_status", "last_error", "next_attempt_time")


def save(connection: Connection, changed: Sequence[Delivery]) -> None:
    """Write what changes in the life of a delivery. The rows must be locked."""
    bulk.update(connection, deliveries, _CHANGING, changed)


def claim_due(connection: Connection, observer: Observer, now: datetime, until: datetime, limit: int) -> list[Delivery]:
    """The next deliveries of an observer that are due, at most `limit`, each claimed by nobody else until then.

    Of one that is off only its tests.
    """
    is_meant = true() if observer.state is ObserverState.on else deliveries.c.event_id.is_(None)
    query = (
        select(deliveries)
        .where(
            deliveries.c.observer_id == observer.observer_id,
            deliveries.c.state == DeliveryState.pending,
            deliveries.c.next_attempt_time <= now,
            is_meant,
        )
        .order_by(deliveries.c.next_attempt_time, deliveries.c.delivery_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = [_read(row) for row in connection.execute(query)]
    for delivery in claimed:
        delivery.attempts += 1
        delivery.is_under_way = True
        delivery.next_attempt_time = until
    save(connection, claimed)
    return claimed


def hasten(connection: Connection, observer_id: UUID, now: datetime) -> None:
    """Let those that wait for another try be due now: their receiver is there again."""
    connection.execute(
        update(deliveries)
        .where(
            deliveries.c.observer_id == observer_id,
            deliveries.c.state == DeliveryState.pending,
            deliveries.c.next_attempt_time > now,
            ~deliveries.c.is_under_way,
        )
        .values(next_attempt_time=now)
    )


@dataclass(frozen=True, slots=True)
class Due:
    """When an observer has its next delivery to be sent, and whether its receiver failed last."""

    observer_id: UUID
    is_failing: bool
    wait_s: float


def list_due(connection: Connection) -> list[Due]:
    """The observers that have something to be sent, now or later; one that is off has only its tests."""
    first = (
        select(deliveries.c.next_attempt_time)
        .where(
            deliveries.c.observer_id == observers.c.observer_id,
            deliveries.c.state == DeliveryState.pending,
            or_(observers.c.state == ObserverState.on, deliveries.c.event_id.is_(None)),
        )
        .order_by(deliveries.c.next_attempt_time)
        .limit(1)
        .scalar_subquery()
    )
    now = clock.now(connection)
    found = connection.execute(select(observers.c.observer_id, observers.c.failing_since, first.label("first")))
    return [
        Due(row.observer_id, row.failing_since is not None, (row.first - now).total_seconds())
        for row in found
        if row.first is not None
    ]


def count_pending(connection: Connection, observer_ids: Collection[UUID]) -> Mapping[UUID, int]:
    """How many deliveries of each of these observers wait; those with none are left out."""
    query = (
        select(deliveries.c.observer_id, func.count().label("count"))
        .where(deliveries.c.observer_id.in_(observer_ids), deliveries.c.state == DeliveryState.pending)
        .group_by(deliveries.c.observer_id)
    )
    return {row.observer_id: row._mapping["count"] for row in connection.execute(query)}


def list_page(
    connection: Connection, observer_id: UUID, states: Collection[DeliveryState], after: UUID | None, limit: int
) -> list[Delivery]:
    """Deliveries of an observer, newest first, after (in this order) the one with this id; no `states` means all."""
    query = select(deliveries).where(deliveries.c.observer_id == observer_id)
    query = query.order_by(deliveries.c.delivery_id.desc()).limit(limit)
    if states:
        query = query.where(deliveries.c.state.in_(states))
    if after is not None:
        query = query.where(deliveries.c.delivery_id < after)
    return [_read(row) for row in connection.execute(query)]


def forget(connection: Connection, before: UUID, limit: int) -> int:
    """Remove the oldest of those that are over, made before an id, at most `limit`; how many they were."""
    return _forget(connection, deliveries.c.delivery_id < before, limit)  # ids rise with time


def forget_of(connection: Connection, observer_id: UUID, limit: int) -> int:
    """Remove the oldest of an observer's that are over, at most `limit`; how many they were."""
    return _forget(connection, deliveries.c.observer_id == observer_id, limit)


def _forget(connection: Connection, which: ColumnElement[bool], limit: int) -> int:
    oldest = select(deliveries.c.delivery_id).where(which, deliveries.c.state != DeliveryState.pending)
    oldest = oldest.order_by(deliveries.c.delivery_id).limit(limit)
    return connection.execute(delete(deliveries).where(deliveries.c.delivery_id.in_(oldest))).rowcount
