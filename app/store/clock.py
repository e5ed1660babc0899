"""One clock per decision: the database's, so that replicas agree about time."""

from datetime import UTC, datetime
from typing import cast

from sqlalchemy import Connection, func, select

from app.store import driver
from app.store.tables import idempotency, keys, tuners


def now(connection: Connection) -> datetime:
    """The time in UTC: PostgreSQL's own, or this machine's for SQLite, where both are one."""
    if connection.dialect.name == "postgresql":
        ((now,),) = driver.fetch(connection, "SELECT clock_timestamp()")
        return cast(datetime, now).astimezone(UTC)
    return datetime.now(UTC)


def latest_noted(connection: Connection) -> datetime | None:
    """The latest time that this clock is known to have told: of what clients cannot date themselves."""
    told = (connection.scalar(select(func.max(table.c.create_time))) for table in (tuners, keys, idempotency))
    return max((time for time in told if time is not None), default=None)
