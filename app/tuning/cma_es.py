"""CMA-ES: a cloud of trials that moves, stretches and shrinks towards better ones."""

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from app.domain.space import Space
from app.domain.values import Params, Scalar
from app.tuning.columns import Columns
from app.tuning.encoding import Array
from app.tuning.fronts import best_first
from app.tuning.options import options_of, whole
from app.tuning.record import losses_of
from app.tuning.sobol import startup
from app.tuning.strategy import Draws, Observation, Proposal, Strategy

if TYPE_CHECKING:
    from cmaes import CatCMAwM

_GENERATIONS = 50
"""After so many the search starts anew elsewhere with twice the population: what bounds the cost of a proposal."""

_MOST_LEVELS = 64
"""A column with more values is as good as continuous."""

_BLOCK = 24
"""Columns beyond that have clouds of their own: the cost of one grows with the cube of their number."""

_ATTEMPTS = 10

_SPREAD = 0.2
"""The standard deviation at the start, of the range."""


class CmaEs(Strategy):
    """Draws from a normal distribution that has followed the best of each generation, with margins for mixed spaces.

    The distribution is rebuilt from the history: trials in the order of their numbers, a generation at a time, whoever
    proposed them. It restarts with doubled populations (IPOP). Failed trials are the worst of their generation; what
    is inactive is filled in at random, which pulls nowhere.

    Sources: Hansen 2016, arXiv:1604.00772; with margin and categories: Hamano et al. 2025, arXiv:2504.07884;
    restarts: Auger, Hansen 2005, IEEE Congress on Evolutionary Computation.
    """

    key: ClassVar[str] = "cma_es"
    aliases: ClassVar[tuple[str, ...]] = ("cmaes",)
    description: ClassVar[str] = "CMA-ES with margin: for numbers that depend on each other, and hundreds of trials."
    options_schema: ClassVar[dict[str, Any]] = options_of(
        population=whole(None, 4, "How many trials a generation has at first; null: 4 + 3 ln(parameters).", 1000)
    )
    needs_history: ClassVar[bool] = True

    def __init__(self, space: Space, options: Mapping[str, Any]) -> None:
        super().__init__(space, options)
        self._columns = Columns(space)
        varying = [index for index in range(self._columns.size) if self._columns.n_levels[index] != 1]
        starts = range(0, len(varying), _BLOCK)
        self._blocks = [_Block.of(self._columns, varying[start : start + _BLOCK]) for start in starts]
        self._population: int = self.options["population"] or 4 + int(3 * math.log(max(len(varying), 1)))

    def propose(
        self, history: Sequence[Observation], pending: Sequence[Params], rngs: Sequence[Draws]
    ) -> list[Proposal]:
        """From the Sobol sequence for a generation, then from the distribution."""
        losses = losses_of(history)
        if np.isfinite(losses[:, 0]).sum() < self._population or not rngs:
            return startup(self.key, self._columns, rngs)
        run = _run_after(len(history), self._population)
        told = [history[index] for index in self._ranked(losses, run)]
        rows = self._columns.encode([trial.params for trial in told])
        seed = (rngs[0].seed & 2**64 - 1, run.number)
        clouds = [block.cloud(rows, run.population, seed) for block in self._blocks]
        tried = [*(trial.params for trial in told), *pending]
        why: dict[str, Any] = {"strategy": self.key, "phase": "model"}
        why |= {"restarts": run.number, "generation": run.n_generations}
        proposals: list[Proposal] = []
        for rng in rngs:
            params = self._draw(clouds, rng, tried)
            tried.append(params)
            proposals.append(Proposal(params, dict(why)))
        return proposals

    def _ranked(self, losses: Array, run: "_Run") -> list[int]:
        """The trials of the run, a generation after the other, each best first."""
        starts = range(run.start, run.start + run.n_generations * run.population, run.population)
        generations = ((start, best_first(losses[start : start + run.population], run.population)) for start in starts)
        return [start + int(index) for start, order in generations for index in order]

    def _draw(self, clouds: Sequence["CatCMAwM"], rng: Draws, tried: Sequence[Params]) -> dict[str, Scalar]:
        """Parameters that have not been tried, where chance brings some."""
        params: dict[str, Scalar] = {}
        for _ in range(_ATTEMPTS):
            point = np.full(self._columns.size, 0.5)
            for block, cloud in zip(self._blocks, clouds, strict=True):
                cloud.reseed_rng(int(rng.integers(2**32)))
                point[block.columns] = block.place(cloud.ask())
            params = self._columns.decode(point)
            if params not in tried:
                break
        return params


@dataclass(frozen=True, slots=True)
class _Run:
    """A search from one start: which trials belong to it.

    Args:
        start: the place of its first trial in the history.
        n_generations: those that are complete.
    """

    number: int
    start: int
    population: int
    n_generations: int


