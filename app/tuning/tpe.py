"""Tree-structured Parzen estimator: where good trials are dense and others are not."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from app.domain.space import Space
from app.domain.values import Params
from app.tuning.columns import Columns
from app.tuning.encoding import Array
from app.tuning.fronts import Indices, best_first
from app.tuning.options import options_of, whole
from app.tuning.parzen import Parzen
from app.tuning.record import losses_of
from app.tuning.sobol import startup
from app.tuning.strategy import Draws, Observation, Proposal, Strategy

_GOOD_SHARE = 0.15
_MOST_GOOD, _MOST_OTHERS = 100, 1500
"""What bounds the cost of a proposal: a density knows no more from more kernels than these."""


class TPE(Strategy):
    """Of some draws from the density of the good trials, the one that is likeliest beside the density of the others.

    Both are densities over all parameters at once. Trials that failed are among the others, and so are pending ones:
    that keeps parallel workers apart. With several objectives the good ones are those of the first fronts.

    Sources: Bergstra, Bardenet, Bengio, Kegl 2011, NeurIPS 24; the density over all parameters, and weights by rank:
    Falkner, Klein, Hutter 2018, ICML, and Watanabe 2023, arXiv:2304.11127.
    """

    key: ClassVar[str] = "tpe"
    description: ClassVar[str] = "Tree-structured Parzen estimator: quick with any history, and good at choices."
    options_schema: ClassVar[dict[str, Any]] = options_of(
        startup=whole(8, 1, "How many trials with a score it takes before densities guide the search.", 10_000),
        candidates=whole(24, 1, "Of how many draws the best is proposed: more search more narrowly.", 1000),
    )
    needs_history: ClassVar[bool] = True

    def __init__(self, space: Space, options: Mapping[str, Any]) -> None:
        super().__init__(space, options)
        self._columns = Columns(space)

    def propose(
        self, history: Sequence[Observation], pending: Sequence[Params], rngs: Sequence[Draws]
    ) -> list[Proposal]:
        """From the Sobol sequence first, then from the densities."""
        if not rngs:
            return []
        losses = losses_of(history)
        n_scored = int(np.isfinite(losses[:, 0]).sum())
        if n_scored < self.options["startup"]:
            return startup(self.key, self._columns, rngs)
        n_good = min(math.ceil(_GOOD_SHARE * n_scored), _MOST_GOOD)
        chosen = best_first(losses, n_good)
        others = np.delete(np.arange(len(history)), chosen)
        if len(others) > _MOST_OTHERS:
            others = others[np.linspace(0, len(others) - 1, _MOST_OTHERS).astype(np.intp)]
        rows = self._columns.encode([history[index].params for index in (*chosen, *others)])
        good = Parzen(self._columns, rows[:n_good], _weights(n_good))
        bad = Parzen(self._columns, rows[n_good:], np.ones(len(others)))
        return self._model(good, bad, rows, pending, rngs)

    def _model(
        self, good: Parzen, bad: Parzen, tried: Array, pending: Sequence[Params], rngs: Sequence[Draws]
    ) -> list[Proposal]:
        n = self.options["candidates"]
        points = good.sample(rngs, n)
        log_good, log_bad, mass = good.log_mass(points), bad.log_mass(points), bad.mass
        proposals: list[Proposal] = []
        new = self._columns.encode(pending)
        for start in range(0, len(points), n):
            if len(new):
                log_new = Parzen(self._columns, new, np.ones(len(new)), like=bad).log_mass(points[start:])
                log_bad[start:] = np.logaddexp(log_bad[start:], log_new)
                tried, mass = np.concatenate([tried, new]), mass + len(new)
            mine = slice(start, start + n)
            # Rounded: no last bit, of which processors differ, must decide.
            log_ratios = np.round(log_good[mine] - math.log(good.mass) - log_bad[mine] + math.log(mass), 9)
            best = _first_untried(np.argsort(-log_ratios, kind="stable"), points[mine], tried)
            why = {"strategy": self.key, "phase": "model", "log_ratio": round(float(log_ratios[best]), 3)}
            proposals.append(Proposal(self._columns.decode(points[start + best]), why))
            new = self._columns.encode([proposals[-1].params])
        return proposals


def _weights(n: int) -> Array:
    """How much the good trials count, best first: as the logarithm of their rank."""
    weights = math.log(n + 1) - np.log(np.arange(1, n + 1))
    scaled: Array = weights * (n / weights.sum())
    return scaled


def _first_untried(order: Indices, points: Array, tried: Array) -> int:
    """The first in this order of the points that is none of those tried; the very first where all are."""
    tried = np.nan_to_num(tried, nan=-1.0)
    untried = (index for index in order if not (np.nan_to_num(points[index], nan=-1.0) == tried).all(axis=1).any())
    return int(next(untried, order[0]))
