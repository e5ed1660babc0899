"""The specs of a space, as functions: `{"lr": float_range(1e-4, 1e-1, log=True)}` is a space."""

from collections.abc import Mapping, Sequence
from typing import Any

Spec = dict[str, Any]
Scalar = int | float | str | bool
When = Mapping[str, Scalar | Sequence[Scalar]]
"""Where a parameter exists: the parents, each with the value that it must have, or with several that it may have."""


def int_range(min: int, max: int, *, log: bool = False, step: int | None = None, when: When | None = None) -> Spec:
    """Whole numbers, both ends included."""
    return _spec("int_range", when, min=min, max=max, log=log, step=step)


def float_range(
    min: float, max: float, *, log: bool = False, step: float | None = None, when: When | None = None
) -> Spec:
    """Numbers, both ends included."""
    return _spec("float_range", when, min=min, max=max, log=log, step=step)


def choice(*options: Scalar, ordered: bool = False, when: When | None = None) -> Spec:
    """One of these; `ordered` where neighbours are alike.

    Raises:
        TypeError: one is no number, text or boolean.
    """
    for option in map(_own, options):
        if not isinstance(option, int | float | str):
            raise TypeError(f"an option is a number, text or boolean, as in choice('adam', 'sgd'), not {option!r:.100}")
    return _spec("choice", when, options=options, ordered=ordered)


def flag(*, when: When | None = None) -> Spec:
    """True or false."""
    return _spec("flag", when)


def is_same_space(said: Mapping[str, Mapping[str, Any]], shown: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a space is what the service shows of one, which says all that it may say."""
    return said.keys() == shown.keys() and all(_own(said[name]).items() <= dict(shown[name]).items() for name in said)


def _spec(kind: str, when: When | None, **members: Any) -> Spec:
    spec = {"type": kind} | {name: _own(value) for name, value in members.items() if value is not None}
    if when is not None:
        spec["when"] = {
            parent: values if isinstance(values, list) else [values] for parent, values in _own(when).items()
        }
    return spec


def _own(value: Any) -> Any:
    """The same in Python's own types: those of numpy become such, and what holds several values a list."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return {name: _own(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset | range):
        return [_own(one) for one in value]
    return value
