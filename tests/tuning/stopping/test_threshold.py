"""Out of bounds."""

import math
from typing import Any

import pytest

from app.domain.errors import InvalidRequest
from app.domain.goal import Direction
from app.tuning.stopping.stopper import Decision
from app.tuning.stopping.threshold import Threshold
from tests.tuning.stopping.curves import Curve, run_of


def said_of(curve: Curve, direction: Direction = Direction.maximize, **options: Any) -> Decision | None:
    stopper = Threshold(options, direction)
    for epoch, value in curve.items():
        stopper.add(run_of(0), epoch, value)
    return stopper.decide(run_of(0))


@pytest.mark.parametrize("direction", Direction)
def test_bounds_are_in_the_metrics_own_units(direction: Direction) -> None:
    bounds = {"min": 0.5, "max": 2}
    assert said_of({0: 0.5, 1: 2.0}, direction, **bounds) is None
    assert said_of({0: 0.25}, direction, **bounds) == Decision("threshold", "0.25 is below 0.5", 0)
    assert said_of({0: 3.0}, direction, **bounds) == Decision("threshold", "3.0 is above 2.0", 0)


def test_the_bounds_hold_from_their_epoch_on() -> None:
    assert said_of({2: 9.0}, max=1, from_epoch=3) is None
    assert said_of({3: 9.0}, max=1, from_epoch=3) is not None


@pytest.mark.parametrize(("bad", "name"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")])
def test_what_is_not_finite_stops_at_once_and_is_called_as_on_the_wire(bad: float, name: str) -> None:
    assert said_of({0: bad}) == Decision("threshold", f"{name} is not finite", 0)
    assert said_of({0: bad}, max=1, from_epoch=100) is not None


def test_the_earliest_of_several_is_told_and_later_good_ones_do_not_help() -> None:
    decision = said_of({7: 9.0, 3: 5.0, 5: 7.0, 8: 0.0}, max=1)
    assert decision == Decision("threshold", "5.0 is above 1.0", 3)


def test_without_bounds_every_finite_value_will_do() -> None:
    assert said_of({0: 1.7e308, 1: -1.7e308}) is None


def test_bounds_that_leave_nothing_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="max must not be less than min") as refused:
        Threshold({"min": 1, "max": 0.5}, Direction.maximize)
    assert refused.value.facts["errors"][0]["loc"] == ["stopper", "max"]
    Threshold({"min": 1, "max": 1.0}, Direction.maximize)
