"""In-process observers: each event in order, at least once, from where it was; and what it raises harms nobody."""

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.domain.errors import DomainError
from app.domain.events import EpochEnd
from app.observers import plugins as plugins_module
from app.observers.plugins import Observe, Plugins, load
from app.service import hold as hold_module
from app.service.aside import aside
from app.service.hold import HELD, Hold, hold
from app.store.database import Database
from app.store.engines import parse
from app.store.log import Record
from app.store.transaction import Transaction
from tests.conftest import NewDatabase
from tests.waiting import eventually

RUN = UUID(int=1)
Event = dict[str, Any]


def record(transaction: Transaction, requests: Sequence[int]) -> list[Record | DomainError]:
    """An epoch event per request."""
    return [transaction.record(EpochEnd(RUN, number, {"loss": 0.5})) for number in requests]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_GATHER_S", "_LOOK_EVERY_S", "_STORE_EVERY_S", "_FIRST_PAUSE_S"):
        monkeypatch.setattr(plugins_module, name, 0.01)


class Seen:
    """What an observer was given, as it came; it can be awaited."""

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self._waiting: list[tuple[Callable[[], bool], asyncio.Event, asyncio.AbstractEventLoop]] = []

    def __call__(self, event: Event) -> None:
        self.epochs.append(event["epoch"])
        for condition, is_met, loop in self._waiting:
            if condition():
                loop.call_soon_threadsafe(is_met.set)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for it to hold."""
        is_met = asyncio.Event()
        self._waiting.append((condition, is_met, asyncio.get_running_loop()))
        if not condition():
            await is_met.wait()


@asynccontextmanager
async def following(url: str, observers: dict[str, Observe]) -> AsyncIterator[tuple[Database, Plugins]]:
    """A process that runs these observers, which have begun."""
    database = Database(parse(url))
    plugins = Plugins(database, observers)
    database.on_events = lambda _: plugins.wake()
    running = asyncio.create_task(plugins.run())
    try:
        await asyncio.gather(*(follower.has_begun.wait() for follower in plugins._followers))
        yield database, plugins
    finally:
        plugins.close()
        await running
        await database.close()


def run(body: Any) -> None:
    """Do it, within a minute."""
    asyncio.run(asyncio.wait_for(body, 60))


def test_the_shipped_counters_are_found() -> None:
    assert "prometheus" in load()


@pytest.mark.parametrize("is_async", [False, True])
def test_each_event_is_given_in_order_and_once_where_nothing_fails(new_database: NewDatabase, is_async: bool) -> None:
    seen = Seen()

    async def observe(event: Event) -> None:
        seen(event)

    async def body() -> None:
        url = new_database()
        async with following(url, {"mine": observe if is_async else seen}) as (database, _):
            await asyncio.gather(*(database.write(record, number) for number in range(50)))
            await seen.until(lambda: len(seen.epochs) >= 50)
            assert seen.epochs == list(range(50))

    run(body())


def test_it_begins_with_what_is_new_and_goes_on_where_it_was(new_database: NewDatabase) -> None:
    first, second = Seen(), Seen()

    async def body() -> None:
        url = new_database()
        database = Database(parse(url))
        await database.write(record, 0)
        async with following(url, {"mine": first}) as (own, _):
            await own.write(record, 1)
            await first.until(lambda: first.epochs == [1])
        await database.write(record, 2)
        async with following(url, {"mine": second}) as (own, _):
            await own.write(record, 3)
            await second.until(lambda: second.epochs[-2:] == [2, 3])
        assert second.epochs == [2, 3]
        await database.close()

    run(body())


@pytest.mark.parametrize("raised", [ValueError("not today"), StopIteration("not today")], ids=repr)
def test_what_it_raises_is_logged_and_the_event_given_again_while_others_go_on(
    new_database: NewDatabase, caplog: pytest.LogCaptureFixture, raised: Exception
) -> None:
    good, moody = Seen(), Seen()
    n_failures = 0

    def fail_sometimes(event: Event) -> None:
        nonlocal n_failures
        if event["epoch"] == 1 and n_failures < 3:
            n_failures += 1
            raise raised
        moody(event)

    async def body() -> None:
        url = new_database()
        async with following(url, {"good": good, "moody": fail_sometimes}) as (database, _):
            for number in range(3):
                await database.write(record, number)
            await good.until(lambda: good.epochs == [0, 1, 2])
            await moody.until(lambda: moody.epochs == [0, 1, 2])

    run(body())
    assert n_failures == 3
    assert "the observer moody failed at the event after 1" in caplog.text
    assert "not today" in caplog.text


def test_one_that_hangs_holds_up_neither_the_others_nor_the_end(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins_module, "_PATIENCE_S", 0.05)
    good = Seen()
    never = threading.Event()

    async def body() -> None:
        url = new_database()
        async with following(url, {"good": good, "stuck": lambda event: never.wait()}) as (database, _):
            for number in range(3):
                await database.write(record, number)
            await good.until(lambda: good.epochs == [0, 1, 2])

    run(body())
    never.set()


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_of_two_processes_one_runs_it_and_the_other_takes_over(new_database: NewDatabase) -> None:
    first, second = Seen(), Seen()

    async def body() -> None:
        url = new_database()
        async with following(url, {"mine": first}) as (database, _):
            late = Database(parse(url))
            other = Plugins(late, {"mine": second})
            running = asyncio.create_task(other.run())
            for number in range(20):
                await database.write(record, number)
            await first.until(lambda: len(first.epochs) == 20)
            assert second.epochs == []
        await late.write(record, 20)
        other.wake()
        await second.until(lambda: second.epochs == [20])
        other.close()
        await running
        await late.close()
        assert first.epochs == list(range(20))

    run(body())


REFUSE = {
    "sqlite": ["CREATE TRIGGER refuse BEFORE UPDATE ON plugins BEGIN SELECT RAISE(ABORT, 'not today'); END"],
    "postgres": [
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$",
        "CREATE TRIGGER refuse BEFORE UPDATE ON plugins FOR EACH ROW EXECUTE FUNCTION refuse()",
    ],
}
REFUSE_NO_MORE = {"sqlite": ["DROP TRIGGER refuse"], "postgres": ["DROP TRIGGER refuse ON plugins"]}


def say(transaction: Transaction, requests: Sequence[str]) -> list[DomainError | None]:
    """Statements to the database."""
    for request in requests:
        transaction.connection.execute(text(request))
    return [None] * len(requests)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what nobody tells."""
    await asyncio.to_thread(eventually, lambda: condition() or None)


