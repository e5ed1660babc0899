"""The strategy for those who do not want to choose one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from app.domain.space import Space
from app.domain.values import Params
from app.tuning.gp import Gp
from app.tuning.strategy import Draws, Observation, Proposal, Strategy
from app.tuning.tpe import TPE

_MOST_PARAMETERS = 100
"""Beyond it a Gaussian process takes more than a tenth of a second for a proposal, and `tpe` a tenth of that."""


class Auto(Strategy):
    """`gp`, which finds more in few trials than the others do; in spaces of very many parameters `tpe`."""

    key: ClassVar[str] = "auto"
    description: ClassVar[str] = "Chooses for you: gp, or tpe where there are more than 100 parameters."
    needs_history: ClassVar[bool] = True

    def __init__(self, space: Space, options: Mapping[str, Any]) -> None:
        super().__init__(space, options)
        n = len(space.order)
        is_large = n > _MOST_PARAMETERS
        self._chosen: Strategy = TPE(space, {}) if is_large else Gp(space, {})
        self.takes_forecasts = self._chosen.takes_forecasts
        self._because = f"{n} parameters are {'more than' if is_large else 'not more than'} {_MOST_PARAMETERS}"

    def propose(
        self, history: Sequence[Observation], pending: Sequence[Params], rngs: Sequence[Draws]
    ) -> list[Proposal]:
        """What the chosen strategy proposes."""
        proposals = self._chosen.propose(history, pending, rngs)
        chosen = {"chosen_by": self.key, "because": self._because}
        return [replace(proposal, why={**proposal.why, **chosen}) for proposal in proposals]
