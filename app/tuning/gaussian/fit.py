"""The hyperparameters that explain the observations best, a priori plausible ones preferred."""

import math
from dataclasses import dataclass

import numpy as np

from app.tuning.encoding import Array
from app.tuning.gaussian.features import Features
from app.tuning.gaussian.kernel import matern_slopes

SCALE_MEDIAN, SCALE_SIGMA = 0.7, 1.2
"""Length scales are lognormal a priori; the median is for one column, and grows as the square root of their number, as
typical distances in the cube do. Source: Hvarfner, Hellsten, Nardi 2024, arXiv:2402.02229."""

SIGNAL_SIGMA = 0.7
"""The signal's variance is lognormal a priori around 1, that of the targets."""

TREND_MEDIAN, TREND_SIGMA = 1.0, 1.0
"""The variance of the trend's coefficients is lognormal a priori; the more numbers, the less each has of it."""

NOISE_MEDIAN, NOISE_SIGMA = 1e-3, 1.5
"""The noise's variance is lognormal a priori, relative to the targets' variance of 1."""

NOISE_FLOOR = 1e-6
"""Below it, covariances of near neighbours cannot be told apart."""

MOST_ITERATIONS, MORE_ITERATIONS = 40, 8
"""From the prior's median, and from where a fit to nearly the same has ended."""

_LOG_SCALES = math.log(0.02), math.log(200.0)
_LOG_VARIANCES = (math.log(0.05), math.log(20.0)), (math.log(0.001), math.log(100.0)), (math.log(NOISE_FLOOR), 0.0)
"""Of the signal, the trend and the noise."""


@dataclass(frozen=True)
class Hyperparameters:
    """What a Gaussian process believes before it has seen anything.

    Args:
        weights: shape (d,); one over the squared length scale of each column.
        signal, trend, noise: variances, where the targets have 1; the trend's is that of its coefficients, together.
    """

    weights: Array
    signal: float
    trend: float
    noise: float

    @property
    def logs(self) -> Array:
        """The logarithms of the d length scales and of the three variances."""
        return np.append(-0.5 * np.log(self.weights), np.log([self.signal, self.trend, self.noise]))

    def trend_scale(self, features: Features) -> float:
        """The standard deviation of a coefficient of the trend."""
        return math.sqrt(self.trend / max(features.n_numbers, 1))


def unlearnt(learnt: Hyperparameters) -> Hyperparameters:
    """As if no length scales had been learnt: each is the prior's median, over the square root of 2."""
    d = len(learnt.weights)
    return Hyperparameters(np.full(d, 2 / (SCALE_MEDIAN**2 * d)), max(learnt.signal, 1.0), learnt.trend, learnt.noise)


def fit(
    features: Features,
    rows: Array,
    targets: Array,
    *,
    noise: float = NOISE_MEDIAN,
    inflation: Array | float = 1.0,
    start: Hyperparameters | None = None,
) -> Hyperparameters:
    """The maximum a posteriori, found by L-BFGS with analytic gradients.

    Args:
        rows: shape (n, d), of `columns`; targets: shape (n,).
        noise: the median of its variance a priori.
        inflation: shape (n,); how many times as large the variance of each one's noise is.
        start: where to begin; None: at the prior's median.
    """
    from scipy.optimize import minimize

    d = rows.shape[1]
    objective = _Objective(features, rows, targets, noise, inflation)
    begin, most = (objective.centre, MOST_ITERATIONS) if start is None else (start.logs, MORE_ITERATIONS)
    bounds = [_LOG_SCALES] * d + [*_LOG_VARIANCES]
    found = minimize(
        objective, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": most, "ftol": 1e-5}
    )
    return objective.hyperparameters(found.x)


class _Objective:
    """Minus the logarithm of the posterior density, and its gradient.

    Its argument has the logarithms of d length scales and of the variances of the signal, the trend and the noise.
    """

    def __init__(self, features: Features, rows: Array, targets: Array, noise: float, inflation: Array | float) -> None:
        self._n, self._d = rows.shape
        self._targets, self._inflation = targets, inflation
        self._distances = features.pair_distances(rows)
        self._pairs = np.triu_indices(self._n, 1)
        self._flat = self._pairs[0] * self._n + self._pairs[1]
        scale = math.log(SCALE_MEDIAN) + 0.5 * math.log(max(self._d, 1))
        self.centre = np.array([scale] * self._d + [0.0, math.log(TREND_MEDIAN), math.log(noise)])
        self._precision = np.array([SCALE_SIGMA] * self._d + [SIGNAL_SIGMA, TREND_SIGMA, NOISE_SIGMA]) ** -2.0
        trends = features.trend(features.of(rows)) / math.sqrt(max(features.n_numbers, 1))
        products = trends @ trends.T
        self._products, self._squares = products[self._pairs], np.diagonal(products)

    def hyperparameters(self, logs: Array) -> Hyperparameters:
        return Hyperparameters(np.exp(-2 * logs[: self._d]), *(math.exp(log) for log in logs[self._d :]))

    def __call__(self, logs: Array) -> tuple[float, Array]:
        from scipy.linalg.blas import dsymv
        from scipy.linalg.lapack import dpotrf, dpotri

        n, d = self._n, self._d
        h = self.hyperparameters(logs)
        correlations, slopes = matern_slopes(self._distances @ h.weights)
        covariance = np.zeros(n * n)
        covariance[self._flat] = h.signal * correlations + h.trend * self._products
        covariance = covariance.reshape(n, n)
        covariance.flat[:: n + 1] = h.signal + h.trend * self._squares + h.noise * self._inflation
        # The transpose has the memory order that LAPACK wants; its lower triangle is the upper one here.
        factor, failed = dpotrf(covariance.T, lower=1, overwrite_a=1)
        if failed:
            return 1e10, np.zeros(d + 3)
        log_determinant = 2 * float(np.log(np.diagonal(factor)).sum())
        inverse, _ = dpotri(factor, lower=1, overwrite_c=1)
        # Of the inverse only the lower triangle is there.
        diagonal = np.diagonal(inverse).copy()
        lower = inverse.T.reshape(-1)[self._flat]
        explained = dsymv(1.0, inverse, self._targets, lower=1)
        energy = float(self._targets @ explained)
        value = 0.5 * (energy + log_determinant)
        # d value / d covariance, for each pair (twice, as the matrix is symmetric) and for the diagonal.
        by_pair = lower - explained[self._pairs[0]] * explained[self._pairs[1]]
        by_diagonal = 0.5 * (diagonal - explained**2)
        gradient = np.empty(d + 3)
        gradient[:d] = -2 * h.weights * h.signal * ((by_pair * slopes) @ self._distances)
        gradient[d] = h.signal * float(by_pair @ correlations + by_diagonal.sum())
        gradient[d + 1] = h.trend * float(by_pair @ self._products + by_diagonal @ self._squares)
        gradient[d + 2] = h.noise * float((by_diagonal * self._inflation).sum())
        off = logs - self.centre
        return value + 0.5 * float(self._precision @ off**2), gradient + self._precision * off
