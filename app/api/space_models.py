"""Spaces on the wire: what a tuner may propose."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, WithJsonSchema
from typing_extensions import TypeAliasType

from app.api.fields import Key, Scalar, Wire
from app.domain.values import INT64_MAX, INT64_MIN

Values = Annotated[list[Scalar], Field(fail_fast=True)]
Condition = TypeAliasType(
    "Condition",
    Annotated[dict[Key, Values], Field(description="Parents, each with the values of which it must have one.")],
)
When = Annotated[
    Condition | None,
    Field(description="The parameter exists only where the parent (a choice or flag) has one of these values."),
]


Bound = Annotated[StrictInt, WithJsonSchema({"type": "integer", "minimum": INT64_MIN, "maximum": INT64_MAX})]
"""An integer that the space itself takes or refuses, with the name of the parameter."""


class IntRange(Wire):
    """Integers from min to max, both included."""

    type: Literal["int_range"]
    min: Bound
    max: Bound
    log: StrictBool = False
    step: Bound | None = None
    when: When = None


class FloatRange(Wire):
    """Numbers from min to max, both included."""

    type: Literal["float_range"]
    min: StrictFloat
    max: StrictFloat
    log: StrictBool = False
    step: StrictFloat | None = None
    when: When = None


class Choice(Wire):
    """One of the options, compared by value and type; `ordered` says that neighbours are alike."""

    type: Literal["choice"]
    options: list[Scalar] = Field(max_length=10_000, fail_fast=True)
    ordered: StrictBool = False
    when: When = None


class Flag(Wire):
    """True or false."""

    type: Literal["flag"]
    when: When = None


Spec = TypeAliasType(
    "Spec",
    Annotated[
        IntRange | FloatRange | Choice | Flag,
        Field(discriminator="type", description="What values a parameter may have."),
    ],
)
Space = TypeAliasType(
    "Space", Annotated[dict[str, Spec], Field(description="What may be proposed: parameters, each with its spec.")]
)
