"""The feed itself: what a stream cannot show from outside."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from app.domain.errors import DomainError
from app.domain.events import EpochEnd, RunDelete
from app.service import feed as feed_module
from app.service import subscriber as subscriber_module
from app.service.feed import Feed
from app.store import tags
from app.store.database import Database
from app.store.engines import parse
from app.store.events import EventFilter
from app.store.log import Record
from app.store.transaction import Transaction
from tests.conftest import NewDatabase

RUN = UUID(int=1)


def record(transaction: Transaction, requests: Sequence[int]) -> list[Record | DomainError]:
    """An epoch event per request."""
    return [transaction.record(EpochEnd(RUN, number, {"loss": 0.5})) for number in requests]


def record_deletion(transaction: Transaction, requests: Sequence[None]) -> list[Record | DomainError]:
    """An event of another type."""
    return [transaction.record(RunDelete(RUN, None)) for _ in requests]


@asynccontextmanager
async def running(url: str) -> AsyncIterator[tuple[Database, Feed]]:
    """A feed over an empty database."""
    database = Database(parse(url))
    feed = Feed(database)
    database.on_events = feed.tell
    tail = asyncio.create_task(feed.run())
    try:
        yield database, feed
    finally:
        feed.close()
        await tail
        await database.close()


def tag(transaction: Transaction, requests: Sequence[str]) -> list[DomainError | None]:
    """The run of all events has these tags."""
    tags.replace(transaction.connection, [(RUN, requests)])
    return [None for _ in requests]


async def chunks(stream: AsyncIterator[bytes], n: int) -> bytes:
    """The bytes of the next n events."""
    found: list[bytes] = []
    async for chunk in stream:
        found += [event + b"\n\n" for event in chunk.split(b"\n\n") if event.startswith(b"id: ")]
        if len(found) >= n:
            break
    return b"".join(found[:n])


async def follow(feed: Feed, n: int) -> list[int]:
    """The ids of the first n events, read as a client does: it comes back with its last one when it is cut."""
    found: list[int] = []
    while len(found) < n:
        found += await ids(await feed.stream(found[-1] if found else 0, EventFilter()), n - len(found))
    return found


async def ids(stream: AsyncIterator[bytes], n: int) -> list[int]:
    """The ids of the next n events."""
    found: list[int] = []
    async for chunk in stream:
        if not chunk.startswith(b"retry: "):  # the opening may name the event before
            found += [int(line[4:]) for line in chunk.split(b"\n") if line.startswith(b"id: ")]
        if len(found) >= n:
            break
    return found


def test_a_replay_joins_the_live_feed_without_gap_or_double(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_PAGE", 7)
    monkeypatch.setattr(feed_module, "_FIRST_PAGE", 7)
    monkeypatch.setattr(feed_module, "_REMEMBERED", 20)
    n = 400

    async def body() -> list[list[int]]:
        async with running(new_database()) as (database, feed):

            async def write() -> None:
                for start in range(0, n, 10):
                    await asyncio.gather(*(database.write(record, number) for number in range(start, start + 10)))

            async def read_from(after: int) -> list[int]:
                return await ids(await feed.stream(after, EventFilter()), n - after)

            async def read_later() -> list[int]:
                await asyncio.sleep(0)
                return await read_from(0)

            writing = asyncio.create_task(write())
            readers = await asyncio.gather(*(read_later() for _ in range(5)))
            await writing
            return [*readers, await read_from(0), await read_from(n - 3)]

    *whole, end = asyncio.run(asyncio.wait_for(body(), 60))
    assert all(reader == list(range(1, n + 1)) for reader in whole)
    assert end == [n - 2, n - 1, n]


def test_own_events_and_those_of_others_come_in_one_order_to_all_and_to_those_who_ask_for_tags(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What this process commits goes on at once, what another one does is read: no gap, no double, the same bytes."""
    monkeypatch.setattr(feed_module, "_AT_ONCE", 6)
    monkeypatch.setattr(feed_module, "_FIRST_PAGE", 7)
    n = 200
    by_tag = EventFilter(tags=frozenset({"seen"}))

    async def body() -> tuple[list[list[int]], list[bytes]]:
        url = new_database()
        async with running(url) as (database, feed):
            other = Database(parse(url))
            await database.write(tag, "seen")

            async def write(into: Database, n: int) -> None:
                for start in range(0, n, 10):
                    await asyncio.gather(*(into.write(record, number) for number in range(start, start + 10)))

            async def come_and_go(wanted: EventFilter) -> list[int]:
                found: list[int] = []
                while len(found) < n:
                    last = found[-1] if found else 0
                    found += await ids(await feed.stream(last, wanted), min(17, n - len(found)))
                return found

            live = asyncio.create_task(chunks(await feed.stream(0, EventFilter()), n))
            readers = [asyncio.create_task(come_and_go(wanted)) for wanted in (EventFilter(), by_tag) * 2]
            await write(database, n // 4)
            await asyncio.gather(write(database, n // 2), write(other, n // 4))
            found = [await reader for reader in readers]
            await other.close()
            return found, [await live, await chunks(await feed.stream(0, EventFilter()), n)]

    readers, (live, replayed) = asyncio.run(asyncio.wait_for(body(), 60))
    assert all(reader == list(range(1, n + 1)) for reader in readers)
    assert live == replayed


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (EventFilter(), range(1, 12)),
        (EventFilter(types=frozenset({"run_delete"})), range(11, 12)),
        (EventFilter(tags=frozenset({"seen"})), range(1, 12)),
    ],
    ids=["all", "a type", "a tag"],
)
@pytest.mark.parametrize("n_remembered", [3, 100])
def test_who_comes_while_another_watches_gets_what_it_missed_and_wants(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch, wanted: EventFilter, expected: range, n_remembered: int
) -> None:
    monkeypatch.setattr(feed_module, "_REMEMBERED", n_remembered)

    async def body() -> list[int]:
        async with running(new_database()) as (database, feed):
            await database.write(tag, "seen")
            first = await feed.stream(0, EventFilter())
            await anext(first)
            watching = asyncio.create_task(ids(first, 10))
            await asyncio.sleep(0)
            for number in range(10):
                await database.write(record, number)
            await watching
            coming = asyncio.create_task(ids(await feed.stream(0, wanted), len(expected)))
            await database.write(record_deletion, None)
            return await coming

    assert asyncio.run(asyncio.wait_for(body(), 60)) == list(expected)


def test_who_wants_nothing_of_what_there_is_joins_those_who_watch(new_database: NewDatabase) -> None:
    async def joined(feed: Feed, n: int) -> None:
        while feed.n_streams < n:  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0.01)

    async def body() -> list[int]:
        async with running(new_database()) as (database, feed):
            for number in range(3):
                await database.write(record, number)
            watching = asyncio.create_task(ids(await feed.stream(None, EventFilter()), 1))
            await joined(feed, 1)
            coming = asyncio.create_task(ids(await feed.stream(0, EventFilter(types=frozenset({"run_delete"}))), 1))
            await joined(feed, 2)
            await database.write(record_deletion, None)
            return await watching + await coming

    assert asyncio.run(asyncio.wait_for(body(), 60)) == [4, 4]


