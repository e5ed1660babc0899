"""What a task of the benchmark is, and how far from its optimum a search has come."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Protocol, TypeVar

import numpy as np

from app.domain.space import Space
from app.domain.values import Params
from app.tuning.encoding import Array
from app.tuning.random import Random
from app.tuning.strategy import generator

Loss = Callable[[Params], float]

_N_DRAWS, N_BASELINE = 5000, 25

N_EPOCHS = 9
"""Of a training that is known epoch by epoch."""


class Progress(Protocol):
    """How far a search has come."""

    def regret_after(self, params: Params, losses: tuple[float, ...]) -> float:
        """The normalised regret, when this trial has ended and the search was told these losses."""


class Instance(Protocol):
    """What a search is tried on."""

    @property
    def space(self) -> Space:
        """Where to search."""

    @property
    def n_objectives(self) -> int:
        """How many losses a trial has."""

    def told(self, params: Params, seed: int, number: int) -> list[tuple[float, ...]]:
        """What the search learns of a trial: its losses after each epoch, the last ones being what it comes to."""

    def progress(self) -> Progress:
        """Of a search that begins now."""


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

    n_objectives = 1

    def told(self, params: Params, seed: int, number: int) -> list[tuple[float, ...]]:
        """What the search learns of a trial's losses; the last one is what it comes to."""
        losses = np.array([self.loss(params)]) if self.course is None else self.course(params)
        if self.noise:
            losses = losses + self.noise * generator(seed, 2**40 + number).normal(size=len(losses))
        return [(float(loss),) for loss in losses]

    def progress(self) -> Progress:
        """Of a search that begins now."""
        return _Incumbent(self)

    @cached_property
    def unit(self) -> float:
        """The regret that counts as 1: what the best of 25 random trials leaves on average."""
        losses = np.array([self.loss(params) for params in random_params(self.space, _N_DRAWS)])
        return float(losses.reshape(-1, N_BASELINE).min(axis=1).mean() - self.optimum)


def random_params(space: Space, n: int) -> list[Params]:
    """What random trials have, the same each time."""
    draws = Random(space, {}).propose([], [], [generator(-1, number) for number in range(n)])
    return [draw.params for draw in draws]


class _Incumbent:
    """The trial that a search would be left with: the one of which it was told the lowest loss."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._lowest_told, self._loss = math.inf, math.inf

    def regret_after(self, params: Params, losses: tuple[float, ...]) -> float:
        """What is missing of the optimum."""
        if losses[0] < self._lowest_told:
            self._lowest_told, self._loss = losses[0], self._problem.loss(params)
        return max(self._loss - self._problem.optimum, 0.0) / self._problem.unit


P = TypeVar("P", bound=Instance, covariant=True)


@dataclass(frozen=True)
class Task(Generic[P]):
    """A family of problems, one for each seed.

    Args:
        is_held_out: nobody looked at its results while the strategies were designed.
    """

    name: str
    kind: str
    is_held_out: bool
    instance: Callable[[int], P]
