"""The strategy for those who do not want to choose one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from app.domain.space import Space
from app.domain.values import Params
from app.tuning.random import Random
from app.tuning.strategy import Draws, Observation, Proposal, Strategy


class Auto(Strategy):
    """The best strategy there is for the space; at present always `random`."""

    key: ClassVar[str] = "auto"
    description: ClassVar[str] = "Chooses for you: at present always random."
    needs_history: ClassVar[bool] = Random.needs_history

    def __init__(self, space: Space, options: Mapping[str, Any]) -> None:
        super().__init__(space, options)
        self._chosen = Random(space, options)

    def propose(
        self, history: Sequence[Observation], pending: Sequence[Params], rngs: Sequence[Draws]
    ) -> list[Proposal]:
        """What the chosen strategy proposes."""
        proposals = self._chosen.propose(history, pending, rngs)
        return [replace(proposal, why={**proposal.why, "chosen_by": self.key}) for proposal in proposals]
