"""What can be learnt beside trials that came out badly by chance: trainings that diverged where their like do not.

Counted as others are, a few of them make the noise seem so large that good trials cannot be told apart.
"""

from dataclasses import replace

import numpy as np

from app.tuning.encoding import Array
from app.tuning.gaussian.features import Features
from app.tuning.gaussian.fit import fit
from app.tuning.gaussian.posterior import Posterior

LEAST_NOISE = 0.01
"""A smaller variance of the noise, where the targets have 1, hides little: nobody is doubted."""

OUTLIERS = 0.2
"""Where doubts leave no less than this share of the noise, it was not a few trials that made it."""

_ROUNDS, _PASSES = 4, 10


def learn(features: Features, rows: Array, targets: Array) -> Posterior:
    """What the trials teach, those that are far worse than the others let one expect less than the others.

    As if the noise of what is worse were Cauchy's, not normal; nobody is better by chance. Each round sees how far off
    the trials are from what was learnt, settles by that how much to doubt each one, and learns anew. Noise that all
    trials share is none of that: where doubts leave much of it, what was learnt without them stands.

    Source: Tipping, Lawrence 2005, Neurocomputing 69: these are its updates for one degree of freedom.
    """
    plain = fit(features, rows, targets)
    posterior = trusting = Posterior(features, plain, rows, targets)
    if plain.noise < LEAST_NOISE:
        return trusting
    for _ in range(_ROUNDS):
        mean, std = posterior.at(rows)
        off = (targets - mean) ** 2 + std**2
        belief = posterior.hyperparameters
        noise, inflation = belief.noise, np.ones(len(rows))
        for _ in range(_PASSES):
            inflation = np.where(targets > mean, np.maximum((1 + off / noise) / 2, 1.0), 1.0)
            noise = float((off / inflation).mean())
        belief = fit(features, rows, targets, inflation=inflation, start=replace(belief, noise=noise))
        posterior = Posterior(features, belief, rows, targets, inflation)
    return posterior if posterior.hyperparameters.noise < OUTLIERS * plain.noise else trusting
