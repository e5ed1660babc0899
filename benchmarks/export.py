"""Exports of many runs: how long, how much memory. `python -m benchmarks.export --help`.

Half of the runs are exported as well as all of them: memory that depends on how many there are would show.
"""

import argparse
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
from sqlalchemy import insert
from uuid_utils.compat import uuid7

from app.domain.states import RunStatus
from app.domain.summary import MetricSummary, fold
from app.store import facts, runs
from app.store.engines import open_writer, parse
from app.store.migrate import migrate
from app.store.runs import Run
from app.store.tables import events
from benchmarks.servers import BACKENDS
from tests.server import Server

EPOCHS = 5
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def _fill(url: str, n_runs: int) -> None:
    """Runs with 6 params, 5 metrics and some epochs, written past the service."""
    engine = open_writer(parse(url))
    for start in range(0, n_runs, 1000):
        with engine.begin() as connection:
            made = [_run(number) for number in range(start, min(start + 1000, n_runs))]
            runs.add(connection, made)
            facts.put(connection, made)
            head = {"type": "epoch_end", "body": orjson.dumps(_metrics(0.5)).decode()}
            connection.execute(
                insert(events),
                [
                    head | {"timestamp": one.start_time, "run_id": one.run_id, "epoch": epoch}
                    for one in made
                    for epoch in range(EPOCHS)
                ],
            )
    engine.dispose()


def _metrics(value: float) -> dict[str, float | str]:
    return {f"metric_{number}": value + number for number in range(5)}


def _run(number: int) -> Run:
    summary: dict[str, MetricSummary] = {}
    for epoch in range(EPOCHS):
        fold(summary, epoch, _metrics(0.5))
    begun = _BEGIN + timedelta(seconds=number / 10)
    return Run(
        run_id=uuid7(),
        tuner_id=None,
        trial_id=None,
        name=f"run {number}",
        params={"lr": 1 / (number + 1), "layers": number % 7, "opt": "adam", "flag": True, "seed": number, "drop": 0.5},
        tags=["benchmark"],
        note="",
        status=RunStatus.finished,
        start_time=begun,
        end_time=begun + timedelta(hours=1),
        last_epoch=EPOCHS - 1,
        summary=summary,
        final_metrics={},
        stop=None,
        lease_s=None,
        stale_after_s=None,
        stale_at=None,
        body_digest=b"",
        indexed=1,
    )


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _measure(server: Server, query: dict[str, Any]) -> str:
    _forget_peak(server.pid)
    n_bytes, begin, first_s = 0, time.perf_counter(), 0.0
    with httpx.stream("GET", f"{server.url}/v1/runs/export", params=query, timeout=600) as response:
        response.raise_for_status()
        for chunk in response.iter_raw():
            first_s = first_s or time.perf_counter() - begin
            n_bytes += len(chunk)
    whole_s = time.perf_counter() - begin
    size, peak = f"{n_bytes / 2**20:6.1f} MiB", f"{_peak_mib(server.pid):5.0f} MiB"
    return f"{whole_s:6.1f} s, first byte after {first_s:5.2f} s, {size}, peak {peak}"


def _measure_all(name: str, url: str, n_runs: int) -> None:
    """Print a line for each kind, format and size. The first exports of each format load what writes it."""
    until = (_BEGIN + timedelta(seconds=n_runs / 20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    _fill(url, n_runs)
    for what in ("runs", "epochs"):
        with Server(url) as server:
            for form in ("ndjson", "csv", "parquet"):
                query = {"what": what, "format": form}
                for part, more in (("half", {"filter": f'start_time < "{until}"'}), ("all ", {})):
                    print(f"{name:10} {what:6} {form:7}  {part} {_measure(server, query | more)}", flush=True)


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=[*BACKENDS, "both"], default="both")
    parser.add_argument("--runs", type=int, default=100_000)
    chosen = parser.parse_args()
    for name, open_backend in BACKENDS.items():
        if chosen.backend in (name, "both"):
            with open_backend() as backend:
                migrate(parse(backend.url))
                _measure_all(name, backend.url, chosen.runs)


if __name__ == "__main__":
    main()
