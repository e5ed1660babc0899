"""The events of a tuner, as they happen, over however many connections it takes."""

import json
import threading
import time
from collections.abc import Iterable, Iterator
from queue import Queue
from typing import Any

import httpx

Event = dict[str, Any]

RETRY_S = 0.5
TIMEOUT = httpx.Timeout(10, read=45)
"""A quiet stream says something every 15 seconds; one that does not is dead."""


def follow(url: str, tuner_id: str) -> Iterator[Event]:
    """Every event of the tuner from its first on, none twice and none left out; endless.

    Raises:
        httpx.HTTPStatusError: the service refuses.
    """
    last_event_id = "0"
    with httpx.Client(base_url=url, timeout=TIMEOUT) as service:
        while True:
            query, headers = {"tuner_id": tuner_id, "after": "0"}, {"Last-Event-ID": last_event_id}
            try:
                with service.stream("GET", "/v1/events/stream", params=query, headers=headers) as response:
                    if response.status_code not in (429, 503):
                        response.raise_for_status()
                        for event_id, event in messages(response.iter_text()):
                            last_event_id = event_id
                            yield event
            except httpx.TransportError:
                pass  # cut: on with the last id that came through
            time.sleep(RETRY_S)


def messages(chunks: Iterable[str]) -> Iterator[tuple[str, Event]]:
    """The id and the data of each message; a message is some lines `name: value`, and ends with an empty one."""
    event_id, data, rest = "0", "", ""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            name, _, value = line.partition(": ")
            if name == "id":
                event_id = value
            elif name == "data":
                data = value
            elif not line and data:
                yield event_id, json.loads(data)
                data = ""


def in_background(url: str, tuner_id: str) -> Queue[Event | Exception]:
    """The tuner's events as a thread reads them, and after them what ended it, if anything did."""
    events: Queue[Event | Exception] = Queue()

    def read() -> None:
        try:
            for event in follow(url, tuner_id):
                events.put(event)
        except Exception as error:
            events.put(error)

    threading.Thread(target=read, daemon=True).start()
    return events
