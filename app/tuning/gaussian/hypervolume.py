"""What a point promises where several objectives count."""

import math
from functools import cache

import numpy as np

from app.tuning.encoding import Array
from app.tuning.fronts import non_dominated
from app.tuning.gaussian.acquisition import LEAST_IMPROVEMENT

MARGIN, LEAST_MARGIN = 0.5, 0.5
"""How far beyond the worst targets of the front the reference lies: as a share of the front's width, and at least."""

N_RAYS, MOST_RAYS = 32, 256
"""How many rays there are for one objective; with each other one twice as many, and so many at most."""

ROUGH_RAYS = 64
"""So many tell which points are worth a look along all of them. The first ones are as evenly spread as all are."""

STEPS = np.array([0.0, 0.1, 0.3, 0.9, 2.7])
"""Where, beyond the front, probabilities are looked at on each ray, in standard deviations of the targets."""

_SQRT_HALF, _SQRT_2_BY_PI = math.sqrt(0.5), math.sqrt(2 / math.pi)


class Hypervolume:
    """A trial that dominates more: how much the volume between the front and a reference is expected to grow.

    That is the integral, over the targets that no trial reaches, of the probability that this one does. It is taken
    along rays that lead from the reference, which is worse than all of the front, into what is better.

    Args:
        expected: shape (k, n), of what was seen.
    Source: Emmerich, Giannakoglou, Naujoks 2006, IEEE Trans. Evolutionary Computation 10; the way to integrate is ours.
    """

    def __init__(self, expected: Array) -> None:
        front = expected[:, non_dominated([*map(tuple, expected.T.tolist())])]
        low, high = front.min(axis=1), front.max(axis=1)
        self._reference = high + np.maximum(MARGIN * (high - low), LEAST_MARGIN)
        self._directions = _simplex(len(expected)) * (self._reference - low)
        self._reached = np.zeros(len(self._directions))
        for targets in front.T:
            self._reach(targets)
        self._look()

    def awaits(self, expected: Array) -> None:
        """What comes must be reached by none of these, too."""
        self._reach(expected)
        self._look()

    def log_promise(self, means: Array, stds: Array) -> Array:
        """The logarithm of the expected growth."""
        return _log_growth(self._points, self._log_weights, means, stds)

    def rough_promise(self, means: Array, stds: Array) -> Array:
        """The same, along a few of the rays."""
        few = ROUGH_RAYS * len(STEPS)
        return _log_growth(self._points[:, :few], self._log_weights[:few], means, stds)

    def slopes(self, means: Array, stds: Array) -> tuple[float, Array, Array]:
        """Its slopes."""
        from scipy.special import erfcx

        z = (self._points - means[:, None]) / stds[:, None]
        logs = self._log_weights + _log_ndtr(z).sum(axis=0)
        value = float(_log_sum(logs))
        # The share of each point in the sum, times the slope of the logarithm of its probability: density by
        # probability, without a difference of two numbers that are both huge where there is no hope.
        by_point = np.exp(logs - value) * _SQRT_2_BY_PI / erfcx(-_SQRT_HALF * z) / stds[:, None]
        return value, -by_point.sum(axis=1), -(by_point * z).sum(axis=1)

    def _reach(self, targets: Array) -> None:
        away = self._reference - targets + LEAST_IMPROVEMENT
        self._reached = np.maximum(self._reached, (away / self._directions).min(axis=1))

    def _look(self) -> None:
        """Choose the points on the rays, beyond what was reached, and how much each counts in the sum."""
        lengths = np.sqrt(np.einsum("ij,ij->i", self._directions, self._directions))
        along = self._reached[:, None] + STEPS / lengths[:, None]
        # By trapezes; the nearer to the reference, the closer together the rays are.
        widths = np.diff(along, axis=1, prepend=along[:, :1], append=along[:, -1:])
        k = len(self._reference)
        self._log_weights = np.log((widths[:, 1:] + widths[:, :-1]) * along ** (k - 1)).reshape(-1)
        self._points = (self._reference[:, None, None] - along * self._directions.T[:, :, None]).reshape(k, -1)


@cache
def _simplex(k: int) -> Array:
    """Directions spread evenly over those whose k parts are above 0 and have the sum 1, shape (n, k)."""
    from scipy.stats.qmc import Sobol

    n = min(N_RAYS * 2 ** (k - 1), MOST_RAYS)
    cuts = np.sort(Sobol(k - 1, scramble=False).random(n) + 0.5 / n, axis=1)
    directions = np.diff(cuts, axis=1, prepend=0.0, append=1.0)
    return np.maximum(directions, 1e-9)  # cuts may coincide


def _log_growth(points: Array, log_weights: Array, means: Array, stds: Array) -> Array:
    from scipy.special import ndtr

    z = (points[:, None, :] - means[:, :, None]) / stds[:, :, None]
    growth = ndtr(z).prod(axis=0) @ np.exp(log_weights)
    is_small = growth < 1e-250
    logs: Array = np.log(growth, where=~is_small, out=np.empty(len(growth)))
    logs[is_small] = _log_sum(log_weights + _log_ndtr(z[:, is_small]).sum(axis=0))
    return logs


def _log_ndtr(z: Array) -> Array:
    from scipy.special import log_ndtr

    logs: Array = log_ndtr(z)
    return logs


def _log_sum(logs: Array) -> Array:
    """The logarithm of the sum over the last axis."""
    top = logs.max(axis=-1)
    total: Array = top + np.log(np.exp(logs - top[..., None]).sum(axis=-1))
    return total