def _run_after(n_trials: int, population: int) -> _Run:
    number = start = 0
    while n_trials - start >= _GENERATIONS * population:
        start += _GENERATIONS * population
        number, population = number + 1, 2 * population
    return _Run(number, start, population, (n_trials - start) // population)


@dataclass(frozen=True, slots=True)
class _Block:
    """Columns that share a cloud: first continuous ones, then counted ones, then those without an order.

    Args:
        grids: where the values of the counted ones lie.
        options: likewise, of those without an order; two values have none.
    """

    columns: list[int]
    n_continuous: int
    grids: tuple[tuple[float, ...], ...]
    options: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, columns: Columns, indices: Sequence[int]) -> "_Block":
        """The block of these columns, in the order that it needs."""

        def kind(index: int) -> int:
            n_levels = columns.n_levels[index]
            if columns.is_unordered[index] or n_levels == 2:
                return 2
            return 1 if 0 < n_levels <= _MOST_LEVELS else 0

        ordered = sorted(indices, key=kind)
        kinds = [kind(index) for index in ordered]
        places = [tuple(columns.middles(index).tolist()) if kind(index) else () for index in ordered]
        grids, options = (tuple(p for p, k in zip(places, kinds, strict=True) if k == wanted) for wanted in (1, 2))
        return cls(ordered, kinds.count(0), grids, options)

    def cloud(self, rows: Array, population: int, seed: tuple[int, int]) -> "CatCMAwM":
        """The distribution after the generations that the rows are; a copy to draw from."""
        mine = rows[:, self.columns]
        n_numbers = self.n_continuous + len(self.grids)
        for index, places in enumerate(self.options):
            column = mine[:, n_numbers + index]
            mine[:, n_numbers + index] = np.round(np.interp(column, places, np.arange(len(places))))
        size = population * mine.shape[1] * mine.itemsize
        told = mine.tobytes()
        generations = tuple(_shared(told[start : start + size]) for start in range(0, len(told), size))
        n_options = tuple(map(len, self.options))
        return deepcopy(_after(generations, self.n_continuous, self.grids, n_options, population, seed))

    def place(self, solution: "CatCMAwM.Solution") -> Array:
        """The coordinates of a draw."""
        parts = [part for part in (solution.x, solution.z) if part is not None]
        if solution.c is not None:
            chosen = solution.c.argmax(axis=1)
            parts.append(np.array([places[index] for places, index in zip(self.options, chosen, strict=True)]))
        point: Array = np.concatenate(parts)
        return np.nan_to_num(point, nan=0.5)


@lru_cache(maxsize=1024)
def _shared(generation: bytes) -> bytes:
    """The one of equal generations that is there already: a run remembers each once, not once for each step."""
    return generation


@lru_cache(maxsize=1024)
def _after(
    generations: tuple[bytes, ...],
    n_continuous: int,
    grids: tuple[tuple[float, ...], ...],
    n_options: tuple[int, ...],
    population: int,
    seed: tuple[int, int],
) -> "CatCMAwM":
    """The distribution after these generations. Each step is remembered: all but the newest are there already."""
    space = (n_continuous, grids, n_options, population, seed)
    if not generations:
        return _start(*space)
    cloud = deepcopy(_after(generations[:-1], *space))
    # What inactive parameters are filled in with must be the same each time.
    cloud.reseed_rng((seed[0] + len(generations)) % 2**32)
    rows = np.frombuffer(generations[-1]).reshape(population, -1)
    n_numbers = n_continuous + len(grids)
    solutions = []
    for rank, row in enumerate(rows):
        draw = cloud.ask()
        if draw._v_raw is not None:
            numbers = np.where(np.isnan(row[:n_numbers]), draw._v_raw, row[:n_numbers])
            draw = replace(draw, _v_raw=numbers)
        if draw.c is not None:
            chosen = row[n_numbers:, None] == np.arange(draw.c.shape[1])
            draw = replace(draw, c=np.where(np.isnan(row[n_numbers:, None]), draw.c, chosen))
        # Only the order counts, and ranks are never equal, huge or missing.
        solutions.append((draw, float(rank)))
    with np.errstate(all="ignore"):
        cloud.tell(solutions)
    return cloud


def _start(
    n_continuous: int,
    grids: tuple[tuple[float, ...], ...],
    n_options: tuple[int, ...],
    population: int,
    seed: tuple[int, int],
) -> "CatCMAwM":
    """The distribution of a new run: around the centre the first time, then anywhere."""
    from cmaes import CatCMAwM  # imported here: the service starts without it

    n_numbers = n_continuous + len(grids)
    anywhere = np.random.default_rng(seed).random(n_numbers)
    return CatCMAwM(
        x_space=[[0.0, 1.0]] * n_continuous or None,
        z_space=[list(grid) for grid in grids] or None,
        c_space=list(n_options) or None,
        population_size=population,
        mean=anywhere if seed[1] else np.full(n_numbers, 0.5),
        sigma=1.0,
        cov=np.eye(n_numbers) * _SPREAD**2,
    )
