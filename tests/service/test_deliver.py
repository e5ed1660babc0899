"""Deliveries are claimed and settled, with time moved by hand and nobody called."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Connection

from app.domain.errors import DomainError, UnknownObserver
from app.domain.states import DeliveryState, ObserverState
from app.service.deliver import CLAIMED, DELAYS_S, Attempted, Claim, Claimed, TakeOn, claim, find_news, settle, take_on
from app.service.observe import Change, OfObserver, Register, change, register, remove
from app.service.start import StartRun, start_runs
from app.store import clock, deliveries, observers
from app.store.database import Database
from app.store.deliveries import Delivery
from app.store.engines import parse
from app.store.observers import Observer
from app.store.transaction import Transaction
from tests.conftest import NewDatabase

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


class Sender:
    """One that sends to a single webhook, at a time that stands still."""

    def __init__(self, database: Database, observer: Observer) -> None:
        self.now = NOON
        self.database = database
        self.observer_id = observer.observer_id
        self._n_events = 0

    async def add(self, n: int) -> None:
        """So many events that concern it."""
        before, self._n_events = self._n_events, self._n_events + n
        event_ids = range(before + 1, self._n_events + 1)
        assert await self.database.write(take_on, TakeOn(self.observer_id, before, self._n_events, event_ids))

    async def claim(self, limit: int) -> Sequence[Delivery]:
        """What is to be sent now."""
        claimed = await self.database.write(claim, Claim(self.observer_id, limit))
        assert isinstance(claimed, Claimed)
        return claimed.deliveries

    async def settle(self, sent: Delivery, error: str | None) -> None:
        """What came of sending it."""
        outcome = Attempted(self.observer_id, sent.delivery_id, sent.attempts, None, error)
        await self.database.write(settle, outcome)

    async def look(self) -> list[Delivery]:
        """All its deliveries, by event."""

        def read(connection: Connection) -> list[Delivery]:
            return deliveries.list_page(connection, self.observer_id, [], None, 1000)

        return sorted(await self.database.read(read), key=lambda one: one.event_id or 0)


Tell = Callable[[Callable[[Sender], Awaitable[None]]], None]


@pytest.fixture
def tell(new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Tells a story of a sender, on a store of its own."""

    async def on_its_own(story: Callable[[Sender], Awaitable[None]]) -> None:
        url = new_database()
        database = Database(parse(url))
        asked = Register("http://receiver.test/", [], None, None, None, None, "")
        sender = Sender(database, await database.write(register, asked))
        monkeypatch.setattr(clock, "now", lambda _connection: sender.now)
        await story(sender)
        await database.close()

    return lambda story: asyncio.run(on_its_own(story))


def test_when_a_receiver_is_back_what_waits_is_due_at_once_but_not_what_is_under_way(tell: Tell) -> None:
    async def story(sender: Sender) -> None:
        await sender.add(4)
        failing = await sender.claim(2)
        assert [one.event_id for one in failing] == [1, 2]  # the oldest first
        for delivery in failing:
            await sender.settle(delivery, "no answer")
        waiting = [one.next_attempt_time for one in await sender.look()][:2]
        assert all(time is not None and time >= NOON + timedelta(seconds=5) for time in waiting)
        sender.now += timedelta(seconds=1)
        third, fourth = await sender.claim(9)
        await sender.settle(third, None)
        assert [(one.state, one.next_attempt_time) for one in await sender.look()] == [
            (DeliveryState.pending, sender.now),
            (DeliveryState.pending, sender.now),
            (DeliveryState.delivered, None),
            (DeliveryState.pending, sender.now + CLAIMED),
        ]
        await sender.settle(fourth, None)
        assert [one.event_id for one in await sender.claim(9)] == [1, 2]

    tell(story)


def test_what_two_processes_found_is_taken_on_once(tell: Tell) -> None:
    async def story(sender: Sender) -> None:
        found = TakeOn(sender.observer_id, 0, 2, [1, 2])
        assert [await sender.database.write(take_on, found) for _ in range(2)] == [True, False]
        assert [one.event_id for one in await sender.look()] == [1, 2]

    tell(story)


