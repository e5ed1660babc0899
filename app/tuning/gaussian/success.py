"""How likely a trial is to have a score at all."""

import numpy as np

from app.tuning.columns import Mask
from app.tuning.encoding import Array
from app.tuning.gaussian.features import Features
from app.tuning.gaussian.fit import Hyperparameters
from app.tuning.gaussian.posterior import Posterior

PRIOR = 0.5
"""Where nothing is known, a trial is more likely to succeed than not."""

NOISE = 0.1
"""So much of the labels' variance is chance: one failure among successes condemns nobody."""

_BLUR = 0.05


class Success:
    """Another Gaussian process, on 1 for a trial that has a score and -1 for one that has none.

    It has the length scales of the losses, for want of labels to learn its own from.

    Args:
        weights: shape (d,), those of the losses.
        rows: shape (n, d), of all trials; has_score: shape (n,).
    Source: Gelbart, Snoek, Adams 2014, arXiv:1403.5607; least squares for labels: Rasmussen, Williams 2006, 6.5.
    """

    def __init__(self, features: Features, weights: Array, rows: Array, has_score: Mask) -> None:
        labels = np.where(has_score, 1.0, -1.0)
        self._posterior = Posterior(
            features, Hyperparameters(weights, signal=1.0, trend=0.0, noise=NOISE), rows, labels - PRIOR
        )

    def log_chances(self, rows: Array) -> Array:
        """The logarithm of the probability at each row, shape (m,)."""
        from scipy.special import log_ndtr

        mean, std = self._posterior.at(rows)
        chances: Array = log_ndtr((mean + PRIOR) / np.sqrt(std**2 + _BLUR))
        return chances
