"""Searches of others, with their defaults. What one of them needs is imported when it starts."""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

from app.domain.space import Choice, Flag, FloatRange, IntRange, Space, Spec
from app.domain.values import Params, Scalar

PEERS = {"optuna tpe": (1, 8), "optuna gp": (1,), "smac": (1, 8), "ax": (1,), "vizier": (1, 8)}
"""By how many workers each is asked."""

PEERS_OF_SEVERAL = {"optuna tpe": (1, 8), "optuna nsga2": (1, 8), "optuna gp": (1,)}
"""The same where several objectives count."""


class Optuna:
    """A sampler of Optuna; conditional parameters are asked for where they exist, as its users do."""

    def __init__(self, kind: str, space: Space, seed: int, n_objectives: int) -> None:
        import optuna  # type: ignore[import-not-found, unused-ignore]

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        samplers = optuna.samplers
        kinds: dict[str, Callable[..., Any]] = {
            "tpe": samplers.TPESampler,
            "nsga2": samplers.NSGAIISampler,
            "gp": samplers.GPSampler,
        }
        self._space = space
        self._study = optuna.create_study(sampler=kinds[kind](seed=seed), directions=["minimize"] * n_objectives)
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


class _Other(ABC):
    """One that is told of each parameter as a number of a range or as a choice, and asked for values of all of them."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._axes = {name: _axis(space.specs[name]) for name in space.order}
        self._asked: dict[int, Any] = {}

    def ask(self, number: int, heard: Mapping[int, Sequence[tuple[float, ...]]]) -> Params:
        """The params of the trial with this number."""
        values, self._asked[number] = self._next()
        params: dict[str, Scalar] = {}
        for name in self._space.order:
            if self._space.is_active(name, params):
                params[name] = self._axes[name].value(values[name])
        return params

    def tell(self, number: int, losses: Sequence[tuple[float, ...]]) -> None:
        """What came out."""
        self._ended(self._asked.pop(number), losses[-1][0])

    @abstractmethod
    def _next(self) -> tuple[Mapping[str, Any], Any]:
        """Values of the parameters, and what the search calls them."""

    @abstractmethod
    def _ended(self, asked: Any, loss: float) -> None: ...


@dataclass(frozen=True)
class _Axis:
    """A parameter as others see it.

    Args:
        value: the parameter's value for one of theirs: a number, or for a choice an option's number.
    """

    kind: type[float] | type[int] | None
    low: float
    high: float
    log: bool
    value: Callable[[Any], Scalar]


def _axis(spec: Spec) -> _Axis:
    if isinstance(spec, FloatRange) and spec.step is None:
        # Where it is searched in the logarithm, an end may come back a rounding beyond itself.
        return _Axis(float, spec.min, spec.max, spec.log, lambda number: min(max(float(number), spec.min), spec.max))
    if isinstance(spec, IntRange) and spec.step is None:
        return _Axis(int, spec.min, spec.max, spec.log, int)
    assert spec.size is not None
    is_choice = isinstance(spec, Flag) or (isinstance(spec, Choice) and not spec.ordered)
    return _Axis(None if is_choice else int, 0, spec.size - 1, False, lambda index: spec.value_at(int(index)))


class Smac(_Other):
    """SMAC as it is recommended for hyperparameters, a random forest; it knows what is conditional."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space)
        import ConfigSpace  # type: ignore[import-not-found, unused-ignore]
        import smac  # type: ignore[import-not-found, unused-ignore]
        from smac.runhistory import TrialValue  # type: ignore[import-not-found, unused-ignore]

        specs: Mapping[str, Any] = space.specs
        parameters: dict[str, Any] = {}
        grid = ConfigSpace.ConfigurationSpace(seed=seed)
        for name, axis in self._axes.items():
            if axis.kind is None:
                parameters[name] = ConfigSpace.CategoricalHyperparameter(name, range(int(axis.high) + 1))
            elif axis.kind is int:
                parameters[name] = ConfigSpace.UniformIntegerHyperparameter(name, axis.low, axis.high, log=axis.log)
            else:
                parameters[name] = ConfigSpace.UniformFloatHyperparameter(name, axis.low, axis.high, log=axis.log)
            grid.add(parameters[name])
            conditions = [
                ConfigSpace.InCondition(parameters[name], parameters[parent], list(map(specs[parent].index_of, values)))
                for parent, values in (specs[name].when or {}).items()
            ]
            if conditions:
                grid.add(ConfigSpace.AndConjunction(*conditions) if len(conditions) > 1 else conditions[0])
        self._folder = TemporaryDirectory()
        scenario = smac.Scenario(grid, deterministic=True, seed=seed, output_directory=self._folder.name)
        self._search = smac.HyperparameterOptimizationFacade(scenario, lambda config, seed: 0.0, logging_level=False)
        self._result = TrialValue

    def _next(self) -> tuple[Mapping[str, Any], Any]:
        info = self._search.ask()
        return info.config, info

    def _ended(self, asked: Any, loss: float) -> None:
        self._search.tell(asked, self._result(cost=loss), save=False)


