"""How much of the no-op's rate is left when a write is durable: `python -m benchmarks.write_path --help`."""

import os
import platform
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.generator import Generator, Job, Measured
from benchmarks.scripts import SUGGESTIONS_IN_A_ROW, Get, LogEpochs, Script, StartAndEnd, Suggest, SuggestAndTell
from benchmarks.servers import BACKENDS, Backend, NoOp, noop, post, service
from tests.server import Server

_SLICE_S = 0.25
_N_TUNERS = 8
_SPACE = {
    "learning_rate": {"type": "float_range", "min": 0.0001, "max": 0.1, "log": True},
    "num_layers": {"type": "int_range", "min": 1, "max": 6},
    "dropout": {"type": "float_range", "min": 0.0, "max": 0.5, "step": 0.05},
    "optimizer": {"type": "choice", "options": ["adam", "sgd"]},
    "nesterov": {"type": "flag", "when": {"optimizer": ["sgd"]}},
}

_NOOP = "no-op POST"
_STRAIGHT = "no-op, straight"
_HEALTH = "GET /healthz"
_LEGEND = f"""
[bold]x no-op[/]: the rate as a share of that of the no-op POST (same application settings, same body as the epoch log,
no store), in the slices of time right before the operation's own. [bold]x healthz[/]: of GET /healthz of the same
server. [bold]over no-op[/]: what the median latency is above the no-op's, in ms.
[bold]run start + end[/] counts both requests. So does [bold]suggest + result[/]; it has one open trial a connection.
[bold]suggest[/]: each connection takes {SUGGESTIONS_IN_A_ROW} new trials in a row (random, no budget). Their results
are told outside of the measured time: every suggest reads its tuner's open trials, which would pile up. The number
behind it is that of the tuners.
[bold]service[/], [bold]db[/]: processor time a request (user and system) of the server's process (for the no-op, its
own) and of PostgreSQL's. [bold]generator[/]: the share of one processor that making the load took. All of them share
{os.cpu_count()} processors, so a rate is what they reach together; compare within one run only."""

cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(slots=True)
class _Row:
    """An operation, and the no-op right before each of its slices."""

    operation: Measured = field(default_factory=Measured)
    beside: Measured = field(default_factory=Measured)


@dataclass(frozen=True, slots=True)
class _Bench:
    """What is running."""

    backend: Backend
    server: Server
    noop: NoOp
    generator: Generator

    def run(self, load: str, seconds: float, database_pids: Sequence[int]) -> Measured:
        is_noop = load in (_NOOP, _STRAIGHT)
        port, pid = (self.noop.port, self.noop.pid) if is_noop else (self.server.port, self.server.pid)
        watched = [[pid], [] if is_noop else database_pids]
        return self.generator.run(Job(load, port, seconds, watched))


@cli.command()
def main(
    seconds: Annotated[float, typer.Option(min=0.1, help="Measured time of each operation in each table.")] = 1.5,
    connections: Annotated[
        str, typer.Option(help="How many connections at once; several with commas.")
    ] = "1,16,64,256",
    backend: Annotated[Literal["sqlite", "postgres", "both"], typer.Option(help="The database.")] = "both",
    quick: Annotated[bool, typer.Option("--quick", help="1 and 64 connections, a quarter of a second each.")] = False,
) -> None:
    """Durable writes per second and latency, beside a no-op POST and GET /healthz."""
    if quick:
        seconds, connections = 0.25, "1,64"
    console = Console(width=120)
    console.print(
        f"tunetrack {version('tunetrack')}, Python {platform.python_version()}, fastapi {version('fastapi')}, "
        f"pydantic {version('pydantic')}, uvicorn {version('uvicorn')}, SQLAlchemy {version('sqlalchemy')}; "
        f"{os.cpu_count()} processors; {seconds:g} s an operation, in slices that take turns",
        soft_wrap=True,
        highlight=False,
    )
    for name in ("sqlite", "postgresql") if backend == "both" else (backend.replace("postgres", "postgresql"),):
        with _bench(name) as bench:
            for n_connections in map(int, connections.split(",")):
                console.print(_table(bench, n_connections, _measure(bench, n_connections, seconds)))
    console.print(_LEGEND, highlight=False)


