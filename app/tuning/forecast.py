"""What a trial that trains still will come to: a line through where others were at that epoch, and what they came to.

With several workers, most of what is known of the newest trials is in their epochs: whoever waits for the ends proposes
as one worker would that had forgotten its last trials.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.tuning.encoding import Array

MOST_COURSES = 50
"""Of the newest completed trials: what others did long ago, elsewhere in the space, says less."""

_SLOPE_WEIGHT = 2.0
"""How much the slope is one a priori, in trials: what is ahead by now stays ahead by as much."""

_MOST_UNKNOWN = 0.4
"""How far off forecasts may be, as a share of how far what trials come to lies apart."""

_FEWEST = 3
"""Fewer trials do not show how far off forecasts are."""


@dataclass(frozen=True, slots=True)
class Course:
    """How an ended trial went.

    Args:
        epochs: in order, at least one.
        losses: at these epochs.
        loss: what it came to.
    """

    epochs: Sequence[int]
    losses: Sequence[float]
    loss: float

    def at(self, epoch: int) -> float | None:
        """The loss by then; None before the first epoch, and after the last."""
        if epoch > self.epochs[-1]:
            return None
        place = bisect_right(self.epochs, epoch)
        return self.losses[place - 1] if place else None


def forecast(epoch: int, loss: float, courses: Sequence[Course]) -> float | None:
    """The loss that a trial is expected to end with, which has this one now; None where that is anyone's guess.

    Medians throughout, so a few trials that diverged spoil nothing: the slope is that of the pairs of trials, the line
    passes amid them, and how far off it is, is held against how far what they came to lies apart.

    Args:
        loss: finite, as all those of the courses.

    Source of the line: Theil 1950, Sen 1968, Journal of the American Statistical Association 63.
    """
    known = [(then, course.loss) for course in courses if (then := course.at(epoch)) is not None]
    if not known:
        return None
    # In eighths, so that even with the largest floats no difference overflows.
    then, ends = np.array(known).T / 8
    slope = _slope(then, ends)
    rest = ends - slope * then
    middle = float(np.median(rest))
    if len(known) >= _FEWEST and _spread(rest - middle) > _MOST_UNKNOWN * _spread(ends - np.median(ends)):
        return None
    expected = 8 * (middle + slope * (loss / 8))
    return expected if math.isfinite(expected) else None


def _slope(then: Array, ends: Array) -> float:
    """How much of a lead is left at the end, from 0 to 1."""
    one, other = np.triu_indices(len(then), 1)
    apart = then[one] - then[other]
    differs = apart != 0
    if not differs.any():
        return 1.0
    found = float(np.median((ends[one] - ends[other])[differs] / apart[differs]))
    weight = (len(then) - 1) / (len(then) - 1 + _SLOPE_WEIGHT)
    return min(max(1.0 + weight * (found - 1.0), 0.0), 1.0)


def _spread(deviations: Array) -> float:
    return float(np.median(np.abs(deviations)))
