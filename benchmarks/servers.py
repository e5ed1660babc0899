"""The processes that are measured: the service and the no-op, and the database behind the service."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psycopg

from tests.databases import running_postgres
from tests.server import Server


@dataclass(frozen=True, slots=True)
class Backend:
    """A database for the service, empty.

    Args:
        url: as `tunetrack serve --database` takes it.
        version: what it is, and how safely it commits.
    """

    name: str
    url: str
    version: str

    def pids(self) -> list[int]:
        """The database's own processes, as far as they run on this machine; SQLite has none."""
        if self.name == "sqlite":
            return []
        with psycopg.connect(self.url, autocommit=True) as connection:
            own = connection.info.backend_pid
            found = [row[0] for row in connection.execute("SELECT pid FROM pg_stat_activity") if row[0] != own]
        return [pid for pid in found if _is_postgres(pid)]


def _is_postgres(pid: int) -> bool:
    try:
        return "postgres" in Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return False


@contextmanager
def sqlite() -> Iterator[Backend]:
    """A file in a temporary folder."""
    import sqlite3

    with tempfile.TemporaryDirectory(prefix="tunetrack-benchmark-") as folder:
        version = f"SQLite {sqlite3.sqlite_version}, WAL, synchronous=FULL"
        yield Backend("sqlite", f"sqlite:///{folder}/benchmark.db", version)


@contextmanager
def postgres() -> Iterator[Backend]:
    """A new database in the server that the tests use: the development wheel's, or TUNETRACK_TEST_POSTGRES."""
    with running_postgres() as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            if _setting(connection, "fsync") != "on":  # the tests do without: there only processes fall
                connection.execute("ALTER SYSTEM RESET fsync")
                connection.execute("SELECT pg_reload_conf()")
        url = server.create_database()
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                fsync, commit = (_setting(connection, name) for name in ("fsync", "synchronous_commit"))
                number = _setting(connection, "server_version")
            yield Backend("postgresql", url, f"PostgreSQL {number}, fsync={fsync}, synchronous_commit={commit}")
        finally:
            server.drop_database(url)


def _setting(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


BACKENDS = {"sqlite": sqlite, "postgresql": postgres}


@contextmanager
def service(backend: Backend) -> Iterator[Server]:
    """The real command on this database."""
    with Server(backend.url) as server:
        yield server


@dataclass(frozen=True, slots=True)
class NoOp:
    """The no-op's process."""

    port: int
    pid: int


@contextmanager
def noop(module: str = "benchmarks.noop") -> Iterator[NoOp]:
    """The app that does nothing, or another one that prints its port."""
    command = [sys.executable, "-m", module]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield NoOp(int(process.stdout.readline()), process.pid)
        finally:
            process.terminate()


def post(server: Server, path: str, body: Any) -> Any:
    """The answer to one POST outside of all measurements."""
    sent = Request(server.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(sent, timeout=60) as answer:
        return json.load(answer)
