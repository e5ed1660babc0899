"""Stop what no longer improves."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from app.domain.goal import Direction
from app.tuning.options import options_of, whole
from app.tuning.stopping.stopper import Decision, Run, Stopper


class _Curve:
    """The points of a run that beat all before them, by epoch, and where the curve begins and ends."""

    __slots__ = ("epochs", "first_epoch", "last_epoch", "losses")

    def __init__(self, epoch: int) -> None:
        self.first_epoch = self.last_epoch = epoch
        self.epochs: list[int] = []
        self.losses: list[float] = []

    def add(self, epoch: int, loss: float) -> None:
        self.first_epoch, self.last_epoch = min(self.first_epoch, epoch), max(self.last_epoch, epoch)
        place = bisect_right(self.epochs, epoch)
        if loss >= self.best_of(place):
            return
        beaten = place
        while beaten < len(self.losses) and self.losses[beaten] >= loss:
            beaten += 1
        self.epochs[place:beaten] = [epoch]
        self.losses[place:beaten] = [loss]

    def best_of(self, n_records: int) -> float:
        return self.losses[n_records - 1] if n_records else math.inf

    def best_by(self, epoch: int) -> float:
        """The lowest loss up to an epoch."""
        return self.best_of(bisect_right(self.epochs, epoch))


class Patience(Stopper):
    """A run stops when its last `epochs` epochs brought nothing better, by more than `min_delta`, than all before them.

    Epochs are counted by their numbers, so one that was left out counts as one that brought nothing. With `min_delta`
    0 this is the rule known as early stopping with patience. With more it forgives slow progress that adds up: the
    usual bookkeeping asks one epoch to make the whole step from the last best one; this asks the window, so a decision
    needs only the curve, not its history of decisions.

    Source: the windowed form of Prechelt 1998, Early Stopping - But When?, Neural Networks: Tricks of the Trade.
    """

    key: ClassVar[str] = "patience"
    description: ClassVar[str] = (
        "Stops a run that has not improved by more than `min_delta` in its last `epochs` epochs."
    )
    options_schema: ClassVar[dict[str, Any]] = options_of(
        epochs=whole(10, 1, "How many epochs without improvement are too many."),
        min_delta={
            "type": "number",
            "minimum": 0,
            "default": 0.0,
            "description": "A gain must be greater than this to count.",
        },
    )

    def __init__(self, options: Mapping[str, Any], direction: Direction) -> None:
        super().__init__(options, direction)
        self._epochs: int = self.options["epochs"]
        self._min_delta: float = self.options["min_delta"]
        self._curves: dict[UUID, _Curve] = {}

    def add(self, run: Run, epoch: int, value: float) -> None:
        """Kept if it is a record of its run."""
        curve = self._curves.get(run.run_id)
        if curve is None:
            curve = self._curves[run.run_id] = _Curve(epoch)
        curve.add(epoch, self._loss(value))

    def remove(self, run_id: UUID) -> None:
        """Forget its records."""
        self._curves.pop(run_id, None)

    def decide(self, run: Run) -> Decision | None:
        """Stop if the best of all is hardly better than the best before the last epochs."""
        curve = self._curves.get(run.run_id)
        if curve is None:
            return None
        last = curve.last_epoch
        if last - curve.first_epoch < self._epochs:
            return None
        before, now = curve.best_by(last - self._epochs), curve.best_of(len(curve.losses))
        # Where neither is finite the difference is NaN, which is not more than anything.
        if before - now > self._min_delta:
            return None
        by = f" by more than {self._min_delta:g}" if self._min_delta else ""
        return self._stop(f"no improvement{by} on {self._value(before)} for {self._epochs} epochs", last)
