"""The distribution follows what is told, a generation at a time, in whatever order its trials ended."""

import tracemalloc

import numpy as np
import pytest

from app.domain.space import Space
from app.domain.states import TrialState
from app.tuning.cma_es import CmaEs, _run_after
from app.tuning.strategy import Observation, generator

SPACE = Space.from_json({name: {"type": "float_range", "min": 0, "max": 1} for name in "ab"})
N = 8


def history(n: int) -> list[Observation]:
    """Better towards (0.9, 0.1)."""
    points = np.random.default_rng(4).random((n, 2))
    return [
        Observation(i, {"a": a, "b": b}, TrialState.completed, ((a - 0.9) ** 2 + (b - 0.1) ** 2,))
        for i, (a, b) in enumerate(points.tolist())
    ]


def proposed(trials: list[Observation], n: int = 1) -> list[dict[str, object]]:
    rngs = [generator(3, number) for number in range(len(trials), len(trials) + n)]
    return [dict(p.params) for p in CmaEs(SPACE, {"population": N}).propose(trials, [], rngs)]


def test_the_order_within_a_generation_does_not_matter() -> None:
    trials = history(4 * N)
    turned = [trial for start in range(0, len(trials), N) for trial in reversed(trials[start : start + N])]
    assert proposed(turned) == proposed(trials)
    others = [*trials[N:], *trials[:N]]
    assert proposed(others) != proposed(trials), "that of the generations does"


def test_a_generation_counts_once_it_is_complete() -> None:
    trials = history(3 * N + N - 1)
    (whole,) = CmaEs(SPACE, {"population": N}).propose(trials[: 3 * N], [], [generator(3, 99)])
    (more,) = CmaEs(SPACE, {"population": N}).propose(trials, [], [generator(3, 99)])
    assert whole.params == more.params
    assert more.why["generation"] == 3


def test_it_moves_towards_what_is_better() -> None:
    draws = np.array([[p["a"], p["b"]] for p in proposed(history(10 * N), 40)], dtype=float)
    a, b = draws.mean(axis=0)
    assert a > 0.7
    assert b < 0.3


def test_what_is_remembered_of_a_run_grows_with_its_trials_and_not_with_their_square() -> None:
    names = [f"x{index}" for index in range(20)]
    space = Space.from_json({name: {"type": "float_range", "min": 0, "max": 1} for name in names})
    n, n_generations = 500, 12
    strategy = CmaEs(space, {"population": n})
    points = np.random.default_rng(4).random((n * n_generations, 20)).tolist()
    trials = [
        Observation(i, dict(zip(names, point, strict=True)), TrialState.completed, (point[0],))
        for i, point in enumerate(points)
    ]
    strategy.propose(trials[:n], [], [generator(4, 0)])  # what is loaded for the first time is none of it
    tracemalloc.start()
    try:
        for generation in range(1, n_generations + 1):
            strategy.propose(trials[: generation * n], [], [generator(3, generation * n)])
        size_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size_bytes < 3 * n * n_generations * 20 * 8


def test_a_new_start_is_anywhere() -> None:
    rngs = [[generator(seed, number) for number in range(400, 420)] for seed in range(8)]
    proposals = [CmaEs(SPACE, {"population": N}).propose(history(50 * N), [], few) for few in rngs]
    middles = [np.mean([float(p.params["a"]) for p in few]) for few in proposals]
    assert {p.why["restarts"] for few in proposals for p in few} == {1}
    assert np.std(middles) > 0.1


@pytest.mark.parametrize(
    ("n_trials", "number", "start", "population", "n_generations"),
    [(0, 0, 0, 8, 0), (399, 0, 0, 8, 49), (400, 1, 400, 16, 0), (1199, 1, 400, 16, 49), (1200, 2, 1200, 32, 0)],
)
def test_after_fifty_generations_it_starts_anew_with_twice_as_many(
    n_trials: int, number: int, start: int, population: int, n_generations: int
) -> None:
    run = _run_after(n_trials, N)
    assert (run.number, run.start, run.population, run.n_generations) == (number, start, population, n_generations)