def test_what_cannot_be_stored_for_whatever_reason_is_stored_once_it_can_be(
    new_database: NewDatabase, backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()

    async def body() -> None:
        url = new_database()
        async with following(url, {"mine": seen}) as (database, plugins):
            for statement in REFUSE[backend]:
                await database.write(say, statement)
            await database.write(record, 0)
            await until(lambda: "how far the observer mine has come could not be stored" in caplog.text)
            for statement in REFUSE_NO_MORE[backend]:
                await database.write(say, statement)
            last = await database.write(record, 1)
            await until(lambda: plugins._followers[0]._stored == last.event_id)
            assert seen.epochs == [0, 1]

    run(body())


def test_what_was_left_out_while_nobody_knew_who_holds_it_is_given_later(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Seen()
    followers: list[Any] = []

    def lose_sight(event: Event) -> None:
        seen(event)
        if event["epoch"] == 0:
            followers[0]._renewed_at = -math.inf

    async def and_hear_of_it_again(work: Callable[[], None]) -> None:
        await aside(work)
        followers[0]._renewed_at = time.monotonic()  # before anybody has looked

    async def body() -> None:
        monkeypatch.setattr(plugins_module, "aside", and_hear_of_it_again)
        async with following(new_database(), {"mine": lose_sight}) as (database, plugins):
            followers.extend(plugins._followers)
            await database.write_together(record, [(0, None), (1, None)])
            await seen.until(lambda: seen.epochs == [0, 1])

    run(body())


def test_what_another_process_may_run_by_now_is_not_given(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold_module, "HELD", timedelta())  # another one may take it at any time
    epochs: list[int] = []
    slow_until: list[float] = []

    async def body() -> None:
        url = new_database()
        other, taker, loop = Database(parse(url)), uuid4(), asyncio.get_running_loop()

        def be_slow(event: Event) -> None:
            epochs.append(event["epoch"])
            for held in (timedelta(), HELD):  # first it takes it, then it keeps it
                monkeypatch.setattr(hold_module, "HELD", held)
                asyncio.run_coroutine_threadsafe(other.write(hold, Hold("mine", taker)), loop).result()
            monkeypatch.setattr(plugins_module, "HELD", timedelta())
            slow_until.append(time.monotonic())

        async with following(url, {"mine": be_slow}) as (database, plugins):
            await database.write_together(record, [(0, None), (1, None)])
            await until(lambda: bool(slow_until) and plugins._followers[0]._renewed_at > slow_until[0])
        await other.close()
        assert epochs == [0]

    run(body())
