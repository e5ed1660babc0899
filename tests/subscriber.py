"""A reader of `GET /v1/events/stream` for tests: in a thread, with deadlines, and with scissors."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Received:
    """One message of the stream."""

    id: int | None
    type: str
    data: dict[str, Any]


@dataclass(slots=True)
class _Message:
    """The lines of a message as they come in."""

    id: str | None = None
    type: str = "message"
    data: list[str] = field(default_factory=list)


class Subscriber:
    """An open stream; entering waits until it is open, so that nothing after that can be missed.

    Args:
        last_event_id: sent as the header `Last-Event-ID`; afterwards, what a browser would come back with.
        query: `after`, `type`, `run_id`, `tuner_id`, `tag`; a list repeats.
    """

    def __init__(
        self, url: str, *, last_event_id: int | str | None = None, **query: str | int | Sequence[str | int]
    ) -> None:
        self.lines: list[str] = []
        self.comments: list[str] = []
        self.events: list[Received] = []
        self.retry_ms: int | None = None
        self.last_event_id: int | None = None
        self.response: httpx.Response | None = None
        self.has_ended = False
        self._url = url
        self._query = query
        self._headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
        self._changed = threading.Condition()
        self._message = _Message()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait(lambda: "" in self.lines or self.has_ended, DEADLINE_S)
        assert self.response is not None, "no connection to the stream"
        assert self.response.status_code == 200, f"{self.response.status_code} {self.lines}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()

    @property
    def ids(self) -> list[int | None]:
        """The ids of what was received, in order."""
        return [event.id for event in self.events]

    @property
    def last_id(self) -> int | None:
        """The id that a browser would come back with."""
        return next((event.id for event in reversed(self.events) if event.id is not None), None)

    def wait_for(self, count: int, timeout_s: float = DEADLINE_S) -> list[Received]:
        """The events, once there are that many."""
        self._wait(lambda: len(self.events) >= count, timeout_s)
        return list(self.events)

    def wait_for_id(self, event_id: int, timeout_s: float = DEADLINE_S) -> list[Received]:
        """The events, once the one with this id has come."""
        self._wait(lambda: event_id in self.ids, timeout_s)
        return list(self.events)

    def wait_for_end(self, timeout_s: float = DEADLINE_S) -> list[Received]:
        """The events, once the service has ended the stream."""
        self._wait(lambda: self.has_ended, timeout_s)
        return list(self.events)

    def cut(self) -> None:
        """Break the connection, as a network would."""
        if self.response is not None and not self.has_ended:
            connection = self.response.extensions["network_stream"].get_extra_info("socket")
            with suppress(OSError):  # the other side was first
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), "the reader is stuck"

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                assert left > 0, (
                    f"not within {timeout_s} s; has_ended={self.has_ended}, lines so far: {self.lines[-40:]}"
                )
                self._changed.wait(left)

    def _read(self) -> None:
        timeout = httpx.Timeout(DEADLINE_S, read=None)
        url = f"{self._url}/v1/events/stream"
        try:
            with (
                httpx.Client(timeout=timeout, trust_env=False, verify=False) as client,
                client.stream("GET", url, params=self._query, headers=self._headers) as response,
            ):
                self.response = response
                for line in _lines(response.iter_raw()):
                    with self._changed:
                        self.lines.append(line)
                        self._take(line)
                        self._changed.notify_all()
        except httpx.TransportError:
            return  # cut, by us or by the end of the service
        finally:
            with self._changed:
                self.has_ended = True
                self._changed.notify_all()

    def _take(self, line: str) -> None:
        if not line:
            message, self._message = self._message, _Message()
            event_id = None if message.id is None else int(message.id)
            self.last_event_id = self.last_event_id if event_id is None else event_id
            if message.data:
                self.events.append(Received(event_id, message.type, json.loads("\n".join(message.data))))
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "":
            self.comments.append(value)
        elif name == "id":
            self._message.id = value
        elif name == "event":
            self._message.type = value
        elif name == "data":
            self._message.data.append(value)
        elif name == "retry":
            self.retry_ms = int(value)
        else:
            raise AssertionError(f"not a line of an event stream: {line!r}")


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines end with CR LF, LF or CR, and with nothing else: U+2028 is text."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            yield line.decode()
