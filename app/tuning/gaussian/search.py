"""Where in the space the most promising point is."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.tuning.columns import Columns
from app.tuning.encoding import Array
from app.tuning.fronts import best_first, non_dominated
from app.tuning.gaussian.acquisition import Goal
from app.tuning.gaussian.posterior import Posterior, Watched
from app.tuning.gaussian.success import Success

N_SPREAD, N_NEAR = 400, 200
"""How many candidates cover the cube, and how many lie near good rows."""

N_BASES, N_NEARER = 8, 80
"""Around how many of the best candidates the search goes on, and with how many new ones."""

N_ITERATIONS, TOLERANCE = 8, 1e-4
"""How many steps along the gradient follow, and the share of a promise that is not worth another one."""

TRUST, TRUST_TRIALS = 0.2, 50
"""Half the width of a trust region, of length scales that are all alike, up to so many trials. With more it becomes
narrower, as one over the root of their number: what is left to gain lies nearer."""

TRUST_STRETCH = 3.0
"""How much wider or narrower it may be along a column with another length scale."""

NEAR_SIGMAS, NEARER_SIGMAS = (0.3, 0.1, 0.03, 0.01), (0.1, 0.03)


@dataclass(frozen=True)
class Region:
    """A part of the space: where the numbers may be.

    Attributes:
        low, high: shape (d,), within [0, 1]; for columns without order 0 and 1.
    """

    low: Array
    high: Array


def everywhere(columns: Columns) -> Region:
    """The space."""
    return Region(np.zeros(columns.size), np.ones(columns.size))


def trust_region(columns: Columns, posteriors: Sequence[Posterior], n_trials: int, rng: np.random.Generator) -> Region:
    """The surroundings of the trial from which least is expected, wider where the loss changes slowly.

    With several objectives it is one of the trials that, as expected, no other one dominates. Where it has no number,
    as its choices do without one, the region lies around that of the best trial that has one.

    Source: Eriksson et al. 2019, arXiv:1910.01739, of which it has the shape; its size goes by the number of trials.
    """
    expected, rows = _expected(posteriors).T, posteriors[0].rows
    front = np.flatnonzero(non_dominated([*map(tuple, expected.tolist())]))
    best = rows[front[0] if len(front) == 1 else rng.choice(front)]
    if np.isnan(best).any():
        best = _completed(best, rows[best_first(expected, len(rows))])
    logs = np.mean([-0.5 * np.log(posterior.hyperparameters.weights) for posterior in posteriors], axis=0)
    stretch = np.clip(np.exp(logs - logs.mean()), 1 / TRUST_STRETCH, TRUST_STRETCH)
    is_free = columns.is_unordered | np.isnan(best)
    centre = np.nan_to_num(best, nan=0.5)
    half = TRUST * min(1.0, math.sqrt(TRUST_TRIALS / n_trials)) * stretch
    low, high = np.clip([centre - half, centre + half], 0.0, 1.0)
    return Region(np.where(is_free, 0.0, low), np.where(is_free, 1.0, high))


class Search:
    """Looks for the point of the space that promises most, and again when that one is awaited.

    Many candidates, those that cover the cube and neighbours of good rows, are the same for all the proposals that are
    asked for together. Each proposal goes on with nearer neighbours of the best of them, then along the gradient.

    Args:
        posteriors: of each objective, of the same rows.
        aim: what it is for, given what is expected of these rows, shape (k, n).
        success: how likely a trial is to have a score; None: as far as is known, all have.
        taken: rows that must not come again, as they are or will be tried.
        region: where it looks.
        rng: for the candidates.
    Attributes:
        n_awaited: how many trials it was told to await.
    """

    def __init__(
        self,
        columns: Columns,
        posteriors: Sequence[Posterior],
        aim: Callable[[Array], Goal],
        success: Success | None,
        taken: Array,
        region: Region,
        rng: np.random.Generator,
    ) -> None:
        self._columns, self._posteriors, self._success = columns, list(posteriors), success
        self._region = region
        self.n_awaited = 0
        self._taken = {row.tobytes() for row in taken}
        self._is_line = ~columns.is_unordered & ((columns.n_levels == 0) | (columns.n_levels > 8))
        expected = _expected(posteriors)
        self._goal = aim(expected)
        bases = posteriors[0].rows[best_first(expected.T, N_BASES)]
        spread = columns.settle(region.low + (region.high - region.low) * rng.random((N_SPREAD, columns.size)))
        self._rows = np.vstack([spread, self._near(bases, N_NEAR, NEAR_SIGMAS, rng)])
        self._watched = [Watched(posterior, self._rows) for posterior in posteriors]
        # Of these rows; and what to know them again by.
        self._chances = self._log_chances(self._rows)
        self._places = np.nan_to_num(self._rows, nan=-1.0)

    def awaits(self, row: Array) -> None:
        """Look for something else than this row, which will be tried."""
        grown = [posterior.awaiting(row) for posterior in self._posteriors]
        self._posteriors = [posterior for posterior, _ in grown]
        self._goal.awaits(np.array([expected for _, expected in grown]))
        for watched, posterior in zip(self._watched, self._posteriors, strict=True):
            watched.follow(posterior)
        self._taken.add(row.tobytes())
        self._chances[(self._places == np.nan_to_num(row, nan=-1.0)).all(axis=1)] = -np.inf
        self.n_awaited += 1

    def best_row(self, rng: np.random.Generator) -> tuple[Array, bool]:
        """The row that promises most, and whether it is new: if none was found that is, any one."""
        means, stds = (np.array(known) for known in zip(*((w.mean, w.std) for w in self._watched), strict=True))
        promised = self._goal.rough_promise(means, stds) + self._chances
        bases = self._rows[np.argsort(-promised, kind="stable")[:N_BASES]]
        rows = np.vstack([bases, self._near(bases, N_NEARER, NEARER_SIGMAS, rng)])
        top = rows[int(np.argmax(self._promised_at(rows)))]
        ends = np.array([top, self._refined(top)])
        promised = self._promised_at(ends)
        if promised.max() == -np.inf:
            return self._rows[rng.integers(len(self._rows))], False
        return ends[int(np.argmax(promised))], True

    def _promised_at(self, rows: Array) -> Array:
        means, stds = np.array([posterior.at(rows) for posterior in self._posteriors]).transpose(1, 0, 2)
        promised: Array = self._goal.log_promise(means, stds) + self._log_chances(rows)
        return promised

    def _log_chances(self, rows: Array) -> Array:
        """Of a score that tells something new: none where rows are taken."""
        chances = np.zeros(len(rows)) if self._success is None else self._success.log_chances(rows)
        chances[[row.tobytes() in self._taken for row in rows]] = -np.inf
        return chances

    def _near(self, bases: Array, n: int, sigmas: tuple[float, ...], rng: np.random.Generator) -> Array:
        """Neighbours of the bases: some columns moved a little, or to another value."""
        columns = self._columns
        rows = np.nan_to_num(bases[np.arange(n) % len(bases)], nan=0.5)
        d = columns.size
        # At least one column changes, on average a few.
        changes = rng.random((n, d)) < min(1.0, 2.0 / d) + rng.random((n, 1)) ** 2 * (1 - min(1.0, 2.0 / d))
        changes[np.arange(n), rng.integers(d, size=n)] = True
        sigma = np.array(sigmas)[np.arange(n) // len(bases) % len(sigmas)][:, None]
        width = np.where(columns.n_levels > 0, np.maximum(sigma, 1 / np.maximum(columns.n_levels, 1)), sigma)
        moved = rows + width * rng.normal(size=(n, d))
        moved = np.where(moved < 0, -moved, moved)
        moved = np.where(moved > 1, 2 - moved, moved)
        flips = rng.random((n, d))
        rare = rng.random((n, d)) < 0.5
        unordered = np.where(rare, flips, rows)
        rows = np.where(changes, np.where(columns.is_unordered, unordered, moved), rows)
        return columns.settle(np.clip(rows, self._region.low, self._region.high))

    def _refined(self, row: Array) -> Array:
        """The top of the hill on which a row is, over its numbers."""
        from scipy.optimize import fmin_l_bfgs_b

        free = np.flatnonzero(self._is_line & ~np.isnan(row))
        if not len(free):
            return row
        features = self._posteriors[0].features
        point = features.of(row[None])[0]
        # The first features are the numbers, in the order of their columns.
        place = np.searchsorted(features.column[: features.n_numbers], free)

        def objective(numbers: Array) -> tuple[float, Array]:
            point[place] = numbers
            means, stds, mean_slopes, std_slopes = map(
                np.array, zip(*(posterior.slopes_at(point) for posterior in self._posteriors), strict=True)
            )
            value, by_mean, by_std = self._goal.slopes(means, stds)
            return -value, -(by_mean @ mean_slopes[:, place] + by_std @ std_slopes[:, place])

        bounds = list(zip(self._region.low[free], self._region.high[free], strict=True))
        # `minimize` does the same, and takes longer by what two looks at the model take.
        numbers, _, _ = fmin_l_bfgs_b(
            objective, row[free], bounds=bounds, maxiter=N_ITERATIONS, factr=TOLERANCE / np.finfo(float).eps
        )
        top = np.nan_to_num(row, nan=0.5)
        top[free] = numbers
        settled: Array = self._columns.settle(top[None])[0]
        return settled


def _completed(row: Array, others: Array) -> Array:
    """The row, and where it has NaN what the first of the others has that has something there."""
    first = (~np.isnan(others)).argmax(axis=0)
    completed: Array = np.where(np.isnan(row), others[first, np.arange(len(row))], row)
    return completed


def _expected(posteriors: Sequence[Posterior]) -> Array:
    """Of each objective, what is expected of each trial, shape (k, n)."""
    return np.array([posterior.at(posterior.rows)[0] for posterior in posteriors])
