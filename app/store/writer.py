"""Group commit: every write is a batch, a single write is a batch of one.

    request ─┐
    request ─┼─> queue ─> one thread: BEGIN, each operation with all its requests, events, COMMIT ─> answers
    request ─┘            (while it commits, the next batch gathers)

Requests with an Idempotency-Key that was used before are answered from the store, without the operation.

A write operation takes the `Transaction` and a list of requests and gives a list of answers, each a value or a
domain error; one request's error leaves its neighbours' effects alone. Nobody is answered before the commit.
"""

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from app.domain.errors import MAY_BE_DONE, DomainError, IdempotencyKeyReused, StoreBusy, Unavailable
from app.store import driver, idempotency
from app.store.faults import is_connection_lost, is_lost_race, is_read_only, translate
from app.store.idempotency import Once, Replay, StoredAnswer
from app.store.line import Line
from app.store.locks import in_order, lock_beforehand
from app.store.log import Appended
from app.store.transaction import Transaction

R = TypeVar("R")
A = TypeVar("A")
Operation = Callable[[Transaction, Sequence[R]], Sequence[A | DomainError]]

log = logging.getLogger(__name__)

_ENOUGH_FOR_A_BATCH = 512
_RETRIES = 6


@dataclass(slots=True, eq=False)
class _Waiting:
    operation: Operation[Any, Any]
    request: Any
    once: Once | None


@dataclass(slots=True, eq=False)
class _Together:
    """Requests that came together, and are answered so."""

    requests: list[_Waiting]
    answers: "asyncio.Future[list[Any]]"


