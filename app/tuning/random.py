"""Random search: the baseline that needs no history, and is hard to beat where many workers ask at once."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from app.domain.space import IntRange, Space
from app.domain.values import Params, Scalar
from app.tuning.encoding import Encoding, line_of
from app.tuning.strategy import Draws, Observation, Proposal, Strategy

_WIDE = 2**32
"""Above this many integers the 53 bits of a coordinate no longer make all equally likely."""


class Random(Strategy):
    """Independent draws, uniform over the space.

    Source: Bergstra, Bengio 2012, J. Machine Learning Research 13.
    """

    key: ClassVar[str] = "random"
    aliases: ClassVar[tuple[str, ...]] = ("random_search",)
    description: ClassVar[str] = "Independent draws, uniform over the space (in the logarithm where a range is log)."
    needs_history: ClassVar[bool] = False

    def __init__(self, space: Space, options: Mapping[str, Any]) -> None:
        super().__init__(space, options)
        self._encoding = Encoding(space)
        self._wide = [
            (name, spec)
            for name in space.order
            if isinstance(spec := space.specs[name], IntRange) and not spec.log and spec.size > _WIDE
        ]

    def propose(
        self, history: Sequence[Observation], pending: Sequence[Params], rngs: Sequence[Draws]
    ) -> list[Proposal]:
        """One draw for each generator."""
        return [Proposal(self._draw(rng), {"strategy": self.key, "phase": "startup"}) for rng in rngs]

    def _draw(self, rng: np.random.Generator) -> dict[str, Scalar]:
        params = self._encoding.decode(rng.random(self._encoding.size))
        for name, spec in self._wide:
            index = rng.integers(spec.size - 1, endpoint=True, dtype=np.uint64)
            if name in params:
                params[name] = spec.value_at(int(index))
        return params


def complete(space: Space, fixed: Params, rng: np.random.Generator) -> dict[str, Scalar]:
    """These parameters, and what they leave open drawn uniformly.

    Args:
        fixed: such that no other value decides whether they are active.
    """
    params = dict(fixed)
    for name in space.order:
        if name not in params and space.is_active(name, params):
            params[name] = line_of(space.specs[name]).decode([rng.random()])
    return space.arrange(params)
