"""What other replicas commit: PostgreSQL tells this process that there are new events."""

import logging
import threading
import time
from collections.abc import Callable

import psycopg
from sqlalchemy import URL

from app.store import sessions
from app.store.log import CHANNEL

log = logging.getLogger(__name__)

_TRY_AGAIN_S = 1.0
_LOOK_FOR_END_S = 0.5


class Listener:
    """A connection of its own that waits for notifications, in a thread.

    When it is lost the feed still looks once a second by itself.

    Args:
        on_events: called in the thread of the listener, after commits that recorded events.
        is_own: whether they were made by the connection with this backend: then nothing is called.
    """

    def __init__(self, url: URL, on_events: Callable[[], object], is_own: Callable[[int], bool]) -> None:
        self._url = url
        self._on_events = on_events
        self._is_own = is_own
        self._is_open = True
        self._thread = threading.Thread(target=self._run, name="tunetrack-listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop waiting."""
        self._is_open = False
        self._thread.join()

    def _run(self) -> None:
        while self._is_open:
            try:
                self._listen()
            except psycopg.Error as error:
                log.warning("no notifications from the database for now: %s", str(error).strip())
                time.sleep(_TRY_AGAIN_S)

    def _listen(self) -> None:
        with sessions.connect(self._url) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            self._on_events()  # what was committed while nobody listened
            while self._is_open:
                for told in connection.notifies(timeout=_LOOK_FOR_END_S, stop_after=1):
                    if not self._is_own(told.pid):
                        self._on_events()
