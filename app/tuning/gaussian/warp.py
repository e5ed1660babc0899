"""From losses to targets: how bad the bad ones are hardly counts.

Source: Song et al. 2024, arXiv:2408.11527: its half-rank warping, which begins not at the median here, but later. Where
a search settles on a plateau, the losses there are soon the better half, and their small differences would set the
scale. The logarithm that follows it there did not help.
"""

import math
from dataclasses import dataclass

import numpy as np

from app.tuning.encoding import Array

BEND = 0.75
"""The quantile of the losses up to which the warp is a straight line."""


@dataclass(frozen=True)
class Warp:
    """A monotone map from losses to targets of mean 0 and standard deviation 1.

    Up to the bend it is a straight line. Above, losses are placed by their rank, as far from the bend as a normal
    distribution would have them that is spread below it as the good losses are.

    Attributes:
        targets: shape (n,), of the losses that it was made from; for those that are not finite, that of the worst.
    """

    targets: Array
    _losses: Array
    _sorted: Array
    _line: tuple[float, float, float]

    def losses(self, targets: Array) -> Array:
        """The losses that have these targets: between and beyond the known bad ones, a guess.

        Beyond the worst it goes on as from the bend to there, on average.
        """
        middle, unit, limit = self._line
        highest, worst = self._sorted[-1], self._losses[-1]
        with np.errstate(over="ignore"):
            straight = 2 * (middle + unit * targets)
            steep = 2 * (worst / 2 - middle - unit * limit) / (highest - limit) if highest > limit else 2 * unit
            beyond = worst + steep * (targets - highest)
        bent = np.where(targets > highest, beyond, np.interp(targets, self._sorted, self._losses))
        known: Array = np.nan_to_num(np.where(targets <= limit, straight, bent))
        return known


def warp(losses: Array) -> Warp:
    """The warp for these losses, of which at least one is finite.

    Args:
        losses: shape (n,); infinite for a trial that has none.
    """
    from scipy.special import ndtri

    is_finite = np.isfinite(losses)
    # In halves, so that even the difference of the largest floats is one.
    known = losses[is_finite] / 2
    bend = float(np.quantile(known, BEND))
    away = known - bend
    unit = float(np.abs(away).max()) or 1.0
    away = away / unit
    normal_bend = float(ndtri(BEND))
    spread = float(np.sqrt((away[away <= 0] ** 2).mean())) / _root_mean_square(normal_bend, BEND) or 1.0
    ranks, counts = np.unique(away, return_inverse=True, return_counts=True)[1:]
    shares = np.clip((np.cumsum(counts) - 0.5 * counts) / len(known), BEND, 1 - 0.25 / len(known))
    bent = np.where(away > 0, spread * (ndtri(shares) - normal_bend)[ranks], away)
    mean, std = float(bent.mean()), float(bent.std()) or 1.0
    targets = np.empty(len(losses))
    targets[is_finite] = (bent - mean) / std
    targets[~is_finite] = targets[is_finite].max()
    order = np.argsort(known, kind="stable")
    line = (bend + unit * mean, unit * std, -mean / std)
    return Warp(targets, losses[is_finite][order], targets[is_finite][order], line)


def _root_mean_square(bend: float, share: float) -> float:
    """How far below `bend` a standard normal distribution lies, of which this share is below it."""
    density = math.exp(-0.5 * bend * bend) / math.sqrt(2 * math.pi)
    return math.sqrt(1 + bend * bend + bend * density / share)
