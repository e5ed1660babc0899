"""Values on their way: what Python has, as the service takes it, and back."""

import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, SupportsFloat

Value = SupportsFloat
"""A metric's value: anything that is a number, zero-dimensional arrays and tensors too."""

_LONGEST_TEXT = 10_000
LONGEST_NAME = 250
MOST_METRICS = _MOST_PARAMS = _MOST_TAGS = 1_000
"""A run that had more than the service takes would not begin, or not end, and what it says would be left out."""

_NO_TEXT = re.compile(r"[\0\ud800-\udfff]")
"""What the service takes in no string: U+0000, and halves of surrogate pairs, which names of files may hold."""

_INSTEAD = "leave it out, or say str(…) of it"

_NUMBERS = frozenset({"metrics", "final_metrics", "summary", "score", "scores", "series"})
"""Fields that hold nothing but numbers, those that JSON lacks by their names."""


def to_wire(metrics: Mapping[str, Value]) -> dict[str, float | str]:
    """Metrics as the service takes them: numbers, and names for the three that JSON lacks.

    Raises:
        TypeError, ValueError: a value is no number.
    """
    values: dict[str, float | str] = {}
    for name, value in metrics.items():
        try:
            number = _number(value)
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"metric {name!r} is no number: {value!r:.100}") from error
        values[str(name)] = number if abs(number) < float("inf") else _name(number)
    return values


def tag_list(tags: Iterable[str]) -> list[str]:
    """Tags as the service takes them.

    Raises:
        TypeError: one is no text; or it is one text, whose letters would be the tags.
        ValueError: one is blank or too long, or they are too many.
    """
    if isinstance(tags, str):
        raise TypeError(f"tags are several texts, as in tags=[{tags!r:.100}]")
    given = list(tags)
    if len(given) > _MOST_TAGS:
        raise ValueError(f"at most {_MOST_TAGS:,} tags are kept, and these are {len(given):,}")
    for tag in given:
        if not isinstance(tag, str):
            raise TypeError(f"a tag is a text, not {tag!r:.100}")
        check_name("a tag", tag)
    return given


def short(what: str, text: str, most: int = _LONGEST_TEXT) -> str:
    """The text, if it is one, and the service takes one of its length.

    Raises:
        ValueError: it does not.
    """
    if _NO_TEXT.search(text):
        raise ValueError(f"{what} is no text: {text!r:.100}")
    if len(text) > most:
        raise ValueError(f"{what} has {len(text):,} characters, and at most {most:,} are kept: {text!r:.100}…")
    return text


def check_name(what: str, name: str) -> None:
    """What something is called by.

    Raises:
        ValueError: it is blank, too long, or no text.
    """
    if not name.strip():
        raise ValueError(f"{what} is blank: {name!r:.100}")
    short(what, name, LONGEST_NAME)


def why(reason: str | BaseException) -> str:
    """A reason in words, of an exception its kind, too; no more of it than the service takes."""
    said = f"{type(reason).__name__}: {reason}" if isinstance(reason, BaseException) else reason
    return _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", said[:_LONGEST_TEXT])


def plain(params: Mapping[str, Any]) -> dict[str, int | float | str | bool]:
    """Params as the service takes them, which knows Python's own scalars: those of numpy, and tensors of one number,
    become such.

    Raises:
        TypeError, ValueError: a value is no finite number, text or boolean; or they are too many, or too long.
    """
    if len(params) > _MOST_PARAMS:
        raise ValueError(f"a run has at most {_MOST_PARAMS:,} params, and these are {len(params):,}")
    values: dict[str, int | float | str | bool] = {}
    for name, value in params.items():
        check_name("the name of a param", str(name))
        own = value
        if hasattr(value, "item"):
            with suppress(TypeError, ValueError, RuntimeError):  # an array, a series or a tensor of several
                own = value.item()
        if not isinstance(own, int | float | str):
            instead = (
                f"say each of its parts, as {name}.{next(iter(own))}" if isinstance(own, Mapping) and own else _INSTEAD
            )
            raise TypeError(f"param {name!r} is no number, text or boolean: {value!r:.100}; {instead}")
        if isinstance(own, float) and not math.isfinite(own):
            raise ValueError(f"param {name!r} is not finite: {value!r}")
        if isinstance(own, int) and not -(2**63) <= own < 2**63:
            raise ValueError(f"param {name!r} has more than 64 bits: {value!r:.100}")
        if isinstance(own, str):
            short(f"param {name!r}", own)
        values[str(name)] = own
    return values


def is_same_param(one: Any, other: Any) -> bool:
    """Whether two params are equal, of the same kind, too: 3 and 3.0 are two."""
    return (type(one), one) == (type(other), other)


def _name(number: float) -> str:
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Those of the metrics that are numbers: frameworks mix others in."""
    found: dict[str, float] = {}
    for name, value in metrics.items():
        if not isinstance(value, str | bytes):
            with suppress(TypeError, ValueError, RuntimeError):
                found[name] = _number(value)
    return found


def _number(value: Value) -> float:
    """PyTorch warns of float() where a tensor has its gradient still, as a loss has; and of several it raises a
    RuntimeError."""
    return float(value.item() if hasattr(value, "item") else value)


def with_numbers(item: Mapping[str, Any]) -> dict[str, Any]:
    """A run, trial or event of the service, with floats for the three numbers that JSON lacks."""
    return {name: _read(value) if name in _NUMBERS else value for name, value in item.items()}


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _read(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_read(one) for one in value]
    return float(value) if isinstance(value, str) else value
