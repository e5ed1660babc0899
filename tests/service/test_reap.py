"""What is over is given up in parts: others write between them."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection

from app.domain.states import TrialState
from app.service import reap
from app.service.create import create_tuners
from app.service.reap import Reaper
from app.service.suggest import Suggester
from app.store import clock, tuners
from app.store.database import Database
from app.store.engines import parse
from tests.conftest import NewDatabase
from tests.service.tuner import of_one_number


def test_many_leases_that_are_over_at_once_are_given_up_in_parts(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, sizes = clock.now, list[int]()

    def later(connection: Connection) -> datetime:
        return now(connection) + timedelta(hours=1)

    async def story() -> None:
        database = Database(parse(url))
        tuner = (await database.write(create_tuners, of_one_number())).tuner
        await Suggester(database).suggest(tuner.tuner_id, None, 5)
        database.on_events = lambda appended: sizes.append(len(appended))
        monkeypatch.setattr(clock, "now", later)
        await Reaper(database).look()
        assert sizes == [2, 2, 1]
        assert (await database.read(tuners.get, tuner.tuner_id)).counts[TrialState.stale] == 5
        await database.close()

    monkeypatch.setattr(reap, "_AT_ONCE", 2)
    url = new_database()
    asyncio.run(story())
