"""The bridge between the asynchronous edges and the synchronous store."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Concatenate, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from sqlalchemy import URL, Connection, Engine

from app.domain.errors import StoreBusy
from app.store import sessions
from app.store.engines import open_readers, open_writer, without_transactions
from app.store.faults import is_connection_lost, translate
from app.store.idempotency import Once
from app.store.line import LONGEST_WAIT_S
from app.store.listener import Listener
from app.store.log import Appended
from app.store.patience import LONGEST_READ_S, Patience
from app.store.writer import Operation, Writer

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
A = TypeVar("A")

_READERS = sessions.N_OF_A_REPLICA - 2

asker: ContextVar[str | None] = ContextVar("asker", default=None)
"""On whose behalf something is read; None: the service's own. Whatever one asks for, and however often, the others
and the service have a reader left."""


class Database:
    """Where queries run: reads in a few threads, writes through the one writer.

    Made on a running event loop, and closed by `close`. `on_events` is called on that loop with the events of each
    commit of this process, in the order of its commits; and with none when other processes have committed some.
    `on_batch` is called by the thread that writes, see `Writer`.

    Args:
        longest_wait_s: a write that would wait longer for its turn is refused at once.
        longest_read_s: a query that takes longer on SQLite is given up.
    """

    def __init__(
        self, url: URL, longest_wait_s: float = LONGEST_WAIT_S, longest_read_s: float = LONGEST_READ_S
    ) -> None:
        self.on_events: Callable[[Sequence[Appended]], None] = lambda _: None
        self.on_batch: Callable[[int, float, float], None] = lambda *_: None
        self._reading = open_readers(url, pool_size=_READERS)
        self._looking = without_transactions(self._reading)
        self._patience = Patience(longest_read_s)
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="tunetrack-reader")
        self._places = WeakValueDictionary[str | None, asyncio.Semaphore]()
        self._writing = open_writer(url)
        self._writer = Writer(
            self._writing,
            lambda appended: self.on_events(appended),
            lambda *batch: self.on_batch(*batch),
            longest_wait_s,
        )
        self._is_closed = False
        loop = asyncio.get_running_loop()
        self._listener = (
            Listener(url, lambda: loop.call_soon_threadsafe(lambda: self.on_events(())), self._writer.is_own)
            if url.get_backend_name() == "postgresql"
            else None
        )

    async def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the query answers, from one state of the store.

        Raises:
            Unavailable: the store is away or busy.
        """
        return await self._ask(self._reading, query, *args, **kwargs)

    async def look(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `read`, for a query of one statement: it needs no transaction, and takes one round trip.

        Raises:
            Unavailable: the store is away or busy.
        """
        return await self._ask(self._looking, query, *args, **kwargs)

    async def _ask(
        self, engine: Engine, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def read() -> T:
            with engine.begin() as connection, self._patience.watch(connection):
                return query(connection, *args, **kwargs)

        def run() -> T:
            try:
                try:
                    return read()
                except Exception as error:
                    if not is_connection_lost(error):
                        raise
                return read()  # on a new connection: this one died unnoticed
            except Exception as error:
                meaning = translate(error)
                if meaning is error:
                    raise
                log.warning("nothing was read: %s", str(getattr(error, "orig", error)).strip())
                raise meaning from error

        who, loop = asker.get(), asyncio.get_running_loop()
        places = self._places.setdefault(who, asyncio.Semaphore(_READERS - (who is not None)))
        await places.acquire()
        try:
            self._require_open()
            under_way = self._threads.submit(run)
        except BaseException:
            places.release()
            raise
        # Not before it is over: whoever asked may be gone by then.
        under_way.add_done_callback(lambda _: loop.call_soon_threadsafe(places.release))
        return await asyncio.wrap_future(under_way)

    async def write(self, operation: Operation[R, A], request: R, once: Once | None = None) -> A:
        """What the operation answers to this request, once that is committed.

        Raises:
            DomainError: what the operation answered instead; nothing of the request is done.
            Unavailable: the store is away, busy or full; nothing is done.
            Replay: the request was done before, under the same Idempotency-Key.
        """
        self._require_open()
        (answer,) = await self._writer.submit(operation, [(request, once)])
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def write_together(
        self, operation: Operation[R, A], requests: Sequence[tuple[R, Once | None]]
    ) -> list[A | BaseException]:
        """What the operation answers to each of these requests, seen at once; errors are those of `write`."""
        self._require_open()
        return await self._writer.submit(operation, requests)

    @property
    def n_waiting(self) -> int:
        """Writes that wait for their batch."""
        return self._writer.n_waiting

    @property
    def is_writing(self) -> bool:
        """Whether what is to be written will be."""
        return self._writer.is_alive

    def _require_open(self) -> None:
        if self._is_closed:
            raise StoreBusy("The service is shutting down; ask again, another replica may answer.")

    async def close(self) -> None:
        """Write what waits, and let go of all connections. Who asks later is sent away."""
        self._is_closed = True
        if self._listener is not None:
            await asyncio.to_thread(self._listener.close)
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._threads.shutdown)  # what takes too long is given up meanwhile
        self._patience.close()
        self._writing.dispose()
        self._reading.dispose()
