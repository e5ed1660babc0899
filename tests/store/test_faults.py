"""Reads and writes that cannot be, and databases that are not as one wishes."""

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest

from app.domain.errors import CorruptState, DomainError, StorageFull, StoreBusy
from app.domain.filters import Compare, Field, Kind
from app.service.start import StartRun, start_runs
from app.store import events, search
from app.store.database import Database
from app.store.engines import parse
from app.store.faults import is_connection_lost, translate
from app.store.migrate import migrate
from app.store.search import Search
from tests.conftest import NewDatabase, Shared

_TEXT = "é \U0001f600"


def test_what_a_connection_says_past_sqlalchemy_is_no_fault_of_the_request() -> None:
    error = psycopg.OperationalError("the connection is closed")
    assert isinstance(translate(error), StoreBusy)
    assert is_connection_lost(error)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (psycopg.errors.DiskFull, StorageFull),
        (psycopg.errors.OutOfMemory, StoreBusy),  # of the server, or of what it has for locks: no disk is full
        (psycopg.errors.TooManyConnections, StoreBusy),
        (psycopg.errors.IndexCorrupted, CorruptState),
    ],
)
def test_what_a_server_complains_of_is_told_as_what_it_is(
    error: type[psycopg.Error], meaning: type[DomainError]
) -> None:
    assert type(translate(error())) is meaning


def _start(name: str) -> StartRun:
    return StartRun(
        run_id=None,
        name=name,
        params={"text": name},
        tags=[name],
        note="",
        trial_id=None,
        worker=None,
        attempt=None,
        stale_after_s=None,
        start_time=datetime(2026, 1, 1, tzinfo=UTC),
        body_digest=b"",
    )


def test_why_nothing_was_read_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> None:
        database = Database(parse("postgresql://nobody@127.0.0.1:1/x"))
        with pytest.raises(StoreBusy):
            await database.read(events.last_event_id)
        await database.close()

    asyncio.run(ask())
    assert any("nothing was read" in line and "refused" in line for line in caplog.messages)


def test_who_asks_a_store_that_is_closed_is_sent_away(new_database: NewDatabase) -> None:
    async def ask() -> None:
        url = parse(new_database())
        database = Database(url)
        await database.close()
        with pytest.raises(StoreBusy):
            await database.read(events.last_event_id)
        with pytest.raises(StoreBusy):
            await database.write(start_runs, _start(""))

    asyncio.run(ask())


def test_texts_are_texts_in_a_database_that_knows_no_letters(shared: Shared) -> None:
    server = shared.postgres()
    url = server.create_database("ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")

    async def story() -> list[str]:
        migrate(parse(url))
        database = Database(parse(url))
        try:
            await database.write(start_runs, _start(_TEXT))
            condition = Compare(Field("params", Kind.params, "text"), "=", _TEXT)
            return [one.run.name for one in await database.read(search.list_found, Search(condition), 10)]
        finally:
            await database.close()

    try:
        assert asyncio.run(story()) == [_TEXT]
    finally:
        server.drop_database(url)
