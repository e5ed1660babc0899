"""What a session with PostgreSQL is like, whatever the database, its user or an operator have set for theirs."""

from contextlib import closing
from typing import Any

import psycopg
from sqlalchemy import URL

PATIENCE: dict[str, Any] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""How long a silent PostgreSQL is waited for. A machine that is no more says no goodbye: the system, which by itself
would try for a quarter of an hour, gives up a connection over which nothing is acknowledged for ten seconds."""

_SETTINGS = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    "idle_session_timeout": "0",
    "default_transaction_isolation": "read committed",
    "timezone": "UTC",
    "datestyle": "ISO",  # the driver reads no other
}
_SET = "SELECT " + ", ".join(f"set_config('{name}', '{value}', false)" for name, value in _SETTINGS.items())


class NoSession(RuntimeError):
    """A pooler before the database lends a session for one transaction only; tunetrack needs sessions of its own.
    Use the pooler's session mode, or an address that goes to the database itself."""

    def __init__(self) -> None:
        super().__init__(" ".join(str(self.__doc__).split()))


def settle(connection: psycopg.Connection) -> None:
    """Make the session what it is to be.

    It is told, not asked for with its begin: poolers refuse what they do not know there, and it is the place of what
    whoever runs it has to say, such as the schema (`options` of the URL).
    """
    is_autocommit, connection.autocommit = connection.autocommit, True
    connection.execute(_SET)
    connection.autocommit = is_autocommit


def connect(url: URL) -> psycopg.Connection:
    """A session beside those of the engines, which commits by itself."""
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = psycopg.connect(address, autocommit=True, **PATIENCE)
    settle(connection)
    return connection


def require_own(url: URL) -> None:
    """Two sessions are two.

    Raises:
        NoSession: both are one, as with a pooler that lends it to whoever has something to say.
        psycopg.Error: the database cannot be reached.
    """
    with closing(connect(url)) as one, closing(connect(url)) as other:
        if _number(one) == _number(other):
            raise NoSession()


def _number(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])
