"""Trials as rows of numbers, one column per parameter: what strategies that compare many trials at once compute with.

A number says where on its parameter's line (`encoding.line_of`) a value lies, within [0, 1]; NaN: it has none there,
because the parameter is inactive. Whole columns are encoded at once, which takes a tenth of the time that encoding
trial by trial does.
"""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from app.domain.space import Choice, Flag, FloatRange, Space, Spec
from app.domain.values import Params, Scalar
from app.tuning.encoding import Array, line_of

Mask = npt.NDArray[np.bool_]

_MOST_LEVELS = 4096
"""A column with more counted values is as good as continuous."""


class Columns:
    """The columns of a space, in its `order`.

    Attributes:
        n_levels: shape (d,); how many values the column tells apart, 0 for a continuous one.
        is_unordered: shape (d,); whether neighbours in the column mean nothing: choices without order, and flags.
        is_conditional: shape (d,); whether there are trials that have no value there.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self._columns = [_Column(name, space.specs[name]) for name in space.order]
        self.size = len(self._columns)
        self.n_levels = np.array([column.n_levels for column in self._columns])
        self.is_unordered = np.array([column.is_unordered for column in self._columns])
        self.is_conditional = np.array([column.spec.when is not None for column in self._columns])
        place = {name: index for index, name in enumerate(space.order)}
        # Parents come before children, so one pass in order settles who is active.
        self._conditions: list[tuple[int, list[tuple[int, Array]]]] = []
        for index, column in enumerate(self._columns):
            if column.spec.when is not None:
                parents = [
                    (place[parent], self._columns[place[parent]].among(v)) for parent, v in column.spec.when.items()
                ]
                self._conditions.append((index, parents))

    def encode(self, trials: Sequence[Params]) -> Array:
        """The trials as rows, shape (n, d). What a trial has too much is left out, what it lacks is NaN."""
        rows = np.empty((len(trials), self.size))
        for index, column in enumerate(self._columns):
            rows[:, index] = column.encode([params.get(column.name) for params in trials])
        return rows

    def settle(self, points: Array) -> Array:
        """Points of the cube as rows: counted values at the middle of their part, NaN for what is inactive.

        Args:
            points: shape (n, d); what lies outside of the cube counts as its nearest side.
        """
        rows = np.clip(points, 0.0, 1.0)
        for index, column in enumerate(self._columns):
            if column.n_levels:
                rows[:, index] = column.settle(rows[:, index])
        for index, parents in self._conditions:
            is_active = np.ones(len(rows), dtype=bool)
            for parent, allowed in parents:
                # NaN, the mark of an inactive parent, is among nothing.
                is_active &= np.isin(rows[:, parent], allowed)
            rows[~is_active, index] = np.nan
        return rows

    def middles(self, index: int) -> Array:
        """Where the counted values of a column lie, shape (n_levels,), ascending."""
        return self._columns[index].middles

    def decode(self, point: Array) -> dict[str, Scalar]:
        """The parameters at a point or of a row, in the order in which the space was sent."""
        params: dict[str, Scalar] = {}
        for column, place in zip(self._columns, point.tolist(), strict=True):
            if self.space.is_active(column.name, params):
                # A trial that lacked an active parameter has taught nothing about it.
                params[column.name] = column.line.decode([0.5 if math.isnan(place) else place])
        return self.space.arrange(params)


class _Column:
    """One parameter's column."""

    def __init__(self, name: str, spec: Spec) -> None:
        self.name, self.spec, self.line = name, spec, line_of(spec)
        self.is_unordered = isinstance(spec, Flag) or (isinstance(spec, Choice) and not spec.ordered)
        size = spec.size
        self.n_levels = size if size is not None and (size <= _MOST_LEVELS or self.is_unordered) else 0

    @cached_property
    def middles(self) -> Array:
        """Where the counted values lie, ascending."""
        return self.among([self.spec.value_at(index) for index in range(self.n_levels)])

    @cached_property
    def _borders(self) -> Array:
        borders: Array = (self.middles[1:] + self.middles[:-1]) / 2
        return borders

    def encode(self, values: Sequence[Scalar | None]) -> Array:
        """The values' places, shape (n,)."""
        if isinstance(self.spec, FloatRange) and self.spec.step is None and _is_plain(self.spec):
            return _places(self.spec, np.array(values, dtype=np.float64))
        # By type, too: Python takes 3, 3.0 and True for equal.
        known: dict[tuple[type, Scalar | None], float] = {(type(None), None): math.nan}
        places: list[float] = []
        for value in values:
            key = (type(value), value)
            place = known.get(key)
            if place is None:
                assert value is not None
                place = known[key] = min(max(self.line.encode(value)[0], 0.0), 1.0)
            places.append(place)
        return np.array(places)

    def settle(self, places: Array) -> Array:
        """Each place as the middle of its value's part."""
        settled: Array = self.middles[np.searchsorted(self._borders, places, side="right")]
        return settled

    def among(self, values: Sequence[Scalar]) -> Array:
        """The middles of these values' parts."""
        return np.array([self.line.encode(value)[0] for value in values])


def _is_plain(spec: FloatRange) -> bool:
    """Whether the plainest formulas do: no overflow, no empty range."""
    width = spec.max - spec.min
    return 0 < width < math.inf and (not spec.log or width / spec.min < math.inf)


def _places(spec: FloatRange, values: Array) -> Array:
    places = (values - spec.min) / (spec.max - spec.min)
    if spec.log:
        # Outside of the range there may be no logarithm.
        ratio = np.maximum((values - spec.min) / spec.min, 0.0)
        places = np.log1p(ratio) / math.log1p((spec.max - spec.min) / spec.min)
    clipped: Array = np.clip(places, 0.0, 1.0)
    return clipped
