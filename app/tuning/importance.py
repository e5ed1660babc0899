"""How much of the scores' variance each parameter explains."""

from collections.abc import Mapping, Sequence

import numpy as np

from app.domain.space import Space
from app.domain.states import TrialState
from app.tuning.columns import Columns
from app.tuning.encoding import Array
from app.tuning.gaussian.features import Features
from app.tuning.gaussian.fit import fit
from app.tuning.gaussian.posterior import Posterior
from app.tuning.record import losses_of
from app.tuning.strategy import Observation

_FEWEST_TRIALS = 8
_MOST_TRIALS = 200
_MOST_COLUMNS = 40
"""So much of a long history is learnt from; of many parameters those of the shortest length scales are looked at."""

_LEVELS, _MOST_OPTIONS, _OTHERS = 10, 40, 64
"""A parameter's effect is the mean over so many random values of all others, at so many places of its range."""

_CELLS = 10
"""In so many cells of each range trials are counted, to see where they are rare."""

_NOISE = 0.05
"""The noise's variance is thought larger than where a strategy learns: a few odd trials are no effect of anything."""

_LEAST_FORESEEN, _FORESEEN_POWER = 0.35, 0.7
"""Of ten trials, so much of the variance must be foreseen from the other trials to say anything; of n, less by this
power of n / 10. A quarter of histories of random scores look so by chance, a third where many were stopped."""


def importance(space: Space, history: Sequence[Observation], objective: int = 0) -> dict[str, float]:
    """Each parameter's share of the variance that single parameters explain, over the whole space.

    A functional ANOVA of first order: how the expected score varies over a parameter's range when all others are drawn
    uniformly. It is asked of a Gaussian process that has learnt from the trials, so that a search that has stayed
    where it is good says as much of the whole space as its trials allow. Scores far worse than most of the space
    count as bad, not as many times as bad. A conditional parameter counts as often as it exists; that it exists is its
    parent's merit. What only several parameters together explain is nobody's.

    The score of a trial that was stopped early is one of an earlier epoch. Where that hides everything, those that were
    not are asked alone.

    Args:
        objective: the number of the score that counts, where a trial has several.
    Returns:
        shares that sum to 1, the largest first. Empty where there is nothing to tell: fewer than 8 trials with a score,
        or scores that the other trials do not foretell.
    Sources: Hutter, Hoos, Leyton-Brown 2014, ICML (the measure); Oakley, O'Hagan 2004, J. Royal Statistical Society
        B 66 (asked of a Gaussian process).
    """
    whole = [trial for trial in history if trial.state is not TrialState.stopped]
    return _shares(space, history, objective) or (_shares(space, whole, objective) if len(whole) < len(history) else {})


def mean_importance(by_objective: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of the shares over those objectives of which there is something to tell; the largest first."""
    told = [shares for shares in by_objective if shares]
    means = {name: sum(shares[name] for shares in told) / len(told) for name in (told[0] if told else ())}
    return dict(sorted(means.items(), key=lambda one: -one[1]))


def _shares(space: Space, history: Sequence[Observation], objective: int) -> dict[str, float]:
    losses = losses_of(history)
    is_scored = np.isfinite(losses).all(axis=1)
    if is_scored.sum() < _FEWEST_TRIALS:
        return {}
    columns = Columns(space)
    rows = columns.encode([history[int(index)].params for index in np.flatnonzero(is_scored)])
    rarity = _rarity(rows)
    variances = _variances(columns, rows, _tamed(losses[is_scored, objective], rarity), rarity)
    if not variances.any():
        return {}
    order = np.argsort(-variances, kind="stable")
    return {space.order[index]: float(variances[index] / variances.sum()) for index in order}


def _variances(columns: Columns, rows: Array, losses: Array, rarity: Array) -> Array:
    """The variance of the expected loss over each column, all others drawn uniformly; zeros if nothing was learnt."""
    rng = np.random.default_rng(0)
    variances = np.zeros(columns.size)
    if len(rows) > _MOST_TRIALS:
        chosen = np.sort(rng.choice(len(rows), _MOST_TRIALS, replace=False, p=rarity / rarity.sum()))
        rows, losses = rows[chosen], losses[chosen]
    spread = losses.std()
    if spread < 1e-12:  # equal numbers need not have a spread of exactly 0
        return variances
    targets = (losses - losses.mean()) / spread
    features = Features(columns)
    posterior = Posterior(features, fit(features, rows, targets, noise=_NOISE), rows, targets)
    foreseen = 1 - float(np.square(posterior.surprises()).mean())
    if foreseen < _LEAST_FORESEEN * (10 / len(rows)) ** _FORESEEN_POWER:
        return variances
    others = rng.random((_OTHERS, columns.size))
    for index in np.argsort(-posterior.hyperparameters.weights, kind="stable")[:_MOST_COLUMNS].tolist():
        places = _places(columns, index)
        drawn = np.repeat(others[None], len(places), axis=0)
        drawn[:, :, index] = places[:, None]
        settled = columns.settle(drawn.reshape(-1, columns.size))
        expected = posterior.at(settled)[0].reshape(len(places), _OTHERS)
        exists = ~np.isnan(settled[:_OTHERS, index])
        if exists.any():
            variances[index] = expected[:, exists].mean(axis=1).var() * exists.mean()
    return variances


def _places(columns: Columns, index: int) -> Array:
    """Where on a column to look: at its values, if they are few or have no order, else evenly over the range."""
    n_levels = int(columns.n_levels[index])
    if columns.is_unordered[index] or 0 < n_levels <= _LEVELS:
        middles = columns.middles(index)
        return middles[np.linspace(0, n_levels - 1, min(n_levels, _MOST_OPTIONS)).astype(np.intp)]
    return (np.arange(_LEVELS) + 0.5) / _LEVELS


def _rarity(rows: Array) -> Array:
    """How few trials are where each one is, 1 on average: what makes up for a search that stays where it is good."""
    cells = np.where(np.isnan(rows), _CELLS, np.minimum(rows * _CELLS, _CELLS - 1)).astype(np.intp)
    company = np.zeros(len(rows))
    for column in cells.T:
        company += np.bincount(column)[column]
    rarity: Array = (1 / company) * (len(rows) / (1 / company).sum())
    return rarity


def _tamed(losses: Array, weights: Array) -> Array:
    """Losses within [-1, 1], what lies far above most (Tukey 1977) drawn in."""
    scale = np.abs(losses).max()
    tamed: Array = losses / scale if scale > 0 else losses
    order = np.argsort(tamed)
    shares = weights[order].cumsum() / weights.sum()
    low, high = tamed[order[np.searchsorted(shares, [0.25, 0.75])]]
    return np.minimum(tamed, high + 1.5 * (high - low)) if high > low else tamed
