"""How much each point promises, and where the most promising one is."""

import math

import numpy as np

from app.tuning.columns import Columns
from app.tuning.encoding import Array
from app.tuning.gaussian.posterior import Posterior

N_SPREAD, N_NEAR = 400, 200
"""How many candidates cover the cube, and how many lie near good rows."""

N_BASES, N_ROUNDS, N_NEARER = 8, 3, 60
"""Around how many of the best candidates the search goes on, how often, and with how many new ones."""

N_REFINED, N_ITERATIONS = 2, 15
NEAR_SIGMAS = (0.3, 0.1, 0.03, 0.01)

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


class Search:
    """Looks for the point of the space that promises most.

    Many candidates, those that cover the cube and neighbours of good rows; then neighbours of the best of these, nearer
    and nearer; then the gradient.

    Args:
        best: the target to improve on.
        taken: rows that must not come again, as they are or will be tried.
    """

    def __init__(self, columns: Columns, posterior: Posterior, best: float, taken: Array) -> None:
        self._columns, self._posterior, self._best = columns, posterior, best
        self._taken = {row.tobytes() for row in taken}
        self._is_line = ~columns.is_unordered & ((columns.n_levels == 0) | (columns.n_levels > 8))

    def best_row(self, spread: Array, bases: Array, rng: np.random.Generator) -> Array:
        """The row that promises most.

        Args:
            spread: shape (m, d); points that cover the cube.
            bases: shape (b, d), good rows to look around.
        """
        rows = np.vstack([self._columns.settle(spread), self._near(bases, N_NEAR, NEAR_SIGMAS, rng)])
        scores = self._scores(rows)
        for round_ in range(N_ROUNDS):
            order = np.argsort(-scores, kind="stable")[:N_BASES]
            rows, scores = rows[order], scores[order]
            near = self._near(rows, N_NEARER, tuple(0.1 * 0.3**round_ * s for s in (1.0, 0.3)), rng)
            rows, scores = np.vstack([rows, near]), np.concatenate([scores, self._scores(near)])
        order = np.argsort(-scores, kind="stable")[:N_REFINED]
        rows, scores = rows[order], scores[order]
        refined = np.array([self._refined(row) for row in rows])
        rows, scores = np.vstack([rows, refined]), np.concatenate([scores, self._scores(refined)])
        best: Array = rows[int(np.argmax(scores))]
        return best

    def _scores(self, rows: Array) -> Array:
        mean, std = self._posterior.at(rows)
        scores = log_improvement(mean, std, self._best)
        for index, row in enumerate(rows):
            if row.tobytes() in self._taken:
                scores[index] = -np.inf
        return scores

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
        return columns.settle(np.where(changes, np.where(columns.is_unordered, unordered, moved), rows))

    def _refined(self, row: Array) -> Array:
        """The top of the hill on which a row is, over its numbers."""
        from scipy.optimize import minimize

        free = np.flatnonzero(self._is_line & ~np.isnan(row))
        if not len(free):
            return row
        features = self._posterior.features
        point = features.of(row[None])[0]
        place = np.array([int(np.flatnonzero(features.column == column)[0]) for column in free])

        def objective(numbers: Array) -> tuple[float, Array]:
            point[place] = numbers
            mean, std, mean_slope, std_slope = self._posterior.slopes_at(point)
            value, by_mean, by_std = improvement_slopes(mean, std, self._best)
            return -value, -(by_mean * mean_slope[place] + by_std * std_slope[place])

        found = minimize(
            objective,
            row[free],
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.0, 1.0)] * len(free),
            options={"maxiter": N_ITERATIONS},
        )
        top = np.nan_to_num(row, nan=0.5)
        top[free] = found.x
        settled: Array = self._columns.settle(top[None])[0]
        return settled
