"""The composition root: which parts there are, and how long they live."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version

from fastapi import FastAPI
from sqlalchemy import URL

from app.api.application import State, build
from app.api.gate import Rules
from app.api.state import Readiness, Services
from app.service.feed import Feed
from app.service.keys import KeyRing
from app.service.reap import Reaper
from app.service.stop_early import EarlyStopping
from app.service.suggest import Suggester
from app.service.sweep import sweep_for_ever
from app.service.track import Tracker
from app.store.database import Database
from app.tuning import plugins


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may choose.

    Args:
        needs_key: nobody comes in without a key, not even while there is none.
        rules: of the gate.
    """

    needs_key: bool = False
    rules: Rules = field(default_factory=Rules)


_BY_DEFAULT = Settings()


class Application:
    """The service over one database, which must be migrated."""

    def __init__(self, url: URL, settings: Settings = _BY_DEFAULT) -> None:
        self._url = url
        self._needs_key = settings.needs_key
        self._feed: Feed | None = None
        self._readiness = Readiness()
        plugins.join_installed()
        self.asgi = build(self._lifespan, version("tunetrack"), settings.rules)

    def leave(self) -> None:
        """Be no longer ready: the process is about to end."""
        self._readiness.is_leaving = True

    def end_streams(self) -> None:
        """End the open streams, so that the server can finish. To be called on the event loop."""
        if self._feed is not None:
            self._feed.close()

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[State]:
        database = Database(self._url)
        try:
            feed = self._feed = Feed(database)
            database.on_events = feed.wake
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(feed.run())
                keeping = [
                    tasks.create_task(sweep_for_ever(database)),
                    tasks.create_task(Reaper(database).run()),
                ]
                tracker = Tracker(database, EarlyStopping(database))
                key_ring = KeyRing(database, is_required=self._needs_key)
                yield State(services=Services(database, Suggester(database), tracker, feed, key_ring, self._readiness))
                feed.close()
                for task in keeping:
                    task.cancel()
        finally:
            await database.close()
