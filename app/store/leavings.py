"""What the log still has of deleted runs: long histories are deleted in pieces, and a kill may come between two."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Connection, and_, bindparam, delete, exists, select

from app.domain.events import RunDelete
from app.store.events import of_one
from app.store.tables import events, runs


def delete_some(connection: Connection, run_id: UUID, after: int, up_to: int, limit: int) -> int | None:
    """Delete the next events of a run after a number, of those up to another one, at most `limit`.

    Returns:
        The number of the last of them where there may be more.
    """
    nth = select(events.c.event_id).where(of_one("run_id"), events.c.event_id <= up_to).order_by(events.c.event_id)
    values = {"run_id": run_id, "after": after}
    reached: int | None = connection.execute(nth.offset(limit - 1).limit(1), values).scalar_one_or_none()
    # One bound: of two, SQLite may walk to the further one.
    is_near = events.c.event_id <= (up_to if reached is None else reached)
    connection.execute(delete(events).where(events.c.run_id == run_id, events.c.event_id > after, is_near))
    return reached


# Built once: runs with ids of their own begin all the time.
_deletion, _earlier = events.alias(), events.alias()
_LEFT = select(_deletion.c.run_id, _deletion.c.event_id).where(
    _deletion.c.type == RunDelete.type,
    _deletion.c.epoch.is_(None),  # an index leads to those
    exists().where(_earlier.c.run_id == _deletion.c.run_id, _earlier.c.event_id < _deletion.c.event_id),
)
_LEFT_OF = _LEFT.where(_deletion.c.run_id.in_(bindparam("run_ids", expanding=True)))


def list_left(connection: Connection, run_ids: Collection[UUID] | None = None) -> list[tuple[UUID, int]]:
    """The deleted runs, of these ids or any, of which the log still has events; and up to which number."""
    query, values = (_LEFT, {}) if run_ids is None else (_LEFT_OF, {"run_ids": list(run_ids)})
    return [(run_id, event_id - 1) for run_id, event_id in connection.execute(query, values)]


def delete_left(connection: Connection, run_ids: Collection[UUID]) -> None:
    """Delete what the log still has of deleted runs with these ids: they begin anew."""
    for run_id, up_to in list_left(connection, run_ids) if run_ids else ():
        connection.execute(delete(events).where(events.c.run_id == run_id, events.c.event_id <= up_to))


def list_orphans(connection: Connection) -> list[int]:
    """The numbers of events of runs that do not exist; but for those that tell of their deletion."""
    has_run = exists().where(runs.c.run_id == events.c.run_id)
    is_left = and_(events.c.run_id.is_not(None), events.c.type != RunDelete.type)
    query = select(events.c.event_id).where(is_left, ~has_run).order_by(events.c.event_id)
    return list(connection.execute(query).scalars())
