"""The best of a tuner with several objectives: what no other trial beats."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from sqlalchemy import Connection

from app.domain.goal import Objective
from app.domain.states import SCORED
from app.domain.values import Number, from_json_number
from app.service.suggest import observation_of
from app.store import standing, trials, tuners
from app.store.trials import Trial
from app.store.tuners import Tuner
from app.tuning.fronts import best_first, non_dominated


def list_pareto(connection: Connection, tuner_id: UUID) -> list[Trial]:
    """The non-dominated trials of a tuner, by number; with one objective those of the best score.

    Raises:
        UnknownTuner: there is no such tuner.
    """
    objectives = [Objective.from_json(objective) for objective in tuners.get(connection, tuner_id).objectives]
    scored = [
        (trial, losses)
        for trial in trials.list_in(connection, tuner_id, SCORED)
        if (losses := observation_of(trial, objectives).values)
    ]
    kept = non_dominated([losses for _, losses in scored])
    return [trial for (trial, _), is_kept in zip(scored, kept, strict=True) if is_kept]


def _losses_of(scores: Mapping[str, Number], objectives: list[Objective]) -> tuple[float, ...]:
    return tuple(one.loss(from_json_number(scores[one.metric])) for one in objectives)


def best_few(connection: Connection, tuner: Tuner, n: int) -> list[int]:
    """The numbers of the best trials of a tuner with several objectives: those that none beats, the far apart first."""
    scores = standing.list_scores(connection, [tuner.tuner_id]).get(tuner.tuner_id, {})
    objectives = [Objective.from_json(objective) for objective in tuner.objectives]
    values = np.array([[one[goal.metric] for goal in objectives] for one in scores.values()], dtype=np.float64)
    signs = [goal.loss(1.0) for goal in objectives]
    numbers = list(scores)
    return [numbers[index] for index in best_first(values.reshape(-1, len(signs)) * signs, n)]


@dataclass(frozen=True, slots=True)
class Front:
    """How far a tuner with several objectives has come. `best` is of each objective by itself."""

    n_trials: int
    best: dict[str, Number]


def sum_up_fronts(connection: Connection, found: Iterable[Tuner]) -> dict[UUID, Front]:
    """Of those of these tuners that have several objectives, and trials with scores."""
    objectives = {
        tuner.tuner_id: [Objective.from_json(one) for one in tuner.objectives]
        for tuner in found
        if len(tuner.objectives) > 1
    }
    return {
        tuner_id: _sum_up([_losses_of(one, objectives[tuner_id]) for one in scores.values()], objectives[tuner_id])
        for tuner_id, scores in standing.list_scores(connection, objectives).items()
    }


def _sum_up(losses: list[tuple[float, ...]], objectives: list[Objective]) -> Front:
    lowest = map(min, zip(*losses, strict=True))
    best: dict[str, Number] = {one.metric: one.loss(loss) for one, loss in zip(objectives, lowest, strict=True)}
    return Front(sum(non_dominated(losses)), best)
