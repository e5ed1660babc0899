"""What a tuner is after, and what it may spend on it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Direction(StrEnum):
    """Which scores are better."""

    maximize = "maximize"
    minimize = "minimize"


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric whose value at the end of a training is the trial's score."""

    metric: str
    direction: Direction

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Objective":
        """The objective that `to_json` wrote."""
        return cls(metric=data["metric"], direction=Direction(data["direction"]))

    def to_json(self) -> dict[str, Any]:
        """The objective as it is stored and shown."""
        return asdict(self)

    def loss(self, score: float) -> float:
        """The score with its sign turned so that lower is better."""
        return -score if self.direction is Direction.maximize else score


@dataclass(frozen=True, slots=True)
class Budget:
    """What a tuner may spend; None is without limit.

    Args:
        max_trials: trials proposed or enqueued; imported ones and repeated attempts do not count.
        max_parallel: trials running at once.
        max_attempts: how often one trial is handed out before it ends as failed.
    """

    max_trials: int | None = None
    max_parallel: int | None = None
    max_attempts: int = 3

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Budget":
        """The budget that `to_json` wrote."""
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        """The budget as it is stored and shown."""
        return asdict(self)
