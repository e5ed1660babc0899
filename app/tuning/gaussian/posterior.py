"""What is known at any point of the space."""

import numpy as np

from app.tuning.encoding import Array
from app.tuning.gaussian.features import Features
from app.tuning.gaussian.fit import Hyperparameters
from app.tuning.gaussian.kernel import matern, squares_between


class Posterior:
    """A Gaussian process that has seen observations.

    Args:
        rows: shape (n, d); targets: shape (n,).
    """

    def __init__(self, features: Features, hyperparameters: Hyperparameters, rows: Array, targets: Array) -> None:
        from scipy.linalg import solve_triangular
        from scipy.linalg.lapack import dpotrf

        self.features, self.hyperparameters = features, hyperparameters
        self.rows, self.targets = rows, targets
        self.scales = np.sqrt(hyperparameters.weights)[features.column]
        self._points = features.of(rows) * self.scales
        covariance = hyperparameters.signal * matern(squares_between(self._points, self._points))[0]
        noise = hyperparameters.noise
        factor = covariance
        for _ in range(9):
            covariance.flat[:: len(rows) + 1] = hyperparameters.signal + noise
            factor, failed = dpotrf(covariance, lower=1, clean=1)
            if not failed:
                break
            noise *= 10  # rounding: rows that are nearly the same
        self._inverse = solve_triangular(factor, np.eye(len(rows)), lower=True, check_finite=False)
        self._explained = self._inverse.T @ (self._inverse @ targets)

    def awaiting(self, rows: Array) -> "Posterior":
        """The posterior if these points came out as expected: their uncertainty is gone, nothing else has changed."""
        if not len(rows):
            return self
        mean, _ = self.at(rows)
        return Posterior(
            self.features, self.hyperparameters, np.vstack([self.rows, rows]), np.concatenate([self.targets, mean])
        )

    def at(self, rows: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noiseless target at each row, shapes (m,)."""
        return self.at_features(self.features.of(rows))

    def at_features(self, features: Array) -> tuple[Array, Array]:
        """As `at`, for features."""
        signal = self.hyperparameters.signal
        cross = signal * matern(squares_between(self._points, features * self.scales))[0]
        mean: Array = self._explained @ cross
        solved = self._inverse @ cross
        variance = signal - np.einsum("ij,ij->j", solved, solved)
        return mean, np.sqrt(np.maximum(variance, 1e-12 * signal))

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
