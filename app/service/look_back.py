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
from app.tuning.importance import importance
from app.tuning.strategy import Observation

_MOST_LESSONS = 1000


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was taught until then.

    Args:
        create_time: of the tuner: one that is deleted may leave its id to another.
        n_ended: how many of its trials had ended with a score; those never change.
        shares: each parameter's share of the scores' variance.
        n_trials: how many trials with a score say so.
    """

    create_time: datetime
    n_ended: int
    shares: dict[str, float]
    n_trials: int


class Teacher:
    """Looks back at the trials of tuners: once for all who ask meanwhile, and again when a trial more has a score.

    Learning takes a second of a processor, and every open page of a tuner asks every few seconds.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._gatherer = Gatherer[UUID, None, Lesson](self._step)
        self._lessons: dict[UUID, Lesson] = {}

    async def explain(self, tuner_id: UUID) -> Lesson:
        """How much of the scores' variance each parameter explains.

        Raises:
            UnknownTuner: there is no such tuner.
        """
        return await self._gatherer.ask(tuner_id, None)

    async def _step(self, tuner_id: UUID, asks: Sequence[None]) -> Sequence[Lesson]:
        lesson = self._lessons.pop(tuner_id, None)
        view = await self._database.read(_look_back, tuner_id, lesson)
        if view is not None:
            shares = await to_thread(importance, view.space, view.history)
            lesson = Lesson(view.create_time, view.n_ended, shares, len(view.history))
        assert lesson is not None
        self._lessons[tuner_id] = lesson
        if len(self._lessons) > _MOST_LESSONS:
            self._lessons.pop(next(iter(self._lessons)))
        return [lesson] * len(asks)


@dataclass(frozen=True, slots=True)
class _View:
    """What is to be learnt from."""

    create_time: datetime
    n_ended: int
    space: Space
    history: list[Observation]


def _look_back(connection: Connection, tuner_id: UUID, known: Lesson | None) -> _View | None:
    """None where there is nothing new."""
    tuner = tuners.get(connection, tuner_id)
    n_ended = sum(tuner.counts[state] for state in SCORED)
    if known is not None and (known.create_time, known.n_ended) == (tuner.create_time, n_ended):
        return None
    objectives = [Objective.from_json(objective) for objective in tuner.objectives]
    observations = [observation_of(trial, objectives) for trial in trials.list_in(connection, tuner_id, SCORED)]
    history = [one for one in observations if one.values is not None]
    return _View(tuner.create_time, n_ended, Space.from_json(tuner.space), history)
