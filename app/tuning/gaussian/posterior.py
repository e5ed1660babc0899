"""What is known at any point of the space."""

from copy import copy

import numpy as np

from app.tuning.encoding import Array
from app.tuning.gaussian.features import Features
from app.tuning.gaussian.fit import Hyperparameters
from app.tuning.gaussian.kernel import matern, matern_slopes, squares_between


class Posterior:
    """A Gaussian process that has seen observations, and awaits others.

    Its points are the features of rows, scaled, and the trend of these, of which the coefficients are uncertain: so
    beyond what was seen it expects that the trend goes on.

    Args:
        rows: shape (n, d); targets: shape (n,).
        inflation: shape (n,); how many times as large the variance of each one's noise is.
    Source: Rasmussen, Williams 2006, Gaussian Processes for Machine Learning, equations 2.39 and 2.40.
    """

    def __init__(
        self,
        features: Features,
        hyperparameters: Hyperparameters,
        rows: Array,
        targets: Array,
        inflation: Array | float = 1.0,
    ) -> None:
        from scipy.linalg import solve_triangular
        from scipy.linalg.lapack import dpotrf

        self.features, self.hyperparameters, self.rows = features, hyperparameters, rows
        self._observed = rows, targets, inflation
        self._scales = np.sqrt(hyperparameters.weights)[features.column]
        self._trend_scale = hyperparameters.trend_scale(features)
        self._points = self._points_of(rows)
        covariance, prior = self._covariances(self._points), self._prior(self._points)
        self._noise = hyperparameters.noise
        factor = covariance
        for _ in range(9):
            covariance.flat[:: len(rows) + 1] = prior + self._noise * inflation
            factor, failed = dpotrf(covariance, lower=1, clean=1)
            if not failed:
                break
            self._noise *= 10  # rounding: rows that are nearly the same
        self._inverse: Array = solve_triangular(factor, np.eye(len(rows)), lower=True, check_finite=False)
        self._explained: Array = self._inverse.T @ (self._inverse @ targets)
        # Several searches await the same trials.
        self._next: tuple[bytes, Posterior, float] | None = None

    def believing(self, hyperparameters: Hyperparameters) -> "Posterior":
        """What would be known with other hyperparameters, of what was seen."""
        return Posterior(self.features, hyperparameters, *self._observed)

    def awaiting(self, row: Array) -> tuple["Posterior", float]:
        """The posterior if this row comes out as expected, and the expected target: only deviations have changed.

        Args:
            row: shape (d,).
        """
        if self._next is not None and self._next[0] == row.tobytes():
            return self._next[1:]
        n = len(self._points)
        point = self._points_of(row[None])
        cross = self._covariances(point)[:, 0]
        solved = self._inverse @ cross
        # The next row of the Cholesky factor ends with this, which is above 0 but for rounding.
        rest = np.sqrt(max(float(self._prior(point)[0] - solved @ solved), 0.0) + self._noise)
        grown = copy(self)
        grown.rows = np.vstack([self.rows, row])
        grown._points = np.vstack([self._points, point])
        grown._inverse = np.zeros((n + 1, n + 1))
        grown._inverse[:n, :n] = self._inverse
        grown._inverse[n, :n] = (solved @ self._inverse) / -rest
        grown._inverse[n, n] = 1 / rest
        grown._explained = np.append(self._explained, 0.0)
        grown._next = None
        self._next = row.tobytes(), grown, float(self._explained @ cross)
        return self._next[1:]

    def at(self, rows: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noiseless target at each row, shapes (m,)."""
        points = self._points_of(rows)
        cross = self._covariances(points)
        solved = self._inverse @ cross
        return self._explained @ cross, _deviations(self._prior(points), np.einsum("ij,ij->j", solved, solved))

    def surprises(self) -> Array:
        """How far each target is from what all others let one expect there, shape (n,).

        Source: Rasmussen, Williams 2006, Gaussian Processes for Machine Learning, equation 5.12.
        """
        surprises: Array = self._explained / np.einsum("ij,ij->j", self._inverse, self._inverse)
        return surprises

    def slopes_at(self, point: Array) -> tuple[float, float, Array, Array]:
        """Mean and standard deviation at one point, and their gradients by its features.

        Args:
            point: shape (p,), features.
        """
        signal, p, k = self.hyperparameters.signal, self.features.size, self.features.n_numbers
        away = point * self._scales - self._points[:, :p]
        correlations, slopes = matern_slopes(np.einsum("ij,ij->i", away, away))
        trends, trend = self._points[:, p:], self.features.trend(point) * self._trend_scale
        cross = signal * correlations + trends @ trend
        solved = self._inverse @ cross
        prior = signal + float(trend @ trend)
        std = max(prior - float(solved @ solved), 1e-12 * prior) ** 0.5
        # How the covariance with each trial grows with each feature, summed as it weighs in the mean, and in what is
        # explained of the variance, of which this is half.
        weights = np.array([self._explained, solved @ self._inverse])
        sums = (weights * (2 * signal * slopes)) @ away * self._scales
        by_trend = weights @ trends
        by_trend[1] -= trend
        by_trend *= self.features.trend_slopes(point) * self._trend_scale
        sums[:, :k] += by_trend[:, :k] + by_trend[:, k:]
        return float(self._explained @ cross), std, sums[0], sums[1] / -std

    def _points_of(self, rows: Array) -> Array:
        """Scaled features, then the scaled trend, shape (m, d) -> (m, p + 2 n_numbers)."""
        features = self.features.of(rows)
        return np.hstack([features * self._scales, self.features.trend(features) * self._trend_scale])

    def _covariances(self, points: Array) -> Array:
        """Of all that was seen or is awaited with others, shape (m, p + 2 n_numbers) -> (n, m)."""
        return self._between(self._points, points)

    def _between(self, a: Array, b: Array) -> Array:
        p = self.features.size
        alike = matern(squares_between(a[:, :p], b[:, :p]))
        alike *= self.hyperparameters.signal
        alike += a[:, p:] @ b[:, p:].T
        return alike

    def _prior(self, points: Array) -> Array:
        """The variance at each point before anything is seen."""
        trends = points[:, self.features.size :]
        variances: Array = self.hyperparameters.signal + np.einsum("ij,ij->i", trends, trends)
        return variances


def _deviations(prior: Array, known: Array) -> Array:
    """Standard deviations, from variances and the part of them that is explained."""
    deviations: Array = np.sqrt(np.maximum(prior - known, 1e-12 * prior))
    return deviations


class Watched:
    """Rows whose means and deviations follow a posterior that awaits one more trial after the other.

    Attributes:
        mean: shape (m,).
    """

    def __init__(self, posterior: Posterior, rows: Array) -> None:
        self.rows = rows
        self._points = posterior._points_of(rows)
        self._cross = posterior._covariances(self._points)
        self._newest: list[Array] = []
        """The covariances with what was awaited since."""
        solved = posterior._inverse @ self._cross
        self.mean: Array = posterior._explained @ self._cross
        self._known: Array = np.einsum("ij,ij->j", solved, solved)
        self._prior = posterior._prior(self._points)
        self.std = _deviations(self._prior, self._known)

    def follow(self, posterior: Posterior) -> None:
        """Believe this posterior, which awaits one trial more than the one before."""
        self._newest.append(posterior._between(posterior._points[-1:], self._points)[0])
        seen, awaited = np.split(posterior._inverse[-1], [len(self._cross)])
        self._known += (seen @ self._cross + awaited @ np.array(self._newest)) ** 2
        self.std = _deviations(self._prior, self._known)
