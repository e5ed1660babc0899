"""Committed events to whoever watches.

    own commit ────────────────────────────┬─> each is encoded once ─> subscribers' bounded buffers ─> streams
    others' commit ─> the one tailer reads ┘

Numbers rise in commit order. So what this process has just committed goes on at once where its numbers follow the last
one told without a hole: nothing can lie between. Where there is a hole (another process has committed, or a number was
given and rolled back) the tailer reads the log from the last one told on.

A subscriber first pages what it missed from the log, then joins the live feed at exactly that number. A stream
holds no database connection; one that does not keep up is ended, and its client comes back with its last id.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from uuid import UUID

from sqlalchemy import Connection

from app.domain.errors import Unavailable
from app.domain.events import RunDelete
from app.service.audience import Audience, Encoded, is_wanted
from app.service.subscriber import GOODBYE, Subscriber
from app.store import events
from app.store.database import Database
from app.store.events import EventFilter, StoredEvent
from app.store.log import Appended

log = logging.getLogger(__name__)

_PAGE = 1000
_AT_ONCE = 200
_FEW_STREAMS = 20
_FIRST_PAGE = 100
_PAGE_BYTES = 2**19
_LOOK_EVERY_S = 1.0
_UNWANTED_PAUSE_S = 0.01
_KEEP_ALIVE_S = 15.0
_REMEMBERED = 4096
_REMEMBERED_BYTES = 2**22

_RETRY = b"retry: 2000\n"


class Feed:
    """The event stream of this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._audience = Audience()
        self._is_open = True
        self._news = asyncio.Event()
        self._looked_after_at = time.monotonic()
        # Every event numbered above _floor, up to _head, is remembered: whoever has come so far may join.
        self._recent: deque[Encoded] = deque()
        self._recent_bytes = 0
        self._floor = self._head = 0
        # What goes on at once has no tags: nothing does while somebody asks for them; up to here some may be without.
        self._n_ask_tags = 0
        self._without_tags = 0

    def tell(self, appended: Sequence[Appended]) -> None:
        """Events were committed: these, by this process, told in the order of its commits; or none, and by others."""
        if self._audience and not self._goes_on_with(appended):
            self._news.set()

    def _goes_on_with(self, appended: Sequence[Appended]) -> bool:
        """Offer what follows the last event told without a hole; whether it did.

        Many events at once would hold up everybody: the tailer encodes them in a thread. So would many streams that
        each commit awakens: for them it gathers what comes close together.
        """
        if not appended or len(appended) > _AT_ONCE or len(self._audience) > _FEW_STREAMS or self._n_ask_tags:
            return False
        if (appended[0].event_id, appended[-1].event_id) != (self._head + 1, self._head + len(appended)):
            return False
        self._offer([_encoded(events.stored(one)) for one in appended])
        self._without_tags = self._head
        return True

    @property
    def n_streams(self) -> int:
        """Streams that are open and have come up to date."""
        return len(self._audience)

    def close(self) -> None:
        """End all streams, with a last comment."""
        self._is_open = False
        for subscriber in self._audience:
            subscriber.end(GOODBYE)
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
            self._look_after_streams()

    async def _follow(self) -> None:
        """Offer all that is new. While nobody watches, nothing is read: the next one to come starts the feed anew."""
        is_behind = bool(self._audience)
        while is_behind:
            asked = self._head
            found = await self._database.look(_read_news, asked)
            is_of_use = self._head >= asked  # else the feed was started anew meanwhile, further back: look there
            if is_of_use:
                news = [one for one in found if one.event.event_id > self._head]
                has_takers = self._offer(news)
                if news and not has_takers:
                    # What nobody waits for is looked at less often: each look takes time from who commits.
                    await asyncio.sleep(_UNWANTED_PAUSE_S)
            is_behind = bool(self._audience) and (not is_of_use or len(found) == _PAGE)

    def _offer(self, news: Sequence[Encoded]) -> bool:
        """Remember what comes next in the log, and offer it; whether anybody wanted it."""
        self._forget({one.event.run_id for one in news if one.event.type == RunDelete.type})
        for one in news:
            self._remember(one)
        return self._audience.offer(news)

    def _forget(self, deleted: Collection[UUID | None]) -> None:
        """What these runs said: it is no more in the log either."""
        if deleted:
            self._recent = deque(one for one in self._recent if one.event.run_id not in deleted)
            self._recent_bytes = sum(len(one.chunk) for one in self._recent)

    def _remember(self, one: Encoded) -> None:
        self._head = one.event.event_id
        self._recent.append(one)
        self._recent_bytes += len(one.chunk)
        while len(self._recent) > _REMEMBERED or self._recent_bytes > _REMEMBERED_BYTES:
            forgotten = self._recent.popleft()
            self._recent_bytes -= len(forgotten.chunk)
            self._floor = forgotten.event.event_id

    def _look_after_streams(self) -> None:
        now = time.monotonic()
        if now >= self._looked_after_at + _LOOK_EVERY_S:
            self._looked_after_at = now
            for subscriber in self._audience:
                subscriber.look_after(now, _KEEP_ALIVE_S)

    async def stream(self, after: int | None, wanted: EventFilter) -> AsyncGenerator[bytes, None]:
        """Server-Sent Events: all that is wanted after a number (None: from now on), and then what comes.

        A number that this store has not reached is answered by a `reset` event; then from now on. What goes on from
        now opens with the number that now has: who is cut before the first event comes back with that.

        Raises:
            Unavailable: the store is away; before anything is sent, so that it can be told.
        """
        last = await self._database.read(events.last_event_id)
        if after is not None and after <= last:
            opening, position = _RETRY + b"\n", after
        else:
            opening, position = _RETRY + b"id: %d\n\n" % last, last
            if after is not None:
                opening += b'event: reset\ndata: {"last_event_id":%d}\n\n' % last
        return self._send(opening, position, wanted, has_all=position == last)

    async def _send(
        self, opening: bytes, position: int, wanted: EventFilter, has_all: bool
    ) -> AsyncGenerator[bytes, None]:
        yield opening
        with self._asking_tags(wanted):
            limit = _FIRST_PAGE
            while not (self._may_join(position, wanted) if self._audience else has_all):
                if not self._is_open:
                    yield GOODBYE  # and nothing of what is remembered: something lies between
                    return
                try:
                    found, position = await self._database.read(events.list_after, position, wanted, limit)
                except Unavailable as error:
                    log.warning("a stream ends, its client will come back: %s", error)
                    return
                has_all = len(found) < limit
                if found:
                    page = b"".join(map(_encode, found))
                    limit = max(1, min(_PAGE, _PAGE_BYTES * len(found) // len(page)))
                    yield page
            subscriber = self._join(position, wanted)
            try:
                async for chunk in subscriber.chunks():
                    yield chunk
            finally:
                self._audience.remove(subscriber)

    @contextmanager
    def _asking_tags(self, wanted: EventFilter) -> Iterator[None]:
        self._n_ask_tags += bool(wanted.tags)
        try:
            yield
        finally:
            self._n_ask_tags -= bool(wanted.tags)

    def _may_join(self, position: int, wanted: EventFilter) -> bool:
        """Whether all that comes after this position and is wanted will be found among what is remembered."""
        return position >= (max(self._floor, self._without_tags) if wanted.tags else self._floor)

    def _join(self, position: int, wanted: EventFilter) -> Subscriber:
        """A subscriber that will be offered everything wanted after this position, from here on without a gap.

        The position is one that the feed remembers; or, for the first to come, one that the log had just reached.
        """
        if not self._audience:
            self._recent.clear()
            self._recent_bytes = 0
            self._floor = self._head = position
            self._news.set()
        subscriber = Subscriber(wanted, position)
        missed = [one.chunk for one in self._recent if one.event.event_id > position and is_wanted(one, wanted)]
        if missed:
            subscriber.offer(b"".join(missed))
        if not self._is_open:
            subscriber.end(GOODBYE)
        self._audience.add(subscriber)
        return subscriber


def _read_news(connection: Connection, after: int) -> list[Encoded]:
    return [_encoded(event, tags) for event, tags in events.list_news(connection, after, _PAGE)]


def _encoded(event: StoredEvent, tags: frozenset[str] = frozenset()) -> Encoded:
    return Encoded(event, tags, _encode(event))


def _encode(event: StoredEvent) -> bytes:
    data = event.data
    if not data.isascii():
        # No line ends here to the standard; to what many clients split lines with, one does (`httpx`'s `iter_lines`).
        for letter in "\x85\u2028\u2029":
            data = data.replace(letter.encode(), b"\\u%04x" % ord(letter))
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.event_id, event.type.encode(), data)
