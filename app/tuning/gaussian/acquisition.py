"""How much each point promises, and where the most promising one is."""

import math
from dataclasses import dataclass

import numpy as np

from app.tuning.columns import Columns
from app.tuning.encoding import Array
from app.tuning.gaussian.posterior import Posterior, Watched
from app.tuning.gaussian.success import Success

N_SPREAD, N_NEAR = 400, 200
"""How many candidates cover the cube, and how many lie near good rows."""

N_BASES, N_NEARER = 8, 80
"""Around how many of the best candidates the search goes on, and with how many new ones."""

N_ITERATIONS, TOLERANCE = 8, 1e-4
"""How many steps along the gradient follow, and the share of a promise that is not worth another one."""

LEAST_IMPROVEMENT = 0.02
"""What counts as an improvement, in standard deviations of the targets: crumbs near the best are not worth a trial."""

TRUST, TRUST_TRIALS = 0.2, 50
"""Half the width of a trust region, of length scales that are all alike, up to so many trials. With more it becomes
narrower, as one over the root of their number: what is left to gain lies nearer."""

TRUST_STRETCH = 3.0
"""How much wider or narrower it may be along a column with another length scale."""

NEAR_SIGMAS, NEARER_SIGMAS = (0.3, 0.1, 0.03, 0.01), (0.1, 0.03)

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_SQRT_HALF, _SQRT_HALF_PI = math.sqrt(0.5), math.sqrt(0.5 * math.pi)


def log_improvement(mean: Array, std: Array, best: float) -> Array:
    """The logarithm of the expected improvement, accurate where that is far too small for a float.

    Args:
        mean, std: shape (m,), targets; lower is better.
        best: the target to improve on.
    Source: Ament et al. 2023, arXiv:2310.20708, eq. 9.
    """
    from scipy.special import erfcx, ndtr

    z = (best - mean) / std
    near = z > -1
    with np.errstate(all="ignore"):
        density = np.exp(-0.5 * z * z - _LOG_SQRT_2PI)
        direct = np.log(density + z * ndtr(z))
        far = -z
        ratio = np.where(
            far < 1e5, np.log1p(-math.sqrt(math.pi / 2) * far * erfcx(far / math.sqrt(2))), -2 * np.log(far)
        )
        logs = np.where(near, direct, -0.5 * z * z - _LOG_SQRT_2PI + ratio)
    result: Array = logs + np.log(std)
    return result


def improvement_slopes(mean: float, std: float, best: float) -> tuple[float, float, float]:
    """`log_improvement` at one point, and its derivatives by mean and by std."""
    from scipy.special import erfcx

    z = (best - mean) / std
    # The improvement is density * tail, in units of std; ratio is the derivative of its logarithm by z.
    if z > -1:
        density = math.exp(-0.5 * z * z - _LOG_SQRT_2PI)
        below = 0.5 * math.erfc(-z * _SQRT_HALF)
        improvement = density + z * below
        log, ratio = math.log(improvement), below / improvement
    else:
        mills = _SQRT_HALF_PI * float(erfcx(-z * _SQRT_HALF))
        tail = 1 + z * mills if z > -1e4 else z**-2
        log, ratio = -0.5 * z * z - _LOG_SQRT_2PI + math.log(tail), mills / tail
    return log + math.log(std), -ratio / std, (1 - ratio * z) / std


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


