"""The loops of a process that calls webhooks, in this one: how they end, and what they do while nothing is stored."""

import asyncio
from collections.abc import Sequence

import pytest

from app.domain.errors import DomainError, StorageFull
from app.domain.states import DeliveryState
from app.observers import webhooks as webhooks_module
from app.observers.sender import Answer, Message, Sender
from app.observers.webhooks import Webhooks
from app.service import deliver
from app.service.deliver import TakeOn
from app.service.guard import Guard
from app.service.observe import OfObserver, Register, add_test, register, remove, seal_secret
from app.service.start import StartRun, start_runs
from app.service.vault import Vault, new_key, new_secret
from app.store import deliveries
from app.store.database import Database
from app.store.deliveries import Delivery
from app.store.engines import parse
from app.store.transaction import Transaction
from tests.conftest import NewDatabase


class Slow(Sender):
    """One whose receivers answer when they may."""

    def __init__(self) -> None:
        super().__init__(Guard(), "1")
        self.is_calling = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def send(self, url: str, message: Message, secrets: Sequence[str]) -> Answer:
        """Call nobody."""
        self.is_calling.set()
        await self.may_answer.wait()
        return Answer(200, None)


def test_a_call_under_way_when_the_service_ends_is_waited_for_and_what_came_of_it_stored(
    new_database: NewDatabase,
) -> None:
    url = parse(new_database())

    async def story() -> Delivery:
        database, vault, sender = Database(url), Vault([new_key()]), Slow()
        sealed = seal_secret(vault, new_secret())
        observer = await database.write(register, Register("http://receiver.test/", [], None, None, None, None, sealed))
        await database.write(add_test, OfObserver(observer.observer_id))
        webhooks = Webhooks(database, vault, sender)
        running = asyncio.create_task(webhooks.run())
        await sender.is_calling.wait()
        webhooks.close()
        asyncio.get_running_loop().call_later(0.2, sender.may_answer.set)  # the loops are over by then
        await running
        (found,) = await database.read(deliveries.list_page, observer.observer_id, (), None, 2)
        await database.close()
        return found

    assert asyncio.run(story()).state is DeliveryState.delivered


def test_how_far_a_webhook_has_come_is_forgotten_with_it(new_database: NewDatabase) -> None:
    url = parse(new_database())

    async def story() -> None:
        database, vault = Database(url), Vault([new_key()])
        webhooks = Webhooks(database, vault, Slow())
        running = asyncio.create_task(webhooks.run())
        wanted = Register("http://receiver.test/", ["training_end"], None, None, None, None, "")
        gone, other = [await database.write(register, wanted) for _ in range(2)]
        asked = StartRun(None, "", {}, [], "", None, None, None, stale_after_s=None, body_digest=b"")
        await database.write(start_runs, asked)

        async def until_reached(*expected: int) -> None:
            async with asyncio.timeout(60):
                while tuple(webhooks.reached(one.observer_id) for one in (gone, other)) != expected:
                    webhooks.look()
                    await asyncio.sleep(0.02)

        await until_reached(1, 1)
        await database.write(remove, OfObserver(gone.observer_id))
        await until_reached(0, 1)
        webhooks.close()
        await running
        await database.close()

    asyncio.run(story())


def test_what_cannot_be_stored_is_waited_for_also_where_there_is_more_to_read(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = parse(new_database())
    monkeypatch.setattr(deliver, "_PAGE", 1)  # so that one event is a full page, and there may be more

    def refuse(_: Transaction, requests: Sequence[TakeOn]) -> list[DomainError]:
        return [StorageFull() for _ in requests]

    monkeypatch.setattr(webhooks_module, "take_on", refuse)

    async def story() -> str:
        told: asyncio.Queue[str] = asyncio.Queue()
        monkeypatch.setattr(webhooks_module.log, "warning", lambda text, *_: told.put_nowait(text))
        database, vault = Database(url), Vault([new_key()])
        await database.write(register, Register("http://receiver.test/", [], None, None, None, None, ""))
        asked = StartRun(None, "", {}, [], "", None, None, None, stale_after_s=None, body_digest=b"")
        await database.write(start_runs, asked)
        webhooks = Webhooks(database, vault, Slow())
        running = asyncio.create_task(webhooks.run())
        try:
            return await asyncio.wait_for(told.get(), 60)
        finally:
            webhooks.close()
            await running
            await database.close()

    assert asyncio.run(story()).startswith("webhooks wait for the store")
