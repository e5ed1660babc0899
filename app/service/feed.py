"""Committed events to whoever watches.

    commit ─> wake ─> the one tailer reads the new events, encodes each once ─> subscribers' bounded buffers ─> streams

A subscriber first pages what it missed from the log, then joins the live feed at exactly that number. A stream
holds no database connection; one that does not keep up is ended, and its client comes back with its last id.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection

from app.domain.errors import Unavailable
from app.store import events
from app.store.database import Database
from app.store.events import EventFilter, StoredEvent

log = logging.getLogger(__name__)

_PAGE = 1000
_LOOK_EVERY_S = 1.0
_KEEP_ALIVE_S = 15.0
_REMEMBERED = 4096
_BUFFERED = 10_000

_KEEP_ALIVE = b": keep-alive\n\n"
_GOODBYE = b": the service is going down; come back with the last id\n\n"
_RETRY = b"retry: 2000\n\n"


@dataclass(frozen=True, slots=True)
class _Encoded:
    """An event as it goes out to every subscriber."""

    event: StoredEvent
    tags: frozenset[str]
    chunk: bytes


@dataclass(slots=True, eq=False)
class _Subscriber:
    wanted: EventFilter
    after: int
    buffer: deque[bytes] = field(default_factory=deque)
    has_news: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False
    last_sent: float = field(default_factory=time.monotonic)

    def offer(self, chunk: bytes) -> None:
        """Put it into the buffer, or end the stream where that is full: a slow reader never slows a writer."""
        if len(self.buffer) >= _BUFFERED:
            self.is_over = True
        if not self.is_over:  # after a gap nothing may follow
            self.buffer.append(chunk)
        self.has_news.set()


class Feed:
    """The event stream of this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._subscribers: set[_Subscriber] = set()
        self._is_open = True
        self._news = asyncio.Event()
        # Every event numbered above _floor, up to _head, is remembered: whoever has come so far may join.
        self._recent: deque[_Encoded] = deque()
        self._floor = self._head = 0

    def wake(self) -> None:
        """Something was committed."""
        self._news.set()

    def close(self) -> None:
        """End all streams, with a last comment."""
        self._is_open = False
        for subscriber in self._subscribers:
            subscriber.buffer.append(_GOODBYE)
            subscriber.is_over = True
            subscriber.has_news.set()
        self._news.set()

    async def run(self) -> None:
        """Follow the log until closed."""
        while self._is_open:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _LOOK_EVERY_S)
            self._news.clear()
            try:
                await self._follow()
            except Unavailable as error:
                log.warning("the event stream waits for the store: %s", error)
                await asyncio.sleep(_LOOK_EVERY_S)
            except Exception:
                # Whatever it was, the service goes on, and the next look may pass.
                log.exception("the event stream could not be followed")
                await asyncio.sleep(_LOOK_EVERY_S)
            self._keep_alive()

    async def _follow(self) -> None:
        """Offer all that is new. While nobody watches, nothing is read: the next one to come starts the feed anew."""
        is_behind = bool(self._subscribers)
        while is_behind:
            found = await self._database.read(_read_news, self._head)
            for encoded in found:
                self._remember(encoded)
            for subscriber in self._subscribers:
                for encoded in found:
                    if encoded.event.event_id > subscriber.after and _is_wanted(encoded, subscriber.wanted):
                        subscriber.offer(encoded.chunk)
            is_behind = len(found) == _PAGE

    def _remember(self, encoded: _Encoded) -> None:
        if encoded.event.event_id <= self._head:
            return  # the feed was started anew, further on, while this was read
        self._head = encoded.event.event_id
        self._recent.append(encoded)
        if len(self._recent) > _REMEMBERED:
            self._floor = self._recent.popleft().event.event_id

    def _keep_alive(self) -> None:
        quiet_since = time.monotonic() - _KEEP_ALIVE_S
        for subscriber in self._subscribers:
            if subscriber.last_sent < quiet_since and not subscriber.buffer:
                subscriber.offer(_KEEP_ALIVE)

    async def stream(self, after: int | None, wanted: EventFilter) -> AsyncIterator[bytes]:
        """Server-Sent Events: all that is wanted after a number (None: from now on), and then what comes.

        A number that this store has not reached is answered by a `reset` event; then from now on.

        Raises:
            Unavailable: the store is away; before anything is sent, so that it can be told.
        """
        last = await self._database.read(events.last_event_id)
        opening = _RETRY
        if after is not None and after > last:
            opening += b'event: reset\ndata: {"last_event_id":%d}\n\n' % last
        position = last if after is None else min(after, last)
        return self._send(opening, position, wanted, has_all=position == last)

    async def _send(self, opening: bytes, position: int, wanted: EventFilter, has_all: bool) -> AsyncIterator[bytes]:
        yield opening
        while self._is_open and not (position >= self._floor if self._subscribers else has_all):
            try:
                found, position = await self._database.read(events.list_after, position, wanted, _PAGE)
            except Unavailable as error:
                log.warning("a stream ends, its client will come back: %s", error)
                return
            has_all = len(found) < _PAGE
            if found:
                yield b"".join(map(_encode, found))
        subscriber = self._join(position, wanted)
        try:
            async for chunk in _drain(subscriber):
                yield chunk
        finally:
            self._subscribers.discard(subscriber)

    def _join(self, position: int, wanted: EventFilter) -> _Subscriber:
        """A subscriber that will be offered everything wanted after this position, from here on without a gap.

        The position is one that the feed remembers; or, for the first to come, one that the log had just reached.
        """
        if not self._subscribers:
            self._recent.clear()
            self._floor = self._head = position
            self._news.set()
        missed = [one for one in self._recent if one.event.event_id > position and _is_wanted(one, wanted)]
        subscriber = _Subscriber(wanted, position, deque(one.chunk for one in missed), is_over=not self._is_open)
        self._subscribers.add(subscriber)
        return subscriber


async def _drain(subscriber: _Subscriber) -> AsyncIterator[bytes]:
    """What is offered, as much as waits in one chunk, until the stream is over."""
    while True:
        if subscriber.buffer:
            chunk = b"".join(subscriber.buffer)
            subscriber.buffer.clear()
            subscriber.last_sent = time.monotonic()
            yield chunk
        elif subscriber.is_over:
            return
        else:
            subscriber.has_news.clear()
            await subscriber.has_news.wait()


def _read_news(connection: Connection, after: int) -> list[_Encoded]:
    found, _ = events.list_after(connection, after, EventFilter(), _PAGE)
    tags = events.tags_of(connection, found)
    return [_Encoded(event, tags.get(event.event_id, frozenset()), _encode(event)) for event in found]


def _encode(event: StoredEvent) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.event_id, event.type.encode(), event.data)


def _is_wanted(encoded: _Encoded, wanted: EventFilter) -> bool:
    event = encoded.event
    return (
        (not wanted.types or event.type in wanted.types)
        and (not wanted.run_ids or event.run_id in wanted.run_ids)
        and (not wanted.tuner_ids or event.tuner_id in wanted.tuner_ids)
        and (not wanted.tags or not wanted.tags.isdisjoint(encoded.tags))
    )
