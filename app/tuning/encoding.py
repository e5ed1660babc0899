"""Spaces as unit cubes.

    parameter                      coordinates
    int_range, float_range, flag   one
    choice, ordered                one
    choice                         one per option; the highest says which

Values that are equally likely have equally long parts of the line, with `log` parts equally long in the logarithm:
a uniform point decodes to uniform parameters. A parameter that is inactive has neutral coordinates, which `decode`
never reads.

Encoding and decoding again gives the same value: exactly where values are counted, up to 2^52 of them on a line, with
`log` up to 2^40. Where there are more, one float64 coordinate cannot tell all values apart, and a neighbour may come
back: off by at most 2^-51 of the range, with `log` by 2^-40 of the value. The same holds for floats without step in a
range that is narrow; in others they decode to ten significant digits: trainers whose language writes no more than 14
give them back as they are, and people can read them.
The ends are always exact, and nothing ever decodes to anything outside of the space.
"""

import math
import sys
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from app.domain.space import Choice, FloatRange, IntRange, Space, Spec
from app.domain.values import Params, Scalar

Array = npt.NDArray[np.float64]

_N_DIGITS = 10
"""Significant ones of a float without step."""

_NARROW = 1e-3
"""A range is that takes less of its own numbers: rounded, they would lie apart by more than a millionth of it."""


class Encoding:
    """The way from the parameters of a space to points of the unit cube and back."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._axes: list[tuple[str, int, Axis]] = []
        self.size = 0
        for name in space.order:
            axis = axis_of(space.specs[name])
            self._axes.append((name, self.size, axis))
            self.size += axis.size

    def encode(self, params: Params) -> Array:
        """The point for these parameters, which must be of the space.

        Returns:
            shape (size,), each within [0, 1].
        """
        point: list[float] = []
        for name, _, axis in self._axes:
            point += axis.encode(params[name]) if name in params else axis.neutral
        return np.array(point)

    def decode(self, point: Array) -> dict[str, Scalar]:
        """The parameters at a point, in the order of the space.

        Args:
            point: shape (size,); what lies outside of the cube counts as its nearest side.
        """
        coordinates = point.tolist()
        params: dict[str, Scalar] = {}
        for name, start, axis in self._axes:
            if self.space.is_active(name, params):
                params[name] = axis.decode(coordinates[start : start + axis.size])
        return self.space.arrange(params)


class Axis(Protocol):
    """One parameter's part of the cube: a coordinate, or several."""

    @property
    def size(self) -> int:
        """How many coordinates."""

    @property
    def neutral(self) -> Sequence[float]:
        """The coordinates of no value."""

    def encode(self, value: Any) -> Sequence[float]:
        """The coordinates of a value."""

    def decode(self, coordinates: Sequence[float]) -> Scalar:
        """The value at these coordinates."""


def axis_of(spec: Spec) -> Axis:
    """The part of the cube that a parameter of this spec takes."""
    if isinstance(spec, Choice) and not spec.ordered:
        return _Block(spec)
    if isinstance(spec, FloatRange) and spec.step is None:
        return _Continuum(spec)
    if isinstance(spec, IntRange | FloatRange) and spec.log:
        return _LogLevels(spec)
    return _Levels(spec)


def line_of(spec: Spec) -> Axis:
    """As `axis_of`, but always one coordinate: the options of a choice, ordered or not, share a line equally."""
    return _Levels(spec) if isinstance(spec, Choice) else axis_of(spec)


