"""Tasks of several objectives whose best compromises are known. Each seed has another one.

Where losses are (curved) distances to a point each, in one metric, the best compromises lie between these points;
options add to the losses, to one more than to another. Two families are well known, but with the optimum of the other
parameters anywhere: ZDT (Zitzler, Deb, Thiele 2000, Evolutionary Computation 8), and the sphere, which is DTLZ2 (Deb,
Thiele, Laumanns, Zitzler 2002, CEC).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from app.domain.space import Space
from app.domain.values import Params
from app.tuning.columns import Columns
from app.tuning.fronts import non_dominated
from benchmarks.search_quality.problem import N_BASELINE, Progress, Task, random_params

Array = npt.NDArray[np.float64]
Losses = Callable[[Params], tuple[float, ...]]
Json = dict[str, dict[str, Any]]

_N_OF_FRONT, _N_DRAWS = 4000, 2500

_BEYOND = 1.1
"""The reference for hypervolumes, in each objective, where 0 is the best of the front and 1 its worst."""


def hypervolume(points: Array, reference: Array) -> float:
    """What these points, shape (n, k), dominate up to the reference: slice by slice along the last objective."""
    points = points[(points < reference).all(axis=1)]
    points = points[np.argsort(points[:, -1], kind="stable")]
    ends = np.append(points[1:, -1], reference[-1])
    depths = ends - points[:, -1]
    if points.shape[1] == 2:
        return float((reference[0] - np.minimum.accumulate(points[:, 0])) @ depths)
    slices = enumerate(depths.tolist(), start=1)
    return sum(hypervolume(points[:n, :-1], reference[:-1]) * float(depth) for n, depth in slices if depth)


def _front(points: Array) -> Array:
    return points[non_dominated([*map(tuple, points.tolist())])]


@dataclass(frozen=True)
class FrontProblem:
    """One instance of a task: several losses to minimise.

    Args:
        front: shape (n, k), of the best compromises, closely spaced.
    """

    space: Space
    losses: Losses
    front: Array

    @property
    def n_objectives(self) -> int:
        """How many losses there are."""
        return len(self.front[0])

    def told(self, params: Params, seed: int, number: int) -> list[tuple[float, ...]]:
        """The losses, which are known when the trial ends, and not before."""
        return [self.losses(params)]

    def progress(self) -> Progress:
        """Of a search that begins now."""
        return _Dominated(self)

    def missing(self, found: Array) -> float:
        """How much of the hypervolume that the front dominates these losses do not."""
        low, high = self.front.min(axis=0), self.front.max(axis=0)
        return max(self._best - hypervolume((found - low) / (high - low), self._reference), 0.0)

    @cached_property
    def unit(self) -> float:
        """What 25 random trials miss on average."""
        losses = np.array([self.losses(params) for params in random_params(self.space, _N_DRAWS)])
        return float(np.mean([self.missing(drawn) for drawn in np.split(losses, _N_DRAWS // N_BASELINE)]))

    @cached_property
    def _best(self) -> float:
        low, high = self.front.min(axis=0), self.front.max(axis=0)
        return hypervolume((self.front - low) / (high - low), self._reference)

    @property
    def _reference(self) -> Array:
        return np.full(self.n_objectives, _BEYOND)


class _Dominated:
    """All that was found, of which those count that no other one dominates."""

    def __init__(self, problem: FrontProblem) -> None:
        self._problem = problem
        self._found = np.empty((0, problem.n_objectives))

    def regret_after(self, params: Params, losses: tuple[float, ...]) -> float:
        """What is missing of the hypervolume."""
        self._found = _front(np.vstack([self._found, losses]))
        return self._problem.missing(self._found) / self._problem.unit


def _problem(space: Space, losses: Losses, best_rows: Array) -> FrontProblem:
    columns = Columns(space)
    return FrontProblem(space, losses, _front(np.array([losses(columns.decode(row)) for row in best_rows])))


def _floats(n: int) -> Json:
    return {f"x{i}": {"type": "float_range", "min": 0.0, "max": 1.0} for i in range(n)}


def _zdt(bent: Callable[[float, float], float], n: int) -> Callable[[np.random.Generator], FrontProblem]:
    """The first parameter leads along the front, the others away from it."""

    def made(rng: np.random.Generator) -> FrontProblem:
        space = Space.from_json(_floats(n))
        columns = Columns(space)
        best = rng.uniform(0.2, 0.8, n)

        def losses(params: Params) -> tuple[float, ...]:
            row = columns.encode([params])[0]
            away = 1 + 9 * float(np.abs(row - best)[1:].mean())
            return float(row[0]), away * bent(float(row[0]), away)

        rows = np.tile(best, (_N_OF_FRONT, 1))
        rows[:, 0] = np.linspace(0.0, 1.0, _N_OF_FRONT)
        return _problem(space, losses, rows)

    return made


def _sphere(k: int, n: int) -> Callable[[np.random.Generator], FrontProblem]:
    """The first parameters are angles, the others lead away from the sphere."""

    def made(rng: np.random.Generator) -> FrontProblem:
        space = Space.from_json(_floats(n))
        columns = Columns(space)
        best = rng.uniform(0.3, 0.7, n)

        def losses(params: Params) -> tuple[float, ...]:
            row = columns.encode([params])[0]
            radius = 1 + 4 * float(((row - best)[k - 1 :] ** 2).sum())
            angles = row[: k - 1] * math.pi / 2
            return tuple(
                radius * float(np.cos(angles[: k - 1 - i]).prod() * (np.sin(angles[k - 1 - i]) if i else 1.0))
                for i in range(k)
            )

        rows = np.tile(best, (_N_OF_FRONT, 1))
        rows[:, : k - 1] = rng.random((_N_OF_FRONT, k - 1))
        return _problem(space, losses, rows)

    return made


def _between(
    space_json: Json,
    k: int,
    steepness: float = 1.0,
    curve: Callable[[float], float] = lambda distance: distance**2,
    ripple: float = 0.0,
) -> Callable[[np.random.Generator], FrontProblem]:
    """A loss is the distance to a point, curved; ripples vanish between the points.

    Args:
        steepness: how many times longer a distance is in one direction than in another.
    """

    def made(rng: np.random.Generator) -> FrontProblem:
        space = Space.from_json(space_json)
        columns = Columns(space)
        is_number = ~columns.is_unordered
        n = int(is_number.sum())
        points = rng.uniform(0.15, 0.85, (k, n))
        is_conditional = any(spec.when for spec in space.specs.values())
        rotation = np.eye(n) if is_conditional else np.linalg.qr(rng.normal(size=(n, n)))[0]
        metric = steepness ** (np.arange(n) / max(n - 1, 1))[:, None] * rotation
        added = rng.uniform(0.0, 0.1, (columns.size, int(columns.n_levels[~is_number].max(initial=0)), k))

        def losses(params: Params) -> tuple[float, ...]:
            row = columns.encode([params])[0]
            numbers = row[is_number]
            away = np.where(np.isnan(numbers), 0.0, numbers - points) @ metric.T
            chosen = np.flatnonzero(~is_number & ~np.isnan(row))
            extra = added[chosen, (row * columns.n_levels)[chosen].astype(int)].sum(axis=0)
            if ripple:
                start, line = away[0], away[1] - away[0]
                foot = start - np.clip((start @ line) / (line @ line), 0.0, 1.0) * line
                extra = extra + ripple * (1 - math.cos(8 * math.pi * math.sqrt(float(foot @ foot))))
            return tuple(
                curve(math.sqrt(float(one @ one))) + float(more) for one, more in zip(away, extra, strict=True)
            )

        rows = rng.random((_N_OF_FRONT, columns.size))
        rows[:, is_number] = rng.dirichlet(np.full(k, 0.7), _N_OF_FRONT) @ points
        return _problem(space, losses, rows)

    return made


_RATE = {"type": "float_range", "min": 1e-5, "max": 1.0, "log": True}
_SHARE = {"type": "float_range", "min": 0.0, "max": 1.0}
_MIXED: Json = {
    "rate": _RATE,
    "decay": _RATE,
    "share": _SHARE,
    "mode": {"type": "choice", "options": ["a", "b", "c"]},
    "on": {"type": "flag"},
}
_BRANCHES: Json = {
    "model": {"type": "choice", "options": ["linear", "trees", "net"]},
    "rate": _RATE,
    "a": {**_SHARE, "when": {"model": ["linear"]}},
    "b": {**_RATE, "when": {"model": ["trees"]}},
    "c": {**_SHARE, "when": {"model": ["trees", "net"]}},
    "d": {**_RATE, "when": {"model": ["net"]}},
}


def _task(name: str, held_out: bool, made: Callable[[np.random.Generator], FrontProblem]) -> Task[FrontProblem]:
    key = sum(ord(letter) * 31**i for i, letter in enumerate(name)) % 2**31
    return Task(name, "front", held_out, lambda seed: made(np.random.default_rng([key, seed])))


TASKS = [
    _task("ZDT1, 6 floats", False, _zdt(lambda first, away: 1 - math.sqrt(first / away), 6)),
    _task("ZDT2, 6 floats", False, _zdt(lambda first, away: 1 - (first / away) ** 2, 6)),
    _task(
        "ZDT3, 4 floats",
        False,
        _zdt(lambda x, away: 1 - math.sqrt(x / away) - x / away * math.sin(10 * math.pi * x), 4),
    ),
    _task("sphere, 2 objectives, 6 floats", False, _sphere(2, 6)),
    _task("sphere, 3 objectives, 6 floats", False, _sphere(3, 6)),
    _task("bowls, 2 objectives, 5 floats", False, _between(_floats(5), 2)),
    _task("steep bowls, 2 objectives, 8 floats", False, _between(_floats(8), 2, steepness=10.0)),
    _task("bowls, 3 objectives, 4 floats", False, _between(_floats(4), 3, steepness=3.0)),
    _task("cones, 2 objectives, 6 floats", True, _between(_floats(6), 2, steepness=2.0, curve=lambda x: x)),
    _task("flat bowls, 2 objectives, 5 floats", True, _between(_floats(5), 2, curve=lambda x: x**4)),
    _task("rippled bowls, 2 objectives, 4 floats", True, _between(_floats(4), 2, ripple=0.05)),
    _task("bowls, 2 objectives, 5 mixed", True, _between(_MIXED, 2)),
    _task("bowls, 3 objectives, 5 mixed", True, _between(_MIXED, 3, steepness=2.0)),
    _task("bowls, 2 objectives, 3 branches", True, _between(_BRANCHES, 2)),
]
