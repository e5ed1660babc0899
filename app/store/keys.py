"""API keys: what is stored of them, which is not the keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, or_, select, update

from app.domain.access import Scope
from app.store import clock
from app.store.tables import keys


@dataclass(frozen=True, slots=True)
class Key:
    """A row of `keys`."""

    key_id: UUID
    name: str
    scope: Scope
    hint: str
    digest: bytes
    create_time: datetime
    expire_time: datetime | None
    revoke_time: datetime | None


def _read(row: Row[Any]) -> Key:
    values = dict(row._mapping)
    return Key(**{**values, "scope": Scope(values["scope"])})


def add(connection: Connection, key: Key) -> None:
    """Add a new key."""
    connection.execute(insert(keys).values({name: getattr(key, name) for name in Key.__slots__}))


def list_all(connection: Connection) -> Sequence[Key]:
    """All keys that there ever were, oldest first."""
    return [_read(row) for row in connection.execute(select(keys).order_by(keys.c.create_time, keys.c.key_id))]


def find_good(connection: Connection, digest: bytes) -> Key | None:
    """The key of this digest, if it is good."""
    is_it = and_(keys.c.digest == digest, _is_good(clock.now(connection)))
    row = connection.execute(select(keys).where(is_it)).one_or_none()
    return None if row is None else _read(row)


def is_any_good(connection: Connection) -> bool:
    """Whether there is a key that is good."""
    found = select(keys.c.key_id).where(_is_good(clock.now(connection))).limit(1)
    return connection.execute(found).one_or_none() is not None


def is_any(connection: Connection) -> bool:
    """Whether a key was ever made."""
    return connection.execute(select(keys.c.key_id).limit(1)).one_or_none() is not None


def revoke(connection: Connection, key_id: UUID) -> bool:
    """Make a key good for nothing from now on; whether it was good for something."""
    now = clock.now(connection)
    changed = update(keys).where(keys.c.key_id == key_id, _is_good(now)).values(revoke_time=now)
    return connection.execute(changed).rowcount > 0


def _is_good(now: datetime) -> ColumnElement[bool]:
    has_time = or_(keys.c.expire_time.is_(None), keys.c.expire_time > now)
    return and_(keys.c.revoke_time.is_(None), has_time)
