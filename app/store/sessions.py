"""What a session with PostgreSQL is like, whatever the database, its user or an operator have set for theirs."""

from contextlib import closing
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, text

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


N_OF_A_REPLICA = 6
"""Four that read, one that writes and one that listens, see `Database`."""


class NoSession(RuntimeError):
    """A pooler before the database lends a session for one transaction only; tunetrack needs sessions of its own.
    Use the pooler's session mode, or an address that goes to the database itself."""

    def __init__(self) -> None:
        super().__init__(" ".join(str(self.__doc__).split()))


def settle(connection: psycopg.Connection) -> None:
    """Make the session what it is to be.

    By a statement, and not by the `options` that it starts with: poolers refuse those that they do not know, and in the
    URL they are the operator's, who may name a schema there.
    """
    is_autocommit, connection.autocommit = connection.autocommit, True
    connection.execute(_SET)
    connection.autocommit = is_autocommit


def take_time(connection: Connection) -> None:
    """Let the statements of this transaction take as long as they take."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))


def connect(url: URL) -> psycopg.Connection:
    """A session beside those of the engines, which commits by itself."""
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = psycopg.connect(address, autocommit=True, **PATIENCE)
    settle(connection)
    return connection


def require_own(url: URL) -> None:
    """Refuse a database where two connections are not two sessions, each the same from beginning to end.

    Raises:
        NoSession: a pooler lends its sessions for a transaction each: to both the same one, or to one several.
        psycopg.Error: the database cannot be reached.
    """
    with closing(connect(url)) as one, closing(connect(url)) as other:
        # Several times, and twice in a row: others may have something to say to the pooler meanwhile.
        told = [({_number(one), _number(one)}, {_number(other), _number(other)}) for _ in range(3)]
    of_one, of_other = (set().union(*numbers) for numbers in zip(*told, strict=True))
    if len(of_one) > 1 or len(of_other) > 1 or of_one == of_other:
        raise NoSession()


def _number(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT pg_backend_pid()", prepare=False).fetchone()
    assert row is not None
    return int(row[0])


def shortage(connection: Connection) -> list[str]:
    """What an operator should know: PostgreSQL lets this user have fewer sessions than a replica takes."""
    if connection.dialect.name != "postgresql":
        return []
    user, most = connection.execute(_MOST).one()
    if most >= N_OF_A_REPLICA:
        return []
    return [
        f"PostgreSQL gives {user} at most {most} connections, and each replica takes {N_OF_A_REPLICA}: some requests "
        "will be answered 503; raise the limit of the role, of the database, or max_connections"
    ]


_MOST = text(
    """
    SELECT session_user, min(most)
    FROM (SELECT rolconnlimit FROM pg_roles WHERE rolname = session_user AND NOT rolsuper
          UNION ALL SELECT datconnlimit FROM pg_database WHERE datname = current_database()
          UNION ALL SELECT sum(CASE name WHEN 'max_connections' THEN 1 ELSE -1 END * setting::int) FROM pg_settings
                    WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
         ) AS limits (most)
    WHERE most >= 0
    """
)
