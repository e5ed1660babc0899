"""Trials on the wire."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StrictBool, Tag, model_validator
from typing_extensions import TypeAliasType

from app.api.fields import Answer, Attempt, Id, JsonObject, Number, Params, Scores, Text, Time, Wire, Worker
from app.domain.goal import Outcome
from app.domain.states import TrialState, TunerState
from app.domain.values import from_json_number
from app.service import trial
from app.store.trials import Trial as TrialRow


class Trial(Answer):
    """One proposal of a tuner, handed to one worker, with its outcome."""

    trial_id: Id
    tuner_id: Id
    number: int = Field(description="0, 1, 2, … in the order in which the tuner's trials were made.")
    params: Params
    state: TrialState
    score: Number | None = Field(description="Null while there is none, and where the tuner has several objectives.")
    scores: Scores | None = Field(description="By metric, where the tuner has several objectives.")
    reason: str | None = Field(description="Why it failed, is infeasible or was stopped, in words.")
    worker: str | None = Field(description="Who holds it, or held it last.")
    attempt: int = Field(
        description="How many times it was handed out; while it waits to be tried again, the attempt to come."
    )
    lease_expires_at: Time | None = Field(description="Until when its worker holds it, while it is running.")
    why: JsonObject = Field(description="How it was chosen.", examples=[{"strategy": "random", "phase": "startup"}])
    create_time: Time
    end_time: Time | None

    @classmethod
    def of(cls, row: TrialRow) -> "Trial":
        """The row as it goes out."""
        return cls.model_validate(trial.describe(row))


class TrialList(Answer):
    """Some trials of a tuner, by number."""

    items: list[Trial]


class TrialPage(Answer):
    """Trials of a tuner, by number."""

    items: list[Trial]
    next_page_token: str | None


class SuggestRequest(Wire):
    """A worker asks what to try next."""

    count: int = Field(default=1, ge=1, le=1000, strict=True, description="The maximum number of trials.")
    worker: Worker | None = Field(
        default=None,
        description="Who asks: a worker that asks again gets the trials that it already holds.",
        examples=["gpu-7"],
    )


class Suggestion(Answer):
    """What to try next; fewer trials than asked for if no more can be handed out now."""

    trials: list[Trial]
    tuner_state: TunerState
    retry_after_s: float | None = Field(description="How long to wait before asking again, if that may help.")


OutcomeState = TypeAliasType(
    "OutcomeState",
    Annotated[Literal["completed", "failed", "infeasible"], Field(description="The outcome that a worker reports.")],
)


class _Outcome(Wire):
    score: Number | None = None
    scores: Scores | None = Field(default=None, description="By metric, where the tuner has several objectives.")
    state: OutcomeState | None = None
    reason: Text | None = Field(default=None, examples=["OOM"])

    def outcome(self) -> Outcome:
        """As the domain has it."""
        return Outcome(
            TrialState(self.state or "completed"),
            None if self.score is None else from_json_number(self.score),
            None if self.scores is None else {key: from_json_number(value) for key, value in self.scores.items()},
            self.reason,
        )

    @property
    def _n_scores(self) -> int:
        return (self.score is not None) + (self.scores is not None)


class ResultRequest(_Outcome):
    """What came of a trial, named by `trial_id` or by `params`: a `score`, or a `state` of failed or infeasible."""

    trial_id: Id | None = None
    params: Params | None = None
    worker: Worker | None = Field(default=None, description="Who speaks; refused if another worker holds the trial.")
    attempt: Attempt | None = Field(default=None, description="The trial's attempt when it was handed to this worker.")

    @model_validator(mode="after")
    def _is_one_thing(self) -> "ResultRequest":
        if (self.trial_id is None) == (self.params is None):
            raise ValueError("name the trial either by trial_id or by params")
        if self._n_scores != (self.state in (None, "completed")):
            raise ValueError("send either a score (or scores), or a state of failed or infeasible")
        return self


class TrialRequest(_Outcome):
    """Parameters to hand out next; with a score or a state, an observation from outside."""

    params: Params
    partial: StrictBool = Field(
        default=False,
        description="Draw what the params leave out at random, instead of refusing them; see `drawn` in `why`.",
    )

    @model_validator(mode="after")
    def _is_one_thing(self) -> "TrialRequest":
        if self._n_scores > 1 or (self._n_scores == 0 and self.state == "completed"):
            raise ValueError("a completed observation has either a score or scores")
        if self._n_scores == 1 and self.state not in (None, "completed"):
            raise ValueError("a failed or infeasible trial has no score")
        if self._n_scores == 0 and self.state is None and self.reason is not None:
            raise ValueError("a proposal has no reason; send the state that it explains")
        if self.partial and self.is_observation:
            raise ValueError("an observation is of all parameters: leave out partial")
        return self

    @property
    def is_observation(self) -> bool:
        """Whether it has its outcome already."""
        return self._n_scores > 0 or self.state is not None


class TrialBatchRequest(Wire):
    """Several trials to enqueue or to import: all of them are taken, or none."""

    trials: Annotated[list[TrialRequest], Field(min_length=1, max_length=1000, fail_fast=True)]


def _which(sent: Any) -> str:
    return "batch" if isinstance(sent, dict) and "trials" in sent else "one"


OneOrMoreTrials = Annotated[
    Annotated[TrialRequest, Tag("one")] | Annotated[TrialBatchRequest, Tag("batch")], Discriminator(_which)
]


class AddedTrials(Answer):
    """The trials, in the order in which they were sent."""

    trials: list[Trial]


class HolderRequest(Wire):
    """Who speaks for a trial; everything is optional."""

    worker: Worker | None = Field(default=None, examples=["gpu-7"])
    attempt: Attempt | None = None


class ResultAnswer(Answer):
    """The trial as it is now, and the best of its tuner."""

    trial: Trial
    best: Trial | None
    tuner_state: TunerState
