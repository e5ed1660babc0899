"""Successive halving of several temperaments side by side, for those who do not know which suits."""

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, ClassVar
from uuid import UUID

from app.domain.goal import Direction
from app.tuning.options import options_of, whole
from app.tuning.stopping.asha import is_kept, verdict
from app.tuning.stopping.ladder import Ladder
from app.tuning.stopping.stopper import Decision, Run, Stopper

_GOLDEN = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio: its multiples modulo 2^64 fill the range more evenly than any other number's."""


class Hyperband(Stopper):
    """Each trial belongs to a bracket, which is an asha of its own with a first rung of its own.

    Bracket 0 has its first rung at `min_epochs`, each further one a factor later, while that is not beyond
    `max_epochs`; the last of them has no rungs and never stops anything, against curves that say little early. With 1,
    81 and 3 there are five: the first rungs at 1, 3, 9 and 27 epochs, and none.

    The brackets share the trials as in the paper, where each is to cost about as much as another: of 143 trials 81, 34,
    15, 8 and 5. There bracket after bracket is filled and emptied, which asynchronous workers would have to wait for;
    here a trial's number says to which it belongs, so that all replicas agree, and any stretch of numbers has
    about these shares (see `bracket_of`).

    Source: Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar 2018, J. Machine Learning Research 18(185), algorithm 1;
    asynchronous brackets as in Li et al. 2020 (see `asha`).
    """

    key: ClassVar[str] = "hyperband"
    description: ClassVar[str] = "Several ASHA stoppers that begin at different epochs; each trial goes to one of them."
    options_schema: ClassVar[dict[str, Any]] = options_of(
        min_epochs=whole(1, 1, "The first rung of the bracket that stops earliest."),
        max_epochs=whole(81, 2, "How many epochs a run trains if never stopped; this sets the number of brackets."),
        reduction_factor=whole(3, 2, "The factor between rungs, and between brackets; one run in this many goes on."),
    )

    def __init__(self, options: Mapping[str, Any], direction: Direction) -> None:
        super().__init__(options, direction)
        first: int = self.options["min_epochs"]
        end: int = self.options["max_epochs"]
        self._factor: int = self.options["reduction_factor"]
        if end < first * self._factor:
            raise self._refuse("max_epochs", "must be at least min_epochs * reduction_factor, for two brackets.")
        starts = [first]
        while starts[-1] * self._factor <= end:
            starts.append(starts[-1] * self._factor)
        self._brackets = [Ladder(start, self._factor, end) for start in (*starts[:-1], end)]
        self._bounds = list(accumulate(shares(len(starts), self._factor)))

    def bracket_of(self, number: int) -> int:
        """The bracket of a trial.

        Multiples of the golden ratio are spread over the brackets' shares: unlike shares dealt out in turn they fall
        in step with nothing that a strategy may do at every second or every ninth trial.
        """
        place = (number * _GOLDEN) % 2**64
        return bisect_right(self._bounds, place * self._bounds[-1] >> 64)

    def add(self, run: Run, epoch: int, value: float) -> None:
        """Known to its bracket only."""
        self._brackets[self.bracket_of(run.number)].add(run.run_id, epoch, self._loss(value))

    def remove(self, run_id: UUID) -> None:
        """Take it off every rung, whichever bracket it was in."""
        for ladder in self._brackets:
            ladder.remove(run_id)

    def decide(self, run: Run) -> Decision | None:
        """Stop unless it is in the best part of its rung in its bracket."""
        bracket = self.bracket_of(run.number)
        standing = self._brackets[bracket].standing(run.run_id)
        if standing is None or is_kept(standing, self._factor):
            return None
        return self._stop(verdict(standing, self._factor, f" of bracket {bracket}"), standing.epoch)


def shares(n_brackets: int, factor: int) -> list[int]:
    """How many trials each bracket gets, the earliest to stop first.

    The paper's n = ceil(B/R * eta^s / (s + 1)) with B/R, the number of brackets, and s counting down to 0.
    """
    return [-(-n_brackets * factor**s // (s + 1)) for s in reversed(range(n_brackets))]
