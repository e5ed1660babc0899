"""What stopping saves: 20 workers train simulated models until they have the same best score, each stopper in turn.

`python -m benchmarks.stopping` needs no service and takes about half a minute; fixed seeds, so it always says the same.
It fails if asha needs half of the epochs that it takes without a stopper, or more.

A trial is a learning curve: it approaches its final score exponentially, with some noise, at a pace and to a level that
are drawn at random. Fast learners are not always the best ones, so early epochs mislead now and then. All stoppers see
the same trials in the same order; workers take different times for an epoch, and one that is free takes the next
trial at once. The target is the best score that the first 200 trials have without a stopper, and epochs are counted
until a trial has it: without one, too, so not the epochs of all 200. Scores are as they were reported, luck included,
of which a run that has reached its level may have more by staying there; that is what `patience` forgoes.

The right half of the table is another question: what 200 trials cost, and how good the best of them is, when no trials
are added for the epochs saved. A rule that stops boldly is made for adding them.
"""

import argparse
import heapq
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any
from uuid import UUID

import numpy as np

from app.domain.goal import Direction
from app.tuning.stopping.registry import build
from app.tuning.stopping.stopper import Run

N_WORKERS, N_TRIALS, N_EPOCHS = 20, 200, 81
N_TRIALS_MAX = 20 * N_TRIALS
"""Who has not found it by then has lost; its epochs until there count."""

STOPPERS: dict[str, list[dict[str, Any]]] = {
    "none": [{"type": "none"}],
    "median": [{"type": "median"}],
    "asha": [{"type": "asha", "max_epochs": N_EPOCHS}],
    "hyperband": [{"type": "hyperband", "max_epochs": N_EPOCHS}],
    "patience": [{"type": "patience"}],
    "threshold": [{"type": "threshold", "min": 0.5, "from_epoch": 9}],
    "asha, patience": [{"type": "asha", "max_epochs": N_EPOCHS}, {"type": "patience"}],
}


@dataclass(frozen=True, slots=True)
class Trial:
    """A learning curve, and how long its epochs take."""

    run: Run
    curve: list[float]
    durations: list[float]


@dataclass(frozen=True, slots=True)
class Step:
    """An epoch that somebody has trained, or rather all until then."""

    n_epochs: int
    trial: int
    score: float
    n_ended: int
    n_stopped: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one stopper came to with one seed."""

    epochs_to_target: int
    has_reached: bool
    epochs_of_budget: int
    best_of_budget: float
    stopped_of_budget: int


def trial_of(seed: int, number: int) -> Trial:
    """The same trial whoever asks."""
    rng = np.random.default_rng([seed, number])
    level = 1 - 0.6 * rng.beta(2.0, 3.0)  # of the final score: few are near 1, as few are far below
    pace = math.exp(rng.uniform(math.log(2), math.log(20)))  # epochs in which the rest of the way shrinks to a third
    start = rng.uniform(0.05, 0.15)
    epochs = np.arange(1, N_EPOCHS + 1)
    curve = level - (level - start) * np.exp(-epochs / pace) + rng.normal(0, 0.01, N_EPOCHS)
    durations = math.exp(rng.normal(0, 0.3)) * rng.uniform(0.8, 1.2, N_EPOCHS)
    return Trial(Run(UUID(int=number), number), curve.tolist(), durations.tolist())


def train(specs: Sequence[dict[str, Any]], seed: int) -> Iterator[Step]:
    """Epoch after epoch in the order in which the workers finish them."""
    stopper = build(specs, Direction.maximize)
    workers: list[tuple[float, int, int, Trial]] = []  # when its epoch is done, the trial's number, which epoch
    n_epochs = n_ended = n_stopped = n_taken = 0

    def take(now: float) -> None:
        nonlocal n_taken
        trial = trial_of(seed, n_taken)
        heapq.heappush(workers, (now + trial.durations[0], n_taken, 0, trial))
        n_taken += 1

    for _ in range(N_WORKERS):
        take(0.0)
    while True:
        now, number, epoch, trial = heapq.heappop(workers)
        n_epochs += 1
        stopper.add(trial.run, epoch, trial.curve[epoch])
        is_stopped = stopper.decide(trial.run) is not None
        if is_stopped or epoch + 1 == N_EPOCHS:
            stopper.end(trial.run.run_id)
            n_ended += 1
            n_stopped += is_stopped and epoch + 1 < N_EPOCHS
            take(now)
        else:
            heapq.heappush(workers, (now + trial.durations[epoch + 1], number, epoch + 1, trial))
        yield Step(n_epochs, number, trial.curve[epoch], n_ended, n_stopped)


def target_of(seed: int) -> float:
    """The best score of the first trials when none is stopped."""
    return max(max(trial_of(seed, number).curve) for number in range(N_TRIALS))


def measure(specs: Sequence[dict[str, Any]], seed: int, target: float) -> Outcome:
    """Train until as many trials have ended as there are for everybody, and until the target is reached."""
    best = -math.inf
    reached: Step | None = None
    budget: Step | None = None
    best_of_budget = -math.inf
    for step in train(specs, seed):
        best = max(best, step.score)
        if budget is None and step.n_ended >= N_TRIALS:
            budget, best_of_budget = step, best
        if reached is None and (best >= target or step.n_ended >= N_TRIALS_MAX):
            reached = step
        if reached is not None and budget is not None:
            return Outcome(reached.n_epochs, best >= target, budget.n_epochs, best_of_budget, budget.n_stopped)
    raise AssertionError("training has no end")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=30, help="how many repetitions, each with other trials")
    seeds = range(parser.parse_args().seeds)
    targets = [target_of(seed) for seed in seeds]
    plain = [measure(STOPPERS["none"], seed, targets[seed]) for seed in seeds]
    print(f"{N_WORKERS} workers, curves of {N_EPOCHS} epochs, {len(seeds)} seeds; epochs as ratios to none")
    print()
    print("| stopper | epochs to target | seeds under half | reached | epochs of 200 trials | their best | stopped |")
    print("|---|---|---|---|---|---|---|")
    ratios: dict[str, float] = {}
    for name, specs in STOPPERS.items():
        rows = [measure(specs, seed, targets[seed]) for seed in seeds]
        ratios[name] = sum(row.epochs_to_target for row in rows) / sum(row.epochs_to_target for row in plain)
        pairs = list(zip(rows, plain, strict=True))
        under_half = sum(2 * row.epochs_to_target < other.epochs_to_target for row, other in pairs)
        of_budget = sum(row.epochs_of_budget for row in rows) / sum(row.epochs_of_budget for row in plain)
        gap = mean(row.best_of_budget - other.best_of_budget for row, other in pairs)
        print(
            f"| {name} | {ratios[name]:.2f} | {under_half}/{len(seeds)} "
            f"| {sum(row.has_reached for row in rows)}/{len(seeds)} "
            f"| {of_budget:.2f} | {gap:+.4f} | {mean(row.stopped_of_budget for row in rows) / N_TRIALS:.1%} |",
            flush=True,
        )
    if ratios["asha"] >= 0.5:
        sys.exit("asha should need less than half of the epochs")


if __name__ == "__main__":
    main()
