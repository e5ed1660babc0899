"""The specs of a space, as functions: `{"lr": float_range(1e-4, 1e-1, log=True)}` is a space."""

from collections.abc import Mapping, Sequence
from typing import Any

Spec = dict[str, Any]
Scalar = int | float | str | bool
When = Mapping[str, Sequence[Scalar]]
"""Where a parameter exists: the parents, each with the values that it must have one of."""


def int_range(min: int, max: int, *, log: bool = False, step: int | None = None, when: When | None = None) -> Spec:
    """Whole numbers, both ends included."""
    return _spec("int_range", when, min=min, max=max, log=log, step=step)


def float_range(
    min: float, max: float, *, log: bool = False, step: float | None = None, when: When | None = None
) -> Spec:
    """Numbers, both ends included."""
    return _spec("float_range", when, min=min, max=max, log=log, step=step)


def choice(*options: Scalar, ordered: bool = False, when: When | None = None) -> Spec:
    """One of these; `ordered` where neighbours are alike."""
    return _spec("choice", when, options=list(options), ordered=ordered)


def flag(*, when: When | None = None) -> Spec:
    """True or false."""
    return _spec("flag", when)


def _spec(kind: str, when: When | None, **members: Any) -> Spec:
    if when is not None:
        members["when"] = {parent: list(values) for parent, values in when.items()}
    return {"type": kind} | {name: value for name, value in members.items() if value is not None}
