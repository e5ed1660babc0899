"""A curve thinned while it is read: first and last stay, and the extremes of equal stretches of epochs between.

What is not finite is no extreme; it stays only where it is first or last, or all that its stretch has. Long histories
are kept in pieces, too, each in a few numbers, so that a million epochs need not be read to be thinned to a thousand.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from app.domain.values import Number

Point = tuple[int, Number]


class Column(NamedTuple):
    """Some points of one curve, in order."""

    epochs: Sequence[int]
    values: Sequence[Number]


class Logged(NamedTuple):
    """Part of a history: epochs in order, one of them perhaps several times, with what was logged of each."""

    epochs: Sequence[int]
    metrics: Sequence[Mapping[str, Number]]

    def names(self) -> Iterable[str]:
        """The metrics, in the order in which they come."""
        return dict.fromkeys(chain.from_iterable(self.metrics))

    def column(self, key: str) -> Column:
        """One metric."""
        try:
            return Column(self.epochs, [one[key] for one in self.metrics])
        except KeyError:  # it is not in each
            having = [(epoch, one[key]) for epoch, one in zip(*self, strict=True) if key in one]
            return Column([epoch for epoch, _ in having], [value for _, value in having])


class Piece(NamedTuple):
    """What some epochs of one metric come to; without `low` and `high` where no value is finite."""

    first_epoch: int
    first: Number
    last_epoch: int
    last: Number
    low_epoch: int | None = None
    low: float | None = None
    high_epoch: int | None = None
    high: float | None = None


def condense(logged: Logged) -> dict[str, Piece]:
    """The pieces of some epochs, by metric."""
    return {key: piece_of(logged.column(key)) for key in logged.names()}


def piece_of(points: Column) -> Piece:
    """The piece of some points; there is at least one."""
    epochs, values = points
    ends = (epochs[0], values[0], epochs[-1], values[-1])
    try:
        low, high = min(values), max(values)
    except TypeError:  # some are finite and some are not
        finite = [(epoch, value) for epoch, value in zip(epochs, values, strict=True) if not isinstance(value, str)]
        return Piece(*ends, *piece_of(Column(*zip(*finite, strict=True)))[4:])
    if isinstance(low, str) or isinstance(high, str):
        return Piece(*ends)
    return Piece(*ends, epochs[values.index(low)], low, epochs[values.index(high)], high)


def joined(a: Piece, b: Piece) -> Piece:
    """Two pieces as one; the epochs of `a` come first."""
    lower = a if b.low is None or (a.low is not None and a.low <= b.low) else b
    higher = a if b.high is None or (a.high is not None and a.high >= b.high) else b
    ends = (a.first_epoch, a.first, b.last_epoch, b.last)
    return Piece(*ends, lower.low_epoch, lower.low, higher.high_epoch, higher.high)


class Thinner:
    """Takes a curve in, in order, and keeps at most `max_points` of it: no more than that is ever held.

    Args:
        max_points: 2 or more; a curve of no more points than that stays as it is.
        start, stop: the epochs of the curve lie from `start` up to, and without, `stop`.
        n_points: how many it has, where that is known.
    """

    def __init__(self, max_points: int, start: int, stop: int, n_points: int = 0) -> None:
        self._max_points = max_points
        self._start = start
        self._n_epochs = max(1, stop - start)
        self._n_stretches = (max_points - 2) // 2
        self._whole: list[Point] | None = [] if n_points <= max_points else None
        self._stretches: dict[int, Piece] = {}
        self._first: Point | None = None
        self._last: Point | None = None

    @property
    def stretch(self) -> float:
        """How many epochs a stretch has."""
        return self._n_epochs / max(1, self._n_stretches)

    def takes(self, piece: Piece) -> bool:
        """Whether a piece is enough: not where all of the curve may be wanted."""
        return self._whole is None or piece.first_epoch == piece.last_epoch

    def add(self, points: Column) -> None:
        """Take points in."""
        if self._whole is not None:
            self._whole += zip(*points, strict=True)
            if len(self._whole) <= self._max_points:
                return
            points = self._begin_to_thin()
        self._fold(points)

    def add_piece(self, piece: Piece) -> None:
        """Take many points in at once."""
        if piece.first_epoch == piece.last_epoch:
            self.add(Column([piece.first_epoch], [piece.first]))
            return
        if self._whole is not None:
            self._fold(self._begin_to_thin())
        self._join(self._stretch_of(piece.first_epoch), piece)

    def points(self) -> list[Point]:
        """What is left of the curve, in order."""
        if self._whole is not None:
            return self._whole
        kept: dict[int, Number] = {}
        for piece in self._stretches.values() if self._n_stretches else ():
            if piece.low_epoch is None or piece.low is None or piece.high_epoch is None or piece.high is None:
                kept[piece.first_epoch] = piece.first
            else:
                kept[piece.low_epoch] = piece.low
                kept[piece.high_epoch] = piece.high
        kept.update(point for point in (self._first, self._last) if point is not None)
        return sorted(kept.items(), key=lambda point: point[0])

    def _begin_to_thin(self) -> Column:
        points, self._whole = self._whole or [], None
        return Column([epoch for epoch, _ in points], [value for _, value in points])

    def _fold(self, points: Column) -> None:
        epochs, values = points
        begin = 0
        while begin < len(epochs):
            stretch = self._stretch_of(epochs[begin])
            end = bisect_left(epochs, self._end_of(stretch), begin) if self._n_stretches else len(epochs)
            self._join(stretch, piece_of(Column(epochs[begin:end], values[begin:end])))
            begin = end

    def _join(self, stretch: int, piece: Piece) -> None:
        if self._first is None:
            self._first = (piece.first_epoch, piece.first)
        self._last = (piece.last_epoch, piece.last)
        known = self._stretches.get(stretch)
        self._stretches[stretch] = piece if known is None else joined(known, piece)

    def _stretch_of(self, epoch: int) -> int:
        return (epoch - self._start) * self._n_stretches // self._n_epochs

    def _end_of(self, stretch: int) -> int:
        """The first epoch of the next stretch."""
        return self._start - (-(stretch + 1) * self._n_epochs // self._n_stretches)
