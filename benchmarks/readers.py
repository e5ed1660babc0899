"""The process that reads streams, many at once, and notes when each event comes: bare asyncio protocols."""

import asyncio
import re
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from typing import cast

import uvloop

from benchmarks.beside import Beside
from benchmarks.scripts import request

_EVENT = re.compile(rb'id: (\d+)\nevent: \w+\ndata: \{"event_id":\d+,"type":"\w+","timestamp":"([^"]+)"')


@dataclass(slots=True)
class Received:
    """What came to all streams since they were asked last.

    Args:
        latencies_s: from each event's timestamp, which it is given just before its commit, to its arrival.
        per_stream: how many streams had how many events.
        arrivals: when each event came to the first stream that had it.
        seconds: between the first arrival and the last.
        is_in_order: whether each stream's ids rose.
    """

    latencies_s: "array[float]" = field(default_factory=lambda: array("d"))
    per_stream: Counter[int] = field(default_factory=Counter)
    arrivals: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    own_cpu_s: float = 0.0
    is_in_order: bool = True

    def add(self, other: "Received") -> None:
        """Take in what came to the same streams later."""
        self.latencies_s.extend(other.latencies_s)
        self.per_stream += other.per_stream
        self.arrivals |= other.arrivals
        self.seconds += other.seconds
        self.is_in_order = self.is_in_order and other.is_in_order


class Readers(Beside):
    """The readers, as the process that starts them sees them."""

    def __init__(self) -> None:
        super().__init__(_serve)

    def open(self, port: int, paths: Sequence[str]) -> None:
        """Open a stream for each path, and wait until all of them are open."""
        self.ask(("open", port, list(paths)))

    def wait_for(self, n_events: int, seconds: float) -> Received:
        """What came, once each stream had so many events more, or the time is over."""
        return cast(Received, self.ask(("wait", n_events, seconds)))

    def close(self) -> None:
        """Close all streams."""
        self.ask(("close",))


def _serve(connection: Connection) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_obey(connection))


async def _obey(connection: Connection) -> None:
    streams: list[_Stream] = []
    loop = asyncio.get_running_loop()
    while True:
        try:
            name, *arguments = await loop.run_in_executor(None, connection.recv)
        except EOFError:
            return
        try:
            if name == "open":
                port, paths = arguments
                streams += await _open(port, paths)
                connection.send(None)
            elif name == "wait":
                connection.send(await _wait(streams, *arguments))
            else:
                for stream in streams:
                    stream.transport.close()
                streams.clear()
                connection.send(None)
        except Exception as error:
            connection.send(f"{name}: {error!r}")


async def _open(port: int, paths: Sequence[str]) -> "list[_Stream]":
    loop = asyncio.get_running_loop()
    opened = []
    for start in range(0, len(paths), 50):
        some = [_Stream(path) for path in paths[start : start + 50]]
        await asyncio.gather(*(loop.create_connection(lambda s=s: s, "127.0.0.1", port) for s in some))  # type: ignore[misc]
        await asyncio.gather(*(stream.is_open.wait() for stream in some))
        opened += some
    return opened


async def _wait(streams: "Sequence[_Stream]", n_events: int, seconds: float) -> Received:
    cpu_before = time.process_time()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(len(one.arrivals) < n_events for one in streams):  # noqa: ASYNC110 -- quiet
        await asyncio.sleep(0.02)
    received = Received(own_cpu_s=time.process_time() - cpu_before)
    first, last = float("inf"), 0.0
    for stream in streams:
        received.per_stream[len(stream.arrivals)] += 1
        received.is_in_order = received.is_in_order and stream.is_in_order
        for event_id, arrived in stream.arrivals:
            received.latencies_s.append(arrived - _TOLD[event_id])
            received.arrivals[event_id] = min(arrived, received.arrivals.get(event_id, arrived))
            first, last = min(first, arrived), max(last, arrived)
        stream.arrivals.clear()
    received.seconds = last - first
    return received


_TOLD: dict[int, float] = {}
"""When each event says that it happened; read once, however many streams bring it."""


class _Stream(asyncio.Protocol):
    def __init__(self, path: str) -> None:
        self.arrivals: list[tuple[int, float]] = []
        self.is_open = asyncio.Event()
        self.is_in_order = True
        self._path = path
        self._rest = b""
        self._last = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(request("GET", self._path))

    def data_received(self, data: bytes) -> None:
        now = time.time()
        if not self.is_open.is_set():
            assert data.startswith(b"HTTP/1.1 200"), data[:200]
            self.is_open.set()
        text = self._rest + data
        end = text.rfind(b"\n\n") + 1
        for number, told in _EVENT.findall(text[:end]):
            event_id = int(number)
            if event_id not in _TOLD:
                _TOLD[event_id] = datetime.fromisoformat(told.decode()).timestamp()
            self.is_in_order = self.is_in_order and event_id > self._last
            self._last = event_id
            self.arrivals.append((event_id, now))
        self._rest = text[end:]
