"""A metric's history in seven numbers, folded epoch by epoch."""

from collections.abc import Mapping
from typing import NamedTuple

from app.domain.values import Number


class MetricSummary(NamedTuple):
    """What a run's history of one metric comes to.

    `last` belongs to the highest epoch, whatever the order of arrival. Extremes are of finite values only,
    of the lowest epoch that reached them, and None while there is none.
    """

    last: Number
    epoch_of_last: int
    min: float | None
    epoch_of_min: int | None
    max: float | None
    epoch_of_max: int | None
    n_values: int


def fold(summary: dict[str, MetricSummary], epoch: int, metrics: Mapping[str, Number]) -> None:
    """Add one epoch's new values to a run's summary, in place. The order of the epochs does not matter."""
    for key, value in metrics.items():
        known = summary.get(key)
        summary[key] = _first(epoch, value) if known is None else _extended(known, epoch, value)


def _first(epoch: int, value: Number) -> MetricSummary:
    extreme = _extreme(value)
    at = None if extreme is None else epoch
    return MetricSummary(value, epoch, extreme, at, extreme, at, 1)


def _extended(known: MetricSummary, epoch: int, value: Number) -> MetricSummary:
    last, epoch_of_last, low, epoch_of_low, high, epoch_of_high, n_values = known
    if epoch > epoch_of_last:
        last, epoch_of_last = value, epoch
    extreme = _extreme(value)
    if extreme is not None:
        if low is None or epoch_of_low is None or (extreme, epoch) < (low, epoch_of_low):
            low, epoch_of_low = extreme, epoch
        if high is None or epoch_of_high is None or (-extreme, epoch) < (-high, epoch_of_high):
            high, epoch_of_high = extreme, epoch
    return MetricSummary(last, epoch_of_last, low, epoch_of_low, high, epoch_of_high, n_values + 1)


def _extreme(value: Number) -> float | None:
    return None if isinstance(value, str) else value
