"""Densities over a space made of kernels, one at each of some trials: what a tree-structured Parzen estimator compares.

A kernel is a product over the parameters: a normal distribution cut off at the ends where values have an order, else
the trial's option with a share left for the others. Where a trial lacks a parameter that a point has, its kernel is
uniform there; parameters that a point lacks count as 1. One more kernel is uniform all over.
"""

import math
from collections.abc import Sequence

import numpy as np

from app.tuning.columns import Columns
from app.tuning.encoding import Array

_SCALE = 0.7
"""Of the normal reference rule, which is too wide for densities with more than one peak."""

_PRIOR = 1.0
"""What the uniform kernel, and the space's own spread, count: as much as one trial."""


class Parzen:
    """A density: kernels at rows of columns.

    Args:
        rows: shape (n, d), NaN where a trial has no value.
        weights: shape (n,), positive; relative to that of the uniform kernel, which is 1.
        like: another density: these kernels are as wide as its are, and without the uniform one. By default they have
            the widths that fit the rows.
    Attributes:
        mass: what all kernels weigh.
    """

    def __init__(self, columns: Columns, rows: Array, weights: Array, like: "Parzen | None" = None) -> None:
        self._columns, self._rows = columns, rows
        self._weights = np.append(weights, _PRIOR) if like is None else weights
        self.mass = float(self._weights.sum())
        self._ordered = np.flatnonzero(~columns.is_unordered)
        self._unordered = np.flatnonzero(columns.is_unordered)
        self._width: Array = _widths(rows[:, self._ordered]) if like is None else like._width
        # What each option has beforehand, the trial's own having 1 more; the more trials, the less the others need.
        self._share: float = _PRIOR / (len(rows) + 1) if like is None else like._share
        n_options = columns.n_levels[self._unordered]
        self._own = 1 / (1 + n_options * self._share)
        self._log_other = np.log(self._share * self._own)
        self._log_own = np.log((1 + self._share) * self._own)
        self._log_uniform = -np.log(n_options)
        self._make_normals()

    def _make_normals(self) -> None:
        from scipy.special import ndtr  # imported here: the service starts without it

        middles = self._rows[:, self._ordered]
        is_there = ~np.isnan(middles)
        scaled = np.where(is_there, middles, 0.5) / self._width
        self._below, self._above = ndtr(-scaled), ndtr(1 / self._width - scaled)
        norms = np.log((self._above - self._below) * self._width * math.sqrt(2 * math.pi))
        # -(x - m)^2 / 2 as a scalar product with (1, x, x^2), so that one matrix product does it for all.
        constant, linear = np.where(is_there, -0.5 * scaled**2 - norms, 0.0), np.where(is_there, scaled, 0.0)
        self._factors = np.hstack([constant, linear, -0.5 * is_there])

    def log_mass(self, points: Array) -> Array:
        """The logarithm of what the kernels add up to at rows of columns, shape (n_points, d) to (n_points,).

        Less the logarithm of `mass` it is that of the density.
        """
        values = points[:, self._ordered]
        is_there = ~np.isnan(values)
        scaled = np.where(is_there, values, 0.0) / self._width
        logs = np.zeros((len(points), len(self._weights)))
        theirs, n = self._rows, len(self._rows)
        logs[:, :n] = np.hstack([is_there, scaled, scaled**2]) @ self._factors.T
        for index, column in enumerate(self._unordered):
            # Once for each option that the points have, few as they are.
            options, which = np.unique(points[:, column], return_inverse=True)
            part = np.empty((len(options), len(self._weights)))
            part[:, :n] = np.where(options[:, None] == theirs[:, column], self._log_own[index], self._log_other[index])
            part[:, :n][:, np.isnan(theirs[:, column])] = self._log_uniform[index]
            part[:, n:] = self._log_uniform[index]
            part[np.isnan(options)] = 0.0
            logs += part[which]
        logs += np.log(self._weights)
        top = logs.max(axis=1)
        np.exp(np.subtract(logs, top[:, None], out=logs), out=logs)
        mass: Array = top + np.log(logs.sum(axis=1))
        return mass

    def sample(self, rngs: Sequence[np.random.Generator], n: int) -> Array:
        """Rows drawn from the density, n by each generator, one generator's after the other's."""
        from scipy.special import ndtri

        size = self._columns.size
        uniform = np.concatenate([rng.random((n, 2 * size + 1)) for rng in rngs])
        kernels = np.searchsorted(self._weights.cumsum(), uniform[:, -1] * self.mass, side="right")
        is_there = kernels < len(self._rows)
        kernels[~is_there] = 0
        points, own = uniform[:, :size], self._rows[kernels]
        is_own = ~np.isnan(own) & is_there[:, None]
        low, high = self._below[kernels], self._above[kernels]
        normal = ndtri(low + points[:, self._ordered] * (high - low))
        drawn = own.copy()
        drawn[:, self._ordered] += self._width * normal
        is_own[:, self._unordered] &= uniform[:, size:-1][:, self._unordered] < self._own
        return self._columns.settle(np.where(is_own, drawn, points))


def _widths(middles: Array) -> Array:
    """How wide the kernels are in each ordered column, shape (d,).

    The normal reference rule for the column's own spread, of which the space's counts as one trial more, and never so
    narrow that few trials would look like certainty.

    Source: Scott 1992, Multivariate Density Estimation, section 6.3.
    """
    n, size = middles.shape
    is_there = ~np.isnan(middles)
    n_there = is_there.sum(axis=0)
    values = np.where(is_there, middles, 0.0)
    mean = values.sum(axis=0) / np.maximum(n_there, 1)
    squares = (np.where(is_there, middles - mean, 0.0) ** 2).sum(axis=0)
    spread = np.sqrt((squares + _PRIOR / 12) / (n_there + _PRIOR))
    widths: Array = _SCALE * spread * np.maximum(n_there, 1) ** (-1 / (4 + size))
    return np.clip(widths, 1 / min(100, n + 2), 1.0)
