"""What a tuner's trials have taught."""

from asyncio import to_thread
from uuid import UUID

from sqlalchemy import Connection

from app.domain.goal import Objective
from app.domain.space import Space
from app.domain.states import SCORED
from app.service.suggest import observation_of
from app.store import trials, tuners
from app.store.database import Database
from app.tuning.importance import importance
from app.tuning.strategy import Observation


async def explain(database: Database, tuner_id: UUID) -> tuple[dict[str, float], int]:
    """Each parameter's share of the scores' variance, and how many trials with a score say so.

    Raises:
        UnknownTuner: there is no such tuner.
    """
    space, history = await database.read(_look_back, tuner_id)
    return await to_thread(importance, space, history), len(history)


def _look_back(connection: Connection, tuner_id: UUID) -> tuple[Space, list[Observation]]:
    tuner = tuners.get(connection, tuner_id)
    objectives = [Objective.from_json(objective) for objective in tuner.objectives]
    observations = [observation_of(trial, objectives) for trial in trials.list_in(connection, tuner_id, SCORED)]
    return Space.from_json(tuner.space), [one for one in observations if one.values is not None]
