"""The parameters of a tuner: what each may be, and under which values of others it exists.

    Space ── specs: name -> IntRange | FloatRange | Choice | Flag    (one parameter: see `specs`)
          ── order: parents before children

A conditional parameter is active where each of its parents is active with one of the values that its `when`
lists. The params of a trial hold exactly the active parameters.
"""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from types import MappingProxyType
from typing import Any

from app.domain.errors import InvalidSpace, ParamsOutOfSpace
from app.domain.spec_json import spec_from_json, spec_to_json
from app.domain.specs import Choice, Flag, FloatRange, IntRange, Spec
from app.domain.values import Params, Scalar

__all__ = ["Choice", "Flag", "FloatRange", "IntRange", "Space", "Spec"]

MAX_PARAMETERS = 1000
MAX_NAME_LENGTH = 250


class Space:
    """A space that makes sense.

    Args:
        specs: in the order in which they were sent, which is that of params in answers.
    Attributes:
        order: the names, parents before children and otherwise by name: however the specs were written down,
            computations that go by it come out the same.
    Raises:
        InvalidSpace: it makes no sense; the message says what to change.
    """

    __slots__ = ("_when", "order", "specs")

    def __init__(self, specs: Mapping[str, Spec]) -> None:
        if not specs:
            raise InvalidSpace("A space needs at least one parameter.")
        if len(specs) > MAX_PARAMETERS:
            raise InvalidSpace(f"A space may have at most {MAX_PARAMETERS} parameters; this one has {len(specs)}.")
        for name in specs:
            _check_name(name)
            _check_when(name, specs)
        self.specs: Mapping[str, Spec] = MappingProxyType(dict(specs))
        self.order: tuple[str, ...] = _order(specs)
        # With their types: 3, 3.0 and True are three values.
        self._when = {
            name: {parent: {(type(value), value) for value in values} for parent, values in (spec.when or {}).items()}
            for name, spec in specs.items()
        }

    @classmethod
    def from_json(cls, specs: Mapping[str, Mapping[str, Any]]) -> "Space":
        """The space that JSON describes, as it was sent or as `to_json` wrote it.

        Raises:
            InvalidSpace: it makes no sense; the message says what to change.
        """
        parsed: dict[str, Spec] = {}
        for name, data in specs.items():
            try:
                parsed[name] = spec_from_json(data)
            except ValueError as problem:
                raise InvalidSpace(str(problem), name[:MAX_NAME_LENGTH]) from problem
        return cls(parsed)

    def to_json(self) -> dict[str, dict[str, Any]]:
        """The space as it is stored and shown: in the order sent, defaults filled in."""
        return {name: spec_to_json(spec) for name, spec in self.specs.items()}

    def is_active(self, name: str, params: Params) -> bool:
        """Whether a parameter exists, given the active ones that come before it in `order`."""
        return all(
            parent in params and (type(params[parent]), params[parent]) in values
            for parent, values in self._when[name].items()
        )

    def coerce(self, params: Mapping[str, Any], *, is_whole: bool = True) -> dict[str, Scalar]:
        """The same values, in the order of the space; an integer for a float_range becomes the equal float.

        Args:
            is_whole: whether no active parameter may be missing.
        Raises:
            ParamsOutOfSpace: an unknown name, a value outside of its spec, an active parameter that is
                missing, or one that is there and inactive, or active only under some values of a missing one.
        """
        unknown = next((name for name in params if name not in self.specs), None)
        if unknown is not None:
            raise ParamsOutOfSpace("the space has no parameter of this name; leave it out.", unknown[:MAX_NAME_LENGTH])
        checked: dict[str, Scalar] = {}
        for name in self.order:
            if not self.is_active(name, checked):
                if name in params:
                    raise ParamsOutOfSpace(
                        "its `when` does not hold here; leave it out, or add what it asks for.", name
                    )
            elif name in params:
                try:
                    checked[name] = self.specs[name].check(params[name])
                except ValueError as problem:
                    raise ParamsOutOfSpace(str(problem), name) from problem
            elif is_whole:
                raise ParamsOutOfSpace("it is missing.", name)
        return self.arrange(checked)

    def arrange(self, params: Params) -> dict[str, Scalar]:
        """Parameters of this space in the order in which it was sent."""
        return {name: params[name] for name in self.specs if name in params}


def _check_name(name: str) -> None:
    if not name.strip():
        raise InvalidSpace("a parameter's name must not be blank.", name[:MAX_NAME_LENGTH])
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidSpace(f"a name may have at most {MAX_NAME_LENGTH} characters.", name[:MAX_NAME_LENGTH])


def _check_when(name: str, specs: Mapping[str, Spec]) -> None:
    for parent, values in (specs[name].when or {}).items():
        spec = specs.get(parent)
        if parent == name:
            raise InvalidSpace("`when` names the parameter itself; name another one.", name)
        if spec is None:
            raise InvalidSpace("`when` names a parameter that the space does not have.", name)
        if not isinstance(spec, Choice | Flag):
            todo = "make it an ordered choice of its values"
            raise InvalidSpace(f"`when` names {parent!r}, which is neither a choice nor a flag; {todo}.", name)
        if not values:
            raise InvalidSpace("`when` lists no values for a parent, so the parameter could never exist.", name)
        try:
            for value in values:
                spec.check(value)
        except ValueError as problem:
            raise InvalidSpace(f"`when` lists a value that {parent!r} cannot take: {problem}", name) from problem


def _order(specs: Mapping[str, Spec]) -> tuple[str, ...]:
    sorter = TopologicalSorter({name: (spec.when or {}).keys() for name, spec in specs.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        raise InvalidSpace("`when` leads in a circle back to this parameter; break it.", min(error.args[1])) from error
    order: list[str] = []
    ready: list[str] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(ready, name)
        order.append(heappop(ready))
        sorter.done(order[-1])
    return tuple(order)
