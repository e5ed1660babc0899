"""How long SQLite may read: PostgreSQL gives up a statement by itself, see `sessions`."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Connection as Raw

from sqlalchemy import Connection

LONGEST_READ_S = 30.0
_LOOKS = 10
"""In so many steps that time goes by."""


class Patience:
    """Gives up what is read for too long: whoever asked for it may be gone, and others wait.

    Made on a running event loop, which looks at the clock. A handler that SQLite calls between the steps of a query
    would take the interpreter from all others each time, and a query beside them twice as long.
    """

    def __init__(self, longest_s: float = LONGEST_READ_S) -> None:
        self._longest_s = longest_s
        self._begun: dict[Raw, float] = {}
        self._looks = self._look_later()

    @contextmanager
    def watch(self, connection: Connection) -> Iterator[None]:
        """What is read here, in whatever thread, ends in time: SQLITE_INTERRUPT, if need be."""
        raw = connection.connection.driver_connection
        if not isinstance(raw, Raw):
            yield
            return
        self._begun[raw] = time.monotonic()
        try:
            yield
        finally:
            del self._begun[raw]

    def close(self) -> None:
        """Look no more."""
        self._looks.cancel()

    def _look_later(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._longest_s / _LOOKS, self._look)

    def _look(self) -> None:
        give_up = time.monotonic() - self._longest_s
        for raw, begun in list(self._begun.items()):
            if begun < give_up:
                raw.interrupt()
        self._looks = self._look_later()
