"""Successive halving without waiting: at each rung the best part goes on."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from app.domain.goal import Direction
from app.tuning.options import options_of, whole
from app.tuning.stopping.ladder import Ladder, Standing
from app.tuning.stopping.stopper import Decision, Run, Stopper


class Asha(Stopper):
    """A run stops when it is not among the best 1/`reduction_factor` of those that have reached its rung so far.

    The rungs lie at `min_epochs`, times `reduction_factor`, times it again and so on, in epochs seen: with 1 and 3 at
    the epochs numbered 0, 2, 8, 26. A curve with gaps reaches a rung with its first epoch at or beyond it. There is
    no rung at `max_epochs` or beyond: a run that got through the last one trains to its end.

    - What counts at a rung is the best value up to it, which is also what a stopped trial gets for its score. (The
      paper takes the loss at the rung itself; one noisy epoch should not end a run.)
    - Of n runs at a rung the best n // reduction_factor go on, as in the paper, with all that equal the last of them.
      While fewer than reduction_factor runs have reached a rung, all go on.
    - A run is judged at the highest rung that it has reached, each time somebody asks, by all that is known then. One
      that was let go on as an early bird is stopped when others turn out better there. In the paper the
      decision falls once, which depends on the order of arrival.

    Source: Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht, Talwalkar 2020, A System for Massively Parallel
    Hyperparameter Tuning, MLSys, algorithm 2; in the form that stops instead of pausing and promoting, as in Syne Tune
    and Ray Tune (Syne Tune's tutorial also has "as long as a rung has less than eta trials, the default is to
    continue").
    """

    key: ClassVar[str] = "asha"
    description: ClassVar[str] = "Stops a run that is not among the best of those that have reached the same rung."
    options_schema: ClassVar[dict[str, Any]] = options_of(
        min_epochs=whole(1, 1, "The first rung: no run is stopped before this many epochs."),
        max_epochs=whole(None, 2, "No rung is here or beyond; null for rungs without end."),
        reduction_factor=whole(3, 2, "The factor from rung to rung; one run in this many goes on."),
    )

    def __init__(self, options: Mapping[str, Any], direction: Direction) -> None:
        super().__init__(options, direction)
        first: int = self.options["min_epochs"]
        end: int | None = self.options["max_epochs"]
        if end is not None and end <= first:
            raise self._refuse("max_epochs", "must be greater than min_epochs.")
        self._factor: int = self.options["reduction_factor"]
        self._ladder = Ladder(first, self._factor, end)

    def add(self, run: Run, epoch: int, value: float) -> None:
        """May bring the run to a rung, or better what it shows there."""
        self._ladder.add(run.run_id, epoch, self._loss(value))

    def remove(self, run_id: UUID) -> None:
        """Take it off every rung."""
        self._ladder.remove(run_id)

    def decide(self, run: Run) -> Decision | None:
        """Stop unless it is in the best part of its rung."""
        standing = self._ladder.standing(run.run_id)
        if standing is None or is_kept(standing, self._factor):
            return None
        return self._stop(verdict(standing, self._factor), standing.epoch)


def is_kept(standing: Standing, factor: int) -> bool:
    """Whether a run goes on: too few to compare with, or fewer better ones than may go on."""
    return standing.n_runs < factor or standing.n_better < standing.n_runs // factor


def verdict(standing: Standing, factor: int, bracket: str = "") -> str:
    """Why a run does not go on."""
    place = ordinal(standing.n_better + 1)
    return f"{place} of {standing.n_runs} at rung {standing.rung}{bracket}, keeps {standing.n_runs // factor}"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
