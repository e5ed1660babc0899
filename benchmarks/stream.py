"""How fast events come to those who watch: `python -m benchmarks.stream --help`."""

import http.client
import json
import os
import platform
import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.generator import Generator, Job, Measured, cpu_s
from benchmarks.readers import Readers, Received
from benchmarks.scripts import METRICS, LogEpochs
from benchmarks.servers import BACKENDS, Backend, noop, post, service
from tests.server import Server

_STREAM = "/v1/events/stream"
_SLICE_S = 0.25
_TURN_S = 1.0
_LEGEND = """
[bold]bare[/]: the framework's StreamingResponse of ready bytes out of a queue for each stream, on the same server with
the same options: no store, no numbers, no filters, no replay. [bold]ms[/]: from an event's timestamp, which it is given
just before its commit, to its arrival: for the service the commit is in it. [bold]after[/]: from the answer to the
write, which comes once it is committed, to the first arrival, in ms. [bold]lost[/]: what streams did not get.
[bold]idle[/]: streams of runs in which nothing happens; the rate of epoch logs beside them, over that of a second
service without any, in slices that take turns. All of it shares the processors with the readers and the writers."""

cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True)
class Target:
    """Something that takes epochs and streams them."""

    name: str
    port: int
    pid: int
    run_id: str


