"""What bad company costs the others: `python -m benchmarks.company --help`."""

import os
import platform
import socket
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.generator import Generator, Job, Measured
from benchmarks.scripts import LogEpochs
from benchmarks.servers import BACKENDS, post
from tests.conftest import WEBHOOKS
from tests.receiver import Receiver
from tests.server import Server

_SLICE_S = 0.5
_CONNECTIONS = 8
_N_DEAF = 50
_WATCHED = "019ab1c2-5f77-7c88-8d99-e0f1a2b3c4d5"
_GOOD = ["200-a", "200-b", "200-c", "200-d", "200-e"]
_BAD = ["hang", "500", "endless", "drip", "redirect"]
_N_CALLS = 5
_LEGEND = f"""
[bold]ms[/]: of an epoch log at {_CONNECTIONS} connections. Two services take turns in slices of half a second, so that
noise hits both. [bold]deaf[/]: {_N_DEAF} streams of all events, whose clients never read. [bold]good[/], [bold]bad[/]:
{len(_BAD)} webhooks that watch another run, of which {_N_CALLS} epochs are logged before each slice; the bad ones never
answer, answer 500, never come to an end, fast or slowly, or send elsewhere."""

cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@cli.command()
def main(
    seconds: Annotated[float, typer.Option(min=1, help="Of each measurement.")] = 20.0,
    backend: Annotated[Literal["sqlite", "postgres", "both"], typer.Option(help="The database.")] = "both",
) -> None:
    """Epoch logs beside readers that never read, and beside receivers that never answer."""
    console = Console(width=120)
    console.print(
        f"tunetrack {version('tunetrack')}, Python {platform.python_version()}; {os.cpu_count()} processors; "
        f"{seconds:g} s a measurement",
        highlight=False,
    )
    for name in ("sqlite", "postgresql") if backend == "both" else (backend.replace("postgres", "postgresql"),):
        table = Table("epoch log beside", title=name, title_justify="left", title_style="bold")
        for heading in ("p50 ms", "p99 ms"):
            table.add_column(heading, justify="right")
        compare(table, name, seconds, {"nobody": nobody, "deaf readers": deaf_readers})
        compare(table, name, seconds, {"good receivers": good_receivers, "bad receivers": bad_receivers})
        console.print(table)
    console.print(_LEGEND, highlight=False)


Company = Callable[[Server, Receiver, ExitStack], None]


def nobody(server: Server, _receiver: Receiver, _exits: ExitStack) -> None:
    """The service alone."""
    post(server, "/v1/runs", {"run_id": _WATCHED})


def deaf_readers(server: Server, _receiver: Receiver, exits: ExitStack) -> None:
    """Streams that are asked for, and never read."""
    post(server, "/v1/runs", {"run_id": _WATCHED})
    for _ in range(_N_DEAF):
        reader = exits.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        reader.sendall(b"GET /v1/events/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")


def good_receivers(server: Server, receiver: Receiver, _exits: ExitStack) -> None:
    """Webhooks that answer at once."""
    _observe(server, receiver, _GOOD)


def bad_receivers(server: Server, receiver: Receiver, _exits: ExitStack) -> None:
    """As many that do not."""
    _observe(server, receiver, _BAD)


def _observe(server: Server, receiver: Receiver, paths: list[str]) -> None:
    post(server, "/v1/runs", {"run_id": _WATCHED})
    for path in paths:
        post(server, "/v1/observers", {"url": receiver.url(path), "types": ["epoch_end"], "run_id": _WATCHED})


def compare(table: Table, name: str, seconds: float, companies: dict[str, Company]) -> None:
    """A row for each company, and how many times as slow the second one is."""
    with ExitStack() as exits:
        receiver, generator = exits.enter_context(Receiver()), exits.enter_context(Generator())
        measured: dict[str, Measured] = {}
        servers: dict[str, Server] = {}
        for company, gather in companies.items():
            database = exits.enter_context(BACKENDS[name]())
            server = servers[company] = exits.enter_context(Server(database.url, env=WEBHOOKS))
            gather(server, receiver, exits)
            runs = [post(server, "/v1/runs", {"name": company})["run_id"] for _ in range(_CONNECTIONS)]
            generator.give(company, [LogEpochs(run_id) for run_id in runs])
            generator.run(Job(company, server.port, 1.0, []))  # the company is met, and the caches are warm
            measured[company] = Measured()
        for number in range(max(1, round(seconds / _SLICE_S))):
            for company, server in servers.items():
                epochs = [{"epoch": number * _N_CALLS + n, "metrics": {"loss": 0.5}} for n in range(_N_CALLS)]
                post(server, f"/v1/runs/{_WATCHED}/epochs/batch", {"epochs": epochs})
                measured[company].add(generator.run(Job(company, server.port, _SLICE_S, [])))
        rows = {company: _cuts(one) for company, one in measured.items()}
        for company, cuts in rows.items():
            table.add_row(company, *(f"{cut * 1e3:.1f}" for cut in cuts))
        first, second = rows.values()
        table.add_row("", *(f"x {b / a:.2f}" for a, b in zip(first, second, strict=True)), end_section=True)


def _cuts(measured: Measured) -> tuple[float, float]:
    cuts = statistics.quantiles(measured.latencies_s, n=100, method="inclusive")
    return cuts[49], cuts[98]


if __name__ == "__main__":
    cli()
