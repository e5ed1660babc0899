"""Trials on the wire."""

from typing import Any, Literal

from pydantic import Field, model_validator

from app.api.fields import Answer, Id, Number, Params, Text, Time, Wire
from app.domain.states import TrialState, TunerState
from app.service import lifecycle
from app.store.trials import Trial as TrialRow


class Trial(Answer):
    """One proposal of a tuner, handed to one worker, with its outcome."""

    trial_id: Id
    tuner_id: Id
    number: int = Field(description="0, 1, 2, … in the order in which the tuner's trials were made.")
    params: Params
    state: TrialState
    score: Number | None
    reason: str | None
    worker: str | None
    attempt: int = Field(description="How often it was handed out.")
    why: dict[str, Any] = Field(description="How it was chosen.", examples=[{"strategy": "random", "phase": "startup"}])
    create_time: Time
    end_time: Time | None

    @classmethod
    def of(cls, row: TrialRow) -> "Trial":
        """The row as it goes out."""
        return cls.model_validate(lifecycle.describe(row))


class TrialPage(Answer):
    """Trials of a tuner, by number."""

    items: list[Trial]
    next_page_token: str | None


class SuggestRequest(Wire):
    """A worker asks what to try next."""

    count: int = Field(default=1, ge=1, le=1000, strict=True, description="How many trials at most.")
    worker: str | None = Field(
        default=None,
        min_length=1,
        max_length=250,
        description="Who asks: the same worker that asks again gets the trials that it holds already.",
        examples=["gpu-7"],
    )


class Suggestion(Answer):
    """What to try next; fewer trials than asked for where nothing more can be handed out now."""

    trials: list[Trial]
    tuner_state: TunerState
    retry_after_s: float | None = Field(description="When to ask again, where that may help.")


class ResultRequest(Wire):
    """What came of a trial, named by `trial_id` or by `params`: a `score`, or a `state` of failed or infeasible."""

    trial_id: Id | None = None
    params: Params | None = None
    score: Number | None = None
    state: Literal["completed", "failed", "infeasible"] | None = None
    reason: Text | None = Field(default=None, examples=["OOM"])

    @model_validator(mode="after")
    def _is_one_thing(self) -> "ResultRequest":
        if (self.trial_id is None) == (self.params is None):
            raise ValueError("name the trial either by trial_id or by params")
        is_scored = self.state in (None, "completed")
        if is_scored == (self.score is None):
            raise ValueError("send either a score, or a state of failed or infeasible")
        return self

    @property
    def outcome(self) -> TrialState:
        """The state that the trial is to have."""
        return TrialState(self.state or "completed")


class ResultAnswer(Answer):
    """The trial as it is now, and the best of its tuner."""

    trial: Trial
    best: Trial | None
    tuner_state: TunerState
