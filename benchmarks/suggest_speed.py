"""What a proposal costs, for every strategy, beside Optuna where it is installed.

    .venv/bin/python -m benchmarks.suggest_speed                       # the strategies alone, about a minute
    .venv/bin/python -m benchmarks.suggest_speed --peer PYTHON         # beside the Optuna that this interpreter has

Milliseconds of processor time, one thread, the median of some repetitions: a new instance proposes from a history of so
many random trials over 6 mixed parameters. "8" is for 8 workers that wait together, as a multiple of one. For Optuna a
study with the same history is asked and told, in a process of its own within the same run.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # before numpy is there

from app.domain.space import Space  # noqa: E402 - after the threads are settled
from app.domain.states import TrialState  # noqa: E402 - after the threads are settled
from app.domain.values import Params  # noqa: E402 - after the threads are settled
from app.tuning.registry import STRATEGIES  # noqa: E402 - after the threads are settled
from app.tuning.strategy import Observation, generator  # noqa: E402 - after the threads are settled

SPACE: dict[str, dict[str, Any]] = {
    "learning_rate": {"type": "float_range", "min": 1e-5, "max": 1.0, "log": True},
    "weight_decay": {"type": "float_range", "min": 1e-6, "max": 0.1, "log": True},
    "layers": {"type": "int_range", "min": 1, "max": 8},
    "width": {"type": "int_range", "min": 8, "max": 512, "log": True},
    "dropout": {"type": "float_range", "min": 0.0, "max": 0.5, "step": 0.05},
    "activation": {"type": "choice", "options": ["relu", "tanh", "gelu", "elu"]},
}
SIZES = (100, 1_000, 10_000)

PEER = """
import json, statistics, sys, time, warnings
warnings.simplefilter("ignore")
import optuna
from optuna.distributions import CategoricalDistribution as C, FloatDistribution as F, IntDistribution as I
optuna.logging.set_verbosity(optuna.logging.ERROR)
given, result = json.load(sys.stdin), {"version": optuna.__version__}
def of(spec):
    if spec["type"] == "choice": return C(spec["options"])
    kind = F if spec["type"] == "float_range" else I
    step = {"step": spec["step"]} if "step" in spec else {}
    return kind(spec["min"], spec["max"], log=spec.get("log", False), **step)
space = {name: of(spec) for name, spec in given["space"].items()}
for size in given["sizes"]:
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    study.add_trials([optuna.trial.create_trial(params=p, distributions=space, value=v) for p, v in given["trials"][:size]])
    times = []
    for _ in range(7):
        start = time.process_time()
        study.tell(study.ask(space), 1.0)
        times.append(time.process_time() - start)
    result[str(size)] = statistics.median(times)
print(json.dumps(result))
"""  # noqa: E501 - it is another program


def loss(params: Params) -> float:
    """Something to learn."""
    rate, width, dropout = (float(params[name]) for name in ("learning_rate", "width", "dropout"))
    return (math.log10(rate) + 3) ** 2 + (math.log2(width) - 6) ** 2 / 4 + dropout + (params["activation"] != "gelu")


def history_of(n: int) -> list[Observation]:
    """Random trials, all completed."""
    draws = STRATEGIES["random"](Space.from_json(SPACE), {}).propose([], [], [generator(9, i) for i in range(n)])
    return [
        Observation(number, draw.params, TrialState.completed, (loss(draw.params),))
        for number, draw in enumerate(draws)
    ]


def cost(action: Callable[[], object], repetitions: int = 7) -> float:
    """Seconds of processor time, the median."""
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter that has Optuna")
    peer: str | None = parser.parse_args().peer
    history = history_of(max(SIZES))
    print("| strategy | " + " | ".join(f"{size:,} trials | 8" for size in SIZES) + " |")
    print("|---" * (1 + 2 * len(SIZES)) + "|")
    for key, kind in STRATEGIES.items():
        cells: list[str] = []
        for size in SIZES:
            rngs = [generator(1, size + i) for i in range(8)]
            seen = history[:size] if kind.needs_history else []

            def propose(n: int, kind: Any = kind, seen: Any = seen, rngs: Any = rngs) -> object:
                return kind(Space.from_json(SPACE), {}).propose(seen, [], rngs[:n])

            propose(8)  # imports, and caches where there are some
            one, eight = cost(lambda run=propose: run(1)), cost(lambda run=propose: run(8))  # type: ignore[misc]  # a default
            cells += [f"{one * 1000:.2f}", f"{eight / one:.1f}"]
        print(f"| {key} | " + " | ".join(cells) + " |", flush=True)
    if peer is not None:
        given = {"space": SPACE, "sizes": SIZES, "trials": [[o.params, loss(o.params)] for o in history]}
        told = subprocess.run([peer, "-c", PEER], input=json.dumps(given), capture_output=True, text=True, check=True)
        found = json.loads(told.stdout)
        cells = [f"{found[str(size)] * 1000:.2f} | " for size in SIZES]
        print(f"| Optuna {found['version']}, TPE | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
