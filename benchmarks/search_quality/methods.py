"""What is compared: our strategies by their names, and those of others where they are installed."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from app.domain.space import Space
from app.domain.states import TrialState
from app.domain.values import Params
from app.tuning.forecast import MOST_COURSES, Course, forecast
from app.tuning.registry import find
from app.tuning.strategy import Observation, generator
from benchmarks.search_quality.peers import Ax, Optuna, Smac, Vizier

DEAF = ", without epochs"
"""Ends the name of a strategy of ours that waits for the ends of trials."""


class Method(Protocol):
    """A search over one problem."""

    def ask(self, number: int, heard: Mapping[int, Sequence[tuple[float, ...]]]) -> Params:
        """The params of the trial with this number.

        Args:
            heard: the losses of each running trial after the epochs that it has done; where those of its task are not
                known, after none.
        """

    def tell(self, number: int, losses: Sequence[tuple[float, ...]]) -> None:
        """What came out: the last of the losses after each epoch."""


class Ours:
    """A strategy as the service uses it: from the ended trials and the running ones.

    Args:
        is_deaf: to epochs.
    """

    def __init__(self, name: str, space: Space, seed: int, *, is_deaf: bool) -> None:
        self._strategy = find(name)(space, {})
        self._seed = seed
        self._takes_forecasts = self._strategy.takes_forecasts and not is_deaf
        self._history: list[Observation] = []
        self._courses: list[Course] = []
        self._pending: dict[int, Params] = {}

    def ask(self, number: int, heard: Mapping[int, Sequence[tuple[float, ...]]]) -> Params:
        """The params of the trial with this number."""
        history, pending = list(self._history), []
        for other, params in self._pending.items():
            losses = heard[other]
            loss = None
            if losses and self._takes_forecasts:
                loss = forecast(len(losses) - 1, losses[-1][0], self._courses[-MOST_COURSES:])
            if loss is None:
                pending.append(params)
            else:
                history.append(Observation(other, params, TrialState.running, (loss,)))
        (proposal,) = self._strategy.propose(history, pending, [generator(self._seed, number)])
        self._pending[number] = proposal.params
        return proposal.params

    def tell(self, number: int, losses: Sequence[tuple[float, ...]]) -> None:
        """What came out."""
        self._history.append(Observation(number, self._pending.pop(number), TrialState.completed, losses[-1]))
        course = [first for first, *_ in losses]
        self._courses.append(Course(range(len(course)), course, course[-1]))


def start(name: str, space: Space, seed: int, n_objectives: int) -> Method:
    """A new search."""
    if name.startswith("optuna "):
        return Optuna(name.removeprefix("optuna "), space, seed, n_objectives)
    if name == "smac":
        return Smac(space, seed)
    if name == "ax":
        return Ax(space, seed)
    if name == "vizier":
        return Vizier(space, seed)
    return Ours(name.removesuffix(DEAF), space, seed, is_deaf=name.endswith(DEAF))
