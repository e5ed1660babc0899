"""Statements past SQLAlchemy: they fail as its own do, in time, and leave a connection that is good for more."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import URL, Connection, Engine, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.store import bulk, driver
from app.store.engines import open_writer, parse
from app.store.faults import is_connection_lost
from app.store.tables import runs, tags
from tests.conftest import NewDatabase

ONE = UUID(int=1)


@contextmanager
def writer_of(url: URL) -> Iterator[Engine]:
    engine = open_writer(url)
    try:
        yield engine
    finally:
        engine.dispose()


@pytest.fixture
def engine(new_database: NewDatabase) -> Iterator[Engine]:
    url = parse(new_database())
    with writer_of(url) as engine:
        yield engine


@dataclass
class Tagged:
    owner_id: UUID
    tag: str


def tag(connection: Connection, *names: str) -> None:
    bulk.insert(connection, tags, ("owner_id", "tag"), [Tagged(ONE, name) for name in names])


def read_tags(connection: Connection) -> list[str]:
    return list(connection.execute(select(tags.c.tag).order_by(tags.c.tag)).scalars())


def test_what_was_sent_is_there_for_whatever_runs_next(engine: Engine) -> None:
    with engine.connect() as connection:
        with connection.begin():
            tag(connection, "a", "b")
            assert read_tags(connection) == ["a", "b"]
            tag(connection, "c")
            assert driver.fetch(connection, "SELECT count(*) FROM tags") == [(3,)]
            tag(connection, "d")
        assert read_tags(connection) == ["a", "b", "c", "d"]


def test_a_failure_of_what_was_sent_undoes_the_transaction_and_the_connection_goes_on(engine: Engine) -> None:
    with engine.connect() as connection:
        with pytest.raises(IntegrityError), connection.begin():  # noqa: PT012 -- where it fails is the database's choice
            tag(connection, "a")
            tag(connection, "a")
        with connection.begin():
            tag(connection, "b")
        with connection.begin():
            assert read_tags(connection) == ["b"]


@pytest.mark.parametrize("waits", ["SELECT 1", "an insert of SQLAlchemy's"])
def test_the_failure_that_is_told_is_the_first(engine: Engine, waits: str) -> None:
    with engine.connect() as connection:
        with pytest.raises(IntegrityError), connection.begin():  # noqa: PT012
            tag(connection, "a")
            tag(connection, "a")
            tag(connection, "b")
            if waits == "SELECT 1":
                driver.fetch(connection, waits)
            else:
                connection.execute(tags.insert(), {"owner_id": ONE, "tag": "c"})
        with connection.begin():
            assert driver.fetch(connection, "SELECT count(*) FROM tags") == [(0,)]


def test_a_statement_without_sense_is_told_as_sqlalchemy_would(engine: Engine) -> None:
    with engine.connect() as connection:
        with pytest.raises(DBAPIError) as failure, connection.begin():
            driver.fetch(connection, "SELECT nothing FROM nowhere")
        assert not is_connection_lost(failure.value)
        with connection.begin():
            assert driver.fetch(connection, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("waits", ["fetch", "commit"])
def test_a_connection_that_was_cut_is_told_as_lost_and_replaced(engine: Engine, waits: str) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("a file has no connection to cut")
    with engine.connect() as connection:
        with pytest.raises(DBAPIError) as failure, connection.begin():  # noqa: PT012
            [(pid,)] = driver.fetch(connection, "SELECT pg_backend_pid()")
            with writer_of(engine.url) as other, other.begin() as cutting:
                cutting.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
            if waits == "fetch":
                driver.fetch(connection, "SELECT 1")
            else:
                tag(connection, "a")
        assert is_connection_lost(failure.value)
    with engine.begin() as connection:
        assert read_tags(connection) == []


@pytest.mark.parametrize("n", [1, 2, 3, 37, 256, 300, 1025])
def test_any_number_of_rows_is_written_and_found_again(engine: Engine, n: int) -> None:
    names = ("owner_id", "tag")
    things = [Tagged(UUID(int=number), f"tag {number}") for number in range(n)]
    with engine.begin() as connection:
        bulk.insert(connection, tags, names, things)
        for thing in things[1:]:
            thing.tag += " changed"
        bulk.update(connection, tags, names, things[1:])
        wanted = [thing.owner_id for thing in things]
        found = bulk.select(connection, tags, names, "owner_id", [*reversed(wanted), UUID(int=n)], is_locked=True)
    assert found == [(thing.owner_id, thing.tag) for thing in things]


def test_nothing_is_done_for_nobody(engine: Engine) -> None:
    with engine.begin() as connection:
        bulk.insert(connection, tags, ("owner_id", "tag"), [])
        bulk.update(connection, tags, ("owner_id", "tag"), [])
        assert bulk.select(connection, runs, ("run_id",), "run_id", []) == []
        assert bulk.select(connection, runs, ("run_id",), "run_id", [ONE]) == []
