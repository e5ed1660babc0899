"""The process that makes the load and measures it: bare asyncio protocols, so that it is not what limits the rate."""

import asyncio
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import cast

import uvloop

from benchmarks.beside import Beside
from benchmarks.scripts import Script

_LENGTH = b"content-length: "


@dataclass(frozen=True, slots=True)
class Job:
    """Let these scripts talk for a while, each on a connection of its own.

    Args:
        load: the name under which the scripts were given.
        watched: groups of processes; the processor time of each group is measured.
    """

    load: str
    port: int
    seconds: float
    watched: Sequence[Sequence[int]]


@dataclass(slots=True)
class Measured:
    """What came of a job, or of several: latencies and processor time are of measured requests only."""

    seconds: float = 0.0
    latencies_s: "array[float]" = field(default_factory=lambda: array("d"))
    own_cpu_s: float = 0.0
    cpu_s: list[float] = field(default_factory=list)

    @property
    def n_requests(self) -> int:
        return len(self.latencies_s)

    @property
    def per_second(self) -> float:
        return self.n_requests / self.seconds

    def add(self, other: "Measured") -> None:
        """Take in another job's measurements."""
        self.seconds += other.seconds
        self.latencies_s.extend(other.latencies_s)
        self.own_cpu_s += other.own_cpu_s
        before = self.cpu_s or [0.0] * len(other.cpu_s)
        self.cpu_s = [a + b for a, b in zip(before, other.cpu_s, strict=True)]


class Generator(Beside):
    """The generator, as the process that starts it sees it."""

    def __init__(self) -> None:
        super().__init__(_serve)

    def give(self, load: str, scripts: Sequence[Script]) -> None:
        """Scripts for the jobs of this name: one a connection."""
        self.tell((load, list(scripts)))

    def run(self, job: Job) -> Measured:
        """Do a job, and wait until it is done.

        Raises:
            RuntimeError: a request was refused, or a connection lost.
        """
        return cast(Measured, self.ask(job))


def _serve(connection: Connection) -> None:
    scripts: dict[str, list[Script]] = {}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        while True:
            try:
                message = connection.recv()
            except EOFError:
                return
            if isinstance(message, Job):
                try:
                    connection.send(runner.run(_run(message, scripts[message.load])))
                except Exception as error:
                    connection.send(f"{message.load}: {error!r}")
            else:
                scripts[message[0]] = message[1]


async def _run(job: Job, scripts: Sequence[Script]) -> Measured:
    loop = asyncio.get_running_loop()
    clients = [_Client(script) for script in scripts]
    for client in clients:
        await loop.create_connection(lambda: client, "127.0.0.1", job.port)  # noqa: B023 -- called before the next one
    measured = Measured(cpu_s=[0.0] * len(job.watched))
    try:
        while measured.seconds < job.seconds:
            measured.add(await _window(clients, job.seconds - measured.seconds, job.watched))
            await asyncio.gather(*(client.talk(client.script.tidy) for client in clients))
    finally:
        for client in clients:
            client.close()
    return measured


async def _window(clients: Sequence["_Client"], seconds: float, watched: Sequence[Sequence[int]]) -> Measured:
    latencies = array("d")
    cpu_before = [cpu_s(group) for group in watched]
    own_before = time.process_time()
    began = time.perf_counter()
    talks = [client.talk(client.script.next, began + seconds, latencies) for client in clients]
    await asyncio.gather(*talks)
    return Measured(
        time.perf_counter() - began,
        latencies,
        time.process_time() - own_before,
        [cpu_s(group) - before for group, before in zip(watched, cpu_before, strict=True)],
    )


def cpu_s(pids: Sequence[int]) -> float:
    """What the processes have used of the processors so far: user and system time, as /proc/PID/stat, but exact."""
    # Linux has a clock for each process: its number in the upper bits, inverted, and 2 for the scheduler's count.
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


class _Client(asyncio.Protocol):
    """One connection, which asks the next thing as soon as the last is answered."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._over: asyncio.Future[None] | None = None
        self._next: Callable[[], bytes | None] = script.next
        self._deadline = 0.0
        self._latencies: array[float] | None = None
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's says so, and is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        if self._over is not None:
            self._fail(f"the connection was lost: {exc!r}")

    def close(self) -> None:
        self._transport.close()

    def talk(
        self,
        next_request: Callable[[], bytes | None],
        deadline: float = float("inf"),
        latencies: "array[float] | None" = None,
    ) -> "asyncio.Future[None]":
        """Ask until there is nothing to ask, or the time is over, and the last answer is there."""
        self._over = self._loop.create_future()
        self._next, self._deadline, self._latencies = next_request, deadline, latencies
        over = self._over
        self._ask()
        return over

    def _ask(self) -> None:
        assert self._over is not None
        request = self._next() if time.perf_counter() < self._deadline else None
        if request is None:
            over, self._over = self._over, None
            over.set_result(None)
        else:
            self._sent_at = time.perf_counter()
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self._received.index(_LENGTH, 0, head) + len(_LENGTH)
        end = head + 4 + int(self._received[at : self._received.index(b"\r", at)])
        if len(self._received) < end:
            return
        if self._latencies is not None:
            self._latencies.append(time.perf_counter() - self._sent_at)
        answer, self._received = self._received, b""
        if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
            self._fail(f"refused: {answer[:500]!r}")
            return
        self.script.read(answer[head + 4 :])
        self._ask()

    def _fail(self, reason: str) -> None:
        over, self._over = self._over, None
        if over is not None:
            over.set_exception(RuntimeError(reason))
