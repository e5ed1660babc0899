"""What makes runs quick to find, and long ones quick to draw, is written some time after they changed."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from uuid import UUID

from app.domain.errors import DomainError, Unavailable
from app.domain.states import RunStatus
from app.service.condense import condense_runs, list_long
from app.store import facts, runs
from app.store.curve_pieces import SHORTEST
from app.store.database import Database
from app.store.facts import Mark
from app.store.locks import Rows, locking
from app.store.transaction import Transaction

log = logging.getLogger(__name__)

_EVERY_S = 2.0
_AT_ONCE = 50
"""Runs a transaction: what waits for the writer meanwhile waits some hundredths of a second."""
_LOOKED_AT = 20_000


@locking(lambda _, requests: Rows(run_ids={run_id for request in requests for run_id in request}))
def index_runs(transaction: Transaction, requests: Sequence[Sequence[UUID]]) -> list[DomainError | None]:
    """Write the facts of these runs anew, as they are now."""
    wanted = {run_id for request in requests for run_id in request}
    locked = runs.lock(transaction.connection, wanted)
    facts.put(transaction.connection, list(locked.values()))
    return [None] * len(requests)


async def index_for_ever(database: Database) -> None:
    """Every two seconds; of several replicas each does it, which is harmless."""
    before: dict[UUID, Mark] = {}
    while True:
        try:
            seen = await database.read(facts.list_changed, _LOOKED_AT)
            await condense_long(database, seen)  # first: an indexed run is looked at no more
            before = await index_quiet(database, seen, before)
        except Unavailable as error:
            log.warning("searches are slower while the store is away: %s", error)
        except Exception:
            # Whatever it was, the service goes on, and searches read the runs themselves.
            log.exception("runs could not be indexed")
        await asyncio.sleep(_EVERY_S)


async def index_quiet(database: Database, seen: Sequence[Mark], before: Mapping[UUID, Mark]) -> dict[UUID, Mark]:
    """Index the changed runs that have ended, or are as they were at the look before; what was seen at this one."""
    quiet = [mark.run_id for mark in seen if mark.status != RunStatus.running or before.get(mark.run_id) == mark]
    for start in range(0, len(quiet), _AT_ONCE):
        await database.write(index_runs, quiet[start : start + _AT_ONCE])
    return {mark.run_id: mark for mark in seen}


async def condense_long(database: Database, seen: Sequence[Mark]) -> None:
    """Write the pieces of the changed runs that have long histories."""
    long = [mark.run_id for mark in seen if mark.last_epoch is not None and mark.last_epoch >= SHORTEST]
    for run_id in await database.read(list_long, long):
        try:
            while await database.write(condense_runs, run_id):
                pass  # there is more
        except Unavailable:
            raise
        except Exception:
            # One history that cannot be read must not keep the others from being quick.
            log.exception("the history of run %s could not be condensed", run_id)
