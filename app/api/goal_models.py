"""What a tuner is after, and what it may spend, on the wire: objectives, budgets, stoppers."""

from typing import Annotated, Any

from pydantic import Field, StrictInt, Tag, WithJsonSchema
from typing_extensions import TypeAliasType

from app.api.fields import Finite, Key, Seconds, StorableObject, Wire
from app.domain.goal import Budget as BudgetValue
from app.domain.goal import Direction
from app.tuning.stopping.registry import MAX_STOPPERS, STOPPERS
from app.tuning.stopping.stopper import Stopper as StopperRule


class Objective(Wire):
    """The metric whose value is a trial's score."""

    metric: Key = "score"
    direction: Direction = Direction.maximize


Objectives = Annotated[list[Objective], Field(min_length=1, max_length=10)]


class Budget(Wire):
    """What a tuner may spend; null means no limit, and of `max_attempts` that it is not given."""

    max_trials: Annotated[StrictInt, Field(ge=1, lt=2**31)] | None = Field(
        default=None, description="Trials proposed; outside observations and repeated attempts do not count."
    )
    max_parallel: Annotated[StrictInt, Field(ge=1, lt=2**31)] | None = Field(
        default=None, description="Trials running at once."
    )
    max_failures: Annotated[StrictInt, Field(ge=1, lt=2**31)] | None = Field(
        default=None, description="Trials that end as failed."
    )
    max_attempts: Annotated[StrictInt, Field(ge=1, lt=2**31)] = Field(
        default=3, description="How often one trial is handed out before it ends as failed."
    )
    target: Finite | None = Field(default=None, description="The score that is good enough.")
    wallclock_s: Seconds | None = Field(default=None, description="Time from the tuner's creation.")

    def value(self) -> BudgetValue:
        """As the domain has it."""
        return BudgetValue(**self.model_dump())


def _stopper_schema(stopper: type[StopperRule]) -> dict[str, Any]:
    kind = {"type": "string", "const": stopper.key}
    return {
        "title": f"{stopper.key.capitalize()}Stopper",
        "description": stopper.description,
        **stopper.options_schema,
        "properties": {"type": kind, **stopper.options_schema["properties"]},
        "required": ["type"],
    }


STOPPER_SCHEMAS = {schema["title"]: schema for schema in map(_stopper_schema, STOPPERS.values())}
"""By the name of their model: the OpenAPI document has them from the stoppers themselves."""

Stopper = TypeAliasType(
    "Stopper",
    Annotated[
        StorableObject,
        WithJsonSchema({"oneOf": list(STOPPER_SCHEMAS.values()), "discriminator": {"propertyName": "type"}}),
    ],
)
OneOrMoreStoppers = (
    Annotated[Stopper, Tag("one")] | Annotated[list[Stopper], Field(max_length=MAX_STOPPERS), Tag("list")]
)
