"""A Gaussian process that models the loss, and proposes where it expects most of an improvement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from app.domain.space import Space
from app.domain.values import Params
from app.tuning.columns import Columns
from app.tuning.encoding import Array
from app.tuning.fronts import best_first, ranked
from app.tuning.gaussian.acquisition import Improvement
from app.tuning.gaussian.features import Features
from app.tuning.gaussian.fit import unlearnt
from app.tuning.gaussian.hypervolume import Hypervolume
from app.tuning.gaussian.posterior import Posterior
from app.tuning.gaussian.robust import learn
from app.tuning.gaussian.search import Search, everywhere, trust_region
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

_NEAR = 0.1
"""How far from the middle of the space the first trial may be, as a share of the way to its sides."""

_TURNS = ("unlearnt", "trust region", "global", "trust region")
"""How one trial after the other is looked for: what leads one of these astray does not lead all."""


@dataclass
class _Model:
    """What was learnt from the history: the same for all proposals that are asked for together.

    Attributes:
        posteriors, warps: one of each objective.
        taken: the rows that were tried, and of what is awaited those that the searches do not look at.
        n_unseen: how many these are.
        searches: of the `_TURNS` those that had one.
    """

    posteriors: list[Posterior]
    success: Success | None
    warps: list[Warp]
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
    count with their last score, and those that came out far worse than the others let one expect, as trainings do that
    diverge by chance, count less. Pending ones count as if they came out as this model expects: nothing is left to be
    found beside them, and others must promise more than they do. Of several objectives each has a model of its own, and
    a trial is proposed where the hypervolume that the front dominates is expected to grow most.

    Sources: Jones, Schonlau, Welch 1998, J. Global Optimization 13; the parts: `gaussian`.
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
                if model is None or first != model.n_unseen:
                    model = self._learn(tried, losses, awaited[:first])
                proposal = self._best(model, awaited, rng)
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
            best = best_first(losses, _MOST // 2)
            # Fronts of all would take longest of all.
            others = np.setdiff1d(np.argsort(ranked(losses).sum(axis=1), kind="stable"), best, assume_unique=True)
            spread = others[np.linspace(0, len(others) - 1, _MOST // 2).astype(np.intp)]
            # In their own order: sums must not depend on which trial is better by a hair.
            chosen = np.sort(np.concatenate([best, spread]))
            rows, losses = rows[chosen], losses[chosen]
        has_score = np.isfinite(losses[:, 0])
        scored = rows[has_score]
        warps = [warp(column) for column in losses[has_score].T]
        posteriors = [learn(self._features, scored, one.targets) for one in warps]
        success = None
        if not has_score.all():
            weights = np.prod([one.hyperparameters.weights for one in posteriors], axis=0) ** (1 / len(posteriors))
            success = Success(self._features, weights, rows, has_score)
        return _Model(posteriors, success, warps, np.vstack([tried, unseen]), len(unseen))

    def _best(self, model: _Model, awaited: Array, rng: Draws) -> Proposal:
        turn = _TURNS[rng.number % len(_TURNS)]
        row, is_new = self._search(turn, model, awaited, rng.seed).best_row(rng)
        if not is_new:
            turn = "global"
            row, _ = self._search(turn, model, awaited, rng.seed).best_row(rng)
        why: dict[str, Any] = {"strategy": self.key, "phase": "model", "search": turn}
        expected = [
            _in_losses(one, posterior, row) for one, posterior in zip(model.warps, model.posteriors, strict=True)
        ]
        if len(expected) == 1:
            why["mean"], why["std"] = expected[0]
        else:
            why["means"], why["stds"] = map(list, zip(*expected, strict=True))
        return Proposal(self._columns.decode(row), why)

    def _search(self, turn: str, model: _Model, awaited: Array, seed: int) -> Search:
        search = model.searches.get(turn)
        if search is None:
            posteriors = model.posteriors
            if turn == "unlearnt":
                posteriors = [one.believing(unlearnt(one.hyperparameters)) for one in posteriors]
            n_tried = len(model.taken) - model.n_unseen
            rng = generator(seed, _NO_TRIAL + n_tried)
            is_near = turn == "trust region"
            region = trust_region(self._columns, posteriors, n_tried, rng) if is_near else everywhere(self._columns)
            aim = Improvement if len(posteriors) == 1 else Hypervolume
            search = Search(self._columns, posteriors, aim, model.success, model.taken, region, rng)
            model.searches[turn] = search
        for row in awaited[model.n_unseen + search.n_awaited :]:
            search.awaits(row)
        return search


def _in_losses(warped: Warp, posterior: Posterior, row: Array) -> tuple[float, float]:
    """Mean and standard deviation of the loss that is expected of a row."""
    mean, std = (float(known[0]) for known in posterior.at(row[None]))
    low, middle, high = warped.losses(np.array([mean - std, mean, mean + std])).tolist()
    return middle, high / 2 - low / 2
