"""What a task of the benchmark is, and how far from its optimum a search has come."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from app.domain.space import Space
from app.domain.values import Params
from app.tuning.encoding import Array
from app.tuning.random import Random
from app.tuning.strategy import generator

Loss = Callable[[Params], float]

_N_DRAWS, _N_BASELINE = 5000, 25

N_EPOCHS = 9
"""Of a training that is known epoch by epoch."""


@dataclass(frozen=True)
class Problem:
    """One instance of a task: something to minimise.

    Args:
        loss: without noise.
        optimum: the lowest loss there is, or the lowest one known.
        noise: the standard deviation of what is added to each loss that a search is told.
        course: the losses after each epoch, shape (N_EPOCHS,), the last being the loss; None where that alone is known.
    """

    space: Space
    loss: Loss
    optimum: float
    noise: float = 0.0
    course: Callable[[Params], Array] | None = None

    def told(self, params: Params, seed: int, number: int) -> list[float]:
        """What the search learns of a trial's losses; the last one is what it comes to."""
        losses = np.array([self.loss(params)]) if self.course is None else self.course(params)
        if self.noise:
            losses = losses + self.noise * generator(seed, 2**40 + number).normal(size=len(losses))
        return [float(loss) for loss in losses]

    @cached_property
    def unit(self) -> float:
        """The regret that counts as 1: what the best of 25 random trials leaves on average."""
        draws = Random(self.space, {}).propose([], [], [generator(-1, number) for number in range(_N_DRAWS)])
        losses = np.array([self.loss(draw.params) for draw in draws])
        return float(losses.reshape(-1, _N_BASELINE).min(axis=1).mean() - self.optimum)


@dataclass(frozen=True)
class Task:
    """A family of problems, one for each seed.

    Args:
        is_held_out: nobody looked at its results while the strategies were designed.
    """

    name: str
    kind: str
    is_held_out: bool
    instance: Callable[[int], Problem]
