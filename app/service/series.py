"""A run's curves: its history turned into columns, thinned while it is read if that is asked for."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection

from app.domain.curve import Logged, Piece, Thinner
from app.domain.errors import InvalidRequest, UnknownRun
from app.domain.values import INT64_MAX, Number
from app.service.each import get_known
from app.store import curve_pieces, events, runs
from app.store.curve_pieces import SHORTEST
from app.store.runs import Run

_FEW = 64
"""The epochs of most pieces: metrics of so many times fewer values have no more than one in most, which it holds."""
MOST_VALUES = 5_000_000
"""Of one answer: each takes a hundred bytes while it is made."""


@dataclass(slots=True)
class Series:
    """One metric's values, by epoch."""

    epochs: list[int] = field(default_factory=list)
    values: list[Number] = field(default_factory=list)


def read_series(
    connection: Connection,
    run_id: UUID,
    keys: Collection[str] | None,
    after_epoch: int | None,
    max_points: int | None,
    most_values: float = math.inf,
) -> dict[str, Series]:
    """The curves of a run: of all its metrics, or of these keys (one that it never logged is empty).

    Raises:
        UnknownRun: there is no such run.
        InvalidRequest: they may have more values than `most_values`.
    """
    run = runs.get(connection, run_id)
    if after_epoch == INT64_MAX:
        return {key: Series() for key in keys or ()}  # no number comes after the last one
    start = 0 if after_epoch is None else after_epoch + 1
    _require_few([run], keys, start, max_points, most_values)
    return _read(connection, run, keys, start, max_points)


def read_many_series(
    connection: Connection,
    run_ids: Sequence[UUID],
    keys: Collection[str] | None,
    max_points: int | None,
    most_values: float = math.inf,
) -> list[dict[str, Series]]:
    """The curves of several runs, in the order of their ids.

    Raises:
        UnknownRun: there is no such run.
        InvalidRequest: they may have more values than `most_values`.
    """
    found = runs.find_many(connection, set(run_ids))
    in_order = [get_known(found, run_id, UnknownRun) for run_id in run_ids]
    _require_few(in_order, keys, 0, max_points, most_values)
    return [_read(connection, run, keys, 0, max_points) for run in in_order]


def _require_few(
    asked: Sequence[Run], keys: Collection[str] | None, start: int, max_points: int | None, most_values: float
) -> None:
    n_values = sum(
        min(run.summary[key].n_values, max(0, (run.last_epoch or 0) + 1 - start), max_points or INT64_MAX)
        for run in asked
        for key in (run.summary if keys is None else keys)
        if key in run.summary
    )
    if n_values > most_values:
        raise InvalidRequest(
            f"these are up to {n_values} values, and an answer has at most {most_values}: ask for fewer runs or keys, "
            "for later epochs, or for fewer points of each curve",
            "query",
            "max_points",
        )


def _read(
    connection: Connection, run: Run, keys: Collection[str] | None, start: int, max_points: int | None
) -> dict[str, Series]:
    if max_points is None and (keys is None or not _are_in_few(run, keys)):
        return _read_whole(connection, run.run_id, keys, start)
    return _read_thinned(connection, run, run.summary if keys is None else keys, start, max_points)


def _are_in_few(run: Run, keys: Collection[str]) -> bool:
    """Whether these metrics are in few of the run's epochs, so that most of its pieces say that they are not there."""
    n_points = sum(run.summary[key].n_values for key in keys if key in run.summary)
    return n_points * _FEW < max((one.n_values for one in run.summary.values()), default=0)


def _read_whole(connection: Connection, run_id: UUID, keys: Collection[str] | None, start: int) -> dict[str, Series]:
    series: dict[str, Series] = {key: Series() for key in keys or ()}
    for logged in events.iterate_logged(connection, run_id, start, None):
        for key in logged.names() if keys is None else keys:
            curve, points = series.setdefault(key, Series()), logged.column(key)
            curve.epochs += points.epochs
            curve.values += points.values
    return series


def _read_thinned(
    connection: Connection, run: Run, keys: Collection[str], start: int, max_points: int | None
) -> dict[str, Series]:
    """The curves from pieces where these are enough: without `max_points`, where they hold a value or none."""
    if run.last_epoch is None or run.last_epoch < start:
        return {key: Series() for key in keys}
    n_points = {key: run.summary[key].n_values for key in keys if key in run.summary and start == 0}
    start, stop = max(start, events.first_epoch(connection, run.run_id, start)), run.last_epoch + 1
    thinners = {key: Thinner(max_points or INT64_MAX, start, stop, n_points.get(key, 0)) for key in keys}
    longest = stop if max_points is None else Thinner(max_points, start, stop).stretch
    most = longest if stop > SHORTEST else 0
    for part in _iterate(connection, run.run_id, thinners, start, most):
        for key, thinner in thinners.items():
            if isinstance(part, Logged):
                thinner.add(part.column(key))
            elif key in part:
                thinner.add_piece(part[key])
    points = {key: thinner.points() for key, thinner in thinners.items()}
    return {key: Series([epoch for epoch, _ in some], [value for _, value in some]) for key, some in points.items()}


def _iterate(
    connection: Connection, run_id: UUID, thinners: Mapping[str, Thinner], start: int, most: float
) -> Iterator[Logged | Mapping[str, Piece]]:
    """A run's history from an epoch on: as pieces where there are some of at most so many epochs, which the thinners
    can do with; else as it was logged. The thinners must have taken each part before they are asked about the next."""
    if most > 0:
        for piece in curve_pieces.iterate(connection, run_id, start, thinners):
            if piece.stop - piece.start <= most:
                is_enough = all(thinners[key].takes(one) for key, one in piece.curves.items())
                end = piece.start if is_enough else piece.stop
                if end > start:
                    yield from events.iterate_logged(connection, run_id, start, end)
                if is_enough:
                    yield piece.curves
                start = piece.stop
    yield from events.iterate_logged(connection, run_id, start, None)
