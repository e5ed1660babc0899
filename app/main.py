"""The composition root: which parts there are, and how long they live."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version

from fastapi import FastAPI
from sqlalchemy import URL

from app.api.application import State, build
from app.api.gate import Rules
from app.api.limits import Streams
from app.api.state import Readiness, Services
from app.dashboard import shell
from app.domain.addresses import Network
from app.observers.plugins import Plugins, load
from app.observers.sender import Sender
from app.observers.webhooks import Webhooks
from app.service import metrics
from app.service.feed import Feed
from app.service.guard import Guard
from app.service.index_runs import index_for_ever
from app.service.keys import KeyRing
from app.service.look_back import Importances
from app.service.overview import Lines
from app.service.reap import Reaper
from app.service.set_back import Watch
from app.service.stop_early import EarlyStopping
from app.service.suggest import Suggester
from app.service.sweep import sweep_for_ever
from app.service.track import Tracker
from app.service.vault import Vault, key_file
from app.store.database import Database
from app.store.line import LONGEST_WAIT_S
from app.store.log import Appended
from app.tuning import plugins


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may choose.

    Args:
        needs_key: nobody comes in without a key, not even while there is none.
        rules: of the gate.
        secret_keys: for what is stored encrypted, the one that encrypts first.
        webhook_allow: networks that webhooks may call though they are not public.
        longest_wait_s: a write that would wait longer for its turn is refused.
    """

    needs_key: bool = False
    rules: Rules = field(default_factory=Rules)
    secret_keys: Sequence[str] = ()
    webhook_allow: Sequence[Network] = ()
    longest_wait_s: float = LONGEST_WAIT_S


_BY_DEFAULT = Settings()


class Application:
    """The service over one database, which must be migrated.

    `on_set_back` is called on the event loop where the database was set back: then it is to be made anew.

    Raises:
        BadSecretKey: a key of the settings is none.
    """

    def __init__(self, url: URL, settings: Settings = _BY_DEFAULT) -> None:
        self.on_set_back: Callable[[], None] = lambda: None
        self._url = url
        self._settings = settings
        self._vault = Vault(settings.secret_keys, key_file(url))
        self._observers = load()
        self._guard = Guard(settings.webhook_allow)
        self._feed: Feed | None = None
        self._readiness = Readiness()
        plugins.join_installed()
        self.asgi = build(self._lifespan, version("tunetrack"), settings.rules)
        self.asgi.router.routes.extend(shell.routes())

    def leave(self) -> None:
        """Be no longer ready: the process is about to end."""
        self._readiness.is_leaving = True

    def end_streams(self) -> None:
        """End the open streams, so that the server can finish. To be called on the event loop."""
        if self._feed is not None:
            self._feed.close()

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[State]:
        database = Database(self._url, self._settings.longest_wait_s)
        try:
            feed = self._feed = Feed(database)
            observers = Plugins(database, self._observers)
            webhooks = Webhooks(database, self._vault, Sender(self._guard, version("tunetrack")))
            watch = Watch(database, self.on_set_back)

            def on_events(appended: Sequence[Appended]) -> None:
                watch.tell(appended)
                feed.tell(appended)
                webhooks.wake()
                observers.wake()

            database.on_events = on_events
            database.on_batch = metrics.count_batch
            services = Services(
                database,
                Suggester(database),
                Tracker(database, EarlyStopping(database)),
                Importances(database),
                Lines(),
                feed,
                KeyRing(database, is_required=self._settings.needs_key),
                self._readiness,
                self._guard,
                self._vault,
                webhooks.look,
                webhooks.reached,
                Streams(self._settings.rules.streams),
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(feed.run())
                tasks.create_task(webhooks.run())
                tasks.create_task(observers.run())
                keeping = [
                    tasks.create_task(sweep_for_ever(database)),
                    tasks.create_task(index_for_ever(database)),
                    tasks.create_task(Reaper(database).run()),
                    tasks.create_task(watch.run()),
                ]
                yield State(services=services)
                feed.close()
                webhooks.close()
                observers.close()
                for task in keeping:
                    task.cancel()
        finally:
            await database.close()