class Writer:
    """The one thread of this process that writes.

    Args:
        on_events: called on the event loop with the events of each commit, in the order of the commits.
        on_batch: called on the writer's thread after each commit: with how many requests it had, and the seconds that
            the whole batch and its commit alone took.
        longest_wait_s: who would have to wait longer is sent away at once.
    """

    def __init__(
        self,
        engine: Engine,
        on_events: Callable[[Sequence[Appended]], None],
        on_batch: Callable[[int, float, float], None],
        longest_wait_s: float,
    ) -> None:
        self._engine = engine
        self._line = Line(longest_wait_s, _ENOUGH_FOR_A_BATCH)
        self._on_events = on_events
        self._on_batch = on_batch
        self._connection: Connection | None = None
        self._backend_pid: int | None = None
        self._queue: SimpleQueue[_Together | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="tunetrack-writer", daemon=True)
        self._thread.start()

    def submit(
        self, operation: Operation[R, A], requests: Sequence[tuple[R, Once | None]]
    ) -> "asyncio.Future[list[A | BaseException]]":
        """The answers to requests that go together, in their order, once they are committed.

        An error in place of an answer says that nothing of that request is done.
        """
        answers: asyncio.Future[list[Any]] = self._loop.create_future()
        if not requests:
            answers.set_result([])  # a transaction for nothing would be one all the same
            return answers
        try:
            self._line.join(len(requests))
        except StoreBusy as error:
            answers.set_result([error] * len(requests))
            return answers
        self._queue.put(_Together([_Waiting(operation, request, once) for request, once in requests], answers))
        return answers

    @property
    def n_waiting(self) -> int:
        """Requests, or groups that came together, that wait for their batch."""
        return self._queue.qsize()

    @property
    def is_alive(self) -> bool:
        """Whether anybody writes."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Write what waits, and end."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            taken, is_open = self._take()
            if taken:
                self._line.begin()
                answers, appended = self._write([waiting for together in taken for waiting in together.requests])
                self._line.end()
                self._loop.call_soon_threadsafe(self._answer, taken, answers, appended)
        if self._connection is not None:
            self._connection.close()

    def _take(self) -> tuple[list[_Together], bool]:
        """All that waits, up to a limit; and whether more may come."""
        taken: list[_Together] = []
        n_requests = 0
        together = self._queue.get()
        while together is not None:
            taken.append(together)
            n_requests += len(together.requests)
            if n_requests >= _ENOUGH_FOR_A_BATCH:
                return taken, True
            try:
                together = self._queue.get_nowait()
            except Empty:
                return taken, True
        return taken, False

    def _write(self, batch: list[_Waiting]) -> tuple[list[Any], list[Appended]]:
        """The answers to a batch, in its order, and the events that were recorded. Never raises."""
        try:
            return self._commit_with_retries(batch)
        except Exception as error:
            meaning = translate(error)
            if isinstance(meaning, Unavailable):
                log.warning("nothing of a batch of %d was written: %s", len(batch), error)
                return [meaning] * len(batch), []
            if len(batch) == 1:
                return [meaning], []
            # One of them broke the batch: alone, each gets its own answer.
            singles = [self._write([waiting]) for waiting in batch]
            return [answers[0] for answers, _ in singles], [one for _, appended in singles for one in appended]

    def _commit_with_retries(self, batch: list[_Waiting]) -> tuple[list[Any], list[Appended]]:
        for attempt in range(_RETRIES):
            try:
                return self._commit(batch)
            except Exception as error:
                # A connection that died unnoticed is replaced; if the next one dies too, the database is away.
                is_replaced = is_connection_lost(error) or is_read_only(error)
                may_pass = is_lost_race(error) or (is_replaced and attempt == 0)
                if not may_pass or attempt == _RETRIES - 1:
                    raise
                time.sleep(random.uniform(0, 0.01 * 2**attempt))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _commit(self, batch: list[_Waiting]) -> tuple[list[Any], list[Appended]]:
        answers: list[Any] = [None] * len(batch)
        began = time.perf_counter()
        with self._connected() as connection, connection.begin() as committing:
            transaction = Transaction(connection)
            known = idempotency.recall(connection, [waiting.once for waiting in batch if waiting.once is not None])
            positions: dict[Operation[Any, Any], list[int]] = {}
            for position, waiting in enumerate(batch):
                answers[position] = _recalled(waiting, known)
                if answers[position] is None:
                    positions.setdefault(waiting.operation, []).append(position)
            requests = {
                operation: [batch[position].request for position in members] for operation, members in positions.items()
            }
            lock_beforehand(connection, requests)
            for operation in in_order(positions):
                given = operation(transaction, requests[operation])
                for position, answer in zip(positions[operation], given, strict=True):
                    answers[position] = answer
            appended = transaction.store_events()
            if kept := _done_once(batch, answers):
                idempotency.remember(connection, transaction.now, kept)
            all_but_committed = time.perf_counter()
            try:
                committing.commit()
            except Exception as error:
                if is_connection_lost(error):
                    raise StoreBusy(f"The store went away in the middle of the commit: {MAY_BE_DONE}") from error
                raise
        done = time.perf_counter()
        self._on_batch(len(batch), done - began, done - all_but_committed)
        return answers, appended

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """The connection: one for all transactions, as long as none fails."""
        connection, self._connection = self._connection or self._connect(), None
        try:
            yield connection
        except BaseException as error:
            if is_read_only(error):
                connection.invalidate()  # it may have been made so for as long as it lives
            connection.close()
            raise
        self._connection = connection

    def _connect(self) -> Connection:
        connection = self._engine.connect()
        self._backend_pid = driver.backend_pid(connection)
        return connection

    def is_own(self, backend_pid: int) -> bool:
        """Whether PostgreSQL's process of this number is the one that writes for this writer."""
        return backend_pid == self._backend_pid

    def _answer(self, taken: list[_Together], answers: list[Any], appended: list[Appended]) -> None:
        self._line.leave(len(answers))
        begin = 0
        for together in taken:
            end = begin + len(together.requests)
            # Where the client went away, what it asked for is done all the same.
            if not together.answers.cancelled():
                together.answers.set_result(answers[begin:end])
            begin = end
        if appended:
            self._on_events(appended)


def _recalled(waiting: _Waiting, known: Mapping[bytes, tuple[bytes, StoredAnswer]]) -> Exception | None:
    """What a request with a key that was used before is answered."""
    if waiting.once is None or waiting.once.key_digest not in known:
        return None
    request_digest, answer = known[waiting.once.key_digest]
    return Replay(answer) if request_digest == waiting.once.request_digest else IdempotencyKeyReused()


def _done_once(batch: Sequence[_Waiting], answers: Sequence[Any]) -> list[tuple[Once, StoredAnswer]]:
    """The answers to keep: of what has a key and was done. What was refused had no effect, and may be asked again."""
    return [
        (waiting.once, waiting.once.render(answer))
        for waiting, answer in zip(batch, answers, strict=True)
        if waiting.once is not None and answer is not None and not isinstance(answer, Exception)
    ]
