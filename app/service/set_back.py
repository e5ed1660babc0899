"""The log only ever goes on. Where it does not, the database was set back under this process: to a backup, or to a
standby that had not received all of it."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from app.domain.errors import CorruptState, Unavailable
from app.store import events
from app.store.database import Database
from app.store.log import Appended

log = logging.getLogger(__name__)

_EVERY_S = 1.0


class Watch:
    """Notices that the log was set back, so that this process can begin anew.

    What it knows, of curves, of proposals, of how far streams and webhooks have come, is of events that are not any
    more. The next ones get their numbers, and would be told to nobody.

    Args:
        on_set_back: called once, on the event loop.
    """

    def __init__(self, database: Database, on_set_back: Callable[[], None]) -> None:
        self._database = database
        self._on_set_back = on_set_back
        self._is_set_back = False
        self._own = self._seen = 0

    def tell(self, appended: Sequence[Appended]) -> None:
        """Events were committed: these, by this process, told in the order of its commits; or none, and by others."""
        if appended:
            if appended[0].event_id <= self._own:
                self._notice()
            self._own = appended[-1].event_id
            self._seen = max(self._seen, self._own)

    async def run(self) -> None:
        """Look once a second: where nothing is written, nothing is told."""
        while not self._is_set_back:
            seen = self._seen  # what is committed during the look need not be in it
            try:
                last = await self._database.look(events.last_event_id)
            except (Unavailable, CorruptState):
                pass  # as those say who have something to do there
            except Exception:
                log.exception("the log could not be looked at")  # the next look may pass
            else:
                if last < seen:
                    self._notice()
                self._seen = max(self._seen, last)
            await asyncio.sleep(_EVERY_S)

    def _notice(self) -> None:
        if not self._is_set_back:
            self._is_set_back = True
            log.error("the database was set back: events that were there are gone; the service ends, to begin anew")
            self._on_set_back()
