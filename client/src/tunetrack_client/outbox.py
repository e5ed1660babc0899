"""What the training says, on its way in the background: nobody who trains waits for the network.

put() ──> backlog ──> one thread ──> the service
            └──> a file, while the service is away; and one for what it fails at, for later
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunetrack_client.backlog import Backlog
from tunetrack_client.connection import Connection, pauses
from tunetrack_client.delivery import Delivery, Listener
from tunetrack_client.errors import ServiceFailed, Unavailable
from tunetrack_client.kept import Kept
from tunetrack_client.message import Message, Request, fold

log = logging.getLogger("tunetrack_client")

_TAKEN_AT_ONCE = 1000

_MOST_FAILURES = 5
"""How often the service may fail at a request before that is given up."""


@dataclass(slots=True)
class Beat:
    """A sign of life to send when nothing else was said for a while.

    Args:
        last: when something was said last, None before anything was: then there is nothing to keep alive yet.
        holder: what could still say something; once it is gone there is no sign any more.
    """

    request: Request
    every_s: float
    last: float | None
    holder: Callable[[], object | None]


class Outbox:
    """Takes messages at once, and delivers them in order, in batches, again and again until they are taken.

    Args:
        new_backlog: makes the queue; asked again in a forked process, which has nothing to say yet.

    `trouble` is why the last try came to nothing, None while all is well; `shown_url` is the service's address.
    """

    def __init__(self, connection: Connection, new_backlog: Callable[[], Backlog]) -> None:
        self._connection = connection
        self.shown_url = connection.shown_url
        self._new_backlog = new_backlog
        self._begin()

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            "a run or a trial stays in its process: give others its params, and tell here what came of it,"
            " or give them the tuner, of which each has trials of its own"
        )

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._backlog = self._new_backlog()
        self._kept = Kept(self._backlog.beside())
        self._delivery = Delivery(self._connection)
        self._beats: dict[str, Beat] = {}
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._n_put = self._n_done = 0
        self._is_away = self._is_abandoned = self._is_closed = False
        self.trouble: str | None = None
        self._thread: threading.Thread | None = None

    def put(self, message: Message) -> None:
        """Say something; it returns before anybody has heard it.

        Raises:
            TypeError: it cannot be said in JSON.
        """
        self._own()
        if not message.is_epoch:  # which holds numbers only
            message.to_line()
        if self._is_closed:
            raise RuntimeError("this client is closed")
        with self._changed:
            self._backlog.put(message)
            self._n_put += 1
            self._run()

    def listen(self, about: str, listener: Listener) -> None:
        """Tell it what comes of all that is said about this run or trial."""
        self._own()
        self._delivery.listeners[about] = listener

    def keep_alive(
        self,
        about: str,
        path: str,
        every_s: float,
        body: dict[str, Any] | None = None,
        *,
        is_known: bool = False,
        holder: Callable[[], object | None] = lambda: True,
    ) -> None:
        """Send a sign of life whenever nothing was said for so long.

        Args:
            is_known: the service knows it already; else there is no sign before the first message about it was taken.
            holder: answers None once nobody is left who could say anything: there is no sign after that.
        """
        self._own()
        last = time.monotonic() if is_known else None
        with self._changed:
            self._beats[about] = Beat(Request(path, body or {}, about, ()), every_s, last, holder)
            self._run()

    def let_go(self, about: str) -> None:
        """No more signs of life for it."""
        self._own()
        with self._changed:
            self._beats.pop(about, None)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was put before is delivered; whether it is."""
        self._own()
        self._wake.set()
        with self._changed:
            wanted = self._n_put
            self._changed.wait_for(lambda: self._is_abandoned or self._has_done(wanted), timeout_s)
            return self._has_done(wanted)

    def close(self) -> list[Path]:
        """Deliver no more, and keep what is left in files; their paths."""
        self._own()
        if self._is_closed:
            return []
        self._is_closed = True
        self._abandon()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(0.5)
        paths = (backlog.close() for backlog in (self._kept.backlog, self._backlog))
        return [path for path in paths if path is not None]

    def _own(self) -> None:
        if os.getpid() != self._pid:
            self._backlog.forget()
            self._kept.backlog.forget()
            self._begin()

    def _has_done(self, n: int) -> bool:
        return self._n_done + self._backlog.n_lost >= n  # what is lost comes no more

    def _run(self) -> None:
        self._changed.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="tunetrack", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        try:
            self._deliver()
        except Exception as error:  # a fault of our own: no training ends by it, and none waits for what will not come
            self.trouble = f"nothing more is told to {self.shown_url}, by a fault of its client: {error!r}"
            log.exception("%s; the training goes on, and what it says is kept", self.trouble)
            self._abandon()
            self._backlog.spill()

    def _abandon(self) -> None:
        with self._changed:
            self._is_abandoned = True
            self._beats.clear()
            self._changed.notify_all()

    def _deliver(self) -> None:
        while not self._is_abandoned:
            with self._changed:
                if not len(self._backlog):
                    self._changed.wait(self._until_next_beat())
            self._send_beats()
            if messages := self._backlog.peek(_TAKEN_AT_ONCE):
                for request in fold(message for message in messages if message is not None):
                    if not self._insist(request):
                        return
                self._backlog.drop(len(messages))
                with self._changed:
                    self._n_done += len(messages)
                    self._changed.notify_all()

    def _insist(self, request: Request) -> bool:
        """Send it until it is taken or refused; False where there is no time left for that."""
        if request.about in self._kept:
            self._kept.add(request)
            return True
        n_failures = 0
        for number, pause_s in enumerate(pauses()):
            if self._is_abandoned:
                return False
            try:
                self._delivery.send(request)
            except Unavailable as error:
                self._miss(str(error), number, max(pause_s, error.retry_after_s or 0.0))
            except ServiceFailed as error:
                n_failures += 1
                if n_failures == _MOST_FAILURES:
                    return self._give_up(request, error)
                self._miss(f"{self.shown_url} failed: {error}", number, pause_s)
            else:
                self.trouble = None
                if self._is_away:
                    self._is_away = False
                    log.warning("%s answers again", self.shown_url)
                self._said(request.about)
                return True
        raise AssertionError("pauses never end")

    def _give_up(self, request: Request, error: ServiceFailed) -> bool:
        """One message must not keep all others waiting, nor take those of its batch with it: it is kept for later.

        After a start, an end or a result, that holds for all that follows. After an epoch it does not: its run may
        still come to a good end, and if the service fails at that, too, the epoch is told before it.
        """
        if len(request.messages) > 1:
            return all(self._insist(part) for part in request.parts())
        is_partial = request.messages[0].is_epoch or request.method != "POST"
        log.warning("%s fails at %s: %s; it is kept for later", self.shown_url, request.path, error)
        self._kept.add(request, with_rest=not is_partial)
        self._delivery.tell(request, error, is_partial=is_partial)
        return True

    def _miss(self, why: str, number: int, pause_s: float) -> None:
        self.trouble = why
        if number >= 2:  # no hiccup
            if not self._is_away:
                self._is_away = True
                log.warning("%s; the training goes on, and what it says is kept until it can be told", why)
            self._backlog.spill()
        if not self._is_abandoned:
            self._wake.wait(pause_s)
            self._wake.clear()

    def _said(self, about: str) -> None:
        with self._changed:
            if (beat := self._beats.get(about)) is not None:
                beat.last = time.monotonic()

    def _until_next_beat(self) -> float | None:
        due = [beat.last + beat.every_s for beat in self._beats.values() if beat.last is not None]
        return max(min(due) - time.monotonic(), 0.0) if due else None

    def _send_beats(self) -> None:
        now = time.monotonic()
        with self._changed:
            self._beats = {about: beat for about, beat in self._beats.items() if beat.holder() is not None}
            due = [beat for beat in self._beats.values() if beat.last is not None and beat.last + beat.every_s <= now]
            for beat in due:
                beat.last = now
        for beat in due:
            try:
                self._delivery.send(beat.request)
            except (Unavailable, ServiceFailed):
                return  # the next one may come through
