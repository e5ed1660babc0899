"""What a proposal costs, for every strategy, beside Optuna where it is installed.

    .venv/bin/python -m benchmarks.suggest_speed                       # the strategies alone, about a minute
    .venv/bin/python -m benchmarks.suggest_speed --peer PYTHON         # beside the Optuna that this interpreter has

Milliseconds of processor time, one thread, the median of some repetitions: a new instance proposes from a history of so
many random trials over 6 mixed parameters. "8" is for 8 workers that wait together, as a multiple of one. For Optuna a
study with the same history is asked and told, in a process of its own within the same run.

Then what a service that has just started takes for its first proposals, over HTTP, in seconds by the clock.
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # before numpy is there

import numpy  # noqa: E402 - after the threads are settled
import scipy  # noqa: E402 - after the threads are settled

from app.domain.space import Space  # noqa: E402 - after the threads are settled
from app.domain.states import TrialState  # noqa: E402 - after the threads are settled
from app.domain.values import Params  # noqa: E402 - after the threads are settled
from app.tuning.registry import STRATEGIES  # noqa: E402 - after the threads are settled
from app.tuning.strategy import Observation, generator  # noqa: E402 - after the threads are settled
from benchmarks import servers  # noqa: E402 - after the threads are settled

SPACE: dict[str, dict[str, Any]] = {
    "learning_rate": {"type": "float_range", "min": 1e-5, "max": 1.0, "log": True},
    "weight_decay": {"type": "float_range", "min": 1e-6, "max": 0.1, "log": True},
    "layers": {"type": "int_range", "min": 1, "max": 8},
    "width": {"type": "int_range", "min": 8, "max": 512, "log": True},
    "dropout": {"type": "float_range", "min": 0.0, "max": 0.5, "step": 0.05},
    "activation": {"type": "choice", "options": ["relu", "tanh", "gelu", "elu"]},
}
SIZES = (100, 1_000, 10_000)

TEN: dict[str, dict[str, Any]] = SPACE | {
    "momentum": {"type": "float_range", "min": 0.0, "max": 1.0},
    "warmup": {"type": "int_range", "min": 0, "max": 100},
    "clip": {"type": "float_range", "min": 0.1, "max": 10.0, "log": True},
    "augment": {"type": "flag"},
}
REPETITIONS = 7


def loss(params: Params) -> float:
    """Something to learn."""
    rate, width, dropout = (float(params[name]) for name in ("learning_rate", "width", "dropout"))
    return (math.log10(rate) + 3) ** 2 + (math.log2(width) - 6) ** 2 / 4 + dropout + (params["activation"] != "gelu")


class Peer:
    """Another interpreter, which has Optuna."""

    def __init__(self, python: str) -> None:
        self._python = python
        self.version = ""

    def costs_ms(self, jobs: list[tuple[str, dict[str, dict[str, Any]], list[Observation]]]) -> list[float]:
        """What a trial costs: by which sampler, over which space, after which trials."""
        sent = [(sampler, space, [(o.params, loss(o.params)) for o in history]) for sampler, space, history in jobs]
        told = subprocess.run(
            [self._python, "-m", "benchmarks.suggest_speed_peer"],
            input=json.dumps(sent),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found = json.loads(told.stdout)
        self.version = found["version"]
        ms: list[float] = found["ms"]
        return ms


def history_of(n: int, space_json: dict[str, dict[str, Any]] = SPACE) -> list[Observation]:
    """Random trials, all completed."""
    draws = STRATEGIES["random"](Space.from_json(space_json), {}).propose([], [], [generator(9, i) for i in range(n)])
    return [
        Observation(number, draw.params, TrialState.completed, (loss(draw.params),))
        for number, draw in enumerate(draws)
    ]


def cost_ms(action: Callable[[], object]) -> float:
    """Processor time, the median."""
    times = []
    for _ in range(REPETITIONS):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return 1000 * statistics.median(times)


def costs(key: str, space_json: dict[str, dict[str, Any]], history: list[Observation]) -> tuple[float, float]:
    """Milliseconds for a proposal, and for 8 together."""
    kind = STRATEGIES[key]
    rngs = [generator(1, len(history) + i) for i in range(8)]
    seen = history if kind.needs_history else []

    def propose(n: int) -> object:
        return kind(Space.from_json(space_json), {}).propose(seen, [], rngs[:n])

    propose(8)  # imports, and caches where there are some
    return cost_ms(lambda: propose(1)), cost_ms(lambda: propose(8))


def first_suggests_s(strategy: str, n_trials: int) -> list[float]:
    """Seconds that a service which has just started takes to answer its first suggest, and the second and third."""
    with servers.sqlite() as backend:
        with servers.service(backend) as server:
            tuner = servers.post(server, "/v1/tuners", {"space": SPACE, "strategy": strategy, "seed": 1})
            known = [{"params": o.params, "score": loss(o.params)} for o in history_of(n_trials)]
            if known:
                servers.post(server, f"/v1/tuners/{tuner['tuner_id']}/trials", {"trials": known})
        with servers.service(backend) as server:
            times = []
            for _ in range(3):
                start = time.monotonic()
                servers.post(server, f"/v1/tuners/{tuner['tuner_id']}/suggest", {})
                times.append(time.monotonic() - start)
            return times


def strategies_table(history: list[Observation], peer: Peer | None) -> None:
    """All strategies, over 6 parameters."""
    print("| strategy | " + " | ".join(f"{size:,} trials | 8" for size in SIZES) + " |")
    print("|---" * (1 + 2 * len(SIZES)) + "|")
    for key in STRATEGIES:
        cells: list[str] = []
        for size in SIZES:
            one, eight = costs(key, SPACE, history[:size])
            cells += [f"{one:.2f}", f"{eight / one:.1f}"]
        print(f"| {key} | " + " | ".join(cells) + " |", flush=True)
    if peer is not None:
        found = peer.costs_ms([("TPESampler", SPACE, history[:size]) for size in SIZES])
        print(f"| Optuna {peer.version}, TPE | " + " | ".join(f"{ms:.2f} |" for ms in found) + " |", flush=True)


def models_table(peer: Peer | None) -> None:
    """Gaussian processes, over 10 parameters."""
    history = history_of(max(SIZES), TEN)
    print("\n| 10 parameters | " + " | ".join(f"{size:,} trials" for size in SIZES) + " |")
    print("|---" * (1 + len(SIZES)) + "|")
    print("| gp | " + " | ".join(f"{costs('gp', TEN, history[:size])[0]:.1f}" for size in SIZES) + " |", flush=True)
    if peer is not None:
        (found,) = peer.costs_ms([("GPSampler", TEN, history[: SIZES[0]])])
        print(f"| Optuna {peer.version}, GP | {found:.1f} |" + " |" * (len(SIZES) - 1))


def first_table() -> None:
    """The first answers of a service that has just started."""
    print("\n| a fresh service, s | first suggest | second | third |\n|---|---|---|---|")
    for strategy, n_trials in (("random", 0), ("auto", 0), ("tpe", 100), ("auto", 100)):
        runs = [first_suggests_s(strategy, n_trials) for _ in range(3)]
        cells = [f"{statistics.median(times):.3f}" for times in zip(*runs, strict=True)]
        print(f"| {strategy}, {n_trials} trials | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter that has Optuna, and torch for its GP")
    python: str | None = parser.parse_args().peer
    peer = Peer(python) if python else None
    print(f"\nnumpy {numpy.__version__}, scipy {scipy.__version__}, Python {platform.python_version()}\n")
    strategies_table(history_of(max(SIZES)), peer)
    models_table(peer)
    first_table()


if __name__ == "__main__":
    main()
