"""What an epoch and a metric value take on disk, indexes included; `python -m benchmarks.bytes_per_point --help`."""

import math
import random
import sqlite3
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated, Any, Literal

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.servers import BACKENDS, Backend, post, service
from tests.server import Server

_IN_A_BATCH = 25
_SPACE = {"learning_rate": {"type": "float_range", "min": 0.0001, "max": 0.1, "log": True}}
_LEGEND = f"""
Half of the runs belong to a tuner: only their events stand in the index by tuner. The runs went on at the same time,
each in batches of {_IN_A_BATCH} epochs; the events that runs and trials start with are counted in. The targets are 60
bytes a metric value on SQLite and 100 on PostgreSQL at 5 metrics an epoch, indexes included."""

cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True)
class Part:
    """A table or an index of the events, or all of the store."""

    name: str
    size_bytes: int


@cli.command()
def main(
    epochs: Annotated[int, typer.Option(min=1, help="Epochs in all.")] = 20_000,
    runs: Annotated[int, typer.Option(min=2, help="Runs that they are spread over; half have a tuner.")] = 40,
    metrics: Annotated[int, typer.Option(min=1, max=len("abcdefgh"), help="Metric values an epoch.")] = 5,
    backend: Annotated[Literal["sqlite", "postgres", "both"], typer.Option(help="The database.")] = "both",
) -> None:
    """Bytes per epoch and per metric value, table and indexes, on SQLite and PostgreSQL."""
    console = Console(width=120)
    n_epochs = epochs // runs
    for name in ("sqlite", "postgresql") if backend == "both" else (backend.replace("postgres", "postgresql"),):
        with BACKENDS[name]() as database:
            with service(database) as server:
                _fill(server, runs, n_epochs, metrics)
            # The service has gone: on SQLite it has folded its write-ahead log into the file.
            parts = _parts_sqlite(database) if name == "sqlite" else _parts_postgres(database)
        console.print(_table(parts, f"tunetrack {version('tunetrack')}; {database.version}", runs, n_epochs, metrics))
    console.print(_LEGEND, highlight=False)


def _fill(server: Server, n_runs: int, n_epochs: int, n_metrics: int) -> None:
    rng = random.Random(7)
    tuner_id = post(server, "/v1/tuners", {"space": _SPACE, "objective": {"metric": "val_accuracy"}})["tuner_id"]
    run_ids: list[str] = []
    for number in range(n_runs):
        trial_id = None
        if number % 2:
            trial_id = post(server, f"/v1/tuners/{tuner_id}/suggest", {})["trials"][0]["trial_id"]
        run_ids.append(post(server, "/v1/runs", {"name": f"run {number}", "trial_id": trial_id})["run_id"])
    for begin in range(0, n_epochs, _IN_A_BATCH):
        for run_id in run_ids:  # at the same time, as workers do: their events lie mixed in the indexes
            numbers = range(begin, min(begin + _IN_A_BATCH, n_epochs))
            batch = [{"epoch": number, "metrics": _metrics(rng, number, n_epochs, n_metrics)} for number in numbers]
            post(server, f"/v1/runs/{run_id}/epochs/batch", {"epochs": batch})


def _metrics(rng: random.Random, epoch: int, n_epochs: int, n_metrics: int) -> dict[str, Any]:
    """What a training loop logs: losses and accuracies with all their digits, a rate that falls on a cosine."""
    progress = epoch / n_epochs
    loss = 2.3 * math.exp(-3 * progress) + rng.gauss(0.1, 0.01)
    values = {
        "loss": loss,
        "accuracy": 1 - loss / 3,
        "val_loss": loss * rng.uniform(1.0, 1.2),
        "val_accuracy": 1 - loss * rng.uniform(1.0, 1.2) / 3,
        "learning_rate": 0.05 * (1 + math.cos(math.pi * progress)),
        "grad_norm": abs(rng.gauss(1.5, 0.3)),
        "epoch_seconds": round(rng.uniform(11, 13), 3),
        "gpu_memory_mb": float(rng.randint(9000, 9100)),
    }
    return dict(list(values.items())[:n_metrics])


def _parts_sqlite(backend: Backend) -> list[Part]:
    connection = sqlite3.connect(backend.url.removeprefix("sqlite:///"))
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert not busy, "somebody still holds the file"
        (page_size,), (n_pages,), (n_free,) = (
            connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_size", "page_count", "freelist_count")
        )
        whole = Part("the whole file", page_size * n_pages)
        try:
            found = connection.execute(
                "SELECT name, sum(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_schema"
                " WHERE tbl_name = 'events') GROUP BY name ORDER BY name"
            ).fetchall()
        except sqlite3.OperationalError:  # an SQLite that was built without dbstat: the file is nearly all events
            return [Part("events, all (the file without its free pages)", page_size * (n_pages - n_free)), whole]
    finally:
        connection.close()
    return _with_sums([Part(name, size) for name, size in found], whole)


def _parts_postgres(backend: Backend) -> list[Part]:
    with psycopg.connect(backend.url, autocommit=True) as connection:
        connection.execute("VACUUM events")
        rows = connection.execute(
            "SELECT 'events', pg_table_size('events') UNION ALL"
            " SELECT indexrelid::regclass::text, pg_relation_size(indexrelid) FROM pg_index"
            " WHERE indrelid = 'events'::regclass"
        ).fetchall()
        total, whole = connection.execute(
            "SELECT pg_total_relation_size('events'), (SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace)::bigint"
        ).fetchall()[0]
    parts = _with_sums([Part(name, size) for name, size in rows], Part("all tables", whole))
    assert parts[-2].size_bytes == total, "some part of the events was not counted"
    return parts


def _with_sums(parts: list[Part], whole: Part) -> list[Part]:
    parts = sorted(parts, key=lambda part: (part.name != "events", part.name))
    return [*parts, Part("events, all", sum(part.size_bytes for part in parts)), whole]


def _table(parts: list[Part], title: str, n_runs: int, n_epochs: int, n_metrics: int) -> Table:
    total = n_runs * n_epochs
    table = Table(
        title=f"{total:,} epochs of {n_metrics} metrics, {n_runs} runs\n{title}",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("")
    for heading in ("bytes", "per epoch", "per metric value"):
        table.add_column(heading, justify="right")
    for part in parts:
        size = part.size_bytes
        is_sum = part.name.startswith(("events, all", "the whole", "all tables"))
        table.add_row(
            part.name,
            f"{size:,}",
            f"{size / total:,.1f}",
            f"{size / total / n_metrics:,.1f}",
            style="bold" if is_sum else "",
        )
    return table


if __name__ == "__main__":
    cli()
