"""The history as strategies that learn from it want it: numbers instead of dictionaries, in one order."""

import math
from collections.abc import Sequence

import numpy as np

from app.tuning.encoding import Array
from app.tuning.strategy import Observation


def losses_of(history: Sequence[Observation]) -> Array:
    """What each trial cost; infinite where it failed, was infeasible, or has a score that is not finite.

    A trial that a stopper cut short counts with the score it had by then: its own would hardly have been worse.

    Returns:
        shape (n, m), m being the number of objectives; (n, 1) where none has a score.
    """
    n_objectives = next((len(trial.values) for trial in history if trial.values is not None), 1)
    worst = (math.inf,) * n_objectives
    losses = np.array([worst if trial.values is None else trial.values for trial in history], dtype=np.float64)
    losses = losses.reshape(len(history), n_objectives)
    losses[~np.isfinite(losses).all(axis=1)] = math.inf
    return losses
