"""Events are numbered in the order of their commits: who reads on from the last number that it saw skips none."""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Connection, Engine, insert, text

from app.domain.errors import DomainError
from app.domain.events import EpochEnd
from app.store.database import Database
from app.store.engines import open_writer, parse
from app.store.log import Record
from app.store.tables import events
from app.store.transaction import Transaction
from tests.chaos.sizes import size
from tests.chaos.stubborn import PATIENCE_S, together
from tests.conftest import Shared

RUN = UUID(int=1)

Append = Callable[[Connection, int], None]
"""Puts one event, of this epoch, into a transaction."""


def append(connection: Connection, epoch: int) -> None:
    """As the service does."""
    transaction = Transaction(connection)
    transaction.record(EpochEnd(RUN, epoch, {"loss": 0.5}))
    assert transaction.store_events()


def append_without_order(connection: Connection, epoch: int) -> None:
    """As a sequence alone would do: the number is taken here, and shown whenever the commit comes."""
    row = {"type": "epoch_end", "timestamp": datetime.now(UTC), "run_id": RUN, "epoch": epoch, "body": "{}"}
    connection.execute(insert(events).values(row))


@pytest.fixture
def database(shared: Shared) -> str:
    """The URL of a PostgreSQL database."""
    return shared.new_database("postgres")


@pytest.fixture
def engines(database: str) -> Iterator[list[Engine]]:
    """The writers of two replicas."""
    with ExitStack() as exits:
        found = [open_writer(parse(database)) for _ in range(2)]
        for engine in found:
            exits.callback(engine.dispose)
        yield found


class Reader:
    """Reads on from the last number that it saw, as a stream does."""

    def __init__(self, database: str) -> None:
        self.seen: list[int] = []
        self._connection = psycopg.connect(database, autocommit=True)

    def close(self) -> None:
        self._connection.close()

    def read_on(self) -> None:
        """See what is new."""
        last = self.seen[-1] if self.seen else 0
        query = "SELECT event_id FROM events WHERE event_id > %s ORDER BY event_id"
        self.seen += [row[0] for row in self._connection.execute(query, [last])]

    def count(self) -> int:
        """How many there are."""
        row = self._connection.execute("SELECT count(*) FROM events").fetchone()
        assert row is not None
        return int(row[0])

    def wait_for_lock(self, is_over: Callable[[], bool]) -> None:
        """Until somebody waits for an advisory lock of this database, or it is over."""
        query = (
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        deadline = time.monotonic() + PATIENCE_S
        while not is_over() and self._connection.execute(query).fetchone() == (0,):
            assert time.monotonic() < deadline, "nobody waits"


@pytest.fixture
def reader(database: str) -> Iterator[Reader]:
    """A reader of the log."""
    found = Reader(database)
    yield found
    found.close()


def race(engines: Sequence[Engine], reader: Reader, append: Append) -> None:
    """The first transaction takes its number, the second one too and commits if it can, before the first one does."""
    first, second = engines

    def commit_second() -> None:
        with second.begin() as connection:
            append(connection, 2)

    with ThreadPoolExecutor(1) as pool:
        with first.begin() as connection:
            append(connection, 1)
            other = pool.submit(commit_second)
            reader.wait_for_lock(other.done)
            reader.read_on()
        other.result(PATIENCE_S)
    reader.read_on()


def test_a_reader_skips_no_event_of_a_transaction_that_commits_late(engines: list[Engine], reader: Reader) -> None:
    race(engines, reader, append)
    assert len(reader.seen) == reader.count() == 2


def test_the_hazard_is_real(engines: list[Engine], reader: Reader) -> None:
    race(engines, reader, append_without_order)
    assert (len(reader.seen), reader.count()) == (1, 2)


def test_a_reader_skips_nothing_under_a_load_of_slow_transactions(database: str, reader: Reader) -> None:
    n_writers, n_transactions = size(4, 8), size(60, 800)
    is_over = threading.Event()

    def write(number: int) -> list[int]:
        """The numbers that this writer's events got."""
        chance = random.Random(number)
        numbers: list[int] = []
        engine = open_writer(parse(database))
        for epoch in range(n_transactions):
            with engine.begin() as connection:
                transaction = Transaction(connection)
                records = [transaction.record(EpochEnd(RUN, epoch, {"loss": 0.5})) for _ in range(chance.randint(1, 3))]
                transaction.store_events()
                time.sleep(chance.choice([0.0, 0.0, 0.001, 0.005]))  # a slow commit is what this is about
            numbers += [record.event_id for record in records]
        engine.dispose()
        return numbers

    def follow() -> None:
        while not is_over.is_set():
            reader.read_on()

    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(follow)
        written = together(n_writers, write)
        is_over.set()
        following.result(PATIENCE_S)
    reader.read_on()
    assert reader.seen == sorted(number for numbers in written for number in numbers)
    assert all(numbers == sorted(numbers) for numbers in written)


def test_a_slow_transaction_holds_nobody_up_before_it_takes_its_numbers(database: str) -> None:
    is_under_way, may_go_on = threading.Event(), threading.Event()

    def slow(transaction: Transaction, requests: Sequence[int]) -> list[Record | DomainError]:
        transaction.connection.execute(text("SELECT 1"))
        is_under_way.set()
        assert may_go_on.wait(PATIENCE_S)
        return quick(transaction, requests)

    def quick(transaction: Transaction, requests: Sequence[int]) -> list[Record | DomainError]:
        return [transaction.record(EpochEnd(RUN, epoch, {"loss": 0.5})) for epoch in requests]

    async def body() -> list[int]:
        replicas = [Database(parse(database)) for _ in range(2)]
        try:
            first = asyncio.create_task(replicas[0].write(slow, 1))
            await asyncio.to_thread(is_under_way.wait, PATIENCE_S)
            second = await asyncio.wait_for(replicas[1].write(quick, 2), PATIENCE_S)
            may_go_on.set()
            return [second.event_id, (await first).event_id]
        finally:
            may_go_on.set()
            for replica in replicas:
                await replica.close()

    in_order_of_commits = asyncio.run(body())
    assert in_order_of_commits == sorted(in_order_of_commits)
