"""What `run.log` costs a training, as ratios within one run.

    .venv/bin/python -m benchmarks.client_overhead            # about a minute
    .venv/bin/python -m benchmarks.client_overhead --epochs 200

The same epochs, of the same arithmetic, are trained in four ways, one epoch of each in turn, so that all of them meet
the same neighbours on the machine:

- `none`: nothing is logged;
- `client`: `run.log(epoch, …)` with five metrics, the service being there;
- `away`: the same, with a service that is not there (what is said goes to the spool file);
- `post`: an `httpx` POST of the same epoch, waited for, as a trainer without the client would.

Printed: how long an epoch of each takes, as a multiple of `none`, for short and for longer epochs; and the call alone,
as a share of the POST. Medians over the epochs; the thread that sends competes for the interpreter, too.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from benchmarks.servers import service, sqlite
from tunetrack_client import Client

NOWHERE = "http://127.0.0.1:9"
WORK_S = (0.001, 0.01, 0.1)
"""How long an epoch takes, about, without logging."""

Log = Callable[[int, dict[str, float]], object]


def work(n_steps: int) -> float:
    """An epoch of a training that keeps the interpreter busy, which is the hard case."""
    x = 0.0
    for step in range(n_steps):
        x += (1.0 - x) * 1e-4 * (step % 7)
    return x


def steps_for(seconds: float) -> int:
    """How many steps take about so long here."""
    start = time.perf_counter()
    work(200_000)
    return max(1, round(200_000 * seconds / (time.perf_counter() - start)))


def measure(logs: dict[str, Log], n_steps: int, n_epochs: int) -> dict[str, tuple[float, float]]:
    """The medians of each way: an epoch with its log, and the log alone, in seconds."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in logs}
    for epoch in range(n_epochs):
        for name, log in logs.items():
            start = time.perf_counter()
            value = work(n_steps)
            worked = time.perf_counter()
            log(epoch, {f"metric_{number}": value + number for number in range(5)})
            end = time.perf_counter()
            times[name].append((end - start, end - worked))
    return {
        name: (statistics.median(whole for whole, _ in pairs), statistics.median(alone for _, alone in pairs))
        for name, pairs in times.items()
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="What run.log costs a training.")
    parser.add_argument("--epochs", type=int, default=150)
    n_epochs = parser.parse_args().epochs
    with (
        sqlite() as backend,
        service(backend) as server,
        tempfile.TemporaryDirectory() as folder,
        Client(server.url, spool=Path(folder) / "there") as client,
        httpx.Client(base_url=server.url, trust_env=False) as http,
    ):
        away = Client(NOWHERE, spool=Path(folder) / "away", exit_timeout_s=0.0)
        print("an epoch as a multiple of one without logging; the log call alone as a share of the POST")
        for seconds in WORK_S:
            run, unheard = client.run(), away.run()
            path = f"/v1/runs/{http.post('/v1/runs', json={}).json()['run_id']}/epochs"
            logs: dict[str, Log] = {
                "none": lambda epoch, metrics: None,
                "client": run.log,
                "away": unheard.log,
                "post": lambda epoch, metrics, path=path: http.post(path, json={"epoch": epoch, "metrics": metrics}),  # type: ignore[misc]
            }
            found = measure(logs, steps_for(seconds), n_epochs)
            none, post = found["none"][0], found["post"][1]
            print(
                f"about {seconds * 1000:g} ms of work: "
                + ", ".join(f"{name} {found[name][0] / none:.2f}" for name in ("client", "away", "post"))
                + f"; the call: client {found['client'][1] / post:.4f}, away {found['away'][1] / post:.4f}"
            )
            run.end()
            unheard.end()
        away.close()


if __name__ == "__main__":
    main()