@contextmanager
def _bench(name: str) -> Iterator[_Bench]:
    with (
        BACKENDS[name]() as database,
        service(database) as server,
        noop() as nothing,
        Generator() as generator,
    ):
        yield _Bench(database, server, nothing, generator)


def _loads(server: Server, n_connections: int) -> dict[str, list[Script]]:
    """The scripts of each operation, on fresh runs and tuners."""
    runs = [post(server, "/v1/runs", {"name": "benchmark"})["run_id"] for _ in range(n_connections)]
    tuners = [
        post(server, "/v1/tuners", {"space": _SPACE, "strategy": "random", "seed": n})["tuner_id"]
        for n in range(2 * _N_TUNERS + 1)
    ]
    places = range(n_connections)
    return {
        _NOOP: [LogEpochs(run_id) for run_id in runs],
        _STRAIGHT: [LogEpochs(run_id, "straight") for run_id in runs],
        _HEALTH: [Get("/healthz") for _ in places],
        "epoch log": [LogEpochs(run_id) for run_id in runs],
        "run start + end": [StartAndEnd() for _ in places],
        "suggest (1)": [Suggest(tuners[-1:], place) for place in places],
        f"suggest ({_N_TUNERS})": [Suggest(tuners[:_N_TUNERS], place) for place in places],
        f"suggest + result ({_N_TUNERS})": [SuggestAndTell(tuners[_N_TUNERS:-1], place) for place in places],
    }


def _measure(bench: _Bench, n_connections: int, seconds: float) -> dict[str, _Row]:
    loads = _loads(bench.server, n_connections)
    for load, scripts in loads.items():
        bench.generator.give(load, scripts)
        bench.run(load, 0.1, [])  # what is done once is not what is measured
    database_pids = bench.backend.pids()
    rows = {load: _Row() for load in loads if load != _NOOP}
    n_rounds = max(1, round(seconds / _SLICE_S))
    for _ in range(n_rounds):
        for load, row in rows.items():
            row.beside.add(bench.run(_NOOP, seconds / n_rounds, []))
            row.operation.add(bench.run(load, seconds / n_rounds, database_pids))
    return rows


def _table(bench: _Bench, n_connections: int, rows: dict[str, _Row]) -> Table:
    table = Table(
        title=f"{n_connections} connection{'s' if n_connections > 1 else ''}; {bench.backend.version}",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("", no_wrap=True)
    for heading in ("per s", "p50 ms", "p99 ms", "x no-op", "x healthz", "over no-op"):
        table.add_column(heading, justify="right")
    for heading in ("service µs", "db µs", "generator"):
        table.add_column(heading, justify="right")
    nothing = Measured()
    for row in rows.values():
        nothing.add(row.beside)
    health = rows[_HEALTH].operation
    table.add_row(_NOOP, *_figures(nothing, _Row(nothing, nothing), health))
    for load, row in rows.items():
        table.add_row(load, *_figures(row.operation, row, health))
    busy = nothing.own_cpu_s / nothing.seconds
    table.caption = (
        f"The generator made {nothing.per_second:,.0f} no-op requests a second with {busy:.0%} of a processor: "
        f"alone it could make about {nothing.per_second / busy:,.0f}."
    )
    table.caption_justify = "left"
    return table


def _figures(measured: Measured, row: _Row, health: Measured) -> Iterator[str]:
    cuts = statistics.quantiles(measured.latencies_s, n=100, method="inclusive")
    yield f"{measured.per_second:,.0f}"
    yield f"{cuts[49] * 1e3:.2f}"
    yield f"{cuts[98] * 1e3:.2f}"
    yield f"{measured.per_second / row.beside.per_second:.2f}"
    yield f"{measured.per_second / health.per_second:.2f}"
    yield f"{(cuts[49] - statistics.median(row.beside.latencies_s)) * 1e3:+.2f}"
    service_s, database_s = measured.cpu_s
    yield f"{service_s / measured.n_requests * 1e6:,.0f}"
    yield f"{database_s / measured.n_requests * 1e6:,.0f}" if database_s else "-"
    yield f"{measured.own_cpu_s / measured.seconds:.0%}"


if __name__ == "__main__":
    cli()
