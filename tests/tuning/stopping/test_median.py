"""Worse at its best than half of the others were on average."""

import math
from collections.abc import Sequence
from fractions import Fraction
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.goal import Direction
from app.tuning.stopping.median import Median
from app.tuning.stopping.stopper import Decision
from tests.spaces import law
from tests.tuning.stopping.curves import TENTHS, Curve, add_all, run_of


def among(
    ended: Sequence[Curve], curve: Curve, direction: Direction = Direction.maximize, **options: Any
) -> Decision | None:
    """What is said of a run with this curve when the others have ended."""
    stopper = Median({"warmup_epochs": 0, "min_trials": 1, **options}, direction)
    add_all(stopper, [*ended, curve])
    for number in range(len(ended)):
        stopper.end(run_of(number).run_id)
    return stopper.decide(run_of(len(ended)))


def flat(value: float, n_epochs: int) -> Curve:
    return dict.fromkeys(range(n_epochs), value)


def test_the_reason_says_what_was_compared() -> None:
    decision = among([flat(value, 6) for value in (0.5, 0.6, 0.7, 0.8, 0.9)], {4: 0.25, 5: 0.1})
    assert decision == Decision("median", "best of 0.25 is worse than 0.7, the median of 5 at epoch 5", 5)


def test_the_best_value_so_far_is_compared_with_averages_so_far() -> None:
    rising: Curve = {0: 0.0, 1: 0.5, 2: 1.0, 3: 9.0}  # on average 0, 0.25, 0.5 at its first epochs
    assert among([rising], {0: 0.5, 1: 0.0, 2: 0.0}) is None
    assert among([rising], {0: 0.49, 1: 0.0, 2: 0.0}) is not None


def test_equal_to_the_median_is_not_worse() -> None:
    for value in (0.1, 0.7, -0.3, 5e-324, 1.7e308):
        for direction in Direction:
            assert among([flat(value, 50)] * 4, {49: value}, direction) is None


def test_between_the_middle_two_lies_the_median() -> None:
    two = [flat(0.2, 1), flat(0.4, 1)]
    assert among(two, {0: 0.31}) is None
    assert among(two, {0: 0.29}) is not None
    huge = [flat(1.6e308, 1), flat(1.7e308, 1)]
    assert among(huge, {0: 1.66e308}) is None
    assert among(huge, {0: 1.64e308}) is not None


@pytest.mark.parametrize(("n_epochs", "stops"), [(3, False), (4, False), (5, True)])
def test_the_first_epochs_are_warm_up(n_epochs: int, stops: bool) -> None:
    decision = among([flat(0.5, 9)] * 5, flat(0.1, n_epochs), warmup_epochs=4)
    assert (decision is not None) == stops


@pytest.mark.parametrize(("n_ended", "stops"), [(4, False), (5, True)])
def test_it_takes_enough_others_that_logged_this_epoch(n_ended: int, stops: bool) -> None:
    others = [flat(0.5, 3)] * n_ended + [flat(0.5, 2)] * 9
    assert (among(others, flat(0.1, 3), min_trials=5) is not None) == stops


def test_a_run_counts_for_others_from_its_end() -> None:
    stopper = Median({"warmup_epochs": 0, "min_trials": 1}, Direction.minimize)
    add_all(stopper, [flat(0.1, 2), flat(0.9, 2)])
    assert stopper.decide(run_of(1)) is None
    stopper.end(run_of(0).run_id)
    assert stopper.decide(run_of(1)) is not None
    stopper.end(run_of(0).run_id)
    assert stopper.decide(run_of(1)) is not None
    stopper.end(run_of(1).run_id)
    assert stopper.decide(run_of(1)) is None


def test_a_run_that_is_removed_counts_no_longer_and_one_that_gets_a_late_point_counts_with_it() -> None:
    stopper = Median({"warmup_epochs": 0, "min_trials": 2}, Direction.maximize)
    add_all(stopper, [flat(0.5, 2), flat(0.5, 2), flat(0.1, 2)])
    for number in (0, 0):
        stopper.end(run_of(number).run_id)
    assert stopper.decide(run_of(2)) is None
    stopper.end(run_of(1).run_id)
    assert stopper.decide(run_of(2)) is not None
    stopper.add(run_of(2), 2, 0.1)
    assert stopper.decide(run_of(2)) is None
    for number in (0, 1):
        stopper.add(run_of(number), 2, 0.5)
    assert stopper.decide(run_of(2)) is not None
    stopper.remove(run_of(0).run_id)
    assert stopper.decide(run_of(2)) is None
    stopper.remove(run_of(1).run_id)
    add_all(stopper, [{}, {}, {}, flat(0.1, 2)])
    assert stopper.decide(run_of(3)) is None


def test_averages_do_not_overflow() -> None:
    for sign in (1, -1):
        swing: Curve = {0: sign * 1.7e308, 1: -sign * 1.7e308}
        assert among([swing], {1: 1.0}) is None
        assert among([swing], {1: -1.0}) is not None


def test_what_was_not_finite_makes_an_average_infinitely_bad_from_there_on() -> None:
    for bad in (math.nan, math.inf, -math.inf):
        broken: Curve = {0: 0.5, 1: bad, 2: 0.5}
        assert among([broken], {0: 0.4}) is not None
        assert among([broken], {2: 0.4}) is None
        assert among([broken, broken, flat(0.5, 3)], {2: 0.4}) is None
        decision = among([flat(0.5, 3)], {2: bad})
        assert decision is not None
        assert "nothing finite" in decision.reason


@law
@given(st.lists(st.dictionaries(st.integers(0, 6), TENTHS, min_size=1), max_size=9), st.data())
def test_a_look_at_all_curves_says_the_same(curves: Sequence[Curve], data: st.DataObject) -> None:
    curve = data.draw(st.dictionaries(st.integers(0, 6), TENTHS, min_size=1))
    last = max(curve)
    past = [[Fraction(v) for epoch, v in other.items() if epoch <= last] for other in curves if last in other]
    averages = [sum(values, Fraction()) / len(values) for values in past]
    best = Fraction(max(curve.values()))
    decision = among(curves, curve, min_trials=2)
    if len(averages) < 2:
        assert decision is None
    elif abs(best - median(averages)) > 1e-9:
        assert (decision is not None) == (best < median(averages))
