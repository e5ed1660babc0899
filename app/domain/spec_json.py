"""Specs in their JSON form: {"type": "int_range", "min": 1, "max": 6, ...}.

Trusts nobody: what is sent, stored or restored from a snapshot comes through here.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from app.domain.specs import Choice, Flag, FloatRange, IntRange, Spec, When, as_float


def spec_from_json(data: Mapping[str, Any]) -> Spec:
    """The spec that JSON describes.

    Raises:
        ValueError: it makes no sense; the message says what to change.
    """
    if not isinstance(data, Mapping):
        raise ValueError('a spec must be an object such as {"type": "int_range", "min": 1, "max": 6}.')
    kind = data.get("type")
    if not isinstance(kind, str) or kind not in _READERS:
        raise ValueError(f"type must be one of {', '.join(_READERS)}.")
    spec, read = _READERS[kind]
    allowed = [field.name for field in fields(spec)]
    if data.keys() - {"type", *allowed}:
        raise ValueError(f"{kind} has the fields {', '.join(allowed)} and no others.")
    return read(data, _when(data))


def spec_to_json(spec: Spec) -> dict[str, Any]:
    """The JSON form, with every field."""
    data: dict[str, Any] = {"type": spec.type}
    for field in fields(spec):
        value = getattr(spec, field.name)
        data[field.name] = list(value) if isinstance(value, tuple) else value
    if spec.when is not None:
        data["when"] = {parent: list(values) for parent, values in spec.when.items()}
    return data


def _int_range(data: Mapping[str, Any], when: When | None) -> IntRange:
    step = None if data.get("step") is None else _integer(data, "step")
    return IntRange(_integer(data, "min"), _integer(data, "max"), _boolean(data, "log"), step, when)


def _float_range(data: Mapping[str, Any], when: When | None) -> FloatRange:
    step = None if data.get("step") is None else _number(data, "step")
    return FloatRange(_number(data, "min"), _number(data, "max"), _boolean(data, "log"), step, when)


def _choice(data: Mapping[str, Any], when: When | None) -> Choice:
    options = data.get("options")
    if not isinstance(options, list | tuple):
        raise ValueError("options must be a list of values.")
    return Choice(tuple(options), _boolean(data, "ordered"), when)


def _flag(data: Mapping[str, Any], when: When | None) -> Flag:
    return Flag(when)


_READERS: dict[str, tuple[type[Spec], Callable[[Mapping[str, Any], When | None], Spec]]] = {
    IntRange.type: (IntRange, _int_range),
    FloatRange.type: (FloatRange, _float_range),
    Choice.type: (Choice, _choice),
    Flag.type: (Flag, _flag),
}


def _integer(data: Mapping[str, Any], field: str) -> int:
    value = data.get(field)
    if type(value) is not int:
        raise ValueError(f"{field} must be an integer.")
    return value


def _number(data: Mapping[str, Any], field: str) -> float:
    number = as_float(data.get(field))
    if number is None:
        raise ValueError(f"{field} must be a finite number that a 64-bit float holds exactly.")
    return number


def _boolean(data: Mapping[str, Any], field: str) -> bool:
    value = data.get(field, False)
    if not isinstance(value, bool):
        raise ValueError(f"{field} must be true or false.")
    return value


def _when(data: Mapping[str, Any]) -> When | None:
    """The condition; one that names no parent is none."""
    when = data.get("when")
    if when is None:
        return None
    if not isinstance(when, Mapping) or not all(isinstance(values, list | tuple) for values in when.values()):
        raise ValueError('when must map parents to lists of their values, such as {"optimizer": ["sgd"]}.')
    return {parent: tuple(values) for parent, values in when.items()} or None