def test_what_this_process_commits_is_told_without_a_look_at_the_store(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> list[int]:
        async with running(new_database()) as (database, feed):
            stream = await feed.stream(None, EventFilter())
            await anext(stream)
            reading = asyncio.create_task(ids(stream, 20))
            await asyncio.sleep(0)
            monkeypatch.setattr(feed, "_follow", do_nothing)
            for number in range(20):
                await database.write(record, number)
            return await reading

    async def do_nothing() -> None:
        pass

    assert asyncio.run(asyncio.wait_for(body(), 60)) == list(range(1, 21))


def test_a_reader_that_does_not_read_is_ended_and_harms_nobody(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber_module, "_BUFFERED_BYTES", 1000)

    async def body() -> tuple[list[int], list[int]]:
        async with running(new_database()) as (database, feed):
            slow = await feed.stream(0, EventFilter())
            await database.write(record, 0)
            await anext(slow)
            first = await ids(slow, 1)
            await database.write(record, 1)
            first += await ids(slow, 1)  # live now
            quick = asyncio.create_task(follow(feed, 30))
            for number in range(2, 30):
                await database.write(record, number)
            assert await quick == list(range(1, 31))
            return first, await ids(slow, 1000)

    first, rest = asyncio.run(asyncio.wait_for(body(), 60))
    assert first == [1, 2]
    assert rest == []  # it was told to come back, and nothing after a gap


def test_a_quiet_stream_is_kept_alive(new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "_KEEP_ALIVE_S", 0.0)
    monkeypatch.setattr(feed_module, "_LOOK_EVERY_S", 0.01)

    async def body() -> bytes:
        async with running(new_database()) as (_, feed):
            stream = await feed.stream(None, EventFilter())
            await anext(stream)
            return await anext(stream)

    assert asyncio.run(asyncio.wait_for(body(), 60)).startswith(b":")


def test_closing_ends_every_stream_with_a_last_word(new_database: NewDatabase) -> None:
    async def body() -> list[bytes]:
        async with running(new_database()) as (_, feed):
            streams = [await feed.stream(None, EventFilter()) for _ in range(3)]
            for stream in streams:
                await anext(stream)
            rest = [asyncio.create_task(_all(stream)) for stream in streams]
            await asyncio.sleep(0)
            feed.close()
            return [await ended for ended in rest]

    assert all(said.startswith(b":") for said in asyncio.run(asyncio.wait_for(body(), 60)))


def test_a_replay_that_the_end_of_the_service_cuts_short_skips_nothing(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_FIRST_PAGE", 3)

    async def body() -> tuple[list[int], bytes]:
        async with running(new_database()) as (database, feed):
            for number in range(10):
                await database.write(record, number)
            watching = await feed.stream(None, EventFilter())
            await anext(watching)
            news = asyncio.create_task(ids(watching, 1))
            replay = await feed.stream(0, EventFilter())
            await anext(replay)
            found = await ids(replay, 1)
            await database.write(record, 10)
            assert await news == [11]  # which the feed remembers
            feed.close()
            return found, await _all(replay)

    found, rest = asyncio.run(asyncio.wait_for(body(), 60))
    assert found == [1, 2, 3]
    assert rest == b": the service is going down; come back with the last id\n\n"


def test_an_old_stream_is_ended_and_its_client_told_to_come_back(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber_module, "_OLDEST_S", 0.0)
    monkeypatch.setattr(feed_module, "_LOOK_EVERY_S", 0.01)

    async def body() -> tuple[bytes, list[int]]:
        async with running(new_database()) as (database, feed):
            rest = asyncio.create_task(_all(await feed.stream(None, EventFilter())))
            said = await rest
            for number in range(5):
                await database.write(record, number)
            return said, await follow(feed, 5)

    said, found = asyncio.run(asyncio.wait_for(body(), 60))
    assert said.endswith(b"come back with the last id\n\n")
    assert found == [1, 2, 3, 4, 5]


def test_who_joins_first_further_back_while_others_events_are_read_misses_nothing(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It saw the end of the log long ago, and was slow to take it; the feed has gone on, for one that leaves now."""

    async def body() -> list[int]:
        async with running(new_database()) as (database, feed):
            is_reading, may_go_on, look = asyncio.Event(), asyncio.Event(), database.look

            async def look_slowly(query: Any, *arguments: Any) -> Any:
                found = await look(query, *arguments)
                if query is feed_module._read_news and arguments[0] >= 3 and not may_go_on.is_set():
                    is_reading.set()
                    await may_go_on.wait()
                return found

            monkeypatch.setattr(database, "look", look_slowly)
            late = await feed.stream(None, EventFilter())
            await anext(late)
            first = await feed.stream(None, EventFilter())
            reading = asyncio.create_task(ids(first, 3))
            await asyncio.sleep(0)
            for number in range(3):
                await database.write(record, number)
            assert await reading == [1, 2, 3]
            await database.write(record, 3)
            await is_reading.wait()
            await first.aclose()
            rest = asyncio.create_task(ids(late, 5))
            await asyncio.sleep(0)
            may_go_on.set()
            await database.write(record, 4)
            return await rest

    assert asyncio.run(asyncio.wait_for(body(), 60)) == [1, 2, 3, 4, 5]


async def _all(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in stream])
