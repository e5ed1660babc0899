"""The tags of runs and tuners, one a row, for filters; in the order of the owner they stand in its own row."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, delete

from app.store import bulk
from app.store.tables import tags


class _Tagged(NamedTuple):
    owner_id: UUID
    tag: str


def replace(connection: Connection, owners: Sequence[tuple[UUID, Sequence[str]]]) -> None:
    """Give these owners these tags, and no others."""
    connection.execute(delete(tags).where(tags.c.owner_id.in_([owner_id for owner_id, _ in owners])))
    rows = [_Tagged(owner_id, tag) for owner_id, its_tags in owners for tag in dict.fromkeys(its_tags)]
    bulk.insert(connection, tags, ("owner_id", "tag"), rows)
