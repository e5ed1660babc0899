"""What the trials have taught is learnt once, whoever asks, until there is more to learn."""

import asyncio
from collections.abc import Sequence

import pytest

from app.domain.goal import Outcome
from app.domain.space import Space
from app.domain.states import TrialState
from app.service import look_back
from app.service.add_trials import AddTrials, NewTrial, add_trials
from app.service.create import create_tuners
from app.service.look_back import Importances
from app.store.database import Database
from app.store.engines import parse
from app.tuning.strategy import Observation
from tests.conftest import NewDatabase
from tests.service.tuner import of_one_number


def test_it_is_learnt_once_for_all_who_ask_and_again_when_a_trial_more_has_a_score(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def importance(space: Space, history: Sequence[Observation], objective: int) -> dict[str, float]:
        sizes.append(len(history))
        return {"x": 1.0}

    monkeypatch.setattr(look_back, "importance", importance)
    url = new_database()

    async def ask() -> None:
        database = Database(parse(url))
        tuner = (await database.write(create_tuners, of_one_number())).tuner
        importances = Importances(database)
        for n in (1, 2):
            trial = NewTrial({"x": n / 10}, Outcome(TrialState.completed, 0.5))
            await database.write(add_trials, AddTrials(tuner.tuner_id, [trial]))
            learnt = await asyncio.gather(*(importances.learn(tuner.tuner_id) for _ in range(20)))
            learnt.append(await importances.learn(tuner.tuner_id))
            assert {one.n_trials for one in learnt} == {n}
        assert sizes == [1, 2]
        await database.close()

    asyncio.run(ask())
