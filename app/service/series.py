"""A run's curves: its history turned into columns, thinned if that is asked for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection

from app.domain.values import Number, from_json_number
from app.store import events, runs


@dataclass(slots=True)
class Series:
    """One metric's values, by epoch."""

    epochs: list[int] = field(default_factory=list)
    values: list[Number] = field(default_factory=list)


def read_series(
    connection: Connection, run_id: UUID, keys: Collection[str] | None, after_epoch: int | None, max_points: int | None
) -> dict[str, Series]:
    """The curves of a run: of all its metrics, or of these keys (one that it never logged is empty).

    Raises:
        UnknownRun: there is no such run.
    """
    runs.require(connection, run_id)
    series: dict[str, Series] = {key: Series() for key in keys or ()}
    for epoch in events.list_epochs(connection, run_id, after_epoch):
        for key, value in epoch.metrics.items():
            if keys is None or key in series:
                curve = series.setdefault(key, Series())
                curve.epochs.append(epoch.epoch)
                curve.values.append(value)
    if max_points is None:
        return series
    return {key: thinned(curve, max_points) for key, curve in series.items()}


def thinned(series: Series, max_points: int) -> Series:
    """At most `max_points` (2 or more) of the points: first and last, and the extremes of equal stretches between.

    What is not finite is no extreme; it stays only where it is first or last, or all that its stretch has.
    """
    n = len(series.epochs)
    if n <= max_points:
        return series
    n_stretches = (max_points - 2) // 2
    inner = range(1, n - 1)
    kept = {0, n - 1}
    for stretch in range(n_stretches):
        start = 1 + stretch * len(inner) // n_stretches
        stop = 1 + (stretch + 1) * len(inner) // n_stretches
        kept.update(_extremes(series.values, range(start, stop)))
    places = sorted(kept)
    return Series([series.epochs[place] for place in places], [series.values[place] for place in places])


def _extremes(values: Sequence[Number], places: range) -> set[int]:
    finite = [place for place in places if not isinstance(values[place], str)]
    if not finite:
        return set(places[:1])
    return {
        min(finite, key=lambda place: from_json_number(values[place])),
        max(finite, key=lambda place: from_json_number(values[place])),
    }
