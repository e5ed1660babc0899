"""Stepped ranges of floats, counted in decimals as people write them: 0.15, not 0.15000000000000002."""

from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple


class DecimalGrid(NamedTuple):
    """The numbers min, min + step, ... up to max, all held as whole numbers of 1 / scale: no rounding adds up."""

    min: int
    max: int
    step: int
    scale: int

    @property
    def size(self) -> int:
        """How many points there are."""
        return (self.max - self.min) // self.step + 1

    def point(self, index: int) -> float:
        """The float nearest to the point of this number."""
        return (self.min + index * self.step) / self.scale

    def nearest(self, value: float) -> int:
        """The number of the point that is nearest to a finite value."""
        numerator, denominator = value.as_integer_ratio()
        distance, step = numerator * self.scale - self.min * denominator, self.step * denominator
        return max(0, min((2 * distance + step) // (2 * step), self.size - 1))


@lru_cache(maxsize=4096)
def decimal_grid(low: float, high: float, step: float) -> DecimalGrid:
    """The grid of three finite floats, each taken as the shortest decimal that stands for it."""
    decimals = [Decimal(repr(number)) for number in (low, high, step)]
    n_places = max(0, *(-int(decimal.as_tuple().exponent) for decimal in decimals))
    low_scaled, high_scaled, step_scaled = (int(decimal.scaleb(n_places)) for decimal in decimals)
    return DecimalGrid(low_scaled, high_scaled, step_scaled, 10**n_places)