@cli.command()
def main(
    seconds: Annotated[float, typer.Option(min=1, help="Of each measurement.")] = 5.0,
    backend: Annotated[Literal["sqlite", "postgres", "both"], typer.Option(help="The database.")] = "both",
    subscribers: Annotated[int, typer.Option(min=1, help="How many are many.")] = 1000,
) -> None:
    """Streams beside the framework's ceiling: many of them, quick ones, one, and idle ones."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 20_000)), hard))
    console = Console(width=120)
    console.print(
        f"tunetrack {version('tunetrack')}, Python {platform.python_version()}, fastapi {version('fastapi')}, "
        f"uvicorn {version('uvicorn')}; {os.cpu_count()} processors; {seconds:g} s a measurement",
        soft_wrap=True,
        highlight=False,
    )
    for name in ("sqlite", "postgresql") if backend == "both" else (backend.replace("postgres", "postgresql"),):
        with BACKENDS[name]() as database, service(database) as server, bare() as ceiling:
            targets = [ceiling, target(server)]
            table = Table(title=database.version, title_justify="left", title_style="bold")
            table.add_column("streams", no_wrap=True)
            for heading in ("events/s", "deliveries/s", "p50 ms", "p99 ms", "lost", "cpu", "p50 after", "p99 after"):
                table.add_column(heading, justify="right")
            together: list[Paced] = []
            for n_streams, rate in ((subscribers, 10.0), (1, 50.0)):
                together = paced(targets, n_streams, rate, seconds)
                for one, found in zip(targets, together, strict=True):
                    table.add_row(f"{n_streams:,}, {rate:g} events/s, {one.name}", *row(found))
            for one in targets:
                table.add_row(f"100, as fast as it goes, {one.name}", *flooded(one, 100, seconds))
            console.print(table)
            console.print(beside_bare(*together), soft_wrap=True, highlight=False)
        for n_connections in (1, 64):
            with BACKENDS[name]() as database, BACKENDS[name]() as other:
                ratio = idle(database, other, subscribers, n_connections, seconds)
            console.print(
                f"epoch log at {n_connections} connections beside {subscribers:,} idle streams: "
                f"{1 / ratio:.2f} times as slow as without",
                highlight=False,
            )
    console.print(_LEGEND, highlight=False)


@contextmanager
def bare() -> Iterator[Target]:
    """The framework alone."""
    with noop("benchmarks.bare_stream") as process:
        yield Target("bare", process.port, process.pid, "019ab1c2-5f77-7c88-8d99-e0f1a2b3c4d5")


def target(server: Server) -> Target:
    """The service, and a run of it."""
    return Target("service", server.port, server.pid, post(server, "/v1/runs", {"name": "benchmark"})["run_id"])


@dataclass(slots=True)
class Paced:
    """What came of epochs at a steady rate, in slices of time.

    Args:
        after_s: from the answer to each write to the first arrival.
        whole_s: from the sending of each write to the first arrival.
    """

    received: Received = field(default_factory=Received)
    n_events: int = 0
    n_lost: int = 0
    cpu_s: float = 0.0
    seconds: float = 0.0
    after_s: list[float] = field(default_factory=list)
    whole_s: list[float] = field(default_factory=list)


def paced(targets: Sequence[Target], n_streams: int, rate: float, seconds: float) -> list[Paced]:
    """Epochs at a steady rate to streams that watch all, of each target in turn."""
    found = [Paced() for _ in targets]
    with ExitStack() as exits:
        readers = [exits.enter_context(Readers()) for _ in targets]
        connections = [http.client.HTTPConnection("127.0.0.1", one.port) for one in targets]
        for one, its_readers, connection in zip(targets, readers, connections, strict=True):
            its_readers.open(one.port, [_STREAM] * n_streams)
            exits.callback(connection.close)
        for _ in range(max(1, round(seconds / _TURN_S))):
            for one, its_readers, connection, so_far in zip(targets, readers, connections, found, strict=True):
                turn(one, its_readers, connection, so_far, rate)
    return found


def turn(one: Target, readers: Readers, connection: http.client.HTTPConnection, so_far: Paced, rate: float) -> None:
    """A slice of time for one of the targets."""
    n_events = round(rate * _TURN_S)
    before = cpu_s([one.pid])
    began = time.perf_counter()
    told = []
    for number in range(n_events):
        time.sleep(max(0.0, began + number / rate - time.perf_counter()))
        told.append(log_epoch(connection, one.run_id))
    received = readers.wait_for(n_events, 30)
    so_far.seconds += time.perf_counter() - began
    so_far.cpu_s += cpu_s([one.pid]) - before
    so_far.n_events += n_events
    so_far.n_lost += lost(received, n_events)
    so_far.after_s += [received.arrivals[event_id] - answered for event_id, _, answered in told]
    so_far.whole_s += [received.arrivals[event_id] - sent for event_id, sent, _ in told]
    so_far.received.add(received)


def row(found: Paced) -> Iterator[str]:
    """A row of the table."""
    yield from figures(found.received, found.n_events, found.n_lost, found.seconds, found.cpu_s)
    for share in (50, 99):
        yield f"{cut(found.after_s, share) * 1e3:+.1f}"


def beside_bare(bare: Paced, service: Paced) -> str:
    """How much later one stream has an event than the framework alone would bring it."""
    said = []
    for share in (50, 99):
        over = (cut(service.after_s, share) - cut(bare.after_s, share)) * 1e3
        ratio = cut(service.whole_s, share) / cut(bare.whole_s, share)
        said.append(f"p{share} {over:+.1f} ms after the answer, {ratio:.1f} times as long from the request on")
    return f"one stream, over the bare framework: {'; '.join(said)}"


def cut(values: Sequence[float], share: int) -> float:
    """A percentile."""
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


def log_epoch(connection: http.client.HTTPConnection, run_id: str) -> tuple[int, float, float]:
    """The number of the event of a new epoch, when it was sent, and when the answer came."""
    body = b'{"epoch":%d,"metrics":%b}' % (time.monotonic_ns() // 1000, METRICS)
    sent = time.time()
    connection.request("POST", f"/v1/runs/{run_id}/epochs", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    answered = time.time()
    assert answer.status == 200, (answer.status, said)
    return json.loads(said)["event_id"], sent, answered


def flooded(one: Target, n_streams: int, seconds: float) -> Iterator[str]:
    """Epochs as fast as eight connections log them, to streams that watch all."""
    with Readers() as readers, Generator() as generator:
        readers.open(one.port, [_STREAM] * n_streams)
        generator.give("epochs", [LogEpochs(one.run_id, first=place * 10**9) for place in range(1, 9)])
        before = cpu_s([one.pid])
        written = generator.run(Job("epochs", one.port, seconds, []))
        received = readers.wait_for(written.n_requests, 60)
        seconds, used_s = received.seconds, cpu_s([one.pid]) - before
    yield from figures(received, written.n_requests, lost(received, written.n_requests), seconds, used_s)


def lost(received: Received, n_events: int) -> int:
    """How many deliveries there were not."""
    return sum((n_events - count) * n for count, n in received.per_stream.items())


def figures(received: Received, n_events: int, n_lost: int, seconds: float, used_s: float) -> Iterator[str]:
    """What all rows of the table have."""
    assert received.is_in_order, "a stream was out of order"
    yield f"{n_events / seconds:,.0f}"
    yield f"{len(received.latencies_s) / seconds:,.0f}"
    yield f"{cut(received.latencies_s, 50) * 1e3:.1f}"
    yield f"{cut(received.latencies_s, 99) * 1e3:.1f}"
    yield f"{n_lost}"
    yield f"{used_s / seconds:.0%}"


def idle(database: Backend, other: Backend, n_streams: int, n_connections: int, seconds: float) -> float:
    """The rate of epoch logs beside streams that nothing comes to, as a share of that without them."""
    with service(database) as watched, service(other) as alone, Readers() as readers, Generator() as generator:
        runs = [post(watched, "/v1/runs", {"name": "quiet"})["run_id"] for _ in range(n_streams)]
        readers.open(watched.port, [f"{_STREAM}?run_id={run_id}" for run_id in runs])
        rates = {server: Measured() for server in (watched, alone)}
        for server in rates:
            written = [post(server, "/v1/runs", {"name": "busy"})["run_id"] for _ in range(n_connections)]
            generator.give(server.url, [LogEpochs(run_id) for run_id in written])
            generator.run(Job(server.url, server.port, 0.3, []))
        for _ in range(max(1, round(seconds / _SLICE_S))):
            for server, rate in rates.items():
                rate.add(generator.run(Job(server.url, server.port, _SLICE_S, [])))
        return rates[watched].per_second / rates[alone].per_second


if __name__ == "__main__":
    cli()