class _Continuum:
    """The numbers of a range."""

    size = 1
    neutral = (0.5,)

    def __init__(self, spec: FloatRange) -> None:
        self._min, self._max = spec.min, spec.max
        # The widest ranges are wider than the largest float.
        self._unit = 2.0 if math.isinf(spec.max - spec.min) else 1.0
        self._width = spec.max / self._unit - spec.min / self._unit
        self._log = _Logarithm(spec.min, self._width) if spec.log and self._width else None
        farthest = max(abs(spec.min), abs(spec.max)) / self._unit
        self._is_narrow = self._width < _NARROW * farthest

    def encode(self, value: float) -> Sequence[float]:
        distance = value / self._unit - self._min / self._unit
        if self._log is not None:
            return [self._log.place(distance)]
        return [distance / self._width if self._width else 0.5]

    def decode(self, coordinates: Sequence[float]) -> float:
        (place,) = coordinates
        if place <= 0 or place >= 1:
            return self._min if place <= 0 else self._max
        if self._log is not None:
            value = self._min + self._log.distance(place)
        else:
            value = self._min * (1 - place) + self._max * place
        if not self._is_narrow:
            value = float(f"{value:.{_N_DIGITS}g}")
        return min(max(value, self._min), self._max)


class _Levels:
    """Counted values, each with an equal part of the line."""

    size = 1
    neutral = (0.5,)

    def __init__(self, spec: Spec) -> None:
        assert spec.size is not None
        self._spec, self._n = spec, spec.size

    def encode(self, value: Any) -> Sequence[float]:
        return [(2 * self._spec.index_of(value) + 1) / (2 * self._n)]

    def decode(self, coordinates: Sequence[float]) -> Scalar:
        # Whole numbers do not round, so that 2^52 values can be told apart.
        numerator, denominator = coordinates[0].as_integer_ratio()
        return self._spec.value_at(max(0, min(numerator * self._n // denominator, self._n - 1)))


class _LogLevels:
    """Counted values, each with the part of a logarithmic line that is nearer to it than to its neighbours.

    The line reaches half a step beyond the ends, but never down to 0.
    """

    size = 1
    neutral = (0.5,)

    def __init__(self, spec: IntRange | FloatRange) -> None:
        assert spec.size is not None
        self._spec, self._last, self._step = spec, spec.size - 1, spec.step or 1
        self._margin = min(spec.min, self._step) / 2
        width = min(self._distance(self._last) + self._step / 2, sys.float_info.max)
        self._log = _Logarithm(spec.min - self._margin, width)
        self._ends = self._log.place(self._distance(0)), self._log.place(self._distance(self._last))

    def encode(self, value: Any) -> Sequence[float]:
        return [self._log.place(self._distance(self._spec.index_of(value)))]

    def decode(self, coordinates: Sequence[float]) -> Scalar:
        (place,) = coordinates
        # The ends come out exactly even where the line is too coarse to tell them from their neighbours.
        if place <= self._ends[0] or place >= self._ends[1]:
            return self._spec.value_at(0 if place <= self._ends[0] else self._last)
        index = round((self._log.distance(place) - self._margin) / self._step)
        return self._spec.value_at(max(0, min(index, self._last)))

    def _distance(self, index: int) -> float:
        return index * self._step + self._margin


class _Logarithm:
    """A line from `low` on over `width` on which equal ratios are equally long.

    It knows numbers by their distance from `low`, which tells large ones that are close together apart.
    """

    def __init__(self, low: float, width: float) -> None:
        self._low = low
        self._has_ratios = math.isfinite(width / low)
        self._length = self._length_to(width)

    def place(self, distance: float) -> float:
        """Where in [0, 1] a number lies."""
        return self._length_to(distance) / self._length

    def distance(self, place: float) -> float:
        """How far from `low` the number at a place is."""
        if self._has_ratios:
            return self._low * math.expm1(place * self._length)
        return math.exp(math.log(self._low) + place * self._length) - self._low

    def _length_to(self, distance: float) -> float:
        if self._has_ratios:
            return math.log1p(distance / self._low)
        return math.log(self._low + distance) - math.log(self._low)


class _Block:
    """Options without an order: each as far from the others as any."""

    def __init__(self, spec: Choice) -> None:
        self._spec = spec
        self.size = spec.size
        self.neutral = [1 / self.size] * self.size

    def encode(self, value: Scalar) -> Sequence[float]:
        coordinates = [0.0] * self.size
        coordinates[self._spec.index_of(value)] = 1.0
        return coordinates

    def decode(self, coordinates: Sequence[float]) -> Scalar:
        return self._spec.value_at(coordinates.index(max(coordinates)))
