"""Quasi-random search: covers the space more evenly than independent draws do."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any, ClassVar

import numpy as np

from app.domain.space import Space
from app.domain.values import Params
from app.tuning.columns import Columns
from app.tuning.encoding import Array
from app.tuning.strategy import Draws, Observation, Proposal, Strategy

_N_BITS = 30
"""How finely the sequence divides an edge of the cube; it starts again after 2^30 points."""

_BLOCK = 64
"""Points are made in blocks: a point alone would cost nearly as much."""

_one_at_a_time = Lock()


class Sobol(Strategy):
    """The scrambled Sobol sequence of the tuner's seed; each trial has the point of its number.

    So no history is needed, parallel workers never meet, and a trial that was imported or enqueued leaves out a point.

    Source: Sobol 1967, USSR Computational Mathematics and Mathematical Physics 7; scrambled as in Matousek 1998,
    J. Complexity 14.
    """

    key: ClassVar[str] = "sobol"
    aliases: ClassVar[tuple[str, ...]] = ("quasi_random",)
    description: ClassVar[str] = "A scrambled Sobol sequence: covers the space more evenly than random does."
    needs_history: ClassVar[bool] = False

    def __init__(self, space: Space, options: Mapping[str, Any]) -> None:
        super().__init__(space, options)
        self._columns = Columns(space)

    def propose(
        self, history: Sequence[Observation], pending: Sequence[Params], rngs: Sequence[Draws]
    ) -> list[Proposal]:
        """One point for each generator."""
        return startup(self.key, self._columns, rngs)


def startup(key: str, columns: Columns, rngs: Sequence[Draws]) -> list[Proposal]:
    """What a strategy proposes that knows too little to do better: one point of the sequence for each generator."""
    why = {"strategy": key, "phase": "startup"}
    return [Proposal(columns.decode(sobol_point(rng, columns.size)), dict(why)) for rng in rngs]


def sobol_point(rng: Draws, size: int) -> Array:
    """The point of a trial in its tuner's sequence.

    Returns:
        shape (size,), each within (0, 1).
    """
    number = rng.number % 2**_N_BITS
    with _one_at_a_time:
        block = _block(rng.seed, size, number // _BLOCK)
    # The sequence says which cell of the cube; within the cell any place is as good.
    point: Array = block[number % _BLOCK] + rng.uniform(0.0, 2.0**-_N_BITS, size)
    return point


@lru_cache(maxsize=32)
def _block(seed: int, size: int, index: int) -> Array:
    """Points number index * 64 to index * 64 + 63 of a seed's sequence."""
    # Imported here: it takes longer than all else that the service needs at start.
    from scipy.stats import qmc

    sequence = qmc.Sobol(size, bits=_N_BITS, rng=np.random.default_rng(seed & 2**64 - 1))
    if index:
        sequence.fast_forward(index * _BLOCK)
    points: Array = sequence.random(_BLOCK)
    return points
