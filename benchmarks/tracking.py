"""How quick runs are found and drawn, as tables with many: `python -m benchmarks.tracking --help`.

The store is filled directly, then the real command serves it; one connection asks one thing after the other, and right
before each of them a no-op. What a question costs is the median of what it took more than the no-op beside it.
"""

import argparse
import asyncio
import http.client
import json
import statistics
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import orjson
from sqlalchemy import Engine

from app.api.pages import write_place
from app.api.run_search import read_order
from app.domain.filters import RUN_FIELDS, holds
from app.service.filter_language import parse_filter
from app.store.engines import open_writer, parse
from app.store.migrate import migrate
from app.store.runs import Run
from app.store.search import thing_of
from benchmarks.generator import cpu_s
from benchmarks.scripts import METRICS
from benchmarks.servers import BACKENDS, Backend, NoOp, noop, service
from benchmarks.tracked import CURVES, LONG, SHORT, analyze, condense, fill, fill_curves, make_runs
from tests.server import Server

_FILTERED = 'params.optimizer = "adam" and metrics.loss < 0.5'
SEARCHES = {
    "newest first": {},
    "order": {"order_by": "metrics.accuracy desc"},
    "filter, true of a quarter, and order": {"filter": _FILTERED, "order_by": "metrics.loss"},
    "filter, true of a quarter, other order": {"filter": _FILTERED, "order_by": "metrics.accuracy desc"},
    "filter, true of one in a hundred, and order": {"filter": '"rare" in tags', "order_by": "metrics.loss"},
    "filter, true of none of them together, and order": {
        "filter": "metrics.loss < 0.3 and metrics.loss > 0.7",
        "order_by": "metrics.accuracy",
    },
    "filter on no index, true of one in a thousand": {"filter": 'name like "%77_"', "order_by": "metrics.loss"},
    "order by a param of six values, then a metric": {"order_by": "params.layers, metrics.loss"},
    "filter on no index, and order": {"filter": 'name like "%7%"', "order_by": "metrics.accuracy desc, name"},
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians in ms: of what was asked beyond the no-op beside it, and of the no-op.

    Attributes:
        busy_ms: of a processor, in service and database, a question on average: steadier where others use it as well.
    """

    over_ms: float
    noop_ms: float
    busy_ms: float
    answer: bytes

    @property
    def ratio(self) -> float:
        """How many no-ops it takes."""
        return (self.over_ms + self.noop_ms) / self.noop_ms

    def __str__(self) -> str:
        return f"{self.over_ms:.1f} ({self.ratio:.0f}) {self.busy_ms:.1f}"


class Asker:
    """One connection to the service, and one to the no-op."""

    def __init__(self, backend: Backend, server: Server, nothing: NoOp) -> None:
        self._backend, self._pid = backend, server.pid
        self._service = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self._noop = http.client.HTTPConnection("127.0.0.1", nothing.port, timeout=60)
        self._nothing = json.dumps({"epoch": 1, "metrics": orjson.loads(METRICS)})

    def ask(self, path: str, times: int) -> Measured:
        """Ask so many times, after one that does not count."""
        # The servers may have hung up, if what was to be asked took long to find.
        self._service.close()
        self._noop.close()
        took, beside, answer = [], [], self._get(path)
        pids = [self._pid, *self._backend.pids()]
        busy_s = -cpu_s(pids)
        for _ in range(times):
            begin = time.perf_counter()
            self._do_nothing()
            between = time.perf_counter()
            answer = self._get(path)
            took.append(time.perf_counter() - between)
            beside.append(between - begin)
        busy_s += cpu_s(pids)
        idle = statistics.median(beside) * 1e3
        return Measured(statistics.median(took) * 1e3 - idle, idle, busy_s * 1e3 / times, answer)

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
        self._noop.request("POST", f"/v1/straight/{LONG}/epochs", self._nothing, {"content-type": "application/json"})
        self._noop.getresponse().read()


def pages(made: Sequence[Run], query: dict[str, str], page_size: int) -> Iterator[tuple[str, int]]:
    """The first page of a list, the one in the middle, and the last: each as a path, and how many runs it has."""
    order = read_order(query.get("order_by"))
    condition = parse_filter(query.get("filter"), RUN_FIELDS)
    things = [(run, thing_of(run)) for run in made]
    met = [
        order.place_of(thing, run.run_id.bytes) for run, thing in things if condition is None or holds(condition, thing)
    ]
    places = order.first(met, lambda place: place, len(met))
    sent = query | {"page_size": str(page_size)}
    yield f"/v1/runs?{urlencode(sent)}", min(page_size, len(places))
    if len(places) < page_size:
        return
    for before in (len(places) // 2, len(places) - page_size):
        token = urlsafe_b64encode(orjson.dumps(write_place(places[before - 1], order))).decode()
        yield f"/v1/runs?{urlencode(sent | {'page_token': token})}", min(page_size, len(places) - before)


def measure_searches(backend: Backend, engine: Engine, n_runs: int, times: int) -> None:
    """Print how long pages of 50 take."""
    made = make_runs(n_runs)
    fill(engine, made)
    print(f"\n**{backend.version}, {n_runs:,} runs**: ms over the no-op (x no-op), processor ms\n")
    print("| 50 runs a page | first page | median page | last page |\n|---|---|---|---|")
    with service(backend) as server, noop() as nothing:
        asker = Asker(backend, server, nothing)
        for name, query in SEARCHES.items():
            cells = []
            for path, n_runs_there in pages(made, query, 50):
                measured = asker.ask(path, times)
                assert len(orjson.loads(measured.answer)["items"]) == n_runs_there
                cells.append(str(measured))
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def measure_curves(backend: Backend, engine: Engine, n_long: int, times: int) -> None:
    """Print how long curves take."""
    fill_curves(engine, n_long)
    thinned = f"/v1/runs/{LONG}/metrics?max_points=1000"
    asked = urlencode([("run_id", str(run_id)) for run_id in CURVES] + [("keys", "loss"), ("max_points", "100")])
    many = f"/v1/metrics?{asked}"
    print(f"\n**{backend.version}**\n\n| curves | ms over the no-op (x no-op), processor ms |\n|---|---|")
    with service(backend) as server, noop() as nothing:
        asker = Asker(backend, server, nothing)
        _print("1,000 epochs x 5 metrics", asker.ask(f"/v1/runs/{SHORT}/metrics", times))
        _print("50 runs' curves of 1,000 epochs, thinned to 100 points, from the log alone", asker.ask(many, times))
        print(f"| {n_long:,} epochs thinned to 1,000 points, from the log alone | {asker.time_ms(thinned):.0f}, once |")
    asyncio.run(condense(backend.url))
    analyze(engine)
    with service(backend) as server, noop() as nothing:
        asker = Asker(backend, server, nothing)
        _print("the 50 runs' curves, condensed", asker.ask(many, times))
        memory = _peak_mib(server.pid)
        _print(f"the {n_long:,} epochs, condensed", asker.ask(thinned, times))
        print(f"\nThe last one took {_peak_mib(server.pid) - memory:.0f} MiB of memory at its peak.", flush=True)


def _print(name: str, measured: Measured) -> None:
    print(f"| {name} | {measured} |", flush=True)


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
