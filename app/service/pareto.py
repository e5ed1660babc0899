"""The best of a tuner with several objectives: what no other trial beats."""

from uuid import UUID

from sqlalchemy import Connection

from app.domain.goal import Objective
from app.domain.states import SCORED
from app.domain.values import from_json_number
from app.store import trials, tuners
from app.store.trials import Trial
from app.tuning.fronts import non_dominated


def list_pareto(connection: Connection, tuner_id: UUID) -> list[Trial]:
    """The non-dominated trials of a tuner, by number; with one objective those of the best score.

    Raises:
        UnknownTuner: there is no such tuner.
    """
    objectives = [Objective.from_json(objective) for objective in tuners.get(connection, tuner_id).objectives]
    scored = [
        (trial, losses)
        for trial in trials.list_in(connection, tuner_id, SCORED)
        if (losses := _losses(trial, objectives))
    ]
    kept = non_dominated([losses for _, losses in scored])
    return [trial for (trial, _), is_kept in zip(scored, kept, strict=True) if is_kept]


def _losses(trial: Trial, objectives: list[Objective]) -> tuple[float, ...] | None:
    if trial.scores is not None:
        return tuple(one.loss(from_json_number(trial.scores[one.metric])) for one in objectives)
    return None if trial.score is None else (objectives[0].loss(trial.score),)
