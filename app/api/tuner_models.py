"""Tuners on the wire, and the strategies that they may have."""

from pydantic import Field, model_validator

from app.api.fields import Answer, Id, Int64, JsonObject, Name, Seconds, StorableObject, Tags, Time, Wire
from app.api.goal_models import Budget, Objective, Objectives, OneOrMoreStoppers
from app.api.snapshot_models import Snapshot
from app.api.space_models import Space
from app.api.trial_models import Trial
from app.domain.states import TunerState, TunerStopReason
from app.domain.values import to_rfc3339
from app.store.trials import Trial as TrialRow
from app.store.tuners import Tuner as TunerRow


class TunerRequest(Wire):
    """A tuner to create: only `space` is required, or a `snapshot` to rebuild one from."""

    tuner_id: Id | None = Field(default=None, description="Chosen by the client; a repeated request is harmless.")
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
    objective: Objective | None = Field(default=None, description="By default the metric `score`, maximised.")
    objectives: Objectives | None = Field(default=None, description="Several, to be weighed against each other.")
    seed: Int64 | None = Field(default=None, description="Decides the proposals; drawn at random if none is sent.")
    options: StorableObject = Field(default_factory=dict, description="The strategy's own options; see /v1/strategies.")
    budget: Budget = Budget()
    stopper: OneOrMoreStoppers = Field(
        default={"type": "none"}, description="The rule that ends hopeless runs; of several, the first that says stop."
    )
    lease_s: Seconds = Field(default=600.0, description="How long a worker that says nothing holds its trial.")
    tags: Tags = Field(default_factory=list)
    snapshot: Snapshot | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> "TunerRequest":
        given = {name for name in self.model_fields_set if getattr(self, name) is not None}
        if self.snapshot is not None and given - {"snapshot", "tuner_id"}:
            raise ValueError("a snapshot says everything but the tuner_id; leave the other fields out")
        if self.snapshot is None and self.space is None:
            raise ValueError("a tuner needs a space (or a snapshot)")
        if self.objective is not None and self.objectives is not None:
            raise ValueError("send either objective or objectives")
        return self


class TunerPatch(Wire):
    """What to change about a tuner; what is left out stays, also in the budget."""

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
    options: JsonObject
    budget: Budget
    stopper: OneOrMoreStoppers
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
    options: JsonObject = Field(description="JSON schema of the options it takes.")


class PluginLeftOut(Answer):
    """An installed plug-in that could not be used; all else works without it."""

    kind: str = Field(description="`strategy` or `stopper`.")
    name: str = Field(description="The name of its entry point.")
    value: str = Field(description="What the entry point refers to.")
    reason: str = Field(description="Why it could not be used, for people.")


class StrategyList(Answer):
    """All strategies that this service has."""

    items: list[Strategy]
    left_out: list[PluginLeftOut]
