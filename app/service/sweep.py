"""What is kept for a time only is removed when its time is over, and what is left of what was deleted."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from app.domain.errors import DomainError, Unavailable
from app.service.edit_run import Left, clear
from app.store import deliveries, idempotency, leavings
from app.store.database import Database
from app.store.transaction import Transaction

log = logging.getLogger(__name__)

_EVERY_S = 3600.0
_DELIVERIES_KEPT = timedelta(days=30)
_AT_ONCE = 200
"""Of each, in a transaction: what waits for the writer meanwhile waits a hundredth of a second."""


async def sweep_for_ever(database: Database) -> None:
    """Now, and every hour: of several replicas each does it, which is harmless."""
    while True:
        try:
            await clean(database)
        except Unavailable as error:
            log.warning("the sweep waits for the store: %s", error)
        except Exception:
            log.exception("what has had its time could not be removed")  # the next sweep may pass
        await asyncio.sleep(_EVERY_S)


async def clean(database: Database) -> None:
    """Remove what has had its time, and what a deletion that was interrupted has left."""
    while await database.write(sweep, None):
        pass  # there may be more
    for run_id, up_to in await database.read(leavings.list_left):
        await clear(database, Left(run_id, 0, up_to))


def sweep(transaction: Transaction, requests: Sequence[None]) -> list[int | DomainError]:
    """Remove some answers to Idempotency-Keys that are a day old, and deliveries of long ago; how many they were."""
    connection, now = transaction.connection, transaction.now
    # The first 48 bits of an id are the milliseconds of its making.
    before = UUID(int=int((now - _DELIVERIES_KEPT).timestamp() * 1000) << 80)
    return [
        idempotency.forget(connection, now, _AT_ONCE) + deliveries.forget(connection, before, _AT_ONCE)
        for _ in requests
    ]
