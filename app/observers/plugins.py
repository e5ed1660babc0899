"""In-process observers: callables that are given each committed event, in order, at least once.

    [project.entry-points."tunetrack.observers"]
    mine = "my_package:observe"            def observe(event: dict) -> None, or async

An observer has a task of its own. What it raises is logged, and the event given again after a while; it blocks nobody
but itself. Of several processes one runs it.
"""

import asyncio
import inspect
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import entry_points
from math import inf
from typing import Any

import orjson
from uuid_utils.compat import uuid7

from app.domain.errors import Unavailable
from app.service.aside import aside
from app.service.hold import HELD, Hold, hold
from app.store import events
from app.store.database import Database
from app.store.events import EventFilter, StoredEvent

log = logging.getLogger(__name__)

GROUP = "tunetrack.observers"
Observe = Callable[[dict[str, Any]], object]

_PAGE = 500
_GATHER_S = 0.2
_LOOK_EVERY_S = 1.0
_STORE_EVERY_S = 1.0
_RENEW_EVERY_S = 20.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 300.0
_PATIENCE_S = 5.0


def load() -> dict[str, Observe]:
    """The installed observers, by name. One that cannot be loaded is left out, and the log says why."""
    found: dict[str, Observe] = {}
    for entry in entry_points(group=GROUP):
        try:
            found[entry.name] = entry.load()
        except Exception:
            log.exception("the observer %s could not be loaded", entry.name)
    return found


class Plugins:
    """The in-process observers, each run by this process as long as no other one does."""

    def __init__(self, database: Database, observers: Mapping[str, Observe]) -> None:
        self._followers = [_Follower(database, name, observe) for name, observe in observers.items()]
        self._is_closed = asyncio.Event()

    def wake(self) -> None:
        """Events were committed."""
        for follower in self._followers:
            follower.has_news.set()

    def close(self) -> None:
        """Give them no more events."""
        self._is_closed.set()

    async def run(self) -> None:
        """Run them until closed; one that is in the middle of an event then has a moment to finish."""
        running = [asyncio.create_task(follower.run(self._is_closed)) for follower in self._followers]
        await self._is_closed.wait()
        self.wake()
        if running:
            _, late = await asyncio.wait(running, timeout=_PATIENCE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


class _Follower:
    """One observer, and how far it has come: `None` while another process runs it.

    Where this process cannot say that it still holds it, another one may have it by then: nothing is given until that
    is known.
    """

    def __init__(self, database: Database, name: str, observe: Observe) -> None:
        self.has_news = asyncio.Event()
        self.has_begun = asyncio.Event()
        self._database = database
        self._name = name
        self._observe = observe
        self._id = uuid7()
        self._position: int | None = None
        self._stored: int | None = None
        self._renewed_at = -inf

    async def run(self, is_closed: asyncio.Event) -> None:
        """Follow the log until closed."""
        holding = asyncio.create_task(self._keep_holding())
        pause_s = _FIRST_PAUSE_S
        try:
            while not is_closed.is_set():
                try:
                    wait_s = await self._follow()
                    pause_s = _FIRST_PAUSE_S
                except Unavailable as error:
                    log.warning("the observer %s waits for the store: %s", self._name, error)
                    wait_s = _LOOK_EVERY_S
                except Exception:
                    log.exception("the observer %s failed at the event after %s", self._name, self._position)
                    wait_s = pause_s * random.uniform(1.0, 1.2)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(is_closed.wait(), wait_s)
                    continue
                if wait_s:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self.has_news.wait(), wait_s)
        finally:
            holding.cancel()
            if self._position is not None:
                await self._try_to_hold(is_last=True)

    async def _follow(self) -> float:
        """Give the observer a page of the log; how long to wait for more."""
        self.has_news.clear()
        if not self._is_held():
            await self._try_to_hold()
        if self._position is None or not self._is_held():
            return _LOOK_EVERY_S
        found, reached = await self._database.read(events.list_after, self._position, EventFilter(), _PAGE)
        if found:
            await self._give(found)
        # It may be held again by now, and still not all were given: the rest comes next.
        if not self._is_held() or (found and self._position != found[-1].event_id):
            return 0.0
        self._position = reached
        if len(found) == _PAGE:
            return 0.0
        await asyncio.sleep(_GATHER_S)  # what comes close together is read together
        return _LOOK_EVERY_S

    async def _give(self, found: Sequence[StoredEvent]) -> None:
        if inspect.iscoroutinefunction(self._observe):
            for event in self._while_held(found):
                await self._observe(orjson.loads(event.data))
        else:
            await aside(lambda: self._give_in_turn(found))

    def _give_in_turn(self, found: Sequence[StoredEvent]) -> None:
        for event in self._while_held(found):
            self._observe(orjson.loads(event.data))

    def _while_held(self, found: Sequence[StoredEvent]) -> Iterator[StoredEvent]:
        """These events, each passed when the next one is asked for."""
        for event in found:
            if not self._is_held():
                return
            yield event
            if self._position is not None:
                self._position = event.event_id

    def _is_held(self) -> bool:
        return self._position is not None and time.monotonic() < self._renewed_at + HELD.total_seconds()

    async def _keep_holding(self) -> None:
        """Tell that it is still held, and how far it has come."""
        while True:
            is_due = self._position != self._stored or time.monotonic() > self._renewed_at + _RENEW_EVERY_S
            if self._position is not None and is_due:
                await self._try_to_hold()
            await asyncio.sleep(_STORE_EVERY_S)

    async def _try_to_hold(self, *, is_last: bool = False) -> None:
        try:
            await self._hold(is_last=is_last)
        except Unavailable as error:
            log.warning("the observer %s waits for the store: %s", self._name, error)
        except Exception:
            # Whatever it was, it is held as long as this process can say so, and the next word may pass.
            log.exception("how far the observer %s has come could not be stored", self._name)

    async def _hold(self, *, is_last: bool = False) -> None:
        position, asked_at = self._position, time.monotonic()
        self._stored = await self._database.write(hold, Hold(self._name, self._id, position, is_last))
        self._renewed_at = asked_at
        if self._stored is None:
            self._position = None
        elif self._position is None:
            self._position = self._stored
            self.has_begun.set()
