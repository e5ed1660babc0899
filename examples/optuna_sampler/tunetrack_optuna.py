"""Any Optuna sampler as a strategy: a study is built from the history for each proposal, and asked."""

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState as State
from optuna.trial import create_trial

from app.domain.errors import InvalidRequest
from app.domain.space import FloatRange, IntRange, Space, Spec
from app.domain.values import Params, Scalar
from app.tuning.strategy import Draws, Observation, Proposal, Strategy

optuna.logging.set_verbosity(optuna.logging.WARNING)


class OptunaSampler(Strategy):
    """What a sampler of Optuna suggests; its random numbers are the trial's."""

    key: ClassVar[str] = "optuna"
    description: ClassVar[str] = "Any sampler of Optuna."
    options_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {
            "sampler": {"type": "string", "default": "TPESampler", "description": "A class of optuna.samplers."},
            "arguments": {"type": "object", "default": {}, "description": "What it is made with, besides a seed."},
        },
        "additionalProperties": False,
    }
    needs_history: ClassVar[bool] = True

    def __init__(self, space: Space, options: Mapping[str, Any]) -> None:
        super().__init__(space, options)
        kind = getattr(optuna.samplers, self.options["sampler"], None)
        if not (inspect.isclass(kind) and issubclass(kind, optuna.samplers.BaseSampler)):
            raise InvalidRequest("optuna.samplers has no such class.", "options", "sampler")
        self._kind = kind
        self._distributions = {name: _distribution(space.specs[name]) for name in space.order}

    def propose(
        self, history: Sequence[Observation], pending: Sequence[Params], rngs: Sequence[Draws]
    ) -> list[Proposal]:
        """One suggestion of a new study for each generator."""
        proposals: list[Proposal] = []
        for rng in rngs:
            study = self._study(history, [*pending, *(proposal.params for proposal in proposals)], rng)
            proposals.append(Proposal(self._ask(study), {"strategy": self.key, "phase": "model"}))
        return proposals

    def _study(self, history: Sequence[Observation], pending: Sequence[Params], rng: Draws) -> optuna.Study:
        takes_seed = "seed" in inspect.signature(self._kind).parameters
        seed = {"seed": int(rng.integers(2**32))} if takes_seed else {}
        sampler = self._kind(**seed, **self.options["arguments"])
        n_objectives = max((len(trial.values) for trial in history if trial.values is not None), default=1)
        study = optuna.create_study(sampler=sampler, directions=["minimize"] * n_objectives)
        for trial in history:
            is_sound = trial.values is not None and all(map(math.isfinite, trial.values))
            values = list(trial.values) if is_sound and trial.values is not None else None
            self._add(study, trial.params, State.COMPLETE if is_sound else State.FAIL, values)
        for params in pending:
            self._add(study, params, State.RUNNING, None)
        return study

    def _add(self, study: optuna.Study, params: Params, state: State, values: list[float] | None) -> None:
        known = {name: self._inward(name, value) for name, value in params.items() if name in self._distributions}
        distributions = {name: self._distributions[name] for name in known}
        study.add_trial(create_trial(state=state, values=values, params=known, distributions=distributions))

    def _ask(self, study: optuna.Study) -> dict[str, Scalar]:
        trial = study.ask()
        params: dict[str, Scalar] = {}
        for name in self.space.order:
            if self.space.is_active(name, params):
                params[name] = self._outward(name, trial._suggest(name, self._distributions[name]))
        return self.space.arrange(params)

    def _inward(self, name: str, value: Scalar) -> Any:
        """Options go by number: Optuna takes 3, 3.0 and True for equal."""
        spec = self.space.specs[name]
        return value if isinstance(spec, IntRange | FloatRange) else spec.index_of(value)  # type: ignore[arg-type]  # of the spec

    def _outward(self, name: str, value: Any) -> Scalar:
        spec = self.space.specs[name]
        if isinstance(spec, FloatRange):
            return float(value) if spec.step is None else spec.value_at(spec.index_of(float(value)))
        return int(value) if isinstance(spec, IntRange) else spec.value_at(value)


def _distribution(spec: Spec) -> BaseDistribution:
    if isinstance(spec, IntRange):
        # Optuna has no steps on a logarithmic scale; `_outward` would have to round, so the steps win.
        is_log = spec.log and spec.step is None
        return IntDistribution(spec.min, spec.max, log=is_log, step=spec.step or 1)
    if isinstance(spec, FloatRange):
        return FloatDistribution(spec.min, spec.max, log=spec.log and spec.step is None, step=spec.step)
    assert spec.size is not None
    return CategoricalDistribution(list(range(spec.size)))
