"""A whole tuner with its trials on the wire, to be rebuilt elsewhere."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt

from app.api.fields import Int64, Name, Number, Params, Scores, Seconds, SentTime, StorableObject, Tags, Text, Wire
from app.api.goal_models import Budget, Objectives, OneOrMoreStoppers
from app.api.space_models import Space
from app.domain.states import TrialState, TunerState, TunerStopReason


class SnapshotTuner(Wire):
    """The tuner in a snapshot."""

    name: Name
    strategy: str
    space: Space
    objectives: Objectives
    seed: Int64
    options: StorableObject
    budget: Budget
    stopper: OneOrMoreStoppers
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
    why: StorableObject
    create_time: SentTime
    end_time: SentTime | None


class Snapshot(Wire):
    """A whole tuner, as `GET /v1/tuners/{tuner_id}/snapshot` answers it."""

    version: Literal[1]
    tuner: SnapshotTuner
    trials: list[SnapshotTrial] = Field(max_length=100_000, fail_fast=True)
    checksum: str = Field(examples=["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])
