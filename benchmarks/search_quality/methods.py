"""What is compared: our strategies by their names, and samplers of Optuna where that is installed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from app.domain.space import Choice, Flag, FloatRange, IntRange, Space
from app.domain.states import TrialState
from app.domain.values import Params
from app.tuning.forecast import MOST_COURSES, Course, forecast
from app.tuning.registry import find
from app.tuning.strategy import Observation, generator

PEERS = {"optuna tpe": (1, 8), "optuna gp": (1,)}
"""By how many workers each is asked."""

PEERS_OF_SEVERAL = {"optuna tpe": (1, 8), "optuna nsga2": (1, 8), "optuna gp": (1,)}
"""The same where several objectives count."""

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


class Peer:
    """A sampler of Optuna with its defaults; conditional parameters are asked for where they exist, as its users do."""

    def __init__(self, name: str, space: Space, seed: int, n_objectives: int) -> None:
        import optuna  # type: ignore[import-not-found, unused-ignore]

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        samplers = optuna.samplers
        kinds: dict[str, Callable[..., Any]] = {
            "optuna tpe": samplers.TPESampler,
            "optuna nsga2": samplers.NSGAIISampler,
            "optuna gp": samplers.GPSampler,
        }
        self._space = space
        self._study = optuna.create_study(sampler=kinds[name](seed=seed), directions=["minimize"] * n_objectives)
        self._trials: dict[int, Any] = {}

    def ask(self, number: int, heard: Mapping[int, Sequence[tuple[float, ...]]]) -> Params:
        """The params of the trial with this number."""
        for other, losses in heard.items():
            for epoch, (loss, *_) in enumerate(losses):
                self._trials[other].report(loss, epoch)
        trial = self._trials[number] = self._study.ask()
        params: dict[str, Any] = {}
        for name in self._space.order:
            if self._space.is_active(name, params):
                params[name] = _suggest(trial, name, self._space.specs[name])
        return params

    def tell(self, number: int, losses: Sequence[tuple[float, ...]]) -> None:
        """What came out."""
        self._study.tell(self._trials.pop(number), list(losses[-1]))


def _suggest(trial: Any, name: str, spec: Any) -> Any:
    if isinstance(spec, FloatRange):
        return trial.suggest_float(name, spec.min, spec.max, log=spec.log, step=spec.step)
    if isinstance(spec, IntRange):
        return trial.suggest_int(name, spec.min, spec.max, log=spec.log, step=spec.step or 1)
    if isinstance(spec, Flag):
        return trial.suggest_categorical(name, [False, True])
    assert isinstance(spec, Choice)
    if spec.ordered:
        # It has no ordered choices; a whole number is how its users write one.
        return spec.options[trial.suggest_int(name, 0, len(spec.options) - 1)]
    return trial.suggest_categorical(name, list(spec.options))


def start(name: str, space: Space, seed: int, n_objectives: int) -> Method:
    """A new search."""
    if name in PEERS_OF_SEVERAL:
        return Peer(name, space, seed, n_objectives)
    return Ours(name.removesuffix(DEAF), space, seed, is_deaf=name.endswith(DEAF))
