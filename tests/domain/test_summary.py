"""A summary folded value by value is what a look at the whole history says."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from app.domain.summary import MetricSummary, fold
from app.domain.values import Number

_NUMBERS = st.one_of(
    st.floats(-3, 3).map(lambda value: round(value, 1)), st.sampled_from(["NaN", "Infinity", "-Infinity"])
)


def folded(history: list[tuple[int, Number]]) -> MetricSummary:
    """The summary of one metric's history, in this order of arrival."""
    summary: dict[str, MetricSummary] = {}
    for epoch, value in history:
        fold(summary, epoch, {"loss": value})
    return summary["loss"]


@given(st.dictionaries(st.integers(0, 50), _NUMBERS, min_size=1))
def test_the_fold_equals_a_look_at_the_whole_history(history: dict[int, Number]) -> None:
    summary = folded(list(history.items()))
    finite = {epoch: value for epoch, value in history.items() if not isinstance(value, str)}
    assert summary.n_values == len(history)
    assert (summary.epoch_of_last, summary.last) == max(history.items())
    if finite:
        assert summary.min == min(finite.values())
        assert summary.max == max(finite.values())
        assert summary.epoch_of_min == min(epoch for epoch, value in finite.items() if value == summary.min)
        assert summary.epoch_of_max == min(epoch for epoch, value in finite.items() if value == summary.max)
    else:
        assert summary.min is summary.max is summary.epoch_of_min is summary.epoch_of_max is None


@given(st.dictionaries(st.integers(0, 9), _NUMBERS, min_size=1, max_size=4))
def test_the_order_of_arrival_does_not_matter(history: dict[int, Number]) -> None:
    summaries = {folded(list(order)) for order in permutations(history.items())}
    assert len(summaries) == 1
