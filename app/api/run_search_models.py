"""Runs found, compared, and their curves, on the wire."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypeAliasType

from app.api.fields import Answer, Id, Metrics, Number, Params, Scalar, Time
from app.api.run_models import Run, Stop, Summary
from app.domain.states import RunStatus


class SomeOfRun(Answer):
    """The fields of a run that were asked for."""

    run_id: Id | None = None
    name: str | None = None
    params: Params | None = None
    tags: list[str] | None = None
    note: str | None = None
    status: RunStatus | None = None
    start_time: Time | None = None
    end_time: Time | None = None
    duration_s: float | None = None
    metrics: Metrics | None = None
    summary: Summary | None = None
    final_metrics: Metrics | None = None
    last_epoch: int | None = None
    last_epoch_time: Time | None = None
    tuner_id: Id | None = None
    trial_id: Id | None = None
    stop_requested: bool | None = None
    stop: Stop | None = None


class RunPage(Answer):
    """Runs, in the order asked for; with all their fields, unless only some `fields` were asked for."""

    items: list[Run | SomeOfRun]
    trial_numbers: list[int | None] = Field(description="The number of each run's trial; null if it has none.")
    next_page_token: str | None


class ComparedParam(Answer):
    """One param of each run, in the order asked for; null if a run has none."""

    values: list[Scalar | None]
    differs: bool


class ComparedMetric(Answer):
    """One metric of each run, in the order asked for; null if a run has none. Final metrics are in `latest` only."""

    latest: list[Number | None]
    last: list[Number | None]
    min: list[float | None]
    max: list[float | None]
    epoch_of_min: list[int | None]
    epoch_of_max: list[int | None]
    best: list[float | None] = Field(
        description="The best value, by the direction of the run's tuner, if the metric is its objective."
    )
    differs: bool = Field(description="Whether the latest values differ.")


ComparedParams = TypeAliasType(
    "ComparedParams", Annotated[dict[str, ComparedParam], Field(description="Params of several runs, by name.")]
)
ComparedMetrics = TypeAliasType(
    "ComparedMetrics",
    Annotated[dict[str, ComparedMetric], Field(description="Metrics of several runs, by name.")],
)


class Comparison(Answer):
    """Runs side by side."""

    run_ids: list[Id]
    names: list[str]
    trial_numbers: list[int | None] = Field(description="The number of each run's trial; null if it has none.")
    params: ComparedParams
    metrics: ComparedMetrics


class Series(Answer):
    """One metric's values, by epoch."""

    epochs: list[int]
    values: list[Number]


SeriesByMetric = TypeAliasType("SeriesByMetric", Annotated[dict[str, Series], Field(description="Curves, by metric.")])


class RunSeries(Answer):
    """A run's curves."""

    run_id: Id
    series: SeriesByMetric


class ManySeries(Answer):
    """The curves of several runs, in the order asked for."""

    runs: list[RunSeries]
