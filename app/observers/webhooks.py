"""The loops of a process that calls webhooks: takes on, claims, sends, settles.

Any number of processes run them at once. Each receiver has few places here, one that fails has one and a try a second,
and those that fail share few: however many of them hang or refuse, the others are called at once.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

import orjson

from app.domain.errors import DomainError, Unavailable
from app.observers.sender import Message, Sender
from app.service import metrics
from app.service.deliver import Attempted, Claim, Claimed, claim, find_news, settle, take_on
from app.service.observe import signing_secrets
from app.service.vault import Vault
from app.store import deliveries, events
from app.store.database import Database
from app.store.deliveries import Delivery, Due
from app.store.events import StoredEvent

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0
_GATHER_S = 0.05
_PATIENCE_S = 5.0
_TRY_EVERY_S = 1.0
_MOST_A_SECOND = 100
"""Calls by this process: they take time from the requests that it answers."""
_PLACES_EACH = {False: 8, True: 1}
_PLACES = {False: 64, True: 16}
"""For deliveries under way, by whether their receiver failed last."""


class Webhooks:
    """Calls the webhooks of the service, beside the other processes that do."""

    def __init__(self, database: Database, vault: Vault, sender: Sender) -> None:
        self._database = database
        self._vault = vault
        self._sender = sender
        self._is_open = True
        self._is_needed = True
        self._has_news = asyncio.Event()
        self._has_work = asyncio.Event()
        self._reached: dict[UUID, int] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._outcomes: list[Attempted] = []
        self._places_taken: Counter[bool] = Counter()
        self._places_taken_by: Counter[UUID] = Counter()
        self._tried_at: dict[UUID, float] = {}  # those that fail, of late

    def wake(self) -> None:
        """Events were committed. While there is no webhook that is on, nobody looks at them."""
        if self._is_needed:
            self._has_news.set()

    def look(self) -> None:
        """Webhooks were changed, or something of theirs is to be sent."""
        self._has_news.set()
        self._has_work.set()

    def reached(self, observer_id: UUID) -> int:
        """The number of the event up to which all that concerns a webhook is stored."""
        return self._reached.get(observer_id, 0)

    async def run(self) -> None:
        """Call webhooks until closed; then give those under way a moment."""
        await asyncio.gather(
            self._for_ever(self._take_on, self._has_news), self._for_ever(self._settle_and_send, self._has_work)
        )
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=_PATIENCE_S)
            for task in late:
                task.cancel()  # what it sent is sent again, by whoever claims it next
            await asyncio.gather(*late, return_exceptions=True)
        await self._settle()
        await self._sender.close()

    def close(self) -> None:
        """Claim nothing more."""
        self._is_open = False
        self.look()

    async def _for_ever(self, work: Callable[[], Awaitable[float]], awaken: asyncio.Event) -> None:
        """Work, and again when awakened or when the time has passed that it answers."""
        while self._is_open:
            try:
                wait_s = await work()
            except Unavailable as error:
                log.warning("webhooks wait for the store: %s", error)
                wait_s = _LOOK_EVERY_S
            except Exception:
                # Whatever it was, the service goes on, and the next look may pass.
                log.exception("webhooks could not be called")
                wait_s = _LOOK_EVERY_S
            if wait_s > 0 and self._is_open:
                with suppress(TimeoutError):
                    await asyncio.wait_for(awaken.wait(), wait_s)
            awaken.clear()

    async def _take_on(self) -> float:
        """Make deliveries of what is new in the log."""
        news = await self._database.read(find_news, self._reached)
        self._is_needed = bool(news.reached)
        done = await self._database.write_together(take_on, [(one, None) for one in news.to_store])
        # Not before it is stored: what a change of the webhook stores has to be true.
        self._reached = {one: at for one, at in {**self._reached, **news.reached}.items() if one in news.known}
        for one, answer in zip(news.to_store, done, strict=True):
            if answer is not True:  # another process was here: look at what it stored
                del self._reached[one.observer_id]
        if done:
            self._has_work.set()
            if failed := next((answer for answer in done if isinstance(answer, BaseException)), None):
                raise failed
        if news.is_behind:
            return 0.0
        if self._is_needed:
            await asyncio.sleep(_GATHER_S)  # what comes close together is read together
        return _LOOK_EVERY_S

    async def _settle_and_send(self) -> float:
        """Store what came of calls; claim what is due and there are places for, and start to send it."""
        n_settled = await self._settle()
        waiting = await self._database.read(deliveries.list_due)
        random.shuffle(waiting)  # where there are not places for all, it is another's turn each time
        places = dict(self._free_places(waiting))
        n_claimed = await self._claim(places) if places else 0
        if places or n_settled:
            # What comes back close together is stored together.
            await asyncio.sleep(max(_GATHER_S, n_claimed / _MOST_A_SECOND))
            return 0.0
        return min([_LOOK_EVERY_S, *(max(0.01, one.wait_s) for one in waiting if one.wait_s > 0)])

    async def _settle(self) -> int:
        """Store what came of calls since the last time; of how many."""
        outcomes, self._outcomes = self._outcomes, []
        try:
            answers = await self._database.write_together(settle, [(one, None) for one in outcomes])
        except Unavailable as error:
            answers = [error]
        if failed := [answer for answer in answers if isinstance(answer, BaseException)]:
            is_known = isinstance(failed[0], Unavailable)
            log.warning(
                "what came of webhooks could not be stored, they will be called again: %s",
                failed[0],
                exc_info=None if is_known else failed[0],
            )
        return len(outcomes)

    async def _claim(self, places: dict[Due, int]) -> int:
        """Claim as much and start to send it; how much there was, other processes may have been quicker."""
        asked = [(Claim(due.observer_id, n_places), None) for due, n_places in places.items()]
        n_claimed = 0
        for due, answer in zip(places, await self._database.write_together(claim, asked), strict=True):
            if isinstance(answer, BaseException):
                raise answer
            if answer is not None:
                n_claimed += len(answer.deliveries)
                await self._start(answer, due.is_failing)
        return n_claimed

    def _free_places(self, waiting: list[Due]) -> list[tuple[Due, int]]:
        now = time.monotonic()
        self._tried_at = {one: tried_at for one, tried_at in self._tried_at.items() if now < tried_at + _TRY_EVERY_S}
        free = {is_failing: _PLACES[is_failing] - self._places_taken[is_failing] for is_failing in _PLACES}
        # Of whom these may say that it fails: they keep their places until that is stored.
        not_stored = Counter(outcome.observer_id for outcome in self._outcomes)
        given = []
        for due in waiting:
            taken = self._places_taken_by[due.observer_id] + not_stored[due.observer_id]
            each = _PLACES_EACH[due.is_failing] - taken
            n_places = min(each, free[due.is_failing])
            # What is refused at once would be tried without end otherwise, for each event anew.
            is_paused = due.is_failing and due.observer_id in self._tried_at
            if due.wait_s <= 0 and n_places > 0 and not is_paused:
                free[due.is_failing] -= n_places
                given.append((due, n_places))
                if due.is_failing:
                    self._tried_at[due.observer_id] = now
        return given

    async def _start(self, claimed: Claimed, is_failing: bool) -> None:
        event_ids = [one.event_id for one in claimed.deliveries if one.event_id is not None]
        found = await self._database.read(events.find_many, event_ids)
        for delivery in claimed.deliveries:
            event = None if delivery.event_id is None else found.get(delivery.event_id)
            self._places_taken[is_failing] += 1
            self._places_taken_by[delivery.observer_id] += 1
            task = asyncio.create_task(self._deliver(claimed, delivery, event, is_failing))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _deliver(self, claimed: Claimed, delivery: Delivery, event: StoredEvent | None, is_failing: bool) -> None:
        observer_id = claimed.observer.observer_id
        try:
            outcome = await self._call(claimed, delivery, event)
            self._outcomes.append(outcome)
        except Exception:
            log.exception("a webhook could not be called")
        finally:
            self._places_taken[is_failing] -= 1
            self._places_taken_by[observer_id] -= 1
            if not self._places_taken_by[observer_id]:
                del self._places_taken_by[observer_id]
            self._has_work.set()

    async def _call(self, claimed: Claimed, delivery: Delivery, event: StoredEvent | None) -> Attempted:
        observer = claimed.observer
        sent = (observer.observer_id, delivery.delivery_id, delivery.attempts)
        if delivery.event_id is not None and event is None:
            return Attempted(*sent, None, "the event was deleted with its run", is_final=True)
        try:
            secrets = signing_secrets(self._vault, observer.sealed_secrets, claimed.now)
        except DomainError as error:
            log.warning("the webhook %s cannot be called: %s", observer.observer_id, error)
            return Attempted(*sent, None, error.detail)
        answer = await self._sender.send(observer.url, _message(claimed, delivery, event), secrets)
        metrics.count_delivery(answer.status, answer.error)
        return Attempted(*sent, answer.status, answer.error)


def _message(claimed: Claimed, delivery: Delivery, event: StoredEvent | None) -> Message:
    if event is None:
        test = {"type": "test", "timestamp": claimed.now, "data": {"observer_id": claimed.observer.observer_id}}
        return Message(f"test-{delivery.delivery_id}", orjson.dumps(test, option=orjson.OPT_UTC_Z))
    head = {"type": event.type, "timestamp": orjson.loads(event.data)["timestamp"]}
    return Message(str(event.event_id), orjson.dumps(head)[:-1] + b',"data":' + event.data + b"}")
