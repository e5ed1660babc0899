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
    Field(description="The stream after this number tells all that is not in this answer, and perhaps a little more."),
]


class Improvement(Answer):
    """A trial that was better than all that had ended before it."""

    place: int = Field(description="How many trials had ended, this one included.")
    trial_id: Id
    number: int
    score: float


class Front(Answer):
    """What no trial of a tuner with several objectives beats."""

    n_trials: int = Field(description="How many there are.")
    best: Scores = Field(description="The best score of each objective by itself.")


class TunerLine(Answer):
    """A tuner in a list, with how it stands."""

    tuner_id: Id
    name: str
    state: TunerState
    stop_reason: TunerStopReason | None
    objectives: list[Objective]
    budget: Budget
    n_proposed: int = Field(description="The trials that count towards `max_trials`.")
    counts: TrialCounts
    best: Trial | None
    front: Front | None = Field(description="Of several objectives, as soon as a trial has scores.")
    improvements: list[Improvement] = Field(description="When the best score got better; at most 60 of them.")
    tags: list[str]
    create_time: Time
    last_sign_time: Time = Field(description="When it, a trial or a run of it last did something.")


class Overview(Answer):
    """Tuners, newest first, each with how it stands."""

    last_event_id: LastEventId
    items: list[TunerLine]
    next_page_token: str | None


ParamColumns = TypeAliasType(
    "ParamColumns",
    Annotated[dict[str, list[Scalar | None]], Field(description="A column a parameter, null where there is none.")],
)
ScoreColumns = TypeAliasType(
    "ScoreColumns",
    Annotated[dict[str, list[Number | None]], Field(description="A column for each of several objectives.")],
)


class TrialColumns(Answer):
    """Trials by number, a column per field; `params` and `scores` have a column per name, null where there is none."""

    trial_id: list[Id]
    run_id: list[Id | None] = Field(description="The newest run on it.")
    number: list[int]
    state: list[TrialState]
    score: list[Number | None]
    place: list[int | None] = Field(description="As which it ended, from 1; null where it has not.")
    reason: list[str | None]
    worker: list[str | None]
    attempt: list[int]
    create_time: list[Time]
    end_time: list[Time | None]
    params: ParamColumns
    scores: ScoreColumns


class RunCurve(Answer):
    """A run's curve of the objective's metric."""

    run_id: Id
    trial_id: Id | None
    number: int | None = Field(description="Of its trial.")
    status: RunStatus
    score: float | None = Field(description="Of its trial.")
    epochs: list[int]
    values: list[Number]


class TunerOverview(Answer):
    """How a tuner stands: when it got better, its trials in columns, its learning curves."""

    last_event_id: LastEventId
    tuner: Tuner
    n_proposed: int = Field(description="The trials that count towards `max_trials`.")
    n_trials: int
    n_ended: int
    improvements: list[Improvement]
    trials: TrialColumns = Field(
        description="Where there are more than asked for: those under way, the best, the newest."
    )
    n_runs: int
    curves: list[RunCurve] = Field(description="Those of the best few runs, those under way, the newest; oldest first.")


class RunOverview(Answer):
    """How a run goes: all its curves, and what happened to it."""

    last_event_id: LastEventId
    run: Run
    tuner_name: str | None
    objective: Objective | None = Field(description="Of its tuner; null where there is none, or several.")
    trial: Trial | None
    series: SeriesByMetric
    events: list[Event] = Field(description="But for its epochs.")


def columns_of(rows: list[dict[str, Any]], names: list[str]) -> dict[str, list[Any]]:
    """The entries of these maps, a column per name; None where a map has none."""
    return {name: [row.get(name) for row in rows] for name in names}
