"""What every rule that stops runs is: an index over the curves of one tuner's objective, and a decision."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from app.domain.errors import InvalidRequest
from app.domain.goal import Direction
from app.tuning import options as schemas


@dataclass(frozen=True, slots=True)
class Run:
    """Whose curve it is.

    Args:
        number: of the trial; a new attempt is another run of the same number.
    """

    run_id: UUID
    number: int


@dataclass(frozen=True, slots=True)
class Decision:
    """That a run should stop.

    Args:
        reason: for people, such as "7th of 9 at rung 3, keeps 3".
        epoch: of the run, the one that was judged.
    """

    rule: str
    reason: str
    epoch: int


class Stopper(ABC):
    """A rule, and what it must remember of the runs to follow it.

    A decision depends on the points added, the runs removed and the runs ended: not on the order in which they came,
    nor on time, chance or earlier decisions. So every replica that knows the same points says the same, and a run that
    was let go on may be stopped at the same epoch when others have shown what can be had.

    Not safe for threads that use one instance at once.

    Attributes:
        key: the name in a tuner's `stopper`.
        options_schema: JSON schema of the options, an object without additional properties. Each has a default.
        options: those sent, with all defaults.
    Raises:
        InvalidRequest: options that this rule does not have, or values that make no sense.
    """

    key: ClassVar[str]
    description: ClassVar[str]
    options_schema: ClassVar[dict[str, Any]] = schemas.options_of()

    def __init__(self, options: Mapping[str, Any], direction: Direction) -> None:
        self.options = schemas.filled(options, self.options_schema, f"The stopper {self.key}", "stopper")
        self._is_maximizing = direction is Direction.maximize

    @abstractmethod
    def add(self, run: Run, epoch: int, value: float) -> None:
        """A point of a run's curve. In any order, with gaps, but no epoch of a run twice."""

    @abstractmethod
    def remove(self, run_id: UUID) -> None:
        """Forget a run with its curve, as if it had never been; harmless if it is not known."""

    def end(self, run_id: UUID) -> None:  # noqa: B027 - few rules care, so the default is to do nothing
        """The run has ended well: as finished, or because it was stopped. Its curve still counts.

        Not for runs that failed or crashed: their curves count as those of running ones do.
        """

    @abstractmethod
    def decide(self, run: Run) -> Decision | None:
        """Whether the run should stop; None: it goes on, or is not known."""

    def _loss(self, value: float) -> float:
        """Lower is better, and what is not finite is as bad as can be."""
        if not math.isfinite(value):
            return math.inf
        return -value if self._is_maximizing else value

    def _value(self, loss: float) -> str:
        """A loss as the people who log the metric know it."""
        if loss == math.inf:
            return "nothing finite"
        return f"{-loss if self._is_maximizing else loss:.6g}"

    def _stop(self, reason: str, epoch: int) -> Decision:
        return Decision(self.key, reason, epoch)

    def _refuse(self, option: str, message: str) -> InvalidRequest:
        return InvalidRequest(f"{option} {message}", "stopper", option)
