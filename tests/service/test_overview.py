"""The lines of many tuners are made of what is known already, but for those that have moved on."""

import asyncio
from collections.abc import Mapping
from uuid import UUID

import pytest
from sqlalchemy import Connection

from app.domain.goal import Outcome
from app.domain.states import TrialState
from app.service.add_trials import AddTrials, NewTrial, add_trials
from app.service.create import create_tuners
from app.service.overview import Lines
from app.store import standing
from app.store.database import Database
from app.store.engines import parse
from app.store.standing import Improvement
from tests.conftest import NewDatabase
from tests.service.tuner import of_one_number


def test_only_the_trials_of_tuners_where_one_more_has_ended_are_looked_through(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[set[UUID]] = []
    plainly = standing.list_improvements

    def list_improvements(connection: Connection, directions: Mapping[UUID, bool]) -> list[Improvement]:
        looked.append(set(directions))
        return plainly(connection, directions)

    monkeypatch.setattr(standing, "list_improvements", list_improvements)
    url = new_database()

    async def ask() -> None:
        database = Database(parse(url))
        made = [(await database.write(create_tuners, of_one_number())).tuner.tuner_id for _ in range(3)]
        lines = Lines()
        for _ in range(2):
            await database.read(lines.list_page, None, 10)
        trial = NewTrial({"x": 0.5}, Outcome(TrialState.completed, 0.5))
        await database.write(add_trials, AddTrials(made[1], [trial]))
        for _ in range(2):
            _, page = await database.read(lines.list_page, None, 10)
            assert [len(line.improvements) for line in page] == [0, 1, 0]
        assert looked == [set(made), set(), {made[1]}, set()]
        await database.close()

    asyncio.run(ask())
