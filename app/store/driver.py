"""Statements straight to the driver: those that run all the time, for which SQLAlchemy costs more than the database.

On PostgreSQL the writer's go out in a pipeline, which saves round trips. What is sent and not waited for fails where
something is waited for next: at `fetch`, at a statement of SQLAlchemy's, or before the commit. Errors are those that
SQLAlchemy raises.
"""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import cache
from typing import Any, NoReturn
from uuid import UUID

import psycopg
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError


def fetch(connection: Connection, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """The rows that a statement answers."""
    raw = _raw(connection)
    try:
        if connection.dialect.name == "sqlite":
            found: list[tuple[Any, ...]] = raw.execute(sql, parameters).fetchall()
            return found
        pipeline = _Pipeline.of(connection)
        if pipeline is not None:
            pipeline.enter()
        rows: list[tuple[Any, ...]] = raw.cursor(binary=True).execute(sql, parameters).fetchall()
        if pipeline is not None:
            pipeline.is_awaited = False
    except _errors(connection) as error:
        _fail(connection, sql, error)
    return rows


def fetch_of_run(connection: Connection, sql: str, run_id: UUID, *numbers: int) -> list[tuple[Any, ...]]:
    """The rows that a statement answers in which {id} stands for a run, and after it {number} for each of these."""
    dialect = connection.dialect.name
    run = run_id if dialect == "postgresql" else run_id.bytes
    return fetch(connection, _marked(sql, dialect), (run, *numbers))


_MARKS = {"sqlite": {"id": "?", "number": "?"}, "postgresql": {"id": "%b::uuid", "number": "%b::bigint"}}


@cache
def _marked(sql: str, dialect: str) -> str:
    return sql.format(**_MARKS[dialect])


def send(connection: Connection, sql: str, parameters: Sequence[Any] = ()) -> None:
    """Run a statement whose answer nobody needs."""
    raw = _raw(connection)
    try:
        pipeline = _Pipeline.of(connection)
        if pipeline is not None:
            pipeline.enter()
            pipeline.is_awaited = True
        raw.execute(sql, parameters)
    except _errors(connection) as error:
        _fail(connection, sql, error)


def use_pipelines(engine: Engine) -> None:
    """Makes each connection of an engine for PostgreSQL one with a pipeline."""

    @event.listens_for(engine, "connect")
    def make(raw: Any, record: Any) -> None:
        record.info[_Pipeline] = _Pipeline(raw)

    @event.listens_for(engine, "close")
    def end(_: Any, record: Any) -> None:
        record.info[_Pipeline].drop()

    # SQLAlchemy waits for each of its statements by itself, which a pipeline would not let it do.
    @event.listens_for(engine, "before_cursor_execute")
    def leave(connection: Connection, *_: Any) -> None:
        _settle(connection, connection.info[_Pipeline])

    # A pipeline that has failed passes over the commit too, and the transaction would go on.
    @event.listens_for(engine, "commit")
    def settle(connection: Connection) -> None:
        pipeline: _Pipeline = connection.info[_Pipeline]
        if pipeline.is_awaited:
            _settle(connection, pipeline)


def backend_pid(connection: Connection) -> int | None:
    """The number of PostgreSQL's process for this connection; SQLite has none."""
    if connection.dialect.name == "sqlite":
        return None
    found: int = _raw(connection).info.backend_pid
    return found


class _Pipeline:
    """The pipeline of a connection, entered and left again and again.

    Attributes:
        is_awaited: whether something was sent whose answer is not there yet.
    """

    def __init__(self, raw: psycopg.Connection) -> None:
        self._raw = raw
        self._entered = ExitStack()
        self._is_in = False
        self.is_awaited = False

    @staticmethod
    def of(connection: Connection) -> "_Pipeline | None":
        """A connection's; readers have none, nor has SQLite."""
        return connection.info.get(_Pipeline)

    def enter(self) -> None:
        """Wait for no answers from here on."""
        if not self._is_in:
            self._entered.enter_context(self._raw.pipeline())
            self._is_in = True

    def leave(self) -> None:
        """Wait for the answers to all that was sent; raises the first failure."""
        self._is_in = self.is_awaited = False
        self._entered.close()

    def drop(self) -> None:
        """Leave it after a failure: all that was sent later has failed too."""
        with suppress(psycopg.Error):
            self.leave()


def _settle(connection: Connection, pipeline: _Pipeline) -> None:
    try:
        pipeline.leave()
    except psycopg.Error as error:
        raw = _raw(connection)
        if raw.pgconn.pipeline_status != psycopg.pq.PipelineStatus.OFF:
            raw.close()  # cut in the middle of its pipeline: it cannot leave that, and nothing more can be asked of it
        with suppress(psycopg.Error):
            raw.rollback()
        _fail(connection, "something sent before", error)


def _raw(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _errors(connection: Connection) -> type[Exception]:
    assert connection.dialect.dbapi is not None
    return connection.dialect.dbapi.Error


def _fail(connection: Connection, sql: str, error: Any) -> NoReturn:
    """Raise what SQLAlchemy would raise, with the connection as it would leave it."""
    pipeline = _Pipeline.of(connection)
    if pipeline is not None:
        pipeline.drop()
    raw: Any = connection.connection.dbapi_connection
    is_lost = connection.dialect.is_disconnect(error, raw, None)
    if is_lost:
        connection.invalidate(error)
    raise DBAPIError.instance(
        sql,
        None,
        error,
        _errors(connection),
        hide_parameters=True,
        connection_invalidated=is_lost,
        dialect=connection.dialect,
    ) from error
