"""What happens to a run in the very transaction that edits or deletes it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from app.domain.errors import DomainError, UnknownRun
from app.service.edit_run import EditRun, delete_runs, edit_runs
from app.service.invariants import find_violations
from app.service.log_epochs import Epoch, LogEpochs, log_epochs
from app.service.start import StartRun, start_runs
from app.store.database import Database
from app.store.engines import parse
from app.store.runs import Run
from app.store.transaction import Transaction
from tests.conftest import NewDatabase


def while_it_logs(url: str, tell: Callable[[Database, UUID], Awaitable[object]]) -> tuple[object, object]:
    """What a run that logs its first epoch is answered, and whoever else has something to say of it at once."""
    are_all_there = threading.Event()

    def hold_up(_transaction: Transaction, requests: Sequence[None]) -> list[bool | DomainError]:
        return [are_all_there.wait(60.0) for _ in requests]

    async def body() -> tuple[object, object]:
        database = Database(parse(url))
        asked = StartRun(None, "", None, [], "", None, None, None, stale_after_s=None, body_digest=b"")
        run_id = (await database.write(start_runs, asked)).run.run_id
        words = [
            database.write(hold_up, None),
            database.write(log_epochs, LogEpochs(run_id, [Epoch(0, {"loss": 0.5})])),
            tell(database, run_id),
        ]
        told = asyncio.gather(*words, return_exceptions=True)
        await asyncio.sleep(0)  # all three are with the writer now, which takes the last two together
        are_all_there.set()
        _, logged, answered = await asyncio.wait_for(told, 60.0)
        assert await database.read(lambda connection: list(find_violations(connection))) == []
        await database.close()
        return logged, answered

    return asyncio.run(body())


def test_a_run_deleted_while_it_logs_leaves_nothing_behind(new_database: NewDatabase) -> None:
    logged, deleted = while_it_logs(new_database(), lambda database, run_id: database.write(delete_runs, run_id))
    assert isinstance(logged, UnknownRun)
    assert deleted is None


def test_a_run_edited_while_it_logs_tells_when_its_last_epoch_was(new_database: NewDatabase) -> None:
    def edit(database: Database, run_id: UUID) -> Awaitable[Run]:
        return database.write(edit_runs, EditRun(run_id, "slow", None, None, {}, frozenset()))

    _, edited = while_it_logs(new_database(), edit)
    assert isinstance(edited, Run)
    assert edited.last_epoch == 0
    assert edited.last_epoch_time is not None
    assert edited.last_epoch_time >= edited.start_time
