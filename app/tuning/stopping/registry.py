"""The stoppers that exist, by name, and how a tuner's list of them becomes one."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.domain.errors import InvalidRequest
from app.domain.goal import Direction
from app.tuning.stopping.asha import Asha
from app.tuning.stopping.hyperband import Hyperband
from app.tuning.stopping.median import Median
from app.tuning.stopping.none import Never
from app.tuning.stopping.patience import Patience
from app.tuning.stopping.stopper import Decision, Run, Stopper
from app.tuning.stopping.threshold import Threshold

STOPPERS: dict[str, type[Stopper]] = {
    stopper.key: stopper for stopper in (Never, Median, Asha, Hyperband, Patience, Threshold)
}

MAX_STOPPERS = 10


class CompositeStopper:
    """Several rules as one: the first in the list that says stop.

    Attributes:
        is_idle: no rule could ever say stop, so nobody need add anything.
    """

    def __init__(self, stoppers: Sequence[Stopper]) -> None:
        self._stoppers = [stopper for stopper in stoppers if not isinstance(stopper, Never)]
        self.is_idle = not self._stoppers

    def add(self, run: Run, epoch: int, value: float) -> None:
        """A point of a run's curve, for all of the rules. In any order, with gaps, but no epoch of a run twice."""
        for stopper in self._stoppers:
            stopper.add(run, epoch, value)

    def remove(self, run_id: UUID) -> None:
        """Forget a run with its curve; harmless if it is not known."""
        for stopper in self._stoppers:
            stopper.remove(run_id)

    def end(self, run_id: UUID) -> None:
        """The run has finished, or was stopped; not for runs that failed or crashed."""
        for stopper in self._stoppers:
            stopper.end(run_id)

    def decide(self, run: Run) -> Decision | None:
        """What the first rule says that would stop the run; None: it goes on."""
        return next((decision for stopper in self._stoppers if (decision := stopper.decide(run)) is not None), None)


Specs = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""A tuner's `stopper` as it is sent, stored and shown: one spec, or a list of them."""


def build(specs: Specs, direction: Direction) -> CompositeStopper:
    """The stopper that a tuner's specs describe; none at all never stops.

    Raises:
        InvalidRequest: an unknown type, options that its rule does not have, or values that make no sense.
    """
    listed = [specs] if isinstance(specs, Mapping) else specs
    if len(listed) > MAX_STOPPERS:
        raise InvalidRequest(f"A tuner may have at most {MAX_STOPPERS} stoppers; these are {len(listed)}.", "stopper")
    return CompositeStopper([_stopper(spec, direction) for spec in listed])


def defaults_filled(specs: Specs) -> dict[str, Any] | list[dict[str, Any]]:
    """The specs as a tuner shows them: of each its type, then all options.

    Raises:
        InvalidRequest: as `build`.
    """
    if not isinstance(specs, Mapping):
        return [_filled(spec) for spec in specs]
    return _filled(specs)


def _filled(spec: Mapping[str, Any]) -> dict[str, Any]:
    stopper = _stopper(spec, Direction.maximize)
    return {"type": stopper.key, **stopper.options}


def _stopper(spec: Mapping[str, Any], direction: Direction) -> Stopper:
    kind = spec.get("type")
    stopper = STOPPERS.get(kind) if isinstance(kind, str) else None
    if stopper is None:
        raise InvalidRequest(f"There is no such stopper. Known are: {', '.join(STOPPERS)}.", "stopper", "type")
    return stopper({name: value for name, value in spec.items() if name != "type"}, direction)
