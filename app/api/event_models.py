"""Events on the wire: one model a type, so that a client knows what comes."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from app.api.fields import Answer, Id, Metrics, Number, Params, Scores, Time
from app.api.trial_models import Trial
from app.domain.events import EVENT_TYPES
from app.domain.states import RunStatus, TrialState, TunerState, TunerStopReason

EventType = TypeAliasType(
    "EventType",
    Annotated[str, Field(max_length=50, description="What happened.", json_schema_extra={"enum": list(EVENT_TYPES)})],
)


class _Event(Answer):
    event_id: int = Field(description="Rises in commit order across the whole service; never used again.")
    timestamp: Time


class RunStartEvent(_Event):
    """A training run began."""

    type: Literal["run_start"]
    run_id: Id
    params: Params
    tags: list[str]
    tuner_id: Id | None
    trial_id: Id | None


class EpochEndEvent(_Event):
    """A run logged an epoch; `metrics` holds the values that were new."""

    type: Literal["epoch_end"]
    run_id: Id
    epoch: int
    metrics: Metrics


class TrainingEndEvent(_Event):
    """A training run ended."""

    type: Literal["training_end"]
    run_id: Id
    status: RunStatus
    final_metrics: Metrics
    duration_s: float


class RunCrashEvent(_Event):
    """A run fell silent, or lost its trial."""

    type: Literal["run_crash"]
    run_id: Id
    last_epoch: int | None


class RunResumeEvent(_Event):
    """A run that was given up was heard from again."""

    type: Literal["run_resume"]
    run_id: Id
    last_epoch: int | None


class RunDeleteEvent(_Event):
    """A run was deleted, with its history."""

    type: Literal["run_delete"]
    run_id: Id
    last_epoch: int | None


class TrialStartEvent(_Event):
    """A trial was handed to a worker."""

    type: Literal["trial_start"]
    tuner_id: Id
    trial_id: Id
    number: int
    params: Params
    worker: str | None
    attempt: int


class TrialStaleEvent(_Event):
    """The lease of a trial ran out; another worker may have it."""

    type: Literal["trial_stale"]
    tuner_id: Id
    trial_id: Id
    number: int
    worker: str | None
    attempt: int


class TrialEndEvent(_Event):
    """A trial has its outcome."""

    type: Literal["trial_end"]
    tuner_id: Id
    trial_id: Id
    number: int
    state: TrialState
    score: Number | None
    scores: Scores | None
    reason: str | None


class TunerEndEvent(_Event):
    """A tuner hands out no more trials."""

    type: Literal["tuner_end"]
    tuner_id: Id
    state: TunerState
    reason: TunerStopReason
    best: Trial | None


class ObserverOffEvent(_Event):
    """A webhook was switched off by the service: its receiver answered 410, or failed for days."""

    type: Literal["observer_off"]
    observer_id: Id
    reason: str


Event = Annotated[
    RunStartEvent
    | EpochEndEvent
    | TrainingEndEvent
    | RunCrashEvent
    | RunResumeEvent
    | RunDeleteEvent
    | TrialStartEvent
    | TrialStaleEvent
    | TrialEndEvent
    | TunerEndEvent
    | ObserverOffEvent,
    Field(discriminator="type", description="A fact about training; `type` says which kind."),
]


class EventPage(Answer):
    """Events, by number; the next page begins after `last_event_id`."""

    items: list[Event]
    last_event_id: int