class Ax(_Other):
    """Ax, with BoTorch's Gaussian process."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space)
        import torch  # type: ignore[import-not-found, unused-ignore]
        from ax.api.client import Client  # type: ignore[import-not-found, unused-ignore]
        from ax.api.configs import (  # type: ignore[import-not-found, unused-ignore]
            ChoiceParameterConfig,
            RangeParameterConfig,
        )

        torch.manual_seed(seed)
        self._client = Client(random_seed=seed)
        parameters: list[Any] = []
        for name, axis in self._axes.items():
            if axis.kind is None:
                options = [str(number) for number in range(int(axis.high) + 1)]
                parameters.append(ChoiceParameterConfig(name, options, "str", is_ordered=False))
            else:
                bounds = (axis.kind(axis.low), axis.kind(axis.high))
                scaling = "log" if axis.log else "linear"
                parameters.append(RangeParameterConfig(name, bounds, axis.kind.__name__, scaling=scaling))
        self._client.configure_experiment(parameters)
        self._client.configure_optimization("-loss")

    def _next(self) -> tuple[Mapping[str, Any], Any]:
        ((index, values),) = self._client.get_next_trials(1).items()
        return values, index

    def _ended(self, asked: Any, loss: float) -> None:
        self._client.complete_trial(asked, {"loss": loss})


class Vizier(_Other):
    """OSS Vizier as its server searches where nothing else is said, GP-UCB-PE; it refuses what is conditional."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space)
        from vizier import pythia, pyvizier  # type: ignore[import-not-found, unused-ignore]

        # From where its server has it: the public place also wants what other algorithms need.
        from vizier._src.algorithms.designers import gp_ucb_pe  # type: ignore[import-not-found, unused-ignore]
        from vizier._src.algorithms.policies import designer_policy  # type: ignore[import-not-found, unused-ignore]
        from vizier.pyvizier.converters import padding  # type: ignore[import-not-found, unused-ignore]

        # From there its designers, a new one for each suggestion, have their seeds.
        random.seed(seed)
        problem = pyvizier.ProblemStatement()
        for name, axis in self._axes.items():
            scale = pyvizier.ScaleType.LOG if axis.log else pyvizier.ScaleType.LINEAR
            if axis.kind is None:
                options = [str(number) for number in range(int(axis.high) + 1)]
                problem.search_space.root.add_categorical_param(name, options)
            elif axis.kind is int:
                problem.search_space.root.add_int_param(name, int(axis.low), int(axis.high), scale_type=scale)
            else:
                problem.search_space.root.add_float_param(name, axis.low, axis.high, scale_type=scale)
        goal = pyvizier.ObjectiveMetricGoal.MINIMIZE
        problem.metric_information.append(pyvizier.MetricInformation("loss", goal=goal))
        # By default JAX compiles all anew for each suggestion, which takes several times as long as to search. Here it
        # compiles when the number of trials has doubled, and finds the same optimizer of the acquisition again.
        room = padding.PaddingSchedule(num_trials=padding.PaddingType.POWERS_OF_2)
        search = gp_ucb_pe.VizierGPUCBPEBandit
        made: list[Any] = []

        def optimizer(converter: Any) -> Any:
            if not made:
                made.append(search.default_acquisition_optimizer_factory(converter))
            return made[0]

        designer = partial(search, padding_schedule=room, acquisition_optimizer_factory=optimizer)
        self._study = pythia.InRamPolicySupporter(problem)
        self._policy = designer_policy.DesignerPolicy(self._study, designer)
        self._measurement = pyvizier.Measurement

    def _next(self) -> tuple[Mapping[str, Any], Any]:
        (trial,) = self._study.SuggestTrials(self._policy, 1)
        return trial.parameters.as_dict(), trial

    def _ended(self, asked: Any, loss: float) -> None:
        asked.complete(self._measurement({"loss": loss}))
