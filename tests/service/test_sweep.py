"""What is kept for a time only is removed when its time is over."""

import asyncio
import os
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, func, select

from app.domain.errors import DomainError
from app.service.sweep import clean, sweep
from app.store.database import Database
from app.store.engines import parse
from app.store.tables import idempotency
from app.store.transaction import Transaction
from tests.conftest import NewDatabase


def keep(transaction: Transaction, requests: Sequence[int]) -> list[DomainError | None]:
    """An answer that was given so many days ago, for each."""
    rows = [
        {
            "key_digest": os.urandom(16),
            "request_digest": b"",
            "status": 200,
            "headers": {},
            "body": b"{}",
            "create_time": transaction.now - timedelta(days=n_days),
        }
        for n_days in requests
    ]
    transaction.connection.execute(idempotency.insert(), rows)
    return [None] * len(requests)


def n_kept(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(idempotency)).scalar_one()


def test_answers_of_long_ago_are_removed_some_at_a_time(new_database: NewDatabase) -> None:
    async def tell() -> None:
        database = Database(parse(new_database()))
        await asyncio.gather(*(database.write(keep, n_days) for n_days in (0, *[2] * 500)))
        n_removed = await database.write(sweep, None)
        assert await database.read(n_kept) == 501 - n_removed > 1
        await clean(database)
        assert await database.read(n_kept) == 1
        await database.close()

    asyncio.run(tell())
