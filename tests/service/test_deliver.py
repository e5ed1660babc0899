"""Deliveries are claimed and settled, with time moved by hand and nobody called."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from app.domain.states import DeliveryState
from app.service.deliver import CLAIMED, Claim, Claimed, Outcome, TakeOn, claim, settle, take_on
from app.service.observe import Register, register
from app.store import clock, deliveries
from app.store.database import Database
from app.store.deliveries import Delivery
from app.store.engines import parse
from app.store.migrate import migrate
from app.store.observers import Observer
from tests.conftest import NewDatabase

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


class Sender:
    """One that sends to a single webhook."""

    def __init__(self, database: Database, observer: Observer) -> None:
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
        outcome = Outcome(self.observer_id, sent.delivery_id, sent.attempts, None, error)
        await self.database.write(settle, outcome)

    async def look(self) -> list[Delivery]:
        """All its deliveries, by event."""

        def read(connection: Connection) -> list[Delivery]:
            return deliveries.list_page(connection, self.observer_id, [], None, 1000)

        return sorted(await self.database.read(read), key=lambda one: one.event_id or 0)


def test_when_a_receiver_is_back_what_waits_is_due_at_once_but_not_what_is_under_way(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, now = new_database(), NOON
    migrate(parse(url))
    monkeypatch.setattr(clock, "now", lambda _connection: now)

    async def body() -> None:
        nonlocal now
        database = Database(parse(url))
        asked = Register("http://receiver.test/", [], None, None, None, None, "")
        sender = Sender(database, await database.write(register, asked))
        await sender.add(4)
        failing = await sender.claim(2)
        for delivery in failing:
            await sender.settle(delivery, "no answer")
        waiting = [one.next_attempt_time for one in await sender.look()][:2]
        assert all(time is not None and time >= NOON + timedelta(seconds=5) for time in waiting)
        now += timedelta(seconds=1)
        third, fourth = await sender.claim(9)
        await sender.settle(third, None)
        assert [(one.state, one.next_attempt_time) for one in await sender.look()] == [
            (DeliveryState.pending, now),
            (DeliveryState.pending, now),
            (DeliveryState.delivered, None),
            (DeliveryState.pending, now + CLAIMED),
        ]
        await sender.settle(fourth, None)
        assert [one.event_id for one in await sender.claim(9)] == [1, 2]
        await database.close()

    asyncio.run(body())
