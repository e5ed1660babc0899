"""The options of strategies and stoppers, as their JSON schemas describe them."""

import math
from collections.abc import Mapping
from typing import Any

from app.domain.errors import InvalidRequest
from app.domain.specs import as_float
from app.domain.values import INT64_MAX

_WORDS = {
    "boolean": "true or false",
    "string": "a string",
    "integer": "an integer",
    "number": "a finite number",
    "array": "a list",
    "object": "an object",
}


def options_of(**properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of options, all of them optional, without others."""
    return {"type": "object", "properties": properties, "additionalProperties": False}


def whole(default: int | None, minimum: int, description: str, maximum: int = INT64_MAX) -> dict[str, Any]:
    """The schema of an option that is a whole number; None as its default makes it nullable."""
    kind = ["integer", "null"] if default is None else "integer"
    return {
        "type": kind,
        "minimum": minimum,
        "maximum": maximum,
        "default": default,
        "description": description,
    }


def filled(options: Mapping[str, Any], schema: Mapping[str, Any], owner: str, *loc: str) -> dict[str, Any]:
    """The options sent, with the defaults of all others.

    Args:
        schema: of an object without additional properties; each property has a default. Of its words, `type`, `enum`,
            `minimum` and `maximum` are looked at.
        owner: whose options they are, for people.
        loc: where they are in the request.
    Raises:
        InvalidRequest: an option that the schema does not have, or a value that it does not take.
    """
    known: Mapping[str, Mapping[str, Any]] = schema["properties"]
    for name in options:
        if name not in known:
            has = f"Its options are: {', '.join(known)}." if known else "It has no options."
            raise InvalidRequest(f"{owner} does not know this option. {has}", *loc, name)
    return {
        name: _checked(options[name], option, name, *loc) if name in options else option["default"]
        for name, option in known.items()
    }


def _checked(value: Any, option: Mapping[str, Any], name: str, *loc: str) -> Any:
    kinds = option["type"] if isinstance(option["type"], list) else [option["type"]]
    kind = _kind(value)
    if kind == "integer" and "integer" not in kinds and "number" in kinds and (number := as_float(value)) is not None:
        value, kind = number, "number"
    if kind not in kinds or (kind in ("integer", "number") and not _is_within(value, option)):
        raise InvalidRequest(f"{name} must be {_described(kinds, option)}.", *loc, name)
    if "enum" in option and value not in option["enum"]:
        raise InvalidRequest(f"{name} must be one of: {', '.join(map(str, option['enum']))}.", *loc, name)
    return value


def _is_within(number: float, option: Mapping[str, Any]) -> bool:
    return bool(option.get("minimum", -math.inf) <= number <= option.get("maximum", math.inf))


def _described(kinds: list[str], option: Mapping[str, Any]) -> str:
    words = " or ".join(_WORDS[kind] for kind in kinds if kind != "null")
    bounds = [f"at {end} {option[key]}" for end, key in (("least", "minimum"), ("most", "maximum")) if key in option]
    return words + (f" of {' and '.join(bounds)}" if bounds else "") + (", or null" if "null" in kinds else "")


def _kind(value: Any) -> str | None:
    """The JSON type of a value; None for a number that JSON does not have."""
    if value is None:
        return "null"
    if isinstance(value, bool):  # to Python an integer, too
        return "boolean"
    if isinstance(value, float):
        return "number" if math.isfinite(value) else None
    kinds: dict[type, str] = {int: "integer", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value))
