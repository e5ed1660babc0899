"""Stop what is out of bounds: training that diverged, or that is hopeless by a standard known beforehand."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from app.domain.goal import Direction
from app.domain.values import to_json_number
from app.tuning.options import options_of, whole
from app.tuning.stopping.stopper import Decision, Run, Stopper


class Threshold(Stopper):
    """A run stops once a value was below `min` or above `max` at epoch `from_epoch` or later, or not finite at any.

    The bounds are in the metric's own units, whatever the direction. One such value is enough, also where later ones
    are within them again: epochs sent together then come to the same as epochs sent one by one. Of several the
    earliest is told.
    """

    key: ClassVar[str] = "threshold"
    description: ClassVar[str] = "Stops a run whose value is below min, above max, or (at any epoch) not finite."
    options_schema: ClassVar[dict[str, Any]] = options_of(
        min={"type": ["number", "null"], "default": None, "description": "The lowest value allowed."},
        max={"type": ["number", "null"], "default": None, "description": "The highest value allowed."},
        from_epoch=whole(0, 0, "The first epoch, counted from 0, at which the bounds hold."),
    )

    def __init__(self, options: Mapping[str, Any], direction: Direction) -> None:
        super().__init__(options, direction)
        self._min: float | None = self.options["min"]
        self._max: float | None = self.options["max"]
        self._from_epoch: int = self.options["from_epoch"]
        if self._min is not None and self._max is not None and self._min > self._max:
            raise self._refuse("max", "must not be less than min.")
        self._outside: dict[UUID, tuple[int, float]] = {}
        """The earliest epoch that broke the rule, with its value."""

    def add(self, run: Run, epoch: int, value: float) -> None:
        """Keeps the earliest point that breaks the rule."""
        if self._complaint(epoch, value) is not None:
            known = self._outside.get(run.run_id)
            if known is None or epoch < known[0]:
                self._outside[run.run_id] = epoch, value

    def remove(self, run_id: UUID) -> None:
        """Forget what the run did."""
        self._outside.pop(run_id, None)

    def decide(self, run: Run) -> Decision | None:
        """Stop if any point broke the rule."""
        point = self._outside.get(run.run_id)
        if point is None:
            return None
        complaint = self._complaint(*point)
        assert complaint is not None
        return self._stop(complaint, point[0])

    def _complaint(self, epoch: int, value: float) -> str | None:
        if not math.isfinite(value):
            return f"{to_json_number(value)} is not finite"
        if epoch < self._from_epoch:
            return None
        if self._min is not None and value < self._min:
            return f"{value!r} is below {self._min!r}"
        if self._max is not None and value > self._max:
            return f"{value!r} is above {self._max!r}"
        return None
