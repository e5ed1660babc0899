"""Rows of numbers as vectors: the kernel sees nothing but weighted squared distances between them, and their trend."""

import numpy as np
import numpy.typing as npt

from app.tuning.columns import Columns
from app.tuning.encoding import Array

CENTRE = 0.5
"""Where on its line an inactive number counts as being."""


class Features:
    """The features of a space's columns.

    A column with an order is a feature itself, and a conditional one has another: 1 where it is inactive, so that no
    trial without it is as near to one that has it as those can be to each other. A column without order is as many
    features as it has options, and one for being inactive: 1/sqrt(2) for the one that it has, 0 for the others, so that
    any two of them have the distance 1. Source of that distance: Hutter, Osborne 2013, arXiv:1310.5738.

    Attributes:
        size: how many there are, p; the first are the numbers.
        n_numbers: how many of them are.
        column: shape (p,); of which column each is.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self._ordered = np.flatnonzero(~columns.is_unordered)
        self._optional = np.flatnonzero(~columns.is_unordered & columns.is_conditional)
        self._unordered = np.flatnonzero(columns.is_unordered)
        self._n_levels = columns.n_levels[self._unordered]
        self.n_numbers = len(self._ordered)
        self._may_be_inactive = np.searchsorted(self._ordered, self._optional)
        self._starts = self.n_numbers + len(self._optional) + np.concatenate([[0], np.cumsum(self._n_levels + 1)])
        self.size = int(self._starts[-1])
        self.column: npt.NDArray[np.intp] = np.concatenate(
            [self._ordered, self._optional, np.repeat(self._unordered, self._n_levels + 1)]
        ).astype(np.intp)

    def of(self, rows: Array) -> Array:
        """The features of rows, shape (n, d) -> (n, p)."""
        features = np.zeros((len(rows), self.size))
        ordered = rows[:, self._ordered]
        features[:, : self.n_numbers] = np.where(np.isnan(ordered), CENTRE, ordered)
        features[:, self.n_numbers : self._starts[0]] = np.isnan(rows[:, self._optional])
        if len(self._unordered):
            places = rows[:, self._unordered]
            levels = np.where(np.isnan(places), self._n_levels, np.floor(places * self._n_levels)).astype(np.intp)
            features[np.arange(len(rows))[:, None], self._starts[:-1] + levels] = np.sqrt(0.5)
        return features

    def trend(self, features: Array) -> Array:
        """What a trend is made of: each number as a line and as a bow, shape (..., p) -> (..., 2 n_numbers).

        Over its range the mean of either is 0, and where the number is inactive, both are.
        """
        lines = 2 * features[..., : self.n_numbers] - 1
        bows = lines * lines - 1 / 3
        if len(self._may_be_inactive):
            bows[..., self._may_be_inactive] *= features[..., self.n_numbers : self._starts[0]] == 0
        return np.concatenate([lines, bows], axis=-1)

    def trend_slopes(self, features: Array) -> Array:
        """How the `trend` of active numbers grows with them, shape (p,) -> (2 n_numbers,)."""
        slopes = np.full(2 * self.n_numbers, 2.0)
        slopes[self.n_numbers :] = 8 * features[: self.n_numbers] - 4
        return slopes

    def pair_distances(self, rows: Array) -> Array:
        """Each column's squared distances between all pairs of rows, shape (n (n - 1) / 2, d)."""
        first, second = np.triu_indices(len(rows), 1)
        distances = np.empty((len(first), self.columns.size))
        ordered = rows[:, self._ordered]
        ordered = np.where(np.isnan(ordered), CENTRE, ordered)
        distances[:, self._ordered] = (ordered[first] - ordered[second]) ** 2
        is_inactive = np.isnan(rows[:, self._optional])
        distances[:, self._optional] += is_inactive[first] != is_inactive[second]
        if len(self._unordered):
            places = np.nan_to_num(rows[:, self._unordered], nan=-1.0)
            distances[:, self._unordered] = places[first] != places[second]
        return distances
