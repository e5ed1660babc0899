"""Real tuning tasks, served fast: a forest that was fitted to a sample of trained models answers instead of them.

Extremely randomised trees that are grown until each leaf holds one model of the sample: exact there, and no friend of
any strategy's own model in between. Source: Geurts, Ernst, Wehenkel 2006, Machine Learning 63.
"""

import json
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from pathlib import Path

import numpy as np

from app.domain.space import Space
from app.domain.values import Params
from app.tuning.columns import Columns
from app.tuning.encoding import Array
from benchmarks.search_quality.epochs import GRADUAL, Gradual
from benchmarks.search_quality.problem import Problem, Task
from benchmarks.search_quality.sample import path_of, points
from benchmarks.search_quality.trainings import TRAININGS, Json, Training

N_TREES = 60
INACTIVE = -0.5


class Forest:
    """The mean of some trees, walked down all at once.

    Args:
        losses: shape (n,), or (n, m) of m epochs.
    """

    def __init__(self, rows: Array, losses: Array) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        model = ExtraTreesRegressor(N_TREES, max_features=1.0, random_state=0).fit(rows, losses)
        trees = [tree.tree_ for tree in model.estimators_]
        starts = np.cumsum([0] + [tree.node_count for tree in trees])
        self._roots = starts[:-1]
        self._feature = np.concatenate([tree.feature for tree in trees])
        self._threshold = np.concatenate([tree.threshold for tree in trees])
        self._value = np.concatenate([tree.value[:, :, 0] for tree in trees])
        is_leaf = self._feature < 0
        own = np.arange(starts[-1])
        # A leaf leads to itself.
        self._left, self._right = (
            np.where(
                is_leaf, own, np.concatenate([side(tree) + start for tree, start in zip(trees, starts, strict=False)])
            )
            for side in (attrgetter("children_left"), attrgetter("children_right"))
        )
        self._feature = np.where(is_leaf, 0, self._feature)
        self._depth = max(tree.max_depth for tree in trees)

    def predict(self, rows: Array) -> Array:
        """The losses at rows, shape (n, d) -> (n, m)."""
        nodes = np.tile(self._roots, (len(rows), 1))
        each = np.arange(len(rows))[:, None]
        for _ in range(self._depth):
            goes_left = rows[each, self._feature[nodes]] <= self._threshold[nodes]
            nodes = np.where(goes_left, self._left[nodes], self._right[nodes])
        mean: Array = self._value[nodes].mean(axis=1)
        return mean


_SOURCES: dict[str, tuple[Json, Path]] = {
    **{training.name: (training.space, path_of(training.name)) for training in TRAININGS},
    **{gradual.name: (gradual.space, gradual.path) for gradual in GRADUAL},
}


@cache
def _problem(name: str) -> Problem:
    space_json, path = _SOURCES[name]
    space = Space.from_json(space_json)
    columns = Columns(space)
    unordered = np.flatnonzero(columns.is_unordered)
    n_levels = [int(columns.n_levels[column]) for column in unordered]

    def features(rows: Array) -> Array:
        # An option without order has a column of its own: no tree needs to take its neighbours with it.
        filled = np.where(np.isnan(rows), INACTIVE, rows).astype(np.float32)
        ones = [
            filled[:, [c]] == (2 * i + 1) / (2 * n) for c, n in zip(unordered, n_levels, strict=True) for i in range(n)
        ]
        return np.hstack([filled, *ones]).astype(np.float64)

    losses = np.array(json.loads(path.read_text()))
    forest = Forest(features(columns.encode(points(space)[: len(losses)])), losses)

    def course(params: Params) -> Array:
        found: Array = forest.predict(features(columns.encode([params])))[0]
        return found

    best = _lowest(columns, lambda rows: forest.predict(features(rows))[:, -1])
    return Problem(space, lambda params: float(course(params)[-1]), best, course=course if losses.ndim > 1 else None)


def _lowest(columns: Columns, losses_at: Callable[[Array], Array]) -> float:
    """The lowest loss that a long search finds: many random points, then ever smaller changes to the best of them."""
    rng = np.random.default_rng(0)
    rows = columns.settle(rng.random((40_000, columns.size)))
    losses = np.concatenate([losses_at(part) for part in np.array_split(rows, 40)])
    for round_ in range(30):
        order = np.argsort(losses)[:100]
        rows, losses = rows[order], losses[order]
        near = np.repeat(np.nan_to_num(rows, nan=0.5), 20, axis=0)
        change = rng.random(near.shape) < 0.3
        moved = np.where(
            columns.is_unordered, rng.random(near.shape), near + rng.normal(0, 0.3 * 0.85**round_, near.shape)
        )
        near = columns.settle(np.where(change, moved, near))
        rows, losses = np.vstack([rows, near]), np.concatenate([losses, losses_at(near)])
    return float(losses.min())


def _task(source: Training | Gradual) -> Task[Problem]:
    return Task(source.name, "real", source.is_held_out, lambda seed: _problem(source.name))


TASKS = [_task(training) for training in TRAININGS]
GRADUAL_TASKS = [_task(gradual) for gradual in GRADUAL]
