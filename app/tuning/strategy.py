"""What every strategy is: from the space, the history and random numbers to proposals. No state, no I/O."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from app.domain.space import Space
from app.domain.states import TrialState
from app.domain.values import Params, Scalar
from app.tuning import options as schemas

_UINT64_MASK = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Observation:
    """A trial that has ended, as strategies see it; or one that trains still, with what it is expected to come to.

    Args:
        values: one per objective, lower is better; None for a trial that failed or was infeasible.
    """

    number: int
    params: Params
    state: TrialState
    values: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """Parameters to try, in the order of the space.

    Args:
        why: how they were chosen, for people: at least `strategy` and `phase` (`startup` or `model`); where a loss was
            predicted, its `mean` and `std`, and where there are several objectives, `means` and `stds`, in their order.
    """

    params: dict[str, Scalar]
    why: dict[str, Any]


class Draws(np.random.Generator):
    """One trial's random numbers; they know whose they are, for sequences that are random only as a whole.

    Args:
        seed: the tuner's, any signed 64-bit integer.
        number: the trial's.
    """

    def __init__(self, seed: int, number: int) -> None:
        # Philox scrambles its key thoroughly by design, so that neighbouring seeds and numbers have unrelated streams.
        super().__init__(np.random.Philox(key=np.array([seed & _UINT64_MASK, number], dtype=np.uint64)))
        self.seed = seed
        self.number = number


class Strategy(ABC):
    """An algorithm that proposes parameters.

    An instance may be thrown away after each call, or shared by threads: what it remembers is a cache, never state.

    Attributes:
        key: the canonical name; `aliases` are understood too. Lower case.
        options_schema: JSON schema of the options, an object without additional properties. Each has a default.
        options: those sent, with all defaults.
        needs_history: whether `propose` looks at `history`; if not, the caller passes none.
        takes_forecasts: whether trials that train still come with the history where they have a forecast
            of what they will come to; if not, they are pending until they end.
        is_finite: whether it has all been tried one day; only then fewer proposals may come than are asked for.
    Raises:
        InvalidRequest: options that this strategy does not have, or values that they cannot take.
    """

    key: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    description: ClassVar[str]
    options_schema: ClassVar[dict[str, Any]] = schemas.options_of()
    needs_history: ClassVar[bool]
    takes_forecasts: bool = False
    is_finite: ClassVar[bool] = False

    def __init__(self, space: Space, options: Mapping[str, Any]) -> None:
        self.options = schemas.filled(options, self.options_schema, f"The strategy {self.key}", "options")
        self.space = space

    @abstractmethod
    def propose(
        self, history: Sequence[Observation], pending: Sequence[Params], rngs: Sequence[Draws]
    ) -> list[Proposal]:
        """What to try next; fewer proposals than asked for when the space is exhausted.

        Args:
            history: all ended trials, and those that `takes_forecasts` adds, in the order of their numbers.
            pending: the parameters of the other trials, which are queued or running.
            rngs: one `generator` for each proposal wanted, in the order of the trials' numbers. Proposals asked for
                together are those that would be given one after the other, the earlier ones then being pending.
        """


def generator(seed: int, number: int) -> Draws:
    """The random numbers for one trial: the same in every process and on every platform, however often it is asked.

    Args:
        seed: the tuner's, any signed 64-bit integer.
        number: the trial's.
    """
    return Draws(seed, number)
