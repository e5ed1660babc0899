"""The wire's scalars, each with its schema: what JSON lets through and the contract does not is refused here."""

import json
import math
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any
from uuid import UUID

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType

from app.domain.errors import NotFound
from app.domain.values import INT64_MAX, INT64_MIN


class Wire(BaseModel):
    """A body or answer: what is not named is refused, and null says of what has a default that it is not given.

    Many languages write it for what nobody set: Go for nil slices and maps, Java and C# for any field. The document
    does not tell of it: in generated clients every field would have one more type.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, sent: Any) -> Any:
        if isinstance(sent, dict) and None in sent.values():
            fields = cls.model_fields
            return {
                name: value
                for name, value in sent.items()
                if value is not None or name not in fields or not _has_default(fields[name])
            }
        return sent


def _has_default(field: FieldInfo) -> bool:
    """Whether it has one that is not null; where it is, null is taken as it is: a PATCH may mean something by it."""
    return not field.is_required() and field.get_default(call_default_factory=True) is not None


class Answer(BaseModel):
    """Something that only goes out; new fields may join later."""

    model_config = ConfigDict(from_attributes=True)


def _check_number(value: Any) -> float | str:
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return value
    if (number := _finite(value)) is None:
        raise ValueError('a number is expected, or one of "NaN", "Infinity", "-Infinity"')
    return number


def _finite(value: Any) -> float | None:
    """The same number as a float; None where it is no finite one."""
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is int and abs(value) <= INT64_MAX and int(float(value)) == value:
        return float(value)
    if type(value) is int:
        raise ValueError("an integer has at most 64 bits and is exact as a float; write 1.8e19 where rounding is fine")
    return None


NON_FINITE = {
    "type": "string",
    "enum": ["NaN", "Infinity", "-Infinity"],
    "x-enum-varnames": ["NAN", "INFINITY", "MINUS_INFINITY"],  # what generators call them
    "description": "The numbers that JSON lacks.",
}
"""`NonFinite` in the OpenAPI document."""

Number = TypeAliasType(
    "Number",
    Annotated[
        float | str,
        PlainValidator(_check_number),
        WithJsonSchema(
            {
                "anyOf": [NON_FINITE, {"type": "number"}],
                "description": "A number, or one of the three that JSON lacks.",
            }
        ),
    ],
)


def _check_finite(value: Any) -> float:
    if (number := _finite(value)) is None:
        raise ValueError("a finite number is expected")
    return number


Finite = Annotated[float, PlainValidator(_check_finite), WithJsonSchema({"type": "number"})]
"""A number that is one."""

LONGEST_S = 10**9
_SECONDS_SCHEMA = {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_S}


def _check_seconds(value: Any) -> float:
    seconds = _check_finite(value)
    if not 0 < seconds <= LONGEST_S:
        raise ValueError(f"a time in seconds, greater than 0 and at most {LONGEST_S}, is expected")
    return seconds


Seconds = Annotated[float, PlainValidator(_check_seconds), WithJsonSchema(_SECONDS_SCHEMA)]
"""How long something lasts."""


def _check_scalar(value: Any) -> Any:
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is int and INT64_MIN <= value <= INT64_MAX:
        return value
    if isinstance(value, bool) or (isinstance(value, str) and len(value) <= 10_000):
        return value
    raise ValueError(
        "a finite number, an integer of 64 bits, a string of at most 10,000 characters or a boolean is expected"
    )


Scalar = TypeAliasType(
    "Scalar",
    Annotated[
        int | float | str | bool,
        PlainValidator(_check_scalar),
        WithJsonSchema(
            {
                "anyOf": [{"type": "integer"}, {"type": "number"}, {"type": "string"}, {"type": "boolean"}],
                "description": "A parameter's value; its type counts: `3` and `3.0` are different.",
            }
        ),
    ],
)


def drop_default(schema: dict[str, Any]) -> None:
    """For a field that may be left out, and not be null: without a default there is none to be sent."""
    schema.pop("default", None)


_NOT_BLANK = r"\S"

Name = Annotated[str, StringConstraints(max_length=250)]
Key = Annotated[str, StringConstraints(max_length=250, pattern=_NOT_BLANK)]
Worker = Annotated[str, StringConstraints(min_length=1, max_length=250)]
Attempt = Annotated[StrictInt, Field(ge=0, lt=2**31)]
Tag = Annotated[str, StringConstraints(max_length=250, pattern=_NOT_BLANK)]
Text = Annotated[str, StringConstraints(max_length=10_000)]
Tags = Annotated[list[Tag], Field(max_length=1000)]
Params = TypeAliasType(
    "Params", Annotated[dict[Key, Scalar], Field(max_length=1000, description="Parameters, each with its value.")]
)
Metrics = TypeAliasType(
    "Metrics", Annotated[dict[Key, Number], Field(max_length=1000, description="Metrics, each with its value.")]
)
Scores = TypeAliasType(
    "Scores", Annotated[dict[Key, Number], Field(max_length=100, description="Scores, by the objective's metric.")]
)
Int64 = Annotated[StrictInt, Field(ge=INT64_MIN, le=INT64_MAX)]
EpochNumber = Annotated[StrictInt, Field(ge=0, le=INT64_MAX)]


def _check_storable(value: dict[str, Any]) -> dict[str, Any]:
    json.dumps(value, allow_nan=False)  # ValueError: a number that is not finite
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise ValueError("integers of 64 bits at most, and not too deeply nested") from error
    return value


JsonObject = TypeAliasType(
    "JsonObject", Annotated[dict[str, Any], Field(description="An object whose members a strategy defines.")]
)
StorableObject = Annotated[JsonObject, AfterValidator(_check_storable)]
"""Whatever a plug-in wants, as far as it can be stored."""

Time = Annotated[
    str, WithJsonSchema({"type": "string", "format": "date-time"}), Field(examples=["2026-11-23T20:21:07.123456Z"])
]
"""A time that goes out."""


def _check_year(value: datetime) -> datetime:
    if not 1900 <= value.year <= 9998:
        raise ValueError("a year from 1900 to 9998 is expected")
    return value


def _check_time_text(value: Any) -> Any:
    if not isinstance(value, str) or ":" not in value:  # a number in quotes would be taken for seconds since 1970
        raise ValueError("a time with its zone is expected, such as 2026-11-24T07:00:00Z")
    return value


SentTime = Annotated[AwareDatetime, BeforeValidator(_check_time_text), AfterValidator(_check_year)]
"""A time that comes in: RFC 3339, with its zone."""

Id = Annotated[UUID, Field(examples=["019352a1-4b5c-7d6e-8f90-a1b2c3d4e5f6"])]


def body_digest(body: BaseModel) -> bytes:
    """What two bodies share that say the same, in whatever order, with defaults spelled out or not."""
    return blake2b(orjson.dumps(body.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def parse_id(text: str, unknown: type[NotFound]) -> UUID:
    """The id in a path; what is no UUID is the id of nothing."""
    try:
        return UUID(text)
    except ValueError:
        raise unknown(text[:100]) from None
