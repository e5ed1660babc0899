"""What a tuner is after, what it may spend on it, and what comes of a trial."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from app.domain.errors import InvalidRequest
from app.domain.states import TrialState
from app.domain.values import Number, to_json_number


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
        max_failures: trials that end as failed.
        max_attempts: how often one trial is handed out before it ends as failed.
        target: the score that is good enough.
        wallclock_s: seconds from the tuner's creation.
    """

    max_trials: int | None = None
    max_parallel: int | None = None
    max_failures: int | None = None
    max_attempts: int = 3
    target: float | None = None
    wallclock_s: float | None = None

    def check(self, n_objectives: int) -> None:
        """Refuse a budget that makes no sense for a tuner of so many objectives.

        Raises:
            InvalidRequest: a target, where no single score could reach it.
        """
        if self.target is not None and n_objectives > 1:
            raise InvalidRequest("a target is one score; with several objectives leave it out", "body", "budget")

    def deadline(self, start: datetime) -> datetime | None:
        """When the time is over."""
        return None if self.wallclock_s is None else start + timedelta(seconds=self.wallclock_s)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Budget":
        """The budget that `to_json` wrote."""
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        """The budget as it is stored and shown."""
        return asdict(self)


NON_FINITE = "non-finite score"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial.

    Args:
        score: what it achieved, where the tuner has one objective.
        scores: by metric, where it has several.
    """

    state: TrialState
    score: float | None = None
    scores: Mapping[str, float] | None = None
    reason: str | None = None

    @property
    def settled(self) -> "Outcome":
        """The same, but for one that is not a finite number anywhere: that has failed."""
        values = [*(self.scores or {}).values(), *([] if self.score is None else [self.score])]
        if all(map(math.isfinite, values)):
            return self
        return Outcome(TrialState.failed, self.score, self.scores, NON_FINITE)

    @property
    def shown_score(self) -> Number | None:
        """The score in its JSON form."""
        return None if self.score is None else to_json_number(self.score)

    @property
    def shown_scores(self) -> dict[str, Number] | None:
        """The scores in their JSON form."""
        if self.scores is None:
            return None
        return {metric: to_json_number(value) for metric, value in self.scores.items()}
