"""Tuners and spaces on the wire."""

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, WithJsonSchema, model_validator
from typing_extensions import TypeAliasType

from app.api.fields import (
    Answer,
    Finite,
    Id,
    Int64,
    JsonObject,
    Key,
    Name,
    Number,
    Params,
    Scalar,
    Scores,
    Seconds,
    SentTime,
    Tags,
    Text,
    Time,
    Wire,
)
from app.api.trial_models import Trial
from app.domain.goal import Budget as BudgetValue
from app.domain.goal import Direction
from app.domain.states import TrialState, TunerState, TunerStopReason
from app.domain.values import to_rfc3339
from app.store.trials import Trial as TrialRow
from app.store.tuners import Tuner as TunerRow
from app.tuning.stopping.registry import MAX_STOPPERS, STOPPERS
from app.tuning.stopping.stopper import Stopper as StopperRule

Condition = TypeAliasType("Condition", dict[Key, list[Scalar]])
When = Annotated[
    Condition | None,
    Field(description="Where the parameter exists: the parent (a choice or flag) has one of these values."),
]


class IntRange(Wire):
    """Integers from min to max, both included."""

    type: Literal["int_range"]
    min: Int64
    max: Int64
    log: StrictBool = False
    step: Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)] | None = None
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
    """One of the options, compared with their types; `ordered` says that neighbours are alike."""

    type: Literal["choice"]
    options: list[Scalar] = Field(max_length=10_000)
    ordered: StrictBool = False
    when: When = None


class Flag(Wire):
    """True or false."""

    type: Literal["flag"]
    when: When = None


Spec = TypeAliasType("Spec", Annotated[IntRange | FloatRange | Choice | Flag, Field(discriminator="type")])
Space = TypeAliasType("Space", dict[str, Spec])


class Objective(Wire):
    """The metric whose value is a trial's score."""

    metric: Key = "score"
    direction: Direction = Direction.maximize


class Budget(Wire):
    """What a tuner may spend; null is without limit."""

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
        JsonObject,
        WithJsonSchema({"oneOf": list(STOPPER_SCHEMAS.values()), "discriminator": {"propertyName": "type"}}),
    ],
)
_OneOrMoreStoppers = Stopper | Annotated[list[Stopper], Field(max_length=MAX_STOPPERS)]
_Objectives = Annotated[list[Objective], Field(min_length=1, max_length=10)]


class SnapshotTuner(Wire):
    """The tuner in a snapshot."""

    name: Name
    strategy: str
    space: Space
    objectives: _Objectives
    seed: Int64
    options: JsonObject
    budget: Budget
    stopper: _OneOrMoreStoppers
    lease_s: Seconds
    tags: Tags
    state: TunerState
    stop_reason: TunerStopReason | None
    n_proposed: Annotated[StrictInt, Field(ge=0, lt=2**31)]
    is_exhausted: StrictBool


class SnapshotTrial(Wire):
    """A trial in a snapshot."""

    number: Annotated[StrictInt, Field(ge=0, lt=2**31)]
    params: Params
    state: TrialState
    score: Number | None
    scores: Scores | None
    reason: Text | None
    worker: Name | None
    attempt: Annotated[StrictInt, Field(ge=0, lt=2**31)]
    why: JsonObject
    create_time: SentTime
    end_time: SentTime | None


class Snapshot(Wire):
    """A whole tuner, as `GET /v1/tuners/{tuner_id}/snapshot` answers it."""

    version: Literal[1]
    tuner: SnapshotTuner
    trials: list[SnapshotTrial] = Field(max_length=100_000)
    checksum: str = Field(examples=["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])


class TunerRequest(Wire):
    """A tuner to create: only `space` is required, or a `snapshot` to rebuild one from."""

    tuner_id: Id | None = Field(default=None, description="Chosen by the client; the same again is harmless.")
    name: Name = ""
    strategy: str = Field(default="auto", max_length=250, examples=["random"])
    space: Space | None = Field(
        default=None,
        examples=[
            {
                "learning_rate": {"type": "float_range", "min": 0.0001, "max": 0.1, "log": True},
                "num_layers": {"type": "int_range", "min": 1, "max": 6},
            }
        ],
    )
    objective: Objective | None = Field(default=None, description="By default the metric score, maximised.")
    objectives: _Objectives | None = Field(default=None, description="Several, to be weighed against each other.")
    seed: Int64 | None = Field(default=None, description="Decides the proposals; drawn where none is sent.")
    options: JsonObject = Field(default_factory=dict, description="The strategy's own, see /v1/strategies.")
    budget: Budget = Budget()
    stopper: _OneOrMoreStoppers = Field(
        default={"type": "none"}, description="The rule that ends hopeless runs; of several the first that says stop."
    )
    lease_s: Seconds = Field(default=600.0, description="For how long a worker that says nothing holds its trial.")
    tags: Tags = Field(default_factory=list)
    snapshot: Snapshot | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> "TunerRequest":
        if self.snapshot is not None and self.model_fields_set - {"snapshot", "tuner_id"}:
            raise ValueError("a snapshot says everything but the tuner_id; leave the other fields out")
        if self.snapshot is None and self.space is None:
            raise ValueError("a tuner needs a space (or a snapshot)")
        if self.objective is not None and self.objectives is not None:
            raise ValueError("send either objective or objectives")
        return self


class TunerPatch(Wire):
    """What to change of a tuner; what is left out stays, of the budget too."""

    name: Name | None = None
    tags: Tags | None = None
    budget: Budget | None = None


class TrialCounts(Answer):
    """How many of a tuner's trials are in each state."""

    queued: int
    running: int
    completed: int
    stopped: int
    failed: int
    infeasible: int
    stale: int


class Tuner(Answer):
    """One search: a space, an objective, a strategy and its trials."""

    tuner_id: Id
    name: str
    strategy: str
    space: Space
    objective: Objective | None = Field(description="Null where there are several.")
    objectives: list[Objective]
    seed: int
    options: dict[str, Any]
    budget: Budget
    stopper: _OneOrMoreStoppers
    lease_s: float
    tags: list[str]
    state: TunerState
    stop_reason: TunerStopReason | None
    counts: TrialCounts
    best: Trial | None
    create_time: Time
    update_time: Time

    @classmethod
    def of(cls, row: TunerRow, best: TrialRow | None) -> "Tuner":
        """The row as it goes out."""
        return cls(
            tuner_id=row.tuner_id,
            name=row.name,
            strategy=row.strategy,
            space=row.space,
            objective=Objective.model_validate(row.objectives[0]) if len(row.objectives) == 1 else None,
            objectives=[Objective.model_validate(objective) for objective in row.objectives],
            seed=row.seed,
            options=row.options,
            budget=Budget.model_validate(row.budget),
            stopper=row.stopper,
            lease_s=row.lease_s,
            tags=row.tags,
            state=row.state,
            stop_reason=row.stop_reason,
            counts=TrialCounts.model_validate(row.counts),
            best=None if best is None else Trial.of(best),
            create_time=to_rfc3339(row.create_time),
            update_time=to_rfc3339(row.update_time),
        )


class TunerPage(Answer):
    """Tuners, newest first."""

    items: list[Tuner]
    next_page_token: str | None


class Strategy(Answer):
    """A way to choose what to try next."""

    name: str
    aliases: list[str]
    description: str
    options: dict[str, Any] = Field(description="JSON schema of the options it takes.")


class StrategyList(Answer):
    """All the strategies that this service has."""

    items: list[Strategy]
