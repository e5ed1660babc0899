"""Stop what is worse at its best than half of the others were on average."""

import math
from array import array
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from uuid import UUID

from app.domain.goal import Direction
from app.tuning.options import options_of, whole
from app.tuning.stopping.stopper import Decision, Run, Stopper


class _Curve:
    """A run's points by epoch, and the best of them; 16 bytes a point."""

    __slots__ = ("best", "epochs", "has_ended", "losses")

    def __init__(self) -> None:
        self.epochs, self.losses = array("q"), array("d")
        self.best = math.inf
        self.has_ended = False

    def add(self, epoch: int, loss: float) -> None:
        place = bisect_left(self.epochs, epoch)
        self.epochs.insert(place, epoch)
        self.losses.insert(place, loss)
        self.best = min(self.best, loss)

    def averages(self) -> Iterator[tuple[int, float]]:
        """The running average of the losses at each epoch."""
        mean = 0.0
        low, high = math.inf, -math.inf
        for n, (epoch, loss) in enumerate(zip(self.epochs, self.losses, strict=True), start=1):
            low, high = min(low, loss), max(high, loss)
            # Dividing first cannot overflow, and holding the mean between the extremes keeps its rounding from
            # making an average look better than the best value in it.
            mean = min(max(mean + (loss / n - mean / n), low), high) if high < math.inf else math.inf
            yield epoch, mean


class Median(Stopper):
    """A run stops when its best value so far is worse than the median of the running averages of those that ended.

    Judged is the run's last epoch, once it has seen more than `warmup_epochs`, and where at least `min_trials` runs
    that have ended logged that same epoch: those are the ones it is compared with, each by the average of what it
    logged until then. Equal to the median is not worse.

    As in the source, runs that are still going do not count. Those that were stopped do, up to where they came: a
    median over the survivors alone would rise from stop to stop. A value that is not finite makes a run's average
    infinitely bad from there on.

    The end of a run costs a sorted insertion for each of its points, a decision one look into a sorted list.

    Source: Golovin, Solnik, Moitra, Kochanski, Karro, Sculley 2017, Google Vizier: A Service for Black-Box
    Optimization, KDD, there the Median Stopping Rule: a pending trial stops at step s "if the trial's best objective
    value by step s is strictly worse than the median value of the running averages of all completed trials' objectives
    reported up to step s". Warm-up and the least number of trials are ours.
    """

    key: ClassVar[str] = "median"
    description: ClassVar[str] = "Stops a run whose best value is worse than the median of the ended runs' averages."
    options_schema: ClassVar[dict[str, Any]] = options_of(
        warmup_epochs=whole(4, 0, "No run is stopped before it has seen more epochs than this."),
        min_trials=whole(5, 1, "No run is stopped while there are fewer ended runs than this to compare with."),
    )

    def __init__(self, options: Mapping[str, Any], direction: Direction) -> None:
        super().__init__(options, direction)
        self._warmup_epochs: int = self.options["warmup_epochs"]
        self._min_trials: int = self.options["min_trials"]
        self._curves: dict[UUID, _Curve] = {}
        self._averages: dict[int, array[float]] = {}
        """Of the ended runs at each epoch, sorted."""

    def add(self, run: Run, epoch: int, value: float) -> None:
        """Counts for others from the run's end; a point that comes after that is counted too, at some cost."""
        curve = self._curve(run.run_id)
        if curve.has_ended:
            self._withdraw(curve)
        curve.add(epoch, self._loss(value))
        if curve.has_ended:
            self._enter(curve)

    def end(self, run_id: UUID) -> None:
        """Its averages count from now on."""
        curve = self._curve(run_id)
        if not curve.has_ended:
            curve.has_ended = True
            self._enter(curve)

    def remove(self, run_id: UUID) -> None:
        """Its averages no longer count."""
        curve = self._curves.pop(run_id, None)
        if curve is not None and curve.has_ended:
            self._withdraw(curve)

    def decide(self, run: Run) -> Decision | None:
        """Stop if its best is worse than the median; a run that has ended itself is over."""
        curve = self._curves.get(run.run_id)
        if curve is None or curve.has_ended or curve.epochs[-1] < self._warmup_epochs:
            return None
        epoch = curve.epochs[-1]
        others = self._averages.get(epoch, array("d"))
        if len(others) < self._min_trials or curve.best <= (median := _median(others)):
            return None
        reason = f"best of {self._value(curve.best)} is worse than {self._value(median)}, the median of {len(others)}"
        return self._stop(f"{reason} at epoch {epoch}", epoch)

    def _curve(self, run_id: UUID) -> _Curve:
        curve = self._curves.get(run_id)
        if curve is None:
            curve = self._curves[run_id] = _Curve()
        return curve

    def _enter(self, curve: _Curve) -> None:
        for epoch, average in curve.averages():
            insort(self._averages.setdefault(epoch, array("d")), average)

    def _withdraw(self, curve: _Curve) -> None:
        for epoch, average in curve.averages():
            averages = self._averages[epoch]
            averages.pop(bisect_left(averages, average))
            if not averages:
                del self._averages[epoch]


def _median(averages: "array[float]") -> float:
    """The middle one, or halfway between the middle two."""
    low, high = averages[(len(averages) - 1) // 2], averages[len(averages) // 2]
    # Halved first, two that are huge do not overflow; held between them, two that are tiny do not vanish.
    return low if low == high else min(max(low / 2 + high / 2, low), high)
