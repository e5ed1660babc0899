"""What is known at any point of the space."""

from copy import copy

import numpy as np

from app.tuning.encoding import Array
from app.tuning.gaussian.features import Features
from app.tuning.gaussian.fit import Hyperparameters
from app.tuning.gaussian.kernel import matern, squares_between


class Posterior:
    """A Gaussian process that has seen observations, and awaits others.

    Args:
        rows: shape (n, d); targets: shape (n,).
    """

    def __init__(self, features: Features, hyperparameters: Hyperparameters, rows: Array, targets: Array) -> None:
        from scipy.linalg import solve_triangular
        from scipy.linalg.lapack import dpotrf

        self.features, self.hyperparameters, self.rows = features, hyperparameters, rows
        self.scales = np.sqrt(hyperparameters.weights)[features.column]
        self._points = features.of(rows) * self.scales
        covariance = self._covariances(self._points)
        self._noise = hyperparameters.noise
        factor = covariance
        for _ in range(9):
            covariance.flat[:: len(rows) + 1] = hyperparameters.signal + self._noise
            factor, failed = dpotrf(covariance, lower=1, clean=1)
            if not failed:
                break
            self._noise *= 10  # rounding: rows that are nearly the same
        self._inverse: Array = solve_triangular(factor, np.eye(len(rows)), lower=True, check_finite=False)
        self._explained: Array = self._inverse.T @ (self._inverse @ targets)

    def awaiting(self, row: Array) -> "Posterior":
        """The posterior if this point came out as expected: its uncertainty is gone, no mean has changed.

        Args:
            row: shape (d,).
        """
        n, signal = len(self._points), self.hyperparameters.signal
        point = self.features.of(row[None]) * self.scales
        solved = self._inverse @ self._covariances(point)[:, 0]
        # The next row of the Cholesky factor ends with this, which is above 0 but for rounding.
        rest = np.sqrt(max(signal - float(solved @ solved), 0.0) + self._noise)
        grown = copy(self)
        grown.rows = np.vstack([self.rows, row])
        grown._points = np.vstack([self._points, point])
        grown._inverse = np.zeros((n + 1, n + 1))
        grown._inverse[:n, :n] = self._inverse
        grown._inverse[n, :n] = (solved @ self._inverse) / -rest
        grown._inverse[n, n] = 1 / rest
        grown._explained = np.append(self._explained, 0.0)
        return grown

    def at(self, rows: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noiseless target at each row, shapes (m,)."""
        cross = self._covariances(self.features.of(rows) * self.scales)
        solved = self._inverse @ cross
        return self._explained @ cross, self._deviations(np.einsum("ij,ij->j", solved, solved))

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
        signal = self.hyperparameters.signal
        away = point * self.scales - self._points
        correlations, slopes = matern(np.einsum("ij,ij->i", away, away))
        cross = signal * correlations
        solved = self._inverse @ cross
        variance = max(signal - float(solved @ solved), 1e-12 * signal)
        std = variance**0.5
        by_square = 2 * signal * slopes
        mean_slope = ((self._explained * by_square) @ away) * self.scales
        std_slope = -(((solved @ self._inverse) * by_square) @ away) * self.scales / std
        return float(self._explained @ cross), std, mean_slope, std_slope

    def _covariances(self, points: Array) -> Array:
        """Of all that was seen or is awaited with scaled features, shape (m, p) -> (n, m)."""
        return self.hyperparameters.signal * matern(squares_between(self._points, points))[0]

    def _deviations(self, known: Array) -> Array:
        """Standard deviations, from the part of the variance that is explained."""
        signal = self.hyperparameters.signal
        return np.sqrt(np.maximum(signal - known, 1e-12 * signal))


class Watched:
    """Rows whose means and deviations follow a posterior that awaits one more trial after the other.

    Attributes:
        mean: shape (m,).
    """

    def __init__(self, posterior: Posterior, rows: Array) -> None:
        self.rows = rows
        self._points = posterior.features.of(rows) * posterior.scales
        self._cross = posterior._covariances(self._points)
        solved = posterior._inverse @ self._cross
        self.mean: Array = posterior._explained @ self._cross
        self._known: Array = np.einsum("ij,ij->j", solved, solved)
        self.std = posterior._deviations(self._known)

    def follow(self, posterior: Posterior) -> None:
        """Believe this posterior, which awaits one trial more than the one before."""
        signal = posterior.hyperparameters.signal
        newest = signal * matern(squares_between(posterior._points[-1:], self._points))[0]
        self._cross = np.vstack([self._cross, newest])
        self._known += (posterior._inverse[-1] @ self._cross) ** 2
        self.std = posterior._deviations(self._known)
