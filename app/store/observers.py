"""Webhooks: whom to call about which events, and how far in the log each has come."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, literal, select, tuple_, update

from app.domain.errors import UnknownObserver
from app.domain.states import ObserverState
from app.store.tables import observers
from app.store.types import Id, Instant


@dataclass(slots=True)
class Observer:
    """A row of `observers`."""

    observer_id: UUID
    url: str
    types: list[str]
    tuner_id: UUID | None
    run_id: UUID | None
    tag: str | None
    condition: str | None
    sealed_secrets: str
    state: ObserverState
    off_reason: str | None
    failing_since: datetime | None
    position: int
    create_time: datetime


def _read(row: Row[Any]) -> Observer:
    observer = Observer(**row._mapping)
    observer.state = ObserverState(observer.state)
    return observer


def add(connection: Connection, observer: Observer) -> None:
    """Add a new observer."""
    connection.execute(insert(observers), asdict(observer))


def get(connection: Connection, observer_id: UUID) -> Observer:
    """One observer.

    Raises:
        UnknownObserver: there is none with this id.
    """
    row = connection.execute(select(observers).where(observers.c.observer_id == observer_id)).one_or_none()
    if row is None:
        raise UnknownObserver(observer_id)
    return _read(row)


def lock(connection: Connection, observer_ids: Collection[UUID]) -> dict[UUID, Observer]:
    """Those of these observers that exist, locked until the commit, always in the same order."""
    if not observer_ids:
        return {}
    query = select(observers).where(observers.c.observer_id.in_(observer_ids)).order_by(observers.c.observer_id)
    return {row.observer_id: _read(row) for row in connection.execute(query.with_for_update(key_share=True))}


def save(connection: Connection, observer: Observer) -> None:
    """Write all of it. The row must be locked."""
    changed = asdict(observer)
    observer_id = changed.pop("observer_id")
    connection.execute(update(observers).where(observers.c.observer_id == observer_id).values(changed))


def remove(connection: Connection, observer_id: UUID) -> bool:
    """Remove it with its deliveries; whether it was there."""
    return connection.execute(delete(observers).where(observers.c.observer_id == observer_id)).rowcount > 0


def list_all(connection: Connection) -> list[Observer]:
    """All of them, oldest first."""
    return [_read(row) for row in connection.execute(select(observers).order_by(observers.c.create_time))]


Key = tuple[datetime, UUID]
"""Where an observer stands in the list: its time of creation and id."""


def list_page(connection: Connection, after: Key | None, limit: int) -> Sequence[Observer]:
    """Observers, newest first, after (in this order) a key."""
    query = select(observers).order_by(observers.c.create_time.desc(), observers.c.observer_id.desc()).limit(limit)
    if after is not None:
        mark = tuple_(literal(after[0], Instant), literal(after[1], Id))
        query = query.where(tuple_(observers.c.create_time, observers.c.observer_id) < mark)
    return [_read(row) for row in connection.execute(query)]
