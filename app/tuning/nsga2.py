"""NSGA-II: trials as a population that breeds; made for several objectives."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from app.domain.space import Space
from app.domain.values import Params, Scalar
from app.tuning.columns import Columns
from app.tuning.encoding import Array
from app.tuning.fronts import best_first
from app.tuning.options import options_of, whole
from app.tuning.record import losses_of
from app.tuning.sobol import startup
from app.tuning.strategy import Draws, Observation, Proposal, Strategy

_CROSSOVER_INDEX, _MUTATION_INDEX = 10.0, 10.0
"""How closely children resemble their parents; the usual 15 to 20 are for thousands of trials."""

_CROSSOVER_RATE = 0.9
_ATTEMPTS = 10


class Nsga2(Strategy):
    """Children of two parents each, who win tournaments among the best trials so far.

    The best are all trials by fronts and room (`fronts.best_first`), as many as a population has: the strategy keeps
    nothing, and whatever was observed takes part, imported trials too. It works with one objective as well.

    Source: Deb, Pratap, Agarwal, Meyarivan 2002, IEEE Trans. Evolutionary Computation 6, with one child at a time
    (steady state).
    """

    key: ClassVar[str] = "nsga2"
    description: ClassVar[str] = "NSGA-II: a population that breeds; for several objectives and thousands of trials."
    options_schema: ClassVar[dict[str, Any]] = options_of(
        population=whole(16, 2, "How many trials may be parents, and come from a Sobol sequence first.", 1000)
    )
    needs_history: ClassVar[bool] = True

    def __init__(self, space: Space, options: Mapping[str, Any]) -> None:
        super().__init__(space, options)
        self._columns = Columns(space)

    def propose(
        self, history: Sequence[Observation], pending: Sequence[Params], rngs: Sequence[Draws]
    ) -> list[Proposal]:
        """From the Sobol sequence until there is a population, then children of it."""
        n: int = self.options["population"]
        losses = losses_of(history)
        if np.isfinite(losses[:, 0]).sum() < n:
            return startup(self.key, self._columns, rngs)
        best = best_first(losses, n)
        parents = self._columns.encode([history[index].params for index in best])
        tried = [*(history[index].params for index in best), *pending]
        proposals: list[Proposal] = []
        for rng in rngs:
            pair, params = self._breed(parents, rng, tried)
            tried.append(params)
            numbers = [history[best[index]].number for index in pair]
            proposals.append(Proposal(params, {"strategy": self.key, "phase": "model", "parents": numbers}))
        return proposals

    def _breed(
        self, parents: Array, rng: Draws, tried: Sequence[Params]
    ) -> tuple[npt.NDArray[np.int64], dict[str, Scalar]]:
        """Two winners and their child, which is a new one where chance brings one."""
        for attempt in count(1):
            # Of two drawn the one who stands first wins.
            pair = rng.integers(len(parents), size=(2, 2)).min(axis=1)
            params = self._columns.decode(self._child(parents[pair], rng))
            if params not in tried or attempt == _ATTEMPTS:
                return pair, params
        raise AssertionError("counting has no end")

    def _child(self, parents: Array, rng: Draws) -> Array:
        """A row between the two parents or near one of them, with a few mutations."""
        size, is_unordered = self._columns.size, self._columns.is_unordered
        first, second = parents
        # What neither parent has is drawn anew; what one has comes from that one.
        first = np.where(np.isnan(first), second, first)
        second = np.where(np.isnan(second), first, second)
        anew = rng.random(size)
        is_new = np.isnan(first)
        first, second = np.where(is_new, anew, first), np.where(is_new, anew, second)
        is_first = rng.random(size) < 0.5
        is_blended = (rng.random(size) < 0.5) & ~is_unordered & (rng.random() < _CROSSOVER_RATE)
        spread = np.where(is_first, 1.0, -1.0) * _spread(rng.random(size), _CROSSOVER_INDEX)
        child = np.where(is_first, first, second)
        child = np.where(is_blended, (first + second + spread * (first - second)) / 2, child)
        is_mutated = rng.random(size) < 1 / size
        mutant = np.where(is_unordered, rng.random(size), child + _jump(rng.random(size), _MUTATION_INDEX))
        return np.clip(np.where(is_mutated, mutant, child), 0.0, 1.0)


def _spread(uniform: Array, index: float) -> Array:
    """How far apart children are beside their parents: simulated binary crossover (Deb, Agrawal 1995)."""
    inner = (2 * uniform) ** (1 / (index + 1))
    outer = (2 * np.maximum(1 - uniform, 1e-16)) ** (-1 / (index + 1))
    spread: Array = np.where(uniform < 0.5, inner, outer)
    return spread


def _jump(uniform: Array, index: float) -> Array:
    """How far a mutation goes, within (-1, 1): polynomial mutation (Deb, Goyal 1996)."""
    down = (2 * uniform) ** (1 / (index + 1)) - 1
    up = 1 - (2 * (1 - uniform)) ** (1 / (index + 1))
    jump: Array = np.where(uniform < 0.5, down, up)
    return jump
