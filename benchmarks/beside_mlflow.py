"""The same runs in this service and in MLflow's tracking server, asked the same: `python -m benchmarks.beside_mlflow`.

MLflow is a peer, not a dependency: it stands in an environment of its own, and `--mlflow` names its command. Both keep
a SQLite file, are filled over HTTP by one client, and then answer in turns, so that noise hits both.
"""

import argparse
import os
import random
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.last_will import LastWill
from tests.server import Server

_API = "/api/2.0/mlflow"
_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")
_EPOCHS = 1000
_FILTER = 'metrics.loss < 0.5 and params.optimizer = "adam"'
_PAGE = 50
_START_S = 120.0


def make_runs(n: int) -> list[tuple[dict[str, Any], dict[str, float]]]:
    """Of each run six params and five metrics."""
    drawn = random.Random(7)
    return [
        (
            {
                "learning_rate": 10 ** drawn.uniform(-4, -1),
                "layers": drawn.randrange(1, 7),
                "dropout": drawn.random(),
                "optimizer": drawn.choice(["adam", "sgd"]),
                "nesterov": drawn.random() < 0.5,
                "batch_size": 2 ** drawn.randrange(4, 9),
            },
            {name: drawn.random() for name in _METRICS},
        )
        for _ in range(n)
    ]


def make_history() -> list[dict[str, float]]:
    """The epochs of one long run."""
    drawn = random.Random(8)
    return [{name: drawn.random() for name in _METRICS} for _ in range(_EPOCHS)]


class Ours:
    """This service."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._long = ""

    def create(self, params: dict[str, Any], metrics: dict[str, float]) -> None:
        """A run with params, an epoch of metrics, and an end."""
        run_id = self._post("/v1/runs", {"params": params})["run_id"]
        self._post(f"/v1/runs/{run_id}/epochs", {"epoch": 0, "metrics": metrics})
        self._post(f"/v1/runs/{run_id}/end", {})

    def log(self, history: list[dict[str, float]]) -> None:
        """The long run, in as few calls as are allowed."""
        self._long = self._post("/v1/runs", {})["run_id"]
        epochs = [{"epoch": epoch, "metrics": metrics} for epoch, metrics in enumerate(history)]
        self._post(f"/v1/runs/{self._long}/epochs/batch", {"epochs": epochs})

    def find(self, page: int) -> list[float]:
        """The losses on a page of what the filter lets through, the most accurate first."""
        query = {"filter": _FILTER, "order_by": "metrics.accuracy desc", "page_size": str(_PAGE)}
        return [run["metrics"]["loss"] for run in self._page(query, page)["items"]]

    def _page(self, query: dict[str, str], page: int) -> Any:
        found = self._http.get("/v1/runs", params=query).raise_for_status().json()
        for _ in range(page):
            again = query | {"page_token": found["next_page_token"]}
            found = self._http.get("/v1/runs", params=again).raise_for_status().json()
        return found

    def read_history(self) -> int:
        """How many points the long run has."""
        answer = self._http.get(f"/v1/runs/{self._long}/metrics").raise_for_status().json()
        return sum(len(one["values"]) for one in answer["series"].values())

    def _post(self, path: str, body: Any) -> Any:
        return self._http.post(path, json=body).raise_for_status().json()


class Mlflow:
    """A tracking server of MLflow, over its REST API; params are texts there."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._long = ""

    def create(self, params: dict[str, Any], metrics: dict[str, float]) -> None:
        """A run with params, a step of metrics, and an end."""
        run_id = self._begin()
        logged = {
            "run_id": run_id,
            "params": [{"key": key, "value": str(value)} for key, value in params.items()],
            "metrics": [_point(key, value, 0) for key, value in metrics.items()],
        }
        self._post("runs/log-batch", logged)
        self._post("runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": _now_ms()})

    def log(self, history: list[dict[str, float]]) -> None:
        """The long run, in as few calls as are allowed: of 1,000 points each."""
        self._long = self._begin()
        points = [_point(key, value, step) for step, metrics in enumerate(history) for key, value in metrics.items()]
        for begin in range(0, len(points), 1000):
            self._post("runs/log-batch", {"run_id": self._long, "metrics": points[begin : begin + 1000]})

    def find(self, page: int) -> list[float]:
        """The losses on a page of what the filter lets through, the most accurate first."""
        query: dict[str, Any] = {
            "experiment_ids": ["0"],
            "filter": _FILTER,
            "order_by": ["metrics.accuracy DESC"],
            "max_results": _PAGE,
        }
        found = self._post("runs/search", query)
        for _ in range(page):
            found = self._post("runs/search", query | {"page_token": found["next_page_token"]})
        metrics = [{one["key"]: one["value"] for one in run["data"]["metrics"]} for run in found["runs"]]
        return [one["loss"] for one in metrics]

    def read_history(self) -> int:
        """How many points the long run has: what it has first, then each metric."""
        run = self._get("runs/get", {"run_id": self._long})["run"]
        names = [one["key"] for one in run["data"]["metrics"]]
        query = {"run_id": self._long, "max_results": str(_EPOCHS)}
        return sum(len(self._get("metrics/get-history", query | {"metric_key": name})["metrics"]) for name in names)

    def _begin(self) -> str:
        run = self._post("runs/create", {"experiment_id": "0", "start_time": _now_ms()})["run"]
        return str(run["info"]["run_id"])

    def _post(self, call: str, body: Any) -> Any:
        return self._http.post(f"{_API}/{call}", json=body).raise_for_status().json()

    def _get(self, call: str, query: dict[str, str]) -> Any:
        return self._http.get(f"{_API}/{call}", params=query).raise_for_status().json()


