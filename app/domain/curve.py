"""A curve thinned while it is read: first and last stay, and the extremes of equal stretches of epochs between.

What is not finite is no extreme; it stays only where it is first or last, or all that its stretch has. Long histories
are kept in pieces, too, each in a few numbers, so that a million epochs need not be read to be thinned to a thousand.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from app.domain.values import Number

Point = tuple[int, Number]


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


def condense(epochs: Iterable[tuple[int, Mapping[str, Number]]]) -> dict[str, Piece]:
    """The pieces of some epochs, which come in order, by metric."""
    pieces: dict[str, Piece] = {}
    for epoch, metrics in epochs:
        for key, value in metrics.items():
            one = piece_of(epoch, value)
            pieces[key] = joined(pieces[key], one) if key in pieces else one
    return pieces


def piece_of(epoch: int, value: Number) -> Piece:
    """The piece that is one point."""
    if isinstance(value, str):
        return Piece(epoch, value, epoch, value)
    return Piece(epoch, value, epoch, value, epoch, value, epoch, value)


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
    """

    def __init__(self, max_points: int, start: int, stop: int) -> None:
        self._max_points = max_points
        self._start = start
        self._n_epochs = max(1, stop - start)
        self._n_stretches = (max_points - 2) // 2
        self._whole: list[Point] | None = []
        self._stretches: dict[int, Piece] = {}
        self._first: Point | None = None
        self._last: Point | None = None

    @property
    def stretch(self) -> float:
        """How many epochs a stretch has."""
        return self._n_epochs / max(1, self._n_stretches)

    def add(self, epoch: int, value: Number) -> None:
        """Take one point in."""
        if self._whole is None:
            self._fold(epoch, value)
            return
        self._whole.append((epoch, value))
        if len(self._whole) > self._max_points:
            self._thin()

    def add_piece(self, piece: Piece) -> None:
        """Take many points in at once."""
        if piece.first_epoch == piece.last_epoch:
            self.add(piece.first_epoch, piece.first)
            return
        if self._whole is not None:
            self._thin()
        if self._first is None:
            self._first = (piece.first_epoch, piece.first)
        self._last = (piece.last_epoch, piece.last)
        self._join(self._stretch_of(piece.first_epoch), piece)

    def points(self) -> list[Point]:
        """What is left of the curve, in order."""
        if self._whole is not None:
            return self._whole
        kept: dict[int, Number] = {}
        for piece in self._stretches.values():
            if piece.low_epoch is None or piece.low is None or piece.high_epoch is None or piece.high is None:
                kept[piece.first_epoch] = piece.first
            else:
                kept[piece.low_epoch] = piece.low
                kept[piece.high_epoch] = piece.high
        kept.update(point for point in (self._first, self._last) if point is not None)
        return sorted(kept.items(), key=lambda point: point[0])

    def _thin(self) -> None:
        points, self._whole = self._whole or [], None
        for epoch, value in points:
            self._fold(epoch, value)

    def _fold(self, epoch: int, value: Number) -> None:
        if self._first is None:
            self._first = (epoch, value)
        self._last = (epoch, value)
        stretch = self._stretch_of(epoch)
        known = self._stretches.get(stretch)
        # Most points are no extremes: they change nothing.
        if known is None or isinstance(value, str) or known.low is None or known.high is None:
            self._join(stretch, piece_of(epoch, value))
        elif value < known.low or value > known.high:
            self._stretches[stretch] = joined(known, piece_of(epoch, value))

    def _join(self, stretch: int, piece: Piece) -> None:
        if self._n_stretches:
            known = self._stretches.get(stretch)
            self._stretches[stretch] = piece if known is None else joined(known, piece)

    def _stretch_of(self, epoch: int) -> int:
        return (epoch - self._start) * self._n_stretches // self._n_epochs
