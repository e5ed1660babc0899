"""Readers are few: nobody has all of them, and nobody has one for ever."""

import asyncio
from collections.abc import Callable
from threading import Event
from typing import TypeVar

import pytest
from sqlalchemy import Connection, text

from app.domain.errors import StoreBusy
from app.store.database import Database, asker
from app.store.engines import parse
from tests.conftest import NewDatabase, Shared

T = TypeVar("T")

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.mark.parametrize("are_gone", [False, True], ids=["who waits", "who is gone"])
def test_whoever_asks_for_much_leaves_a_reader_to_the_others(new_database: NewDatabase, are_gone: bool) -> None:
    is_over = Event()

    async def ask(database: Database, who: str | None, query: Callable[[Connection], T]) -> T:
        asker.set(who)
        return await database.read(query)

    async def run() -> None:
        database = Database(parse(new_database()))
        asked: list[asyncio.Task[bool]] = []
        try:
            for _ in range(2):
                asked += [asyncio.create_task(ask(database, "one", lambda _: is_over.wait(60))) for _ in range(8)]
                await asyncio.sleep(0)
                for task in asked if are_gone else ():
                    task.cancel()
            for who in ("another", None):
                assert await asyncio.wait_for(asyncio.create_task(ask(database, who, lambda _: True)), 40)
        finally:
            is_over.set()
            answers = await asyncio.gather(*asked, return_exceptions=True)
            await database.close()
        assert are_gone or answers == [True] * 16

    asyncio.run(run())


def test_nothing_is_read_for_ever(shared: Shared) -> None:
    async def run() -> None:
        database = Database(parse(shared.new_database("sqlite")), longest_read_s=0.1)
        for _ in range(2):
            with pytest.raises(StoreBusy):  # PostgreSQL has its statement_timeout
                await database.read(lambda connection: connection.execute(text(ENDLESS)).scalar())
            assert await database.read(lambda connection: connection.execute(text("SELECT 1")).scalar()) == 1
        await database.close()

    asyncio.run(run())
