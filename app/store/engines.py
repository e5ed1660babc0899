"""How the two databases are opened: what every connection must be like before anything runs on it."""

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from app.store import driver, sessions
from app.store.exclusive import Exclusive, InUse, has_alien_log
from app.store.place import Place

_PATIENCE_S = 5
_SQLITE_SETTINGS: dict[str, str | int] = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "busy_timeout": 1000 * _PATIENCE_S,
}


class BadDatabaseUrl(ValueError):
    """The database URL cannot be used; say sqlite:///path/to/file.db or postgresql://user@host/name.
    A ? within a path is written %3F."""

    def __init__(self) -> None:
        super().__init__(" ".join(str(self.__doc__).split()))


def parse(url: str) -> URL:
    """The URL with its driver named, and SQLite's path made absolute, without links: beside the file that they lead to
    SQLite keeps its log, and there is the lock.

    Raises:
        BadDatabaseUrl: it is no URL of a database that we know.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadDatabaseUrl() from error
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    is_cut = "?" in url and not parsed.query  # what is no query is of the path, and would be dropped
    if parsed.drivername == "sqlite" and parsed.database and parsed.database != ":memory:" and not is_cut:
        return parsed.set(database=str(Path(parsed.database).expanduser().resolve()))
    raise BadDatabaseUrl()


def open_writer(url: URL) -> Engine:
    """The engine of the one writer: one connection, and on SQLite the lock from the start of each transaction."""
    engine = _open(url, pool_size=1)
    if url.get_backend_name() == "sqlite":
        _begin_with(engine, "BEGIN IMMEDIATE")
        event.listen(engine, "do_connect", lambda *_: _make_private(str(url.database)))
    else:
        driver.use_pipelines(engine)
    return engine


def open_readers(url: URL, pool_size: int) -> Engine:
    """The engine of the readers: each transaction sees one state of the store, and can change nothing."""
    if url.get_backend_name() == "sqlite":
        engine = _open(url, pool_size=pool_size)
        _begin_with(engine, "BEGIN")
        event.listen(engine, "connect", _read_only)
        return engine
    return _open(url, pool_size=pool_size).execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )


def without_transactions(readers: Engine) -> Engine:
    """The readers for single statements: on PostgreSQL a transaction would cost three round trips more."""
    if readers.dialect.name == "sqlite":
        return readers
    return readers.execution_options(isolation_level="AUTOCOMMIT")


def _open(url: URL, pool_size: int) -> Engine:
    if url.get_backend_name() == "sqlite":
        if url.database is not None:
            _rid_of_alien_log(url, url.database)
        engine = create_engine(url, pool_size=pool_size, max_overflow=0)
        event.listen(engine, "connect", _set_up_sqlite)
        if url.database is not None:
            _stay_with_file(engine, Place(url.database))
        return engine
    # The encoding would else be that of the database, and texts would come as bytes, or not fit.
    connect_args = sessions.PATIENCE | {"client_encoding": "utf8"}
    engine = create_engine(url, pool_size=pool_size, max_overflow=0, connect_args=connect_args)
    event.listen(engine, "connect", lambda connection, _: sessions.settle(connection))
    return engine


def _make_private(database: str) -> None:
    """A new file is its owner's alone, and so is what SQLite lays beside it; one that is there stays as it is."""
    with suppress(OSError):  # why there can be none, SQLite says
        os.close(os.open(database, os.O_CREAT | os.O_EXCL, 0o600))


_rid_of: set[str] = set()
_ridding = Lock()


def _rid_of_alien_log(url: URL, database: str) -> None:
    """Before this process first connects to a file, and never again: whoever closes a file gives up all the locks that
    its process has on it (POSIX), those of SQLite's connections too."""
    with _ridding:
        if database not in _rid_of and has_alien_log(database):
            with suppress(InUse), Exclusive(url):
                pass  # who comes first takes it away
        _rid_of.add(database)


def _stay_with_file(engine: Engine, place: Place) -> None:
    """Neither is another file opened under its name, nor is one read or written that is not there any more."""
    for moment in ("do_connect", "begin"):
        event.listen(engine, moment, lambda *_: place.require_file())


def _set_up_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # Transactions are begun by us: the driver would begin them late, and lose concurrent updates without a word.
    connection.isolation_level = None
    for name, value in _SQLITE_SETTINGS.items():
        _set_patiently(connection, name, value)
        actual = connection.execute(f"PRAGMA {name}").fetchone()[0]
        if actual != value:
            raise OSError(f"SQLite keeps {name} at {actual!r} instead of {value!r}: this disk cannot hold the store")


def _set_patiently(connection: sqlite3.Connection, name: str, value: str | int) -> None:
    """SQLite waits for locks by itself, but not where several change the mode of a new file."""
    give_up_at = time.monotonic() + _PATIENCE_S
    while True:
        try:
            connection.execute(f"PRAGMA {name} = {value}")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)
        else:
            return


def _read_only(connection: sqlite3.Connection, _record: Any) -> None:
    connection.execute("PRAGMA query_only = 1")


def _begin_with(engine: Engine, statement: str) -> None:
    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        driver.send(connection, statement)
