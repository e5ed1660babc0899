"""Rungs: numbers of epochs at which runs are ranked, each several times as far as the one before."""

import math
from bisect import bisect_left, bisect_right, insort
from typing import NamedTuple
from uuid import UUID

from app.domain.values import INT64_MAX


class Standing(NamedTuple):
    """How a run does at the highest rung that it has reached.

    Args:
        rung: the epochs that must have been seen to reach it.
        epoch: the one with which the run reached it.
        n_better: runs at the rung with a lower loss.
        n_runs: runs at the rung, this one included.
    """

    rung: int
    epoch: int
    n_better: int
    n_runs: int


class _Stretch:
    """What a run did after it reached one rung and before it reached the next: constant space, whatever its length."""

    __slots__ = ("best", "first_epoch", "first_loss")

    def __init__(self, epoch: int, loss: float) -> None:
        self.best = self.first_loss = loss
        self.first_epoch = epoch

    def add(self, epoch: int, loss: float) -> None:
        self.best = min(self.best, loss)
        if epoch < self.first_epoch:
            self.first_epoch, self.first_loss = epoch, loss


class _Climb:
    """One run's way up.

    Attributes:
        stretches: by how many rungs had been reached.
        losses, epochs: at each rung reached, the best loss until then, and with which epoch it was reached.
    """

    __slots__ = ("epochs", "losses", "stretches")

    def __init__(self) -> None:
        self.stretches: dict[int, _Stretch] = {}
        self.losses: list[float] = []
        self.epochs: list[int] = []

    def add(self, n_reached: int, epoch: int, loss: float) -> None:
        stretch = self.stretches.get(n_reached)
        if stretch is None:
            self.stretches[n_reached] = _Stretch(epoch, loss)
        else:
            stretch.add(epoch, loss)
        self.losses, self.epochs = [], []
        best = math.inf
        for reached, stretch in sorted(self.stretches.items()):
            while len(self.losses) < reached:
                self.losses.append(min(best, stretch.first_loss))
                self.epochs.append(stretch.first_epoch)
            best = min(best, stretch.best)


class Ladder:
    """Who stands where among the runs at each rung.

    A run reaches a rung with its first epoch at or beyond it, and stands there with its best loss up to that epoch.
    Points cost a step for each rung below them, so a logarithm of their epoch, and a sorted insertion; a question
    costs a binary search. The space is a few numbers for each rung that a run has reached.

    Args:
        first: epochs seen at the first rung.
        factor: from one rung to the next.
        end: there is no rung here or beyond; None is without end.
    """

    def __init__(self, first: int, factor: int, end: int | None) -> None:
        self.rungs: list[int] = []
        rung = first
        while rung <= INT64_MAX and (end is None or rung < end):
            self.rungs.append(rung)
            rung *= factor
        self._sorted: list[list[float]] = [[] for _ in self.rungs]
        self._climbs: dict[UUID, _Climb] = {}

    def add(self, run_id: UUID, epoch: int, loss: float) -> None:
        """A point of a run's curve."""
        climb = self._climbs.get(run_id)
        if climb is None:
            climb = self._climbs[run_id] = _Climb()
        before = climb.losses
        climb.add(bisect_right(self.rungs, epoch + 1), epoch, loss)
        for index, now in enumerate(climb.losses):
            if index >= len(before):
                insort(self._sorted[index], now)
            elif now != before[index]:
                _discard(self._sorted[index], before[index])
                insort(self._sorted[index], now)

    def remove(self, run_id: UUID) -> None:
        """Take a run off every rung."""
        climb = self._climbs.pop(run_id, None)
        if climb is not None:
            for losses, loss in zip(self._sorted, climb.losses, strict=False):
                _discard(losses, loss)

    def standing(self, run_id: UUID) -> Standing | None:
        """Where a run stands; None before it has reached the first rung."""
        climb = self._climbs.get(run_id)
        if climb is None or not climb.losses:
            return None
        index = len(climb.losses) - 1
        losses = self._sorted[index]
        n_better = bisect_left(losses, climb.losses[index])
        return Standing(self.rungs[index], climb.epochs[index], n_better, len(losses))


def _discard(losses: list[float], loss: float) -> None:
    del losses[bisect_left(losses, loss)]
