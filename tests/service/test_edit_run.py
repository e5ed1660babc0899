"""What happens to a run in the very transaction that deletes it."""

import asyncio
import threading
from collections.abc import Sequence

from app.domain.errors import DomainError, UnknownRun
from app.service.edit_run import delete_runs
from app.service.invariants import find_violations
from app.service.log_epochs import Epoch, LogEpochs, log_epochs
from app.service.start import StartRun, start_runs
from app.store.database import Database
from app.store.engines import parse
from app.store.transaction import Transaction
from tests.conftest import NewDatabase


def test_a_run_deleted_while_it_logs_leaves_nothing_behind(new_database: NewDatabase) -> None:
    url = new_database()
    are_all_there = threading.Event()

    def hold_up(_transaction: Transaction, requests: Sequence[None]) -> list[bool | DomainError]:
        return [are_all_there.wait(60.0) for _ in requests]

    async def body() -> None:
        database = Database(parse(url))
        asked = StartRun(None, "", None, [], "", None, None, None, stale_after_s=None, body_digest=b"")
        run_id = (await database.write(start_runs, asked)).run.run_id
        held_up = asyncio.create_task(database.write(hold_up, None))
        logging = asyncio.create_task(database.write(log_epochs, LogEpochs(run_id, [Epoch(0, {"loss": 0.5})])))
        deleting = asyncio.create_task(database.write(delete_runs, run_id))
        await asyncio.sleep(0)  # all three are with the writer now, which takes the last two together
        are_all_there.set()
        assert await held_up
        await deleting
        assert isinstance(await asyncio.wait_for(_error_of(logging), 60.0), UnknownRun)
        assert await database.read(lambda connection: list(find_violations(connection))) == []
        await database.close()

    asyncio.run(body())


async def _error_of(task: "asyncio.Task[object]") -> BaseException | None:
    await asyncio.wait([task])
    return task.exception()
