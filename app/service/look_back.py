"""What a tuner's trials have taught."""

from asyncio import to_thread
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.domain.goal import Objective
from app.domain.space import Space
from app.domain.states import SCORED
from app.service.gather import Gatherer
from app.service.suggest import observation_of
from app.store import trials, tuners
from app.store.database import Database
from app.tuning.importance import importance, mean_importance
from app.tuning.strategy import Observation

_MOST_KEPT = 1000
_Stand = tuple[datetime, int]
"""When a tuner was created (one that is deleted may leave its id to another), and how many of its trials ended well:
those never change."""


@dataclass(frozen=True, slots=True)
class Importance:
    """What is known of a tuner's parameters.

    Args:
        stand: that of the tuner when it was learnt.
        by_metric: of each objective's scores, each parameter's share of their variance.
        n_trials: how many trials with a score say so.
    """

    stand: _Stand
    by_metric: dict[str, dict[str, float]]
    n_trials: int

    @property
    def shares(self) -> dict[str, float]:
        """Those of the only objective, or the mean over all."""
        return mean_importance(list(self.by_metric.values()))


class Importances:
    """Looks back at the trials of tuners: once for all who ask meanwhile, and again when a trial more has a score.

    Learning takes a second of a processor, and every open page of a tuner asks every few seconds.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._gatherer = Gatherer[UUID, None, Importance](self._step)
        self._known: dict[UUID, Importance] = {}

    async def learn(self, tuner_id: UUID) -> Importance:
        """How much of the scores' variance each parameter explains.

        Raises:
            UnknownTuner: there is no such tuner.
        """
        return await self._gatherer.ask(tuner_id, None)

    async def _step(self, tuner_id: UUID, asks: Sequence[None]) -> Sequence[Importance]:
        known = self._known.pop(tuner_id, None)
        view = await self._database.read(_look_back, tuner_id, known)
        if view is not None:
            by_metric = {
                metric: await to_thread(importance, view.space, view.history, objective)
                for objective, metric in enumerate(view.metrics)
            }
            known = Importance(view.stand, by_metric, len(view.history))
        assert known is not None
        self._known[tuner_id] = known
        if len(self._known) > _MOST_KEPT:
            self._known.pop(next(iter(self._known)))
        return [known] * len(asks)


@dataclass(frozen=True, slots=True)
class _View:
    """What is to be learnt from."""

    stand: _Stand
    space: Space
    metrics: list[str]
    history: list[Observation]


def _look_back(connection: Connection, tuner_id: UUID, known: Importance | None) -> _View | None:
    """None where there is nothing new."""
    tuner = tuners.get(connection, tuner_id)
    stand = (tuner.create_time, sum(tuner.counts[state] for state in SCORED))
    if known is not None and known.stand == stand:
        return None
    objectives = [Objective.from_json(objective) for objective in tuner.objectives]
    observations = [observation_of(trial, objectives) for trial in trials.list_in(connection, tuner_id, SCORED)]
    history = [one for one in observations if one.values is not None]
    return _View(stand, Space.from_json(tuner.space), [one.metric for one in objectives], history)