def test_who_comes_back_too_late_says_nothing_about_the_next_attempt(tell: Tell) -> None:
    async def story(sender: Sender) -> None:
        await sender.add(1)
        (slow,) = await sender.claim(1)
        sender.now += CLAIMED
        (again,) = await sender.claim(1)
        await sender.settle(slow, "no answer")
        (found,) = await sender.look()
        assert (found.state, found.attempts, found.is_under_way) == (DeliveryState.pending, 2, True)
        await sender.settle(again, None)
        (found,) = await sender.look()
        assert found.state is DeliveryState.delivered

    tell(story)


def test_a_delivery_is_given_up_after_eight_attempts(tell: Tell) -> None:
    async def story(sender: Sender) -> None:
        await sender.add(1)
        for attempt in range(1, 9):
            (sent,) = await sender.claim(1)
            await sender.settle(sent, "no answer")
            (found,) = await sender.look()
            assert found.attempts == attempt
            assert found.state is (DeliveryState.failed if attempt == 8 else DeliveryState.pending)
            sender.now = found.next_attempt_time or sender.now

    tell(story)


def test_a_webhook_is_switched_off_where_all_tries_of_a_delivery_failed_and_nothing_arrived_for_three_days(
    tell: Tell,
) -> None:
    async def fail(sender: Sender) -> ObserverState:
        (sent,) = await sender.claim(1)
        await sender.settle(sent, "no answer")
        return (await sender.database.read(observers.get, sender.observer_id)).state

    async def story(sender: Sender) -> None:
        await sender.add(1)
        assert await fail(sender) is ObserverState.on
        sender.now += timedelta(days=9)  # nobody was there to try again
        assert await fail(sender) is ObserverState.on
        for left in reversed(range(len(DELAYS_S) - 1)):
            sender.now += timedelta(days=2)
            assert await fail(sender) is (ObserverState.on if left else ObserverState.off)
        await sender.database.write(change, Change(sender.observer_id, {"state": ObserverState.on}))
        await sender.add(1)
        assert await fail(sender) is ObserverState.on
        for delay_s in DELAYS_S:  # it has three days again, and these are two
            sender.now += timedelta(seconds=1.2 * delay_s)
            assert await fail(sender) is ObserverState.on
        assert [one.state for one in await sender.look()] == [DeliveryState.failed] * 2

    tell(story)


def test_an_observer_with_many_deliveries_is_removed_in_several_transactions(tell: Tell) -> None:
    async def story(sender: Sender) -> None:
        await sender.add(2500)
        await asyncio.gather(*(sender.settle(one, None) for one in await sender.claim(2500)))
        await sender.add(1)
        asked = OfObserver(sender.observer_id)
        assert [await sender.database.write(remove, asked) for _ in range(3)] == [True, True, False]
        assert await sender.look() == []
        with pytest.raises(UnknownObserver):
            await sender.database.write(remove, asked)

    tell(story)


def test_what_is_over_is_forgotten_and_what_waits_is_not(tell: Tell) -> None:
    def forget(transaction: Transaction, requests: Sequence[None]) -> list[int | DomainError]:
        return [deliveries.forget(transaction.connection, UUID(int=2**128 - 1), 10) for _ in requests]

    async def story(sender: Sender) -> None:
        await sender.add(3)
        (delivered, failing) = await sender.claim(2)
        await sender.settle(delivered, None)
        await sender.settle(failing, "no answer")
        assert await sender.database.write(forget, None) == 1
        assert [one.event_id for one in await sender.look()] == [2, 3]

    tell(story)


def test_what_a_webhook_has_no_room_for_waits_in_the_log(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.service.deliver._MAX_PENDING", 2)

    async def take_news(sender: Sender, reached: Mapping[UUID, int]) -> dict[UUID, int]:
        news = await sender.database.read(find_news, reached)
        for found in news.to_store:
            assert await sender.database.write(take_on, found)
        return {**reached, **news.reached}

    async def story(sender: Sender) -> None:
        for _ in range(3):
            asked = StartRun(None, "", {}, [], "", None, None, None, stale_after_s=None, body_digest=b"")
            await sender.database.write(start_runs, asked)
        reached = await take_news(sender, {})
        reached = await take_news(sender, reached)
        assert len(await sender.look()) == 2
        for delivery in await sender.claim(2):
            await sender.settle(delivery, None)
        await take_news(sender, reached)
        event_ids = [one.event_id for one in await sender.look()]
        assert len(set(event_ids)) == len(event_ids) == 3

    tell(story)
