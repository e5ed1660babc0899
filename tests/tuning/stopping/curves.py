"""Curves of every kind, for tests of laws that hold for all of them."""

import math
from collections.abc import Mapping, Sequence
from uuid import UUID

from hypothesis import strategies as st

from app.tuning.stopping.registry import CompositeStopper
from app.tuning.stopping.stopper import Decision, Run, Stopper

Curve = Mapping[int, float]
"""Values by epoch."""

Point = tuple[int, int, float]
"""A trial's number, an epoch, a value."""

AnyStopper = Stopper | CompositeStopper

NOT_FINITE = st.sampled_from([math.nan, math.inf, -math.inf])
TENTHS = st.integers(-20, 20).map(lambda n: n / 10)
EXTREMES = st.sampled_from([1.7e308, -1.7e308, 5e-324, -5e-324, 0.0, -0.0])
VALUES = TENTHS | TENTHS | EXTREMES | NOT_FINITE
"""Many ties, all kinds of trouble."""

_WHOLE: st.SearchStrategy[Curve] = st.lists(VALUES, max_size=8).map(lambda values: dict(enumerate(values)))
_WITH_GAPS: st.SearchStrategy[Curve] = st.dictionaries(st.integers(0, 7) | st.integers(0, 100), VALUES, max_size=8)

CURVES = st.lists(_WHOLE | _WITH_GAPS, max_size=9)
"""Of the trials 0, 1, 2, ...; some of them with gaps, some empty."""


def run_of(number: int) -> Run:
    """The run of a trial."""
    return Run(UUID(int=number + 1), number)


def points_of(curves: Sequence[Curve]) -> list[Point]:
    """All points, run by run."""
    return [(number, epoch, value) for number, curve in enumerate(curves) for epoch, value in curve.items()]


def add_all(stopper: AnyStopper, curves: Sequence[Curve]) -> None:
    """Add all points, run by run."""
    for number, epoch, value in points_of(curves):
        stopper.add(run_of(number), epoch, value)


def verdicts(stopper: AnyStopper, n_runs: int) -> list[Decision | None]:
    """What it says of each run."""
    return [stopper.decide(run_of(number)) for number in range(n_runs)]
