"""Runs, epochs and curves on the wire."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import TypeAliasType

from app.api.fields import (
    Answer,
    Attempt,
    EpochNumber,
    Id,
    Metrics,
    Name,
    Number,
    Params,
    Seconds,
    SentTime,
    Tags,
    Text,
    Time,
    Wire,
    Worker,
)
from app.domain.states import RunStatus
from app.domain.summary import MetricSummary as SummaryValue
from app.domain.values import to_rfc3339
from app.store.runs import Run as RunRow


class RunRequest(Wire):
    """A run to start; everything is optional. With a `trial_id` the params default to the trial's."""

    run_id: Id | None = Field(default=None, description="Chosen by the client; a repeated request is harmless.")
    trial_id: Id | None = Field(default=None, description="The trial that this run trains.")
    worker: Worker | None = Field(default=None, description="Who speaks for the trial.")
    attempt: Attempt | None = Field(default=None, description="The trial's attempt when it was handed to this worker.")
    name: Name = ""
    params: Params | None = None
    tags: Tags = Field(default_factory=list)
    note: Text = ""
    stale_after_s: Seconds | None = Field(
        default=None, description="After so long a silence it is given up as crashed; by default never."
    )
    start_time: SentTime | None = Field(default=None, description="When it started, if not now: for imports.")


class MetricSummary(Answer):
    """A summary of a run's history of one metric; extremes are of finite values only."""

    last: Number
    min: float | None
    max: float | None
    epoch_of_min: int | None
    epoch_of_max: int | None
    count: int

    @classmethod
    def of(cls, value: SummaryValue) -> "MetricSummary":
        """The summary as it goes out."""
        return cls.model_construct(
            last=value.last,
            min=value.min,
            max=value.max,
            epoch_of_min=value.epoch_of_min,
            epoch_of_max=value.epoch_of_max,
            count=value.n_values,
        )


class Stop(Answer):
    """Why a run should stop: by which rule, for what reason, and at which epoch it was judged."""

    rule: str = Field(examples=["asha"])
    reason: str = Field(examples=["7th of 9 at rung 3, keeps 3"])
    epoch: int | None


Summary = TypeAliasType(
    "Summary",
    Annotated[dict[str, MetricSummary], Field(description="A summary of each metric's history, by metric.")],
)


class Run(Answer):
    """One training execution, tracked."""

    run_id: Id
    name: str
    params: Params
    tags: list[str]
    note: str
    status: RunStatus
    start_time: Time
    end_time: Time | None
    duration_s: float | None = Field(description="Null while it runs.")
    metrics: Metrics = Field(description="The latest value of each metric, the final ones included.")
    summary: Summary
    final_metrics: Metrics | None
    last_epoch: int | None = Field(description="Null before the first epoch.")
    last_epoch_time: Time | None = Field(
        description="When that was logged, or was measured as it said; heartbeats change nothing in it."
    )
    tuner_id: Id | None = Field(description="Null where it belongs to no tuner.")
    trial_id: Id | None = Field(description="The trial that this run trains.")
    stop_requested: bool = Field(description="Whether somebody, or a stopper, has told it to stop.")
    stop: Stop | None = Field(description="Why it should stop.")

    @classmethod
    def of(cls, row: RunRow) -> "Run":
        """The row as it goes out."""
        return cls.model_construct(
            run_id=row.run_id,
            name=row.name,
            params=row.params,
            tags=row.tags,
            note=row.note,
            status=row.status,
            start_time=to_rfc3339(row.start_time),
            end_time=None if row.end_time is None else to_rfc3339(row.end_time),
            duration_s=row.duration_s,
            metrics=row.metrics,
            summary={key: MetricSummary.of(value) for key, value in row.summary.items()},
            final_metrics=row.final_metrics,
            last_epoch=row.last_epoch,
            last_epoch_time=None if row.last_epoch_time is None else to_rfc3339(row.last_epoch_time),
            tuner_id=row.tuner_id,
            trial_id=row.trial_id,
            stop_requested=row.stop is not None,
            stop=None if row.stop is None else Stop.model_construct(**row.stop),
        )


class EpochRequest(Wire):
    """What was measured at one epoch."""

    epoch: EpochNumber
    metrics: Metrics = Field(examples=[{"loss": 0.41, "accuracy": 0.88}])


class TimedEpoch(EpochRequest):
    """What was measured at one epoch, and when, if not now."""

    timestamp: SentTime | None = None


class EpochBatchRequest(Wire):
    """Several epochs of one run: all of them are stored, or none."""

    epochs: Annotated[list[TimedEpoch], Field(min_length=1, max_length=1000, fail_fast=True)]


class EpochAnswer(Answer):
    """What became of the epochs; `event_id` is the event that holds the last of them."""

    event_id: int
    accepted: int = Field(description="How many metric values were new.")
    duplicates: int = Field(description="How many were already stored, with an equal value.")
    should_stop: bool = Field(description="Whether the training should stop now.")
    stop: Stop | None = Field(description="Why it should stop.")
    lease_expires_at: Time | None = Field(description="Until when this run holds its trial.")


class HeartbeatAnswer(Answer):
    """What a run is told in answer to a heartbeat."""

    should_stop: bool = Field(description="Whether the training should stop now.")
    stop: Stop | None = Field(description="Why it should stop.")
    lease_expires_at: Time | None = Field(description="Until when this run holds its trial.")


class StopRequest(Wire):
    """Why a run should stop."""

    reason: Text = Field(default="", examples=["the loss explodes"])


class RunPatch(Wire):
    """What to change about a run; what is left out stays. Params may be added, never changed."""

    name: Name | None = None
    tags: Tags | None = None
    note: Text | None = None
    params: Params = Field(default_factory=dict)


EndStatus = TypeAliasType(
    "EndStatus",
    Annotated[Literal["finished", "failed", "stopped"], Field(description="How a run ended.")],
)


class EndRequest(Wire):
    """How a run ended."""

    status: EndStatus = "finished"
    final_metrics: Metrics = Field(default_factory=dict, examples=[{"accuracy": 0.85}])
    end_time: SentTime | None = Field(default=None, description="When it ended, if not now: for imports.")
    reason: Text | None = Field(
        default=None, description="Why it failed or was stopped; becomes the reason of its trial.", examples=["OOM"]
    )

    @model_validator(mode="after")
    def _check_reason(self) -> Self:
        if self.reason is not None and self.status == "finished":
            raise ValueError("a finished run has no reason; only one that failed or was stopped may have one")
        return self
