"""How much of the scores' variance each parameter explains."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.domain.space import Space
from app.tuning.columns import Columns
from app.tuning.encoding import Array
from app.tuning.record import losses_of
from app.tuning.strategy import Observation

_FEWEST_TRIALS = 8
_MOST_PARTS = 16
_SWEEPS = 50
_CELLS = 10
"""In so many cells of each range trials are counted, to see where they are rare."""

_DRAWS = 1024
"""How many random points tell how often a conditional parameter exists."""

_DOUBT = 0.2
"""Above this chance that noise alone looks as well explained, nothing is told."""

_PRIOR = 1.0
"""Each part's effect is shrunk towards none as if one trial there had shown none."""


def importance(space: Space, history: Sequence[Observation]) -> dict[str, float]:
    """Each parameter's share of the variance that single parameters explain, over the whole space.

    A functional ANOVA of first order: the score is taken for a sum of one function per parameter, which are constant on
    parts of its range, or for each option. All are fitted together, so that a search that has gone where it is
    good does not let one parameter have the praise of another; then each one's variance is that over uniform draws,
    less what noise alone would have. Scores far worse than most of the space count as bad, not as many times as bad. A
    conditional parameter is fitted where it exists, and its variance counts as often as it does; that it exists is its
    parent's merit. What only several parameters together explain is nobody's.

    Returns:
        shares that sum to 1, the largest first; of several objectives their mean. Empty where there is nothing to tell:
        fewer than 8 trials with a score, or scores that might as well be noise.
    Sources: Hutter, Hoos, Leyton-Brown 2014, ICML (the measure); Hooker 2007, J. Computational and Graphical Statistics
        16 (together, where the trials are not spread evenly); Hastie, Tibshirani 1990, Generalized Additive Models.
    """
    losses = losses_of(history)
    is_scored = np.isfinite(losses).all(axis=1)
    if is_scored.sum() < _FEWEST_TRIALS:
        return {}
    columns = Columns(space)
    rows = columns.encode([history[int(index)].params for index in np.flatnonzero(is_scored)])
    weights = _rarity(rows)
    parts = _parts(columns, rows, weights)
    how_often = (~np.isnan(columns.settle(np.random.default_rng(0).random((_DRAWS, columns.size))))).mean(axis=0)
    total = np.zeros(columns.size)
    for objective in losses[is_scored].T:
        variances = _variances(parts, _tamed(objective, weights), weights) * how_often
        total += variances / variances.sum() if variances.any() else 0.0
    if not total.any():
        return {}
    order = np.argsort(-total, kind="stable")
    return {space.order[index]: float(total[index] / total.sum()) for index in order}


class _Parts:
    """One parameter's range in parts, and which of them each trial is in.

    Args:
        which: a part for each trial; -1 where the parameter is inactive.
        widths: how much of the range each part is; they sum to 1.
        weights: of the trials.
    """

    def __init__(self, which: npt.NDArray[np.intp], widths: Array, weights: Array) -> None:
        self.trials = np.flatnonzero(which >= 0)
        self.which = which[self.trials]
        self.widths = widths
        self.weights = weights[self.trials]
        self.n_trials = np.bincount(self.which, self.weights, len(widths))

    def effects(self, residuals: Array) -> Array:
        """What each part adds to the mean of the trials, shrunk where few trials say so."""
        sums = np.bincount(self.which, self.weights * residuals[self.trials], len(self.widths))
        effects = sums / (self.n_trials + _PRIOR)
        centred: Array = effects - (self.n_trials @ effects) / max(self.weights.sum(), 1.0)
        return centred

    def variance(self, effects: Array, noise: float) -> float:
        """The variance of the effects over the range, less what noise of this variance adds to it."""
        variance = self.widths @ effects**2 - (self.widths @ effects) ** 2
        of_noise = noise * self.n_trials / (self.n_trials + _PRIOR) ** 2
        return max(float(variance - (self.widths * (1 - self.widths)) @ of_noise), 0.0)


