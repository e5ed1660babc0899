"""Group commit: one request's error is its own, and nobody is answered before the commit."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import Connection, select, text

from app.domain.errors import DomainError, IdConflict, StoreBusy
from app.store import driver
from app.store.database import Database
from app.store.engines import parse
from app.store.line import Line
from app.store.tables import tags
from app.store.transaction import Transaction
from tests.conftest import NewDatabase

T = TypeVar("T")


def with_database(url: str, body: Callable[[Database], Awaitable[T]]) -> T:
    """What the body makes of a migrated database."""

    async def run() -> T:
        database = Database(parse(url))
        try:
            return await body(database)
        finally:
            await database.close()

    return asyncio.run(run())


def put_tags(transaction: Transaction, requests: Sequence[str]) -> list[str | DomainError]:
    """Writes a row per request; "refused" is answered a domain error, "broken" breaks the whole batch."""
    answers: list[str | DomainError] = []
    for request in requests:
        if request == "broken":
            raise ZeroDivisionError
        if request == "refused":
            answers.append(IdConflict())
            continue
        transaction.connection.execute(tags.insert(), {"owner_id": UUID(int=1), "tag": request})
        answers.append(request.upper())
    return answers


def read_tags(connection: Connection) -> list[str]:
    """What is committed."""
    return list(connection.execute(select(tags.c.tag).order_by(tags.c.tag)).scalars())


def test_a_domain_error_leaves_its_neighbours_in_the_batch_alone(new_database: NewDatabase) -> None:
    async def body(database: Database) -> tuple[list[object], list[str]]:
        answers = await asyncio.gather(
            *(database.write(put_tags, request) for request in ["a", "refused", "b"]), return_exceptions=True
        )
        return list(answers), await database.read(read_tags)

    answers, stored = with_database(new_database(), body)
    assert answers[0] == "A"
    assert isinstance(answers[1], IdConflict)
    assert answers[2] == "B"
    assert stored == ["a", "b"]


def test_an_unexpected_error_hits_only_the_request_that_made_it(new_database: NewDatabase) -> None:
    async def body(database: Database) -> tuple[list[object], list[str]]:
        answers = await asyncio.gather(
            *(database.write(put_tags, request) for request in ["a", "b", "broken", "c"]), return_exceptions=True
        )
        return list(answers), await database.read(read_tags)

    answers, stored = with_database(new_database(), body)
    assert [answer for answer in answers if isinstance(answer, str)] == ["A", "B", "C"]
    assert isinstance(answers[2], ZeroDivisionError)
    assert stored == ["a", "b", "c"]


def test_an_answer_comes_only_when_a_reader_can_see_the_write(new_database: NewDatabase) -> None:
    async def body(database: Database) -> None:
        for number in range(20):
            tag = f"{number:02}"
            await database.write(put_tags, tag)
            assert tag in await database.read(read_tags)

    with_database(new_database(), body)


def test_what_waits_is_written_before_the_database_closes(new_database: NewDatabase) -> None:
    url = new_database()

    async def leave(database: Database) -> None:
        for number in range(50):
            database._writer.submit(put_tags, [(f"{number:02}", None)])

    with_database(url, leave)

    async def count(database: Database) -> int:
        return len(await database.read(read_tags))

    assert with_database(url, count) == 50


def test_nothing_is_written_without_a_transaction(new_database: NewDatabase) -> None:
    async def body(database: Database) -> None:
        batches: list[int] = []
        database.on_batch = lambda n_requests, *_: batches.append(n_requests)
        assert await database.write_together(put_tags, []) == []
        assert await database.write(put_tags, "a") == "A"
        assert batches == [1]

    with_database(new_database(), body)


def test_a_reader_cannot_write(new_database: NewDatabase) -> None:
    def write(connection: Connection) -> None:
        connection.execute(tags.insert(), {"owner_id": UUID(int=1), "tag": "smuggled"})

    async def body(database: Database) -> None:
        with pytest.raises(Exception, match=r"(?i)read-?only"):
            await database.read(write)
        assert await database.read(read_tags) == []

    with_database(new_database(), body)


def test_whoever_would_wait_too_long_is_sent_away_but_never_from_an_empty_line() -> None:
    line = Line(longest_s=0.0, batch=1)
    line.begin()
    line.join(1)
    with pytest.raises(StoreBusy) as refused:
        line.join(1)
    assert refused.value.facts["retry_after_s"] >= 1
    line.end()
    line.leave(1)
    line.join(1)


def test_a_connection_that_died_while_nobody_wrote_is_replaced_and_nobody_notices(new_database: NewDatabase) -> None:
    def say_pid(transaction: Transaction, requests: Sequence[None]) -> list[int | DomainError | None]:
        return [driver.backend_pid(transaction.connection) for _ in requests]

    async def body(database: Database) -> None:
        pid = await database.write(say_pid, None)
        await database.read(
            lambda connection: connection.scalar(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        )
        assert await database.write(put_tags, "a") == "A"

    url = new_database()
    if url.startswith("sqlite"):
        pytest.skip("a file has no connection to cut")
    with_database(url, body)


def test_a_database_that_takes_no_writes_for_a_while_is_told_from_a_failure(new_database: NewDatabase) -> None:
    async def body(database: Database) -> None:
        with psycopg.connect(url, autocommit=True) as operator:
            name = Identifier(operator.info.dbname)
            operator.execute(SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
            with pytest.raises(StoreBusy, match="read-only"):
                await database.write(put_tags, "a")
            operator.execute(SQL("ALTER DATABASE {} SET default_transaction_read_only = off").format(name))
        assert await database.write(put_tags, "a") == "A"

    url = new_database()
    if url.startswith("sqlite"):
        pytest.skip("a file is not switched")
    with_database(url, body)