def _point(key: str, value: float, step: int) -> dict[str, Any]:
    return {"key": key, "value": value, "timestamp": _now_ms(), "step": step}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def serving(command: str, folder: str) -> Iterator[str]:
    """A tracking server with one worker, as it is started by default but for that; its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    store = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--default-artifact-root", folder]
    address = ["--host", "127.0.0.1", "--port", port, "--workers", "1"]
    # Its job runners are eight processes more, and have no part in this.
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    # A session of its own: it starts processes, and all are to end.
    process = subprocess.Popen(  # type: ignore[call-overload]  # of two equal keywords
        [command, "server", *store, *address], env=environment, start_new_session=True, **quiet
    )
    with LastWill('kill -s TERM -- "-$0"', str(process.pid)):
        url = f"http://127.0.0.1:{port}"
        _wait_for(f"{url}/health")
        yield url
    process.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            httpx.get(url, timeout=5).raise_for_status()
            return
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _timed_ms(action: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    answer = action()
    return (time.perf_counter() - begin) * 1e3, answer


def measure(name: str, ours: Callable[[], Any], theirs: Callable[[], Any], times: int) -> None:
    """Print a row: medians in ms of what is asked in turns; both must answer the same."""
    took_ours, took_theirs = [], []
    for _ in range(times + 1):
        (one_ms, one), (other_ms, other) = _timed_ms(ours), _timed_ms(theirs)
        assert one == other, f"{name}: {one} is not {other}"
        took_ours.append(one_ms)
        took_theirs.append(other_ms)
    mine, peer = statistics.median(took_ours[1:]), statistics.median(took_theirs[1:])
    print(f"| {name} | {mine:.1f} | {peer:.1f} | {peer / mine:.1f} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mlflow", required=True, help="the command `mlflow` of an environment that has it")
    parser.add_argument("--runs", type=int, default=2000, help="how many, in both")
    parser.add_argument("--times", type=int, default=9, help="how often each thing is asked")
    chosen = parser.parse_args()
    version = subprocess.run([chosen.mlflow, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    with (
        tempfile.TemporaryDirectory(prefix="tunetrack-benchmark-") as folder,
        serving(chosen.mlflow, folder) as url,
        Server(f"sqlite:///{folder}/tunetrack.db") as server,
        httpx.Client(base_url=url, timeout=120) as their_http,
        httpx.Client(base_url=server.url, timeout=120) as our_http,
    ):
        ours, theirs = Ours(our_http), Mlflow(their_http)
        print(f"{version}, {chosen.runs:,} runs in SQLite on both sides, one client\n")
        print("| | ms, ours | ms, MLflow | times as long |\n|---|---|---|---|")
        spent: list[tuple[float, float]] = []
        for params, metrics in make_runs(chosen.runs):
            mine, _ = _timed_ms(lambda: ours.create(params, metrics))  # noqa: B023 -- called at once
            peer, _ = _timed_ms(lambda: theirs.create(params, metrics))  # noqa: B023
            spent.append((mine, peer))
        mine, peer = (statistics.median(side) for side in zip(*spent, strict=True))
        print(f"| a run: start, 6 params, 5 metrics, end | {mine:.1f} | {peer:.1f} | {peer / mine:.1f} |", flush=True)
        history = make_history()
        (mine, _), (peer, _) = _timed_ms(lambda: ours.log(history)), _timed_ms(lambda: theirs.log(history))
        print(f"| 1,000 epochs of 5 metrics logged, once | {mine:.1f} | {peer:.1f} | {peer / mine:.1f} |", flush=True)
        # Both need some seconds for what they do aside.
        time.sleep(5)
        last = chosen.runs // 4 // _PAGE // 2
        measure("filter, order, first 50", lambda: ours.find(0), lambda: theirs.find(0), chosen.times)
        page = f"the same, pages 1 to {last + 1}"
        measure(page, lambda: ours.find(last), lambda: theirs.find(last), max(1, chosen.times // 3))
        measure("1,000 epochs of 5 metrics read", ours.read_history, theirs.read_history, chosen.times)


if __name__ == "__main__":
    main()
