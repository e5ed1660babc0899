"""One stream: what waits for it, bounded in bytes, until its client reads."""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator

from app.store.events import EventFilter

_BUFFERED_BYTES = 2**20
_CHUNK_BYTES = 2**16
_OLDEST_S = 3600.0

GOODBYE = b": the service is going down; come back with the last id\n\n"
_TOO_SLOW = b": this reader was too slow; come back with the last id\n\n"
_OLD_ENOUGH = b": long enough for one connection; come back with the last id\n\n"
_KEEP_ALIVE = b": keep-alive\n\n"


class Subscriber:
    """A stream that is offered bytes, and gives them to its client.

    Args:
        after: the number of the last event that the client has, or will have been sent before it joins the feed.
    """

    __slots__ = ("_buffer", "_ends_at", "_has_news", "_n_bytes", "_sent_at", "after", "is_over", "wanted")

    def __init__(self, wanted: EventFilter, after: int) -> None:
        self.wanted = wanted
        self.after = after
        self.is_over = False
        self._sent_at = time.monotonic()
        # Within the limits of most proxies; spread, so that those who came together do not come back together.
        self._ends_at = self._sent_at + _OLDEST_S * random.uniform(0.8, 1.0)
        self._buffer: deque[bytes] = deque()
        self._n_bytes = 0
        self._has_news = asyncio.Event()

    def offer(self, chunk: bytes) -> None:
        """Put it into the buffer, or end the stream where that is full: a slow reader never slows a writer."""
        if self.is_over:
            return  # after a gap nothing may follow
        if self._buffer and self._n_bytes + len(chunk) > _BUFFERED_BYTES:
            self._buffer.clear()  # nobody takes it; whoever comes back says where to go on
            self.end(_TOO_SLOW)
            return
        self._buffer.append(chunk)
        self._n_bytes += len(chunk)
        self._has_news.set()

    def end(self, last_words: bytes) -> None:
        """End the stream, after what waits."""
        if not self.is_over:
            self._buffer.append(last_words)
            self.is_over = True
            self._has_news.set()

    def look_after(self, now: float, keep_alive_s: float) -> None:
        """A comment where it was quiet for so long; the end where it is old."""
        if now >= self._ends_at:
            self.end(_OLD_ENOUGH)
        elif now >= self._sent_at + keep_alive_s and not self._buffer:
            self.offer(_KEEP_ALIVE)

    async def chunks(self) -> AsyncIterator[bytes]:
        """What is offered, as much as waits and fits in one chunk, until the stream is over."""
        while True:
            if self._buffer:
                chunk = self._take()
                self._sent_at = time.monotonic()
                yield chunk
            elif self.is_over:
                return
            else:
                self._has_news.clear()
                await self._has_news.wait()

    def _take(self) -> bytes:
        if self._n_bytes <= _CHUNK_BYTES:
            taken = list(self._buffer)
            self._buffer.clear()
        else:
            size, taken = 0, []
            while self._buffer and size < _CHUNK_BYTES:
                taken.append(self._buffer.popleft())
                size += len(taken[-1])
        chunk = taken[0] if len(taken) == 1 else b"".join(taken)
        self._n_bytes = max(0, self._n_bytes - len(chunk))
        return chunk
