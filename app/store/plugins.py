"""In-process observers: how far in the log each has come, and which process runs it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, select, update

from app.store.tables import plugins


@dataclass(slots=True)
class Plugin:
    """A row of `plugins`."""

    name: str
    position: int
    holder: UUID | None
    held_until: datetime | None


def lock(connection: Connection, name: str) -> Plugin | None:
    """The row, locked until the commit; None while there is none."""
    row = connection.execute(select(plugins).where(plugins.c.name == name).with_for_update()).one_or_none()
    return None if row is None else Plugin(**row._mapping)


def add(connection: Connection, plugin: Plugin) -> None:
    """Add a new one."""
    connection.execute(insert(plugins), asdict(plugin))


def save(connection: Connection, plugin: Plugin) -> None:
    """Write all of it. The row must be locked."""
    connection.execute(update(plugins).where(plugins.c.name == plugin.name).values(asdict(plugin)))
