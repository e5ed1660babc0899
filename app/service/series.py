"""A run's curves: its history turned into columns, thinned while it is read if that is asked for."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection

from app.domain.curve import Piece, Thinner
from app.domain.values import INT64_MAX, Number
from app.store import curve_pieces, events, runs
from app.store.curve_pieces import SHORTEST


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
    run = runs.get(connection, run_id)
    if after_epoch == INT64_MAX:
        return {key: Series() for key in keys or ()}  # no number comes after the last one
    start = 0 if after_epoch is None else after_epoch + 1
    stop = 0 if run.last_epoch is None else run.last_epoch + 1
    if max_points is None:
        return _read_whole(connection, run_id, keys, start)
    start = max(start, events.first_epoch(connection, run_id, start))
    thinners = {key: Thinner(max_points, start, stop) for key in (run.summary if keys is None else keys)}
    most = Thinner(max_points, start, stop).stretch if stop > SHORTEST else 0
    for part in _iterate(connection, run_id, start, most):
        if isinstance(part, tuple):
            epoch, metrics = part
            for key, value in metrics.items():
                if key in thinners:
                    thinners[key].add(epoch, value)
        else:
            for key, piece in part.items():
                if key in thinners:
                    thinners[key].add_piece(piece)
    return {key: _columns(thinner.points()) for key, thinner in thinners.items()}


def read_many_series(
    connection: Connection, run_ids: Collection[UUID], keys: Collection[str] | None, max_points: int | None
) -> list[dict[str, Series]]:
    """The curves of several runs, in the order of their ids.

    Raises:
        UnknownRun: there is no such run.
    """
    return [read_series(connection, run_id, keys, None, max_points) for run_id in run_ids]


def _columns(points: list[tuple[int, Number]]) -> Series:
    return Series([epoch for epoch, _ in points], [value for _, value in points])


def _read_whole(connection: Connection, run_id: UUID, keys: Collection[str] | None, start: int) -> dict[str, Series]:
    series: dict[str, Series] = {key: Series() for key in keys or ()}
    for epoch, metrics in events.iterate_epochs(connection, run_id, start, None):
        for key, value in metrics.items():
            curve = series.get(key)
            if curve is None:
                if keys is not None:
                    continue
                curve = series[key] = Series()
            curve.epochs.append(epoch)
            curve.values.append(value)
    return series


def _iterate(
    connection: Connection, run_id: UUID, start: int, most: float
) -> Iterator[tuple[int, Mapping[str, Number]] | dict[str, Piece]]:
    """A run's history from an epoch on: in pieces, where there are any of at most so many epochs; else as logged."""
    if most > 0:
        for piece in curve_pieces.iterate(connection, run_id, start):
            if piece.stop - piece.start <= most:
                if piece.start > start:
                    yield from events.iterate_epochs(connection, run_id, start, piece.start)
                yield piece.read()
                start = piece.stop
    yield from events.iterate_epochs(connection, run_id, start, None)
