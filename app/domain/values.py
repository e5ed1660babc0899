"""The plain values that travel: parameter scalars, metric numbers, times.

Parameter values keep their JSON type: `3`, `3.0`, `"3"` and `true` are four values. Metrics and scores are
numbers, of which JSON lacks three; those travel and are stored as the strings `"NaN"`, `"Infinity"`, `"-Infinity"`.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime

Scalar = int | float | str | bool
Params = Mapping[str, Scalar]
Number = float | str
"""A metric's value in its JSON form: a finite number, or one of the three strings."""

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

MAX_NAMES = 1000
"""How many metrics, or params, one run may have."""

_SPELLINGS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def same_scalar(a: Scalar, b: Scalar) -> bool:
    """Whether two values are equal with their types: 3, 3.0 and True are three different ones."""
    return type(a) is type(b) and a == b


def params_key(params: Params) -> str:
    """A text that two parameter maps share exactly when they are equal with their types, in whatever order."""
    return json.dumps(params, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def to_json_number(value: float) -> Number:
    """The JSON form of a metric."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def from_json_number(value: Number) -> float:
    """The metric that a JSON form stands for."""
    return _SPELLINGS[value] if isinstance(value, str) else value


def to_rfc3339(time: datetime) -> str:
    """UTC with microseconds and a Z, as all times on the wire.

    Raises:
        ValueError: the time has no time zone.
    """
    if time.tzinfo is None:
        raise ValueError(f"a time needs a time zone: {time!r}")
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
