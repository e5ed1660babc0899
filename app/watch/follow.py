"""The events of a service as they happen, none twice and none left out, over however many connections it takes."""

import json
import random
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from queue import Queue
from typing import Any

import httpx

from app.domain.addresses import around_proxies

Event = dict[str, Any]

_TIMEOUT = httpx.Timeout(10, read=45)
"""A quiet stream says something every 15 seconds; one that does not is dead."""
_COME_BACK = (429, 502, 503, 504)
_MOST_WAITING = 10_000


class Follower:
    """A reader of the event stream that comes back with its last id, for ever.

    Args:
        query: as the stream takes it: `type`, `run_id`, `tuner_id`, `tag`.
        after: the event to begin after; None: from now on.
        key: an API key, where the service wants one.
        verify: as httpx has it.
    """

    def __init__(
        self,
        url: str,
        query: Mapping[str, str],
        after: int | None = 0,
        key: str | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self.is_connected = False
        self._url = url
        self._query = dict(query)
        self._key = key
        self._verify = verify
        self._last_event_id = None if after is None else str(after)
        self._retry_s = 1.0

    def __iter__(self) -> Iterator[Event]:
        """Every event; where the service does not know the last one any more, a `reset` is among them.

        Raises:
            httpx.HTTPStatusError: the service refuses.
        """
        with service_at(self._url, self._key, self._verify, _TIMEOUT) as service:
            while True:
                headers = {} if self._last_event_id is None else {"Last-Event-ID": self._last_event_id}
                try:
                    with service.stream("GET", "/v1/events/stream", params=self._query, headers=headers) as response:
                        if response.status_code not in _COME_BACK:
                            if response.is_error:
                                response.read()
                            response.raise_for_status()
                            self.is_connected = True
                            yield from self._read(response.iter_raw())
                except httpx.TransportError:
                    pass  # cut: on with the last id that came through
                self.is_connected = False
                time.sleep(self._retry_s * random.uniform(0.5, 1.0))

    def _read(self, chunks: Iterable[bytes]) -> Iterator[Event]:
        """A message is some lines `name: value`, and ends with an empty one."""
        event_id, kind, data, rest = None, "", "", b""
        for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                name, _, value = line.decode().partition(": ")
                if name == "id":
                    event_id = value
                elif name == "event":
                    kind = value
                elif name == "data":
                    data = value
                elif name == "retry":
                    self._retry_s = int(value) / 1000
                elif not line:
                    self._last_event_id = event_id or self._last_event_id  # it may come alone, before any event
                    if data:
                        yield {"type": kind} | json.loads(data)
                    event_id, data = None, ""


def service_at(url: str, key: str | None, verify: ssl.SSLContext | bool, timeout: httpx.Timeout) -> httpx.Client:
    """A client of the service there, with this API key.

    Raises:
        httpx.InvalidURL: that is no address.
    """
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    mounts = around_proxies(httpx.URL(url).host)
    return httpx.Client(base_url=url, headers=headers, timeout=timeout, verify=verify, mounts=mounts)


def in_background(follower: Iterable[Event]) -> Queue[Event | Exception]:
    """The events as a thread reads them, and after them what ended it, if anything did. It waits for a slow taker."""
    events: Queue[Event | Exception] = Queue(_MOST_WAITING)

    def read() -> None:
        try:
            for event in follower:
                events.put(event)
        except Exception as error:
            events.put(error)

    threading.Thread(target=read, daemon=True).start()
    return events
