"""A Gaussian process that models the loss, and proposes where it expects most of an improvement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from app.domain.space import Space
from app.domain.values import Params
from app.tuning.columns import Columns
from app.tuning.encoding import Array
from app.tuning.fronts import best_first
from app.tuning.gaussian.acquisition import Search, everywhere, trust_region
from app.tuning.gaussian.features import Features
from app.tuning.gaussian.fit import fit, unlearnt
from app.tuning.gaussian.posterior import Posterior
from app.tuning.gaussian.success import Success
from app.tuning.gaussian.warp import Warp, warp
from app.tuning.record import losses_of
from app.tuning.sobol import sobol_point
from app.tuning.strategy import Draws, Observation, Proposal, Strategy, generator

_MOST = 200
"""So many trials the process sees: the better half of them are the best, the others are spread over the rest."""

_AWAITED_STEP = 50
"""Of what is awaited it sees at least so many and less than twice as many, the newest."""

_NO_TRIAL = 2**63
"""No trial has such a number; the random numbers from here on belong to what was learnt from so many trials."""

_SUM_SHARE = 0.05
"""How much the sum counts beside the worst objective."""

_NEAR = 0.1
"""How far from the middle of the space the first trial may be, as a share of the way to its sides."""

_TURNS = ("unlearnt", "trust region", "global", "trust region")
"""How one trial after the other is looked for: what leads one of these astray does not lead all."""


@dataclass
class _Model:
    """What was learnt from the history: the same for all proposals that are asked for together.

    Attributes:
        taken: the rows that were tried, and of what is awaited those that the searches do not look at.
        n_unseen: how many these are.
        searches: of the `_TURNS` those that had one.
    """

    posterior: Posterior
    success: Success | None
    warp: Warp
    taken: Array
    n_unseen: int
    searches: dict[str, Search] = field(default_factory=dict)


class Gp(Strategy):
    """Bayesian optimisation: a trial where the logarithm of the expected improvement is largest.

    The searches take turns: in the whole space, in a trust region around the best trial, and in the whole space as if
    the length scales had not been learnt.

    What it believes of a loss: it is smooth, and has a trend, a line and a bow of each number.

    It begins near the middle of the space, and goes on with points of a Sobol sequence. Where trials have no score,
    what a point promises is multiplied by the probability that a trial there has one. Those that a stopper cut short
    count with their last score. Pending ones count as if they came out as this model expects: nothing is left to be
    found beside them, and others must promise more than they do. With several objectives each proposal looks at one
    mixture of them, drawn for it: the largest of the weighted ranks, with a little of their sum.

    Sources: Jones, Schonlau, Welch 1998, J. Global Optimization 13; the mixture: Knowles 2006, IEEE Trans. Evolutionary
    Computation 10; the parts: `gaussian`.
    """

    key: ClassVar[str] = "gp"
    aliases: ClassVar[tuple[str, ...]] = ("gaussian_process", "bayesian")
    description: ClassVar[str] = "A Gaussian process: learns most from few trials, of numbers above all."
    needs_history: ClassVar[bool] = True
    takes_forecasts = True

    def __init__(self, space: Space, options: Mapping[str, Any]) -> None:
        super().__init__(space, options)
        self._columns = Columns(space)
        self._features = Features(self._columns)
        self._n_startup = min(max(self._columns.size + 1, 4), 10)
        # With many workers all are awaited at first; what two or three scores teach is less than an even look teaches.
        self._n_scored_startup = self._n_startup // 2

    def propose(
        self, history: Sequence[Observation], pending: Sequence[Params], rngs: Sequence[Draws]
    ) -> list[Proposal]:
        """Points that cover the space first, then those that promise most."""
        if not rngs:
            return []
        losses = losses_of(history)
        n_scored = int(np.isfinite(losses[:, 0]).sum())
        awaited = self._columns.encode(pending)
        is_several = losses.shape[1] > 1
        tried: Array | None = None
        model: _Model | None = None
        proposals: list[Proposal] = []
        for rng in rngs:
            if n_scored < self._n_scored_startup or n_scored + len(awaited) < self._n_startup:
                proposal = self._first(rng)
            else:
                # The awaited ones that are looked at begin at whole steps: most proposals add one to those before.
                first = max(len(awaited) // _AWAITED_STEP - 1, 0) * _AWAITED_STEP
                if tried is None:
                    tried = self._columns.encode([trial.params for trial in history])
                if model is None or is_several or first != model.n_unseen:
                    one = _mixed(losses, rng) if is_several else losses[:, 0]
                    model = self._learn(tried, one, awaited[:first])
                proposal = self._best(model, awaited, rng, is_several)
            proposals.append(proposal)
            awaited = np.vstack([awaited, self._columns.encode([proposal.params])])
        return proposals

    def _first(self, rng: Draws) -> Proposal:
        point = sobol_point(rng, self._columns.size)
        if rng.number == 0:
            # Near the middle, and not at it: tuners of other seeds begin elsewhere.
            point = 0.5 + _NEAR * (point - 0.5)
        return Proposal(self._columns.decode(point), {"strategy": self.key, "phase": "startup"})

    def _learn(self, tried: Array, losses: Array, unseen: Array) -> _Model:
        rows = tried
        if len(rows) > _MOST:
            order = best_first(losses[:, None], len(rows))
            others = order[_MOST // 2 :]
            spread = others[np.linspace(0, len(others) - 1, _MOST // 2).astype(np.intp)]
            # In their own order: sums must not depend on which trial is better by a hair.
            chosen = np.sort(np.concatenate([order[: _MOST // 2], spread]))
            rows, losses = rows[chosen], losses[chosen]
        has_score = np.isfinite(losses)
        scored, warped = rows[has_score], warp(losses[has_score])
        posterior = Posterior(self._features, fit(self._features, scored, warped.targets), scored, warped.targets)
        weights = posterior.hyperparameters.weights
        success = None if has_score.all() else Success(self._features, weights, rows, has_score)
        return _Model(posterior, success, warped, np.vstack([tried, unseen]), len(unseen))

    def _best(self, model: _Model, awaited: Array, rng: Draws, is_several: bool) -> Proposal:
        turn = _TURNS[rng.number % len(_TURNS)]
        row, is_new = self._search(turn, model, awaited, rng.seed).best_row(rng)
        if not is_new:
            turn = "global"
            row, _ = self._search(turn, model, awaited, rng.seed).best_row(rng)
        why: dict[str, Any] = {"strategy": self.key, "phase": "model", "search": turn}
        if not is_several:
            mean, std = (float(known[0]) for known in model.posterior.at(row[None]))
            low, middle, high = model.warp.losses(np.array([mean - std, mean, mean + std])).tolist()
            why |= {"mean": middle, "std": high / 2 - low / 2}
        return Proposal(self._columns.decode(row), why)

    def _search(self, turn: str, model: _Model, awaited: Array, seed: int) -> Search:
        search = model.searches.get(turn)
        if search is None:
            posterior, targets = model.posterior, model.warp.targets
            if turn == "unlearnt":
                posterior = Posterior(self._features, unlearnt(posterior.hyperparameters), posterior.rows, targets)
            n_tried = len(model.taken) - model.n_unseen
            is_near = turn == "trust region"
            region = trust_region(self._columns, posterior, n_tried) if is_near else everywhere(self._columns)
            rng = generator(seed, _NO_TRIAL + n_tried)
            search = Search(self._columns, posterior, model.success, model.taken, region, rng)
            model.searches[turn] = search
        for row in awaited[model.n_unseen + search.n_awaited :]:
            search.awaits(row)
        return search


def _mixed(losses: Array, rng: Draws) -> Array:
    """One loss of several, weighted as drawn; infinite where they are.

    Args:
        losses: shape (n, n_objectives).
    """
    weights = rng.dirichlet(np.ones(losses.shape[1]))
    is_finite = np.isfinite(losses[:, 0])
    known = losses[is_finite]
    ranks = np.array([np.unique(column, return_inverse=True)[1].reshape(-1) for column in known.T], dtype=np.float64).T
    weighted = weights * ranks / np.maximum(ranks.max(axis=0), 1.0)
    mixed = np.full(len(losses), np.inf)
    mixed[is_finite] = weighted.max(axis=1) + _SUM_SHARE * weighted.sum(axis=1)
    return mixed
