"""Runs with long histories are deleted some of it at a time, whatever comes between."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from app.domain.errors import UnknownRun
from app.service.edit_run import Left, clear, clear_logs, delete_runs
from app.service.invariants import find_violations
from app.service.log_epochs import Epoch, LogEpochs, log_epochs
from app.service.start import StartRun, start_runs
from app.service.sweep import clean
from app.store import events
from app.store.database import Database
from app.store.engines import parse
from app.store.events import EventFilter
from tests.conftest import NewDatabase


def within(new_database: NewDatabase, story: Callable[[Database], Awaitable[None]]) -> None:
    """Tell a story on an empty store, which is as it must be at its end."""

    async def tell() -> None:
        database = Database(parse(new_database()))
        await story(database)
        assert await database.read(lambda connection: list(find_violations(connection))) == []
        await database.close()

    asyncio.run(tell())


async def start(database: Database, run_id: UUID | None = None, n_epochs: int = 0) -> UUID:
    asked = StartRun(run_id, "", None, [], "", None, None, None, stale_after_s=None, body_digest=b"")
    started = (await database.write(start_runs, asked)).run.run_id
    for begin in range(0, n_epochs, 1000):
        epochs = [Epoch(number, {"loss": 0.5}) for number in range(begin, min(n_epochs, begin + 1000))]
        await database.write(log_epochs, LogEpochs(started, epochs))
    return started


async def types_told(database: Database) -> list[str]:
    found, _ = await database.read(events.list_after, 0, EventFilter(), 10_000)
    return [event.type for event in found]


def test_a_long_history_is_removed_in_several_transactions(new_database: NewDatabase) -> None:
    async def story(database: Database) -> None:
        left: Left | None = await database.write(delete_runs, await start(database, n_epochs=5000))
        n_left = [len(await types_told(database))]
        while left is not None:
            left = await database.write(clear_logs, left)
            n_left.append(len(await types_told(database)))
        # Of 5,001, and the one that tells of the deletion.
        assert n_left == [5002 - 2048, 5002 - 2 * 2048, 1]
        assert await types_told(database) == ["run_delete"]

    within(new_database, story)


def test_what_an_interrupted_deletion_leaves_is_removed_later(new_database: NewDatabase) -> None:
    async def story(database: Database) -> None:
        await start(database, n_epochs=1)
        await database.write(delete_runs, await start(database, n_epochs=5000))
        assert "epoch_end" in (await types_told(database))[2:]
        await clean(database)
        assert await types_told(database) == ["run_start", "epoch_end", "run_delete"]

    within(new_database, story)


def test_a_deletion_that_was_interrupted_goes_on_when_it_is_repeated(new_database: NewDatabase) -> None:
    async def story(database: Database) -> None:
        run_id = await start(database, n_epochs=5000)
        assert await database.write(delete_runs, run_id) is not None
        await clear(database, await database.write(delete_runs, run_id))
        assert await types_told(database) == ["run_delete"]
        with pytest.raises(UnknownRun):
            await database.write(delete_runs, run_id)

    within(new_database, story)


def test_a_run_begins_anew_whatever_is_left_of_a_deleted_one_with_its_id(new_database: NewDatabase) -> None:
    async def story(database: Database) -> None:
        run_id = await start(database, uuid4(), n_epochs=5000)
        left = await database.write(delete_runs, run_id)
        assert left is not None
        await start(database, run_id, n_epochs=1)
        assert await database.write(clear_logs, left) is None
        assert await types_told(database) == ["run_delete", "run_start", "epoch_end"]

    within(new_database, story)