def _parts(columns: Columns, rows: Array, weights: Array) -> list[_Parts]:
    n_fitting = int(np.clip(0.7 * np.sqrt(len(rows)), 2, _MOST_PARTS))
    parts: list[_Parts] = []
    for index, column in enumerate(rows.T):
        n_levels = int(columns.n_levels[index])
        if 0 < n_levels <= n_fitting or columns.is_unordered[index]:
            middles = columns.middles(index)
            borders, widths = (middles[1:] + middles[:-1]) / 2, np.full(n_levels, 1 / n_levels)
        else:
            # With as many trials in each: a search has few where it was bad, too few for a part of their own.
            order = np.argsort(column)[: (~np.isnan(column)).sum()]
            shares = weights[order].cumsum() / max(weights[order].sum(), 1e-300)
            wanted = np.arange(1, n_fitting) / n_fitting
            borders = np.unique(column[order][np.searchsorted(shares, wanted)]) if len(order) else column[:0]
            borders = borders[(borders > 0) & (borders < 1)]
            widths = np.diff(borders, prepend=0.0, append=1.0)
        which = np.searchsorted(borders, column, side="right")
        parts.append(_Parts(np.where(np.isnan(column), -1, which), widths, weights))
    return parts


def _rarity(rows: Array) -> Array:
    """How few trials are where each one is, 1 on average: what makes up for a search that stays where it is good."""
    cells = np.where(np.isnan(rows), _CELLS, np.minimum(rows * _CELLS, _CELLS - 1)).astype(np.intp)
    company = np.zeros(len(rows))
    for column in cells.T:
        company += np.bincount(column)[column]
    rarity: Array = (1 / company) * (len(rows) / (1 / company).sum())
    return rarity


def _tamed(losses: Array, weights: Array) -> Array:
    """Losses around 0 with variance 1, what lies far above most (Tukey 1977) drawn in; all 0 where they are equal."""
    scale = np.abs(losses).max()
    tamed = losses / scale if scale > 0 else losses
    order = np.argsort(tamed)
    shares = weights[order].cumsum() / weights.sum()
    low, high = tamed[order[np.searchsorted(shares, [0.25, 0.75])]]
    if high > low:
        tamed = np.minimum(tamed, high + 1.5 * (high - low))
    tamed = tamed - np.average(tamed, weights=weights)
    spread = np.sqrt(np.average(tamed**2, weights=weights))
    # Equal numbers need not have a spread of exactly 0.
    return tamed / spread if spread > 1e-12 else np.zeros(len(tamed))


def _variances(parts: Sequence[_Parts], losses: Array, weights: Array) -> Array:
    """The variance of each parameter's function over its range, less what noise would have made of it."""
    from scipy.special import fdtrc  # imported here: the service starts without it

    effects, residuals = _fit(parts, losses)
    n_effects = sum(int((part.n_trials > 0).sum()) - 1 for part in parts if len(part.trials))
    freedom = len(losses) - 1 - n_effects
    left = float((weights * residuals**2).sum())
    if freedom > 0 < n_effects and left > 0:
        explained = max(float((weights * losses**2).sum()) - left, 0.0)
        if fdtrc(n_effects, freedom, explained / n_effects / (left / freedom)) > _DOUBT:
            return np.zeros(len(parts))
    noise = min(left / max(freedom, 1), 1.0)
    return np.array([part.variance(effect, noise) for part, effect in zip(parts, effects, strict=True)])


def _fit(parts: Sequence[_Parts], losses: Array) -> tuple[list[Array], Array]:
    """The effects of all parts of all parameters, and what they leave: each parameter in turn, until nothing moves."""
    effects: list[Array] = [np.zeros(len(part.n_trials)) for part in parts]
    residuals = losses.copy()
    for _ in range(_SWEEPS):
        largest_move = 0.0
        for index, part in enumerate(parts):
            residuals[part.trials] += effects[index][part.which]
            new = part.effects(residuals)
            residuals[part.trials] -= new[part.which]
            largest_move = max(largest_move, float(np.abs(new - effects[index]).max(initial=0.0)))
            effects[index] = new
        if largest_move < 1e-3:
            break
    return effects, residuals
