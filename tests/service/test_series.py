"""Thinned curves look like the whole."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.values import Number
from app.service.series import Series, thinned

_VALUES = st.one_of(st.floats(-1e6, 1e6), st.sampled_from(["NaN", "Infinity", "-Infinity"]))


@given(st.lists(_VALUES, min_size=1, max_size=300), st.integers(2, 40))
def test_a_thinned_curve_keeps_its_ends_and_its_order_and_fits(values: list[Number], max_points: int) -> None:
    series = Series(list(range(len(values))), values)
    thin = thinned(series, max_points)
    assert len(thin.epochs) <= max_points or len(values) <= max_points
    assert thin.epochs == sorted(set(thin.epochs))
    assert thin.epochs[0] == 0
    assert thin.epochs[-1] == len(values) - 1
    assert thin.values == [values[epoch] for epoch in thin.epochs]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.integers(4, 40))
def test_a_thinned_curve_keeps_the_highest_and_the_lowest_value(values: list[Number], max_points: int) -> None:
    thin = thinned(Series(list(range(len(values))), values), max_points)
    assert max(thin.values) == max(values)
    assert min(thin.values) == min(values)
