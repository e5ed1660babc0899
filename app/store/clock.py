"""One clock per decision: the database's, so that replicas agree about time."""

from datetime import UTC, datetime
from typing import cast

from sqlalchemy import Connection

from app.store import driver


def now(connection: Connection) -> datetime:
    """The time in UTC: PostgreSQL's own, or this machine's for SQLite, where both are one."""
    if connection.dialect.name == "postgresql":
        ((now,),) = driver.fetch(connection, "SELECT clock_timestamp()")
        return cast(datetime, now).astimezone(UTC)
    return datetime.now(UTC)
