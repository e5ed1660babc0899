"""Facts about training: immutable, named in the past tense of the contract, recorded with the change they tell of.

    run_start     epoch_end     training_end     of a run
    run_crash     run_resume    run_delete
    trial_start   trial_stale   trial_end        of a trial: each hand-out, each lease that ran out, its end
    tuner_end                                    of a tuner
    observer_off                                 of a webhook

An event's number and time are given when it is stored. Metrics and scores are in their JSON form here
(`values.to_json_number`), so that an event can go out as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_args
from uuid import UUID

from app.domain.states import RunStatus, TrialState, TunerState, TunerStopReason
from app.domain.values import Number, Params


@dataclass(frozen=True, slots=True)
class RunStart:
    """A training run began."""

    type: ClassVar[str] = "run_start"
    run_id: UUID
    params: Params
    tags: Sequence[str]
    tuner_id: UUID | None
    trial_id: UUID | None


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """A run logged an epoch; `metrics` are the values that were new."""

    type: ClassVar[str] = "epoch_end"
    run_id: UUID
    epoch: int
    metrics: Mapping[str, Number]


@dataclass(frozen=True, slots=True)
class TrainingEnd:
    """A training run ended."""

    type: ClassVar[str] = "training_end"
    run_id: UUID
    status: RunStatus
    final_metrics: Mapping[str, Number]
    duration_s: float


@dataclass(frozen=True, slots=True)
class RunCrash:
    """A run fell silent, or lost its trial."""

    type: ClassVar[str] = "run_crash"
    run_id: UUID
    last_epoch: int | None


@dataclass(frozen=True, slots=True)
class RunResume:
    """A run that was given up spoke again."""

    type: ClassVar[str] = "run_resume"
    run_id: UUID
    last_epoch: int | None


@dataclass(frozen=True, slots=True)
class RunDelete:
    """A run was deleted, with its history."""

    type: ClassVar[str] = "run_delete"
    run_id: UUID
    last_epoch: int | None


@dataclass(frozen=True, slots=True)
class TrialStart:
    """A trial was handed to a worker."""

    type: ClassVar[str] = "trial_start"
    tuner_id: UUID
    trial_id: UUID
    number: int
    params: Params
    worker: str | None
    attempt: int


@dataclass(frozen=True, slots=True)
class TrialStale:
    """The lease of a trial ran out; another worker may have it."""

    type: ClassVar[str] = "trial_stale"
    tuner_id: UUID
    trial_id: UUID
    number: int
    worker: str | None
    attempt: int


@dataclass(frozen=True, slots=True)
class TrialEnd:
    """A trial has its outcome."""

    type: ClassVar[str] = "trial_end"
    tuner_id: UUID
    trial_id: UUID
    number: int
    state: TrialState
    score: Number | None
    scores: Mapping[str, Number] | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class TunerEnd:
    """A tuner hands out no more trials; `best` is the best trial as the API shows it, or none."""

    type: ClassVar[str] = "tuner_end"
    tuner_id: UUID
    state: TunerState
    reason: TunerStopReason
    best: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class ObserverOff:
    """A webhook was switched off by the service."""

    type: ClassVar[str] = "observer_off"
    observer_id: UUID
    reason: str


Event = (
    RunStart
    | EpochEnd
    | TrainingEnd
    | RunCrash
    | RunResume
    | RunDelete
    | TrialStart
    | TrialStale
    | TrialEnd
    | TunerEnd
    | ObserverOff
)

EVENT_TYPES: dict[str, type[Event]] = {event.type: event for event in get_args(Event)}
