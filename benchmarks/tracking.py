"""How quick runs are found and drawn, as tables with many: `python -m benchmarks.tracking --help`.

The store is filled directly, then the real command serves it; one connection asks one thing after the other, and right
before each of them a no-op. What a question costs is the median of what it took more than the no-op beside it.
"""

import argparse
import asyncio
import http.client
import json
import random
import statistics
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import orjson
from sqlalchemy import Connection, Engine

from app.api.pages import write_place
from app.api.run_search import read_order
from app.domain.events import EpochEnd
from app.domain.filters import RUN_FIELDS, holds
from app.domain.states import RunStatus
from app.domain.summary import MetricSummary
from app.service.condense import condense_runs
from app.service.filter_language import parse_filter
from app.store import facts, log, runs
from app.store.database import Database
from app.store.engines import open_writer, parse
from app.store.migrate import migrate
from app.store.runs import Run
from app.store.search import thing_of
from benchmarks.scripts import METRICS
from benchmarks.servers import BACKENDS, Backend, noop, service

_T0 = datetime(2026, 1, 1, tzinfo=UTC)
_AT_ONCE = 5000
_LONG = UUID(int=1)
_SHORT = UUID(int=2)
_CURVES = [UUID(int=number) for number in range(3, 53)]

_FILTERED = 'params.optimizer = "adam" and metrics.loss < 0.5'
SEARCHES = {
    "newest first": {},
    "order": {"order_by": "metrics.accuracy desc"},
    "filter, true of a quarter, and order": {"filter": _FILTERED, "order_by": "metrics.loss"},
    "filter, true of a quarter, other order": {"filter": _FILTERED, "order_by": "metrics.accuracy desc"},
    "filter, true of one in a hundred, and order": {"filter": '"rare" in tags', "order_by": "metrics.loss"},
    "filter on no index, and order": {"filter": 'name like "%7%"', "order_by": "metrics.accuracy desc, name"},
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians in ms: of what was asked beyond the no-op beside it, and of the no-op."""

    over_ms: float
    noop_ms: float
    answer: bytes

    @property
    def ratio(self) -> float:
        """How many no-ops it takes."""
        return (self.over_ms + self.noop_ms) / self.noop_ms


class Asker:
    """One connection to the service, and one to the no-op."""

    def __init__(self, port: int, noop_port: int) -> None:
        self._service = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._noop = http.client.HTTPConnection("127.0.0.1", noop_port, timeout=60)
        self._nothing = json.dumps({"epoch": 1, "metrics": orjson.loads(METRICS)})

    def ask(self, path: str, times: int) -> Measured:
        """Ask so many times, after one that does not count."""
        took, beside, answer = [], [], self._get(path)
        for _ in range(times):
            begin = time.perf_counter()
            self._do_nothing()
            between = time.perf_counter()
            answer = self._get(path)
            took.append(time.perf_counter() - between)
            beside.append(between - begin)
        idle = statistics.median(beside) * 1e3
        return Measured(statistics.median(took) * 1e3 - idle, idle, answer)

    def time_ms(self, path: str) -> float:
        """How long one answer takes."""
        begin = time.perf_counter()
        self._get(path)
        return (time.perf_counter() - begin) * 1e3

    def _get(self, path: str) -> bytes:
        self._service.request("GET", path)
        answer = self._service.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return body

    def _do_nothing(self) -> None:
        self._noop.request("POST", f"/v1/straight/{_LONG}/epochs", self._nothing, {"content-type": "application/json"})
        self._noop.getresponse().read()


def make_runs(n: int) -> list[Run]:
    """Runs with six params and five metrics, ended."""
    drawn = random.Random(7)
    return [_make(number, drawn) for number in range(n)]


def _make(number: int, drawn: random.Random) -> Run:
    metrics = {name: drawn.random() for name in ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")}
    return Run(
        run_id=UUID(int=1 << 64 | number),
        tuner_id=None,
        trial_id=None,
        name=f"run {number}",
        params={
            "learning_rate": 10 ** drawn.uniform(-4, -1),
            "layers": drawn.randrange(1, 7),
            "dropout": drawn.random(),
            "optimizer": drawn.choice(["adam", "sgd"]),
            "nesterov": drawn.random() < 0.5,
            "batch_size": 2 ** drawn.randrange(4, 9),
        },
        tags=["rare"] if number % 100 == 0 else ["usual"],
        note="",
        status=RunStatus.finished,
        start_time=_T0 + timedelta(seconds=number),
        end_time=_T0 + timedelta(seconds=number + 60),
        last_epoch=9,
        summary={key: MetricSummary(value, 9, value, 9, value, 9, 10) for key, value in metrics.items()},
        final_metrics=None,
        stop=None,
        lease_s=None,
        stale_after_s=None,
        stale_at=None,
        body_digest=b"",
    )


def fill(engine: Engine, made: Sequence[Run]) -> None:
    """Store runs as the service would have them some seconds after they ended."""
    for begin in range(0, len(made), _AT_ONCE):
        some = made[begin : begin + _AT_ONCE]
        with engine.begin() as connection:
            runs.add(connection, some)
            facts.put(connection, some)
    _analyze(engine)


def _analyze(engine: Engine) -> None:
    if engine.dialect.name == "postgresql":  # as its autovacuum does by itself, some time later
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


def log_curve(connection: Connection, run_id: UUID, epochs: range, names: Sequence[str]) -> None:
    """Epochs of a run, as logging them leaves them."""
    drawn = random.Random(epochs.start)
    log.append(
        connection,
        [(EpochEnd(run_id, epoch, {name: drawn.random() for name in names}), None, None) for epoch in epochs],
    )


def fill_curves(engine: Engine, n_long: int) -> None:
    """A long history, one of 1,000 epochs of five metrics, and fifty of 1,000 epochs of two."""
    wanted = [(_LONG, n_long, ("loss",)), (_SHORT, 1000, ("loss", "accuracy", "val_loss", "val_accuracy", "seconds"))]
    wanted += [(run_id, 1000, ("loss", "accuracy")) for run_id in _CURVES]
    for run_id, n, names in wanted:
        run = _make(0, random.Random(7))
        run.run_id, run.last_epoch, run.tags = run_id, n - 1, []
        run.summary = {name: MetricSummary(0.5, n - 1, 0.0, 0, 1.0, 0, n) for name in names}
        with engine.begin() as connection:
            runs.add(connection, [run])
            facts.put(connection, [run])
        for begin in range(0, n, _AT_ONCE):
            with engine.begin() as connection:
                log_curve(connection, run_id, range(begin, min(n, begin + _AT_ONCE)), names)
    _analyze(engine)


async def condense(url: str) -> None:
    """Write the pieces of all histories, as the service does while they are logged."""
    database = Database(parse(url))
    for run_id in (_LONG, *_CURVES):
        while await database.write(condense_runs, run_id):
            pass
    await database.close()


def pages(made: Sequence[Run], query: dict[str, str], page_size: int) -> Iterator[tuple[str, str]]:
    """The first page of a list, the one in the middle, and the last: each as a path."""
    order = read_order(query.get("order_by"))
    condition = parse_filter(query.get("filter"), RUN_FIELDS)
    things = [(run, thing_of(run)) for run in made]
    places = [
        order.place_of(thing, run.run_id.bytes) for run, thing in things if condition is None or holds(condition, thing)
    ]
    order.sort(places, lambda place: place)
    sent = query | {"page_size": str(page_size)}
    yield "first", f"/v1/runs?{urlencode(sent)}"
    for name, before in (("median", len(places) // 2), ("last", len(places) - page_size)):
        token = urlsafe_b64encode(orjson.dumps(write_place(places[before - 1], order))).decode()
        yield name, f"/v1/runs?{urlencode(sent | {'page_token': token})}"


def measure_searches(backend: Backend, engine: Engine, n_runs: int, times: int) -> None:
    """Print how long pages of 50 take."""
    made = make_runs(n_runs)
    fill(engine, made)
    print(f"\n**{backend.version}, {n_runs:,} runs**: ms over the no-op (x no-op)\n")
    print("| 50 runs a page | first page | median page | last page |\n|---|---|---|---|")
    with service(backend) as server, noop() as nothing:
        asker = Asker(server.port, nothing.port)
        for name, query in SEARCHES.items():
            cells = []
            for _, path in pages(made, query, 50):
                measured = asker.ask(path, times)
                assert len(orjson.loads(measured.answer)["items"]) == 50
                cells.append(f"{measured.over_ms:.1f} ({measured.ratio:.0f})")
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def measure_curves(backend: Backend, engine: Engine, n_long: int, times: int) -> None:
    """Print how long curves take."""
    fill_curves(engine, n_long)
    thinned = f"/v1/runs/{_LONG}/metrics?max_points=1000"
    asked = urlencode([("run_id", str(run_id)) for run_id in _CURVES] + [("keys", "loss"), ("max_points", "100")])
    many = f"/v1/metrics?{asked}"
    print(f"\n**{backend.version}**\n\n| curves | ms over the no-op | x no-op |\n|---|---|---|")
    with service(backend) as server, noop() as nothing:
        asker = Asker(server.port, nothing.port)
        _print("1,000 epochs x 5 metrics", asker.ask(f"/v1/runs/{_SHORT}/metrics", times))
        _print("50 runs' curves of 1,000 epochs, thinned to 100 points, from the log alone", asker.ask(many, times))
        print(f"| {n_long:,} epochs thinned to 1,000 points, from the log alone | {asker.time_ms(thinned):.0f} | |")
    asyncio.run(condense(backend.url))
    _analyze(engine)
    with service(backend) as server, noop() as nothing:
        asker = Asker(server.port, nothing.port)
        _print("the 50 runs' curves, condensed", asker.ask(many, times))
        memory = _peak_mib(server.pid)
        _print(f"the {n_long:,} epochs, condensed", asker.ask(thinned, times))
        print(f"\nThe last one took {_peak_mib(server.pid) - memory:.0f} MiB of memory at its peak.", flush=True)


def _print(name: str, measured: Measured) -> None:
    print(f"| {name} | {measured.over_ms:.1f} | {measured.ratio:.0f} |", flush=True)


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=[*BACKENDS, "both"], default="both")
    parser.add_argument("--runs", default="10000,100000", help="how many, several with commas")
    parser.add_argument("--epochs", type=int, default=1_000_000, help="of the long history")
    parser.add_argument("--times", type=int, default=20, help="how often each thing is asked")
    chosen = parser.parse_args()
    for name, open_backend in BACKENDS.items():
        if chosen.backend not in (name, "both"):
            continue
        for n_runs in map(int, filter(None, chosen.runs.split(","))):
            with open_backend() as backend:
                engine = _opened(backend)
                measure_searches(backend, engine, n_runs, chosen.times)
                engine.dispose()
        if chosen.epochs:
            with open_backend() as backend:
                engine = _opened(backend)
                measure_curves(backend, engine, chosen.epochs, chosen.times)
                engine.dispose()


def _opened(backend: Backend) -> Engine:
    migrate(parse(backend.url))
    return open_writer(parse(backend.url))


if __name__ == "__main__":
    main()
