"""What values one parameter may take.

    int_range      IntRange       the integers from min to max, or every step-th of them
    float_range    FloatRange     the numbers from min to max, or every step-th of them
    choice         Choice         one of the options
    flag           Flag           false or true

A spec that exists makes sense. It does not know its parameter's name: it tells what is wrong by a ValueError,
to which `space` adds the name. Countable values are numbered: there are `size`, from `value_at(0)` to
`value_at(size - 1)`, and `index_of` leads back. The `size` of a continuum is None.
"""

import json
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from app.domain.decimals import DecimalGrid, decimal_grid
from app.domain.values import INT64_MAX, INT64_MIN, Scalar

When = Mapping[str, tuple[Scalar, ...]]
"""Parents of a parameter, and the values of each under which it exists."""

_TOLERANCE = 1e-9
"""How far from a point of its grid a number may lie, relative to the point: room for a client's arithmetic."""


@dataclass(frozen=True, slots=True)
class IntRange:
    """An integer from min to max, both included."""

    type: ClassVar[str] = "int_range"
    min: int
    max: int
    log: bool = False
    step: int | None = None
    when: When | None = None

    def __post_init__(self) -> None:
        if not all(INT64_MIN <= number <= INT64_MAX for number in (self.min, self.max, self.step or 1)):
            raise ValueError("min, max and step must be integers of 64 bits.")
        _check_range(self.min, self.max, self.log)
        if self.step is not None:
            _check_step(self.step, self.max - self.min)

    @property
    def size(self) -> int:
        """How many values there are."""
        return (self.max - self.min) // (self.step or 1) + 1

    def value_at(self, index: int) -> int:
        """The value of this number."""
        return self.min + index * (self.step or 1)

    def index_of(self, value: int) -> int:
        """The number of a value."""
        return (value - self.min) // (self.step or 1)

    def check(self, value: object) -> int:
        """The value, if it is one of this spec.

        Raises:
            ValueError: it is none.
        """
        if type(value) is not int or not self.min <= value <= self.max:
            point = ", written without a point" if type(value) is float else ""
            raise ValueError(f"it must be an integer from {self.min} to {self.max}{point}.")
        if (value - self.min) % (self.step or 1):
            raise ValueError(f"it must be {self.min} plus a multiple of {self.step}.")
        return value


@dataclass(frozen=True, slots=True)
class FloatRange:
    """A number from min to max, both included."""

    type: ClassVar[str] = "float_range"
    min: float
    max: float
    log: bool = False
    step: float | None = None
    when: When | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.min) and math.isfinite(self.max)):
            raise ValueError("min and max must be finite.")
        _check_range(self.min, self.max, self.log)
        if self.step is not None:
            if not math.isfinite(self.step):
                raise ValueError("step must be finite.")
            _check_step(self._grid.step, self._grid.max - self._grid.min)
            if self.step < math.ulp(max(abs(self.min), abs(self.max))):
                raise ValueError("step is so small that floats cannot tell the values apart; use a larger one.")

    @property
    def size(self) -> int | None:
        """How many values there are; None without a step."""
        return None if self.step is None else self._grid.size

    def value_at(self, index: int) -> float:
        """The stepped value of this number."""
        return self._grid.point(index)

    def index_of(self, value: float) -> int:
        """The number of the stepped value that is nearest to this one."""
        return self._grid.nearest(value)

    def check(self, value: object) -> float:
        """The value, if it is one of this spec; an integer as the float that equals it.

        Raises:
            ValueError: it is none.
        """
        number = as_float(value)
        if self.step is None:
            if number is None or not self.min <= number <= self.max:
                raise ValueError(f"it must be a number from {self.min} to {self.max}.")
            return number
        if number is not None:
            point = self._grid.point(self._grid.nearest(number))
            # Where a step is tiny beside its points, the tolerance must not swallow it.
            if abs(number - point) <= min(_TOLERANCE * max(abs(point), self.step), self.step / 1000):
                return number
        raise ValueError(f"it must be {self.min} plus a multiple of {self.step}, and not above {self.max}.")

    @property
    def _grid(self) -> DecimalGrid:
        assert self.step is not None, "the values of a continuum have no numbers"
        return decimal_grid(self.min, self.max, self.step)


@dataclass(frozen=True)  # no slots: see `_numbers`
class Choice:
    """One of the options, which are compared with their types; `ordered` where their order means something."""

    type: ClassVar[str] = "choice"
    options: tuple[Scalar, ...]
    ordered: bool = False
    when: When | None = None

    def __post_init__(self) -> None:
        if not self.options:
            raise ValueError("options is empty; give at least one value.")
        if not all(map(_is_scalar, self.options)):
            raise ValueError("an option must be a string, a boolean, a 64-bit integer or a finite number.")
        if len(self._numbers) < len(self.options):
            raise ValueError("options holds a value twice; remove one of them.")

    @cached_property
    def _numbers(self) -> Mapping[Hashable, int]:
        """Of the options with their types: there may be thousands, and as many values of which each is looked for."""
        return {(type(option), option): number for number, option in enumerate(self.options)}

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.options)

    def value_at(self, index: int) -> Scalar:
        """The option of this number."""
        return self.options[index]

    def index_of(self, value: Scalar) -> int:
        """The number of an option."""
        return self._numbers[type(value), value]

    def check(self, value: object) -> Scalar:
        """The value, if it is one of this spec.

        Raises:
            ValueError: it is none.
        """
        number = self._numbers.get((type(value), value)) if isinstance(value, bool | int | float | str) else None
        if number is not None:
            return self.options[number]
        shown = ", ".join(json.dumps(option) for option in self.options[:10])
        raise ValueError(f"it must be one of its {self.size} options, with their types: {shown[:200]}")


@dataclass(frozen=True, slots=True)
class Flag:
    """False or true."""

    type: ClassVar[str] = "flag"
    when: When | None = None

    @property
    def size(self) -> int:
        """How many values there are."""
        return 2

    def value_at(self, index: int) -> bool:
        """False, then true."""
        return bool(index)

    def index_of(self, value: bool) -> int:
        """The number of a value."""
        return int(value)

    def check(self, value: object) -> bool:
        """The value, if it is one of this spec.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(value, bool):
            raise ValueError("it must be true or false.")
        return value


Spec = IntRange | FloatRange | Choice | Flag


def as_float(value: object) -> float | None:
    """The finite float that equals a number; None where there is none."""
    if type(value) is float:
        return value if math.isfinite(value) else None
    if type(value) is not int:
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if number == value else None


def _is_scalar(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, bool | str):
        return True
    return isinstance(value, int) and INT64_MIN <= value <= INT64_MAX


def _check_range(low: float, high: float, log: bool) -> None:
    if low > high:
        raise ValueError("min is greater than max; swap them.")
    if log and low <= 0:
        raise ValueError("log needs a min greater than 0; raise min, or leave log out.")


def _check_step(step: int, width: int) -> None:
    if step <= 0:
        raise ValueError("step must be greater than 0; leave it out for none.")
    if step > width > 0:
        raise ValueError("step is wider than max - min; use a smaller one, or leave it out.")
