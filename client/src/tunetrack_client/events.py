"""The event stream, read over however many connections it takes."""

import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tunetrack_client.connection import Connection, pauses, read
from tunetrack_client.errors import Unavailable
from tunetrack_client.wire import with_numbers

log = logging.getLogger("tunetrack_client")

_TIMEOUT = httpx.Timeout(10.0, read=45.0)
"""A quiet stream says something every 15 seconds; one that does not is dead."""

_NOW = 2**63 - 1
"""An id that no store has reached: the answer begins with the one that it has, and goes on from there."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `data` holds all of it, the other three as well."""

    event_id: int
    type: str
    timestamp: str
    data: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        """A field, e.g. `event["run_id"]`."""
        return self.data[name]


@dataclass(slots=True)
class _Message:
    id: str | None = None
    type: str = "message"
    data: str = ""


def follow(connection: Connection, after: int | None, filters: Mapping[str, Sequence[str]]) -> Iterator[Event]:
    """Every event after this one that matches, none twice and none left out; endless.

    Raises:
        Refused: the service does not take the question.
    """
    last_id = _NOW if after is None else after
    waits = pauses()
    while True:
        try:
            for message in _read_once(connection, last_id, filters):
                waits = pauses()
                if message.type == "reset":
                    if last_id != _NOW:
                        log.warning("the service does not know of event %d; it goes on from now", last_id)
                    last_id = json.loads(message.data)["last_event_id"]
                elif message.id is not None:
                    data = with_numbers(json.loads(message.data))
                    last_id = int(message.id)
                    yield Event(last_id, message.type, data["timestamp"], data)
        except (httpx.TransportError, Unavailable):
            pass  # cut: on with the last id that came through
        time.sleep(next(waits))


def _read_once(connection: Connection, last_id: int, filters: Mapping[str, Sequence[str]]) -> Iterator[_Message]:
    headers = {"Last-Event-ID": str(last_id), "Accept": "text/event-stream"}
    query = {name: list(values) for name, values in filters.items()}
    path = "/v1/events/stream"
    with connection.http.stream("GET", path, params=query, headers=headers, timeout=_TIMEOUT) as response:
        if not response.is_success:
            response.read()
            read(response)
        yield from _messages(response.iter_bytes())


def _messages(chunks: Iterable[bytes]) -> Iterator[_Message]:
    """Each message that has data: lines `name: value`, and an empty one at its end."""
    message, rest = _Message(), b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            name, _, value = line.decode().rstrip("\r").partition(":")
            value = value.removeprefix(" ")
            if name == "id":
                message.id = value
            elif name == "event":
                message.type = value
            elif name == "data":
                message.data += value
            elif not name and not value:
                if message.data:
                    yield message
                message = _Message()
