"""No improvement for too long."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.goal import Direction
from app.tuning.stopping.patience import Patience
from app.tuning.stopping.stopper import Decision
from tests.spaces import law
from tests.tuning.stopping.curves import VALUES, Curve, run_of


def said_of(curve: Curve, direction: Direction = Direction.maximize, **options: Any) -> Decision | None:
    stopper = Patience(options, direction)
    for epoch, value in curve.items():
        stopper.add(run_of(0), epoch, value)
    return stopper.decide(run_of(0))


def curve_of(values: Sequence[float]) -> Curve:
    return dict(enumerate(values))


def test_ten_epochs_without_improvement_are_too_many() -> None:
    assert said_of(curve_of([0.1, 0.5] + [0.5] * 9)) is None
    assert said_of(curve_of([0.1, 0.5] + [0.5] * 10)) == Decision("patience", "no improvement on 0.5 for 10 epochs", 11)


def test_an_improvement_must_be_greater_than_min_delta() -> None:
    assert said_of(curve_of([1.0, 1.5, 1.25]), epochs=2, min_delta=0.25) is None
    decision = said_of(curve_of([1.0, 1.5, 1.25]), epochs=2, min_delta=0.5)
    assert decision == Decision("patience", "no improvement by more than 0.5 on 1 for 2 epochs", 2)


def test_slow_progress_that_adds_up_within_the_window_counts() -> None:
    slow = curve_of([0.01 * epoch for epoch in range(30)])
    assert said_of(slow, epochs=10, min_delta=0.05) is None
    assert said_of(slow, epochs=10, min_delta=0.15) is not None


def test_epochs_are_counted_by_their_numbers() -> None:
    assert said_of({0: 0.5, 9: 0.5}) is None
    assert said_of({0: 0.5, 10: 0.5}) is not None
    assert said_of({90: 0.5, 99: 0.5}) is None


def test_a_late_record_takes_back_the_ones_that_it_beats() -> None:
    assert said_of({0: 0.1, 2: 0.2, 4: 0.3}, epochs=3) is None
    assert said_of({0: 0.1, 2: 0.2, 4: 0.3, 1: 0.3}, epochs=3) is not None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_no_improvement(bad: float) -> None:
    decision = said_of(curve_of([bad] * 4), epochs=3)
    assert decision == Decision("patience", "no improvement on nothing finite for 3 epochs", 3)
    assert said_of(curve_of([bad] * 3 + [-1e300]), epochs=3) is None
    assert said_of(curve_of([0.5] + [bad] * 3), epochs=3) is not None


@law
@given(
    st.dictionaries(st.integers(0, 30), VALUES, min_size=1), st.integers(1, 6), st.sampled_from([0.0, 0.1, 0.5, 1e308])
)
def test_a_look_at_the_whole_curve_says_the_same(curve: Curve, epochs: int, min_delta: float) -> None:
    last = max(curve)
    before = [v if math.isfinite(v) else -math.inf for epoch, v in curve.items() if epoch <= last - epochs]
    everything = [v if math.isfinite(v) else -math.inf for v in curve.values()]
    stops = bool(before) and not max(everything) - max(before) > min_delta
    assert (said_of(curve, epochs=epochs, min_delta=min_delta) is not None) == stops
