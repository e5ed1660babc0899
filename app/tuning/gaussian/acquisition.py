"""How much each point promises."""

import math
from typing import Protocol

import numpy as np

from app.tuning.encoding import Array

LEAST_IMPROVEMENT = 0.02
"""What counts as an improvement, in standard deviations of the targets: crumbs near the best are not worth a trial."""

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


class Goal(Protocol):
    """What a search is for: k processes, one of each objective, make one promise."""

    def awaits(self, expected: Array) -> None:
        """Take these targets, shape (k,), for granted: what is promised must be more than they are."""

    def log_promise(self, means: Array, stds: Array) -> Array:
        """The logarithm of what each point promises, shape (m,).

        Args:
            means, stds: shape (k, m), targets; lower is better.
        """

    def rough_promise(self, means: Array, stds: Array) -> Array:
        """About `log_promise`, of very many points in little time: which of them are worth a closer look."""

    def slopes(self, means: Array, stds: Array) -> tuple[float, Array, Array]:
        """`log_promise` at one point, and its derivatives by each mean and by each std, shape (k,)."""


class Improvement:
    """A target, of one objective, that is below the best one.

    Args:
        expected: shape (1, n), of what was seen.
    """

    def __init__(self, expected: Array) -> None:
        self._best = float(expected.min())

    def awaits(self, expected: Array) -> None:
        """What comes must be an improvement on this, too."""
        self._best = min(self._best, float(expected[0]))

    def log_promise(self, means: Array, stds: Array) -> Array:
        """The logarithm of the expected improvement."""
        return log_improvement(means[0], stds[0], self._best - LEAST_IMPROVEMENT)

    rough_promise = log_promise

    def slopes(self, means: Array, stds: Array) -> tuple[float, Array, Array]:
        """Its slopes."""
        value, by_mean, by_std = improvement_slopes(float(means[0]), float(stds[0]), self._best - LEAST_IMPROVEMENT)
        return value, np.array([by_mean]), np.array([by_std])