def trust_region(columns: Columns, posterior: Posterior, n_trials: int) -> Region:
    """The surroundings of the trial from which least is expected, wider where the loss changes slowly.

    Source: Eriksson et al. 2019, arXiv:1910.01739, of which it has the shape; its size goes by the number of trials.
    """
    expected, _ = posterior.at(posterior.rows)
    best = posterior.rows[int(np.argmin(expected))]
    logs = -0.5 * np.log(posterior.hyperparameters.weights)
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

    What is awaited is taken for granted: an improvement must be one on the best of that, too.

    Args:
        success: how likely a trial is to have a score; None: as far as is known, all have.
        taken: rows that must not come again, as they are or will be tried.
        region: where it looks.
        rng: for the candidates.
    Attributes:
        best: the lowest target that is expected of what was seen or is awaited.
        n_awaited: how many trials it was told to await.
    """

    def __init__(
        self,
        columns: Columns,
        posterior: Posterior,
        success: Success | None,
        taken: Array,
        region: Region,
        rng: np.random.Generator,
    ) -> None:
        self._columns, self._posterior, self._success = columns, posterior, success
        self._region = region
        self.n_awaited = 0
        self._taken = {row.tobytes() for row in taken}
        self._is_line = ~columns.is_unordered & ((columns.n_levels == 0) | (columns.n_levels > 8))
        expected, _ = posterior.at(posterior.rows)
        self.best = float(expected.min())
        bases = posterior.rows[np.argsort(expected, kind="stable")[:N_BASES]]
        spread = columns.settle(region.low + (region.high - region.low) * rng.random((N_SPREAD, columns.size)))
        self._watched = Watched(posterior, np.vstack([spread, self._near(bases, N_NEAR, NEAR_SIGMAS, rng)]))
        # Of the watched rows; and what to know them again by.
        self._chances = self._log_chances(self._watched.rows)
        self._places = np.nan_to_num(self._watched.rows, nan=-1.0)

    def awaits(self, row: Array) -> None:
        """Look for something else than this row, which will be tried."""
        self._posterior, expected = self._posterior.awaiting(row)
        self.best = min(self.best, expected)
        self._watched.follow(self._posterior)
        self._taken.add(row.tobytes())
        self._chances[(self._places == np.nan_to_num(row, nan=-1.0)).all(axis=1)] = -np.inf
        self.n_awaited += 1

    def best_row(self, rng: np.random.Generator) -> tuple[Array, bool]:
        """The row that promises most, and whether it is new: if not, none that is was found."""
        watched = self._watched
        promised = self._promised(watched.mean, watched.std, self._chances)
        bases = watched.rows[np.argsort(-promised, kind="stable")[:N_BASES]]
        rows = np.vstack([bases[:1], self._near(bases, N_NEARER, NEARER_SIGMAS, rng)])
        top = rows[int(np.argmax(self._promised_at(rows)))]
        ends = np.array([top, self._refined(top)])
        promised = self._promised_at(ends)
        return ends[int(np.argmax(promised))], bool(promised.max() > -np.inf)

    def _promised_at(self, rows: Array) -> Array:
        return self._promised(*self._posterior.at(rows), self._log_chances(rows))

    def _promised(self, mean: Array, std: Array, log_chances: Array) -> Array:
        promised: Array = log_improvement(mean, std, self.best - LEAST_IMPROVEMENT) + log_chances
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
        features = self._posterior.features
        point = features.of(row[None])[0]
        # The first features are the numbers, in the order of their columns.
        place = np.searchsorted(features.column[: features.n_numbers], free)

        def objective(numbers: Array) -> tuple[float, Array]:
            point[place] = numbers
            mean, std, mean_slope, std_slope = self._posterior.slopes_at(point)
            value, by_mean, by_std = improvement_slopes(mean, std, self.best - LEAST_IMPROVEMENT)
            return -value, -(by_mean * mean_slope[place] + by_std * std_slope[place])

        bounds = list(zip(self._region.low[free], self._region.high[free], strict=True))
        # `minimize` does the same, and takes longer by what two looks at the model take.
        numbers, _, _ = fmin_l_bfgs_b(
            objective, row[free], bounds=bounds, maxiter=N_ITERATIONS, factr=TOLERANCE / np.finfo(float).eps
        )
        top = np.nan_to_num(row, nan=0.5)
        top[free] = numbers
        settled: Array = self._columns.settle(top[None])[0]
        return settled
