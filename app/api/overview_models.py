"""What is seen at a look, on the wire."""

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypeAliasType

from app.api.event_models import Event
from app.api.fields import Answer, Id, Number, Scalar, Scores, Time
from app.api.goal_models import Budget, Objective
from app.api.run_models import Run
from app.api.run_search_models import SeriesByMetric
from app.api.trial_models import Trial
from app.api.tuner_models import TrialCounts, Tuner
from app.domain.states import RunStatus, TrialState, TunerState, TunerStopReason

LastEventId = Annotated[
    int,
    Field(description="The stream after this number has every event that this answer lacks, and perhaps a few more."),
]


class Improvement(Answer):
    """A trial that was better than all that had ended before it."""

    place: int = Field(description="How many trials had ended, this one included.")
    trial_id: Id
    number: int
    score: float


class Front(Answer):
    """The trials of a tuner with several objectives that no other trial beats."""

    n_trials: int = Field(description="How many such trials there are.")
    best: Scores = Field(description="The best score of each objective by itself.")


class TunerLine(Answer):
    """A tuner in a list, and how it is doing."""

    tuner_id: Id
    name: str
    state: TunerState
    stop_reason: TunerStopReason | None
    objectives: list[Objective]
    budget: Budget
    n_proposed: int = Field(description="How many trials count towards `max_trials`.")
    counts: TrialCounts
    best: Trial | None
    front: Front | None = Field(description="With several objectives, once a trial has scores.")
    improvements: list[Improvement] = Field(description="When the best score got better; at most 60 of them.")
    tags: list[str]
    create_time: Time
    last_sign_time: Time = Field(description="When the tuner, or one of its trials or runs, was last active.")


class Overview(Answer):
    """Tuners, newest first, and how each is doing."""

    last_event_id: LastEventId
    items: list[TunerLine]
    next_page_token: str | None


ParamColumns = TypeAliasType(
    "ParamColumns",
    Annotated[dict[str, list[Scalar | None]], Field(description="A column per parameter, null where there is none.")],
)
ScoreColumns = TypeAliasType(
    "ScoreColumns",
    Annotated[dict[str, list[Number | None]], Field(description="A column for each of several objectives.")],
)


class TrialColumns(Answer):
    """Trials by number, a column per field; `params` and `scores` have a column per name, null where there is none."""

    trial_id: list[Id]
    run_id: list[Id | None] = Field(description="Its newest run.")
    number: list[int]
    state: list[TrialState]
    score: list[Number | None]
    place: list[int | None] = Field(description="Its place in the order of ending, from 1; null before it ends.")
    reason: list[str | None]
    worker: list[str | None]
    attempt: list[int]
    create_time: list[Time]
    end_time: list[Time | None]
    params: ParamColumns
    scores: ScoreColumns


class RunCurve(Answer):
    """A run's curve of the metric that was asked for."""

    run_id: Id
    trial_id: Id | None
    number: int | None = Field(description="The number of its trial.")
    status: RunStatus
    score: float | None = Field(description="The score of its trial.")
    epochs: list[int]
    values: list[Number]


class TunerOverview(Answer):
    """How a tuner is doing: when it got better, its trials in columns, its learning curves."""

    last_event_id: LastEventId
    tuner: Tuner
    n_proposed: int = Field(description="How many trials count towards `max_trials`.")
    n_trials: int
    n_ended: int
    improvements: list[Improvement]
    trials: TrialColumns = Field(description="If there are more than asked for: those under way, the best, the newest.")
    n_runs: int
    curves: list[RunCurve] = Field(description="Those of the best few runs, those under way, the newest; oldest first.")


class RunOverview(Answer):
    """How a run is doing: all its curves, and what happened to it."""

    last_event_id: LastEventId
    run: Run
    tuner_name: str | None
    objective: Objective | None = Field(description="The objective of its tuner; null if there is none, or several.")
    trial: Trial | None
    series: SeriesByMetric
    events: list[Event] = Field(description="Its events except epochs.")


def columns_of(rows: list[dict[str, Any]], names: list[str]) -> dict[str, list[Any]]:
    """The entries of these maps, a column per name; None where a map has none."""
    return {name: [row.get(name) for row in rows] for name in names}
