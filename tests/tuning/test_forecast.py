"""What a trial that trains still will come to."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tuning.forecast import Course, forecast
from tests.spaces import law


def course(*losses: float, loss: float | None = None) -> Course:
    return Course(range(len(losses)), losses, losses[-1] if loss is None else loss)


def falling(end: float, start: float = 3.0) -> Course:
    """Halves its distance to its end with each of ten epochs."""
    return course(*(end + (start - end) * 0.5**epoch for epoch in range(10)), loss=end)


def test_after_one_trial_another_is_expected_to_gain_as_much() -> None:
    assert forecast(1, 5.0, [course(4.0, 3.0, 1.0)]) == pytest.approx(3.0)


def test_of_many_trials_it_sees_how_much_of_a_lead_remains() -> None:
    courses = [falling(end / 10) for end in range(20)]
    # After three epochs the distances between them are 7/8 of what they come to.
    assert forecast(3, falling(1.234).losses[3], courses) == pytest.approx(1.234, abs=0.05)


def test_a_final_value_of_its_own_counts_and_not_the_last_epoch() -> None:
    courses = [course(2.0 + lead, 1.0 + lead, loss=11.0 + lead) for lead in (0.0, 0.1, 0.2, 0.3)]
    assert forecast(0, 2.15, courses) == pytest.approx(11.15)


def test_where_epochs_say_nothing_of_the_end_there_is_no_forecast() -> None:
    ends = [0.1, 0.9, 0.5, 0.2, 0.8, 0.4]
    courses = [course(1.0 + 0.01 * number, end) for number, end in enumerate(ends)]
    assert forecast(0, 1.03, courses) is None
    assert forecast(1, 0.3, courses) == pytest.approx(0.3)


@pytest.mark.parametrize("strange", [course(2.0, 1e12), course(1e12, 1e12), course(1e12, 0.5)])
def test_one_trial_that_went_strange_spoils_nothing(strange: Course) -> None:
    courses = [course(2.0 + 0.1 * number, 1.0 + 0.1 * number) for number in range(20)]
    assert forecast(0, 2.55, [*courses, strange]) == pytest.approx(1.55, abs=0.2)


def test_a_trial_that_is_beyond_all_others_has_no_forecast() -> None:
    assert forecast(5, 1.0, [course(3.0, 2.0), course(4.0, 2.5)]) is None
    assert forecast(0, 1.0, [Course([3, 4], [2.0, 1.0], 1.0)]) is None
    assert forecast(0, 1.0, []) is None


def test_the_largest_floats_are_survived() -> None:
    most = 1.7e308
    courses = [course(-most, most), course(most, -most), course(0.0, most), course(most, most)]
    for loss in (-most, 0.0, most):
        assert math.isfinite(forecast(0, loss, courses) or 0.0)
        assert math.isfinite(forecast(1, loss, courses) or 0.0)


def test_epochs_that_were_left_out_count_as_the_one_before() -> None:
    gaps = [Course([0, 10], [3.0 + lead, 1.0 + lead], 1.0 + lead) for lead in (0.0, 0.5, 1.0)]
    assert forecast(7, 3.25, gaps) == pytest.approx(1.25)


numbers = st.floats(-100, 100).map(lambda number: round(number, 2))
histories = st.lists(st.lists(numbers, min_size=3, max_size=3), max_size=8)


@law
@given(histories, numbers, st.sampled_from([0.5, 1.0, 4.0]), numbers, st.randoms(use_true_random=False))
def test_neither_the_unit_nor_the_zero_nor_the_order_matters(
    histories: list[list[float]], loss: float, unit: float, zero: float, random: object
) -> None:
    told = forecast(1, loss, [course(*losses) for losses in histories])
    turned = [course(*(unit * one + zero for one in losses)) for losses in histories]
    random.shuffle(turned)  # type: ignore[attr-defined]
    moved = forecast(1, unit * loss + zero, turned)
    if told is not None and moved is not None:
        assert math.isclose(moved, unit * told + zero, rel_tol=1e-6, abs_tol=1e-6)
