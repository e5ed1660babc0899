"""Trials are handed out: what several asks of one batch get, and what two replicas think of at once."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import numpy as np
import pytest

from app.domain.space import Space
from app.service.create import create_tuners
from app.service.hand_out import HandOut, Suggestion, Thoughts, hand_out_trials
from app.service.suggest import Suggester
from app.store.database import Database
from app.store.engines import parse
from app.store.tuners import Tuner
from app.tuning.random import Random
from app.tuning.registry import find
from app.tuning.strategy import Proposal, Strategy, generator
from tests.conftest import NewDatabase
from tests.service.tuner import of_one_number


def within(url: str, story: Callable[..., Awaitable[None]], *, n_replicas: int) -> None:
    """Tell a story of a tuner, with the stores of so many processes on one database."""

    async def tell() -> None:
        async with AsyncExitStack() as exits:
            replicas = [Database(parse(url)) for _ in range(n_replicas)]
            for replica in replicas:
                exits.push_async_callback(replica.close)
            created = await replicas[0].write(create_tuners, of_one_number())
            await story(created.tuner, *replicas)

    asyncio.run(tell())


def test_two_asks_of_one_worker_in_one_batch_are_about_one_trial(new_database: NewDatabase) -> None:
    async def story(tuner: Tuner, database: Database) -> None:
        proposals = [Proposal({"x": x}, {}) for x in (0.1, 0.2, 0.3)]
        thoughts = Thoughts(tuner.create_time, 0, proposals, are_the_last=False)
        wanted = [(HandOut(tuner.tuner_id, worker, 1, thoughts), None) for worker in ("w", "other", "w")]
        answers = await database.write_together(hand_out_trials, wanted)
        given = [trial for answer in answers if isinstance(answer, Suggestion) for trial in answer.trials]
        assert [(trial.params["x"], trial.attempt) for trial in given] == [(0.1, 1), (0.2, 1), (0.1, 1)]

    within(new_database(), story, n_replicas=1)


def test_a_strategy_that_finds_no_next_one_is_an_error_and_no_wait_for_ever(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(tuner: Tuner, database: Database) -> None:
        async with asyncio.timeout(60):
            with pytest.raises(RuntimeError, match="that had no more"):
                await Suggester(database).suggest(tuner.tuner_id, None, 1)

    monkeypatch.setattr(Random, "propose", lambda *_: next(iter(())))
    within(new_database(), story, n_replicas=1)


def test_a_strategy_may_give_one_reason_for_all_that_it_proposes(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = {"strategy": "random", "phase": "model", "mean": -0.5}

    def propose(self: Strategy, history: object, pending: object, rngs: Sequence[object]) -> list[Proposal]:
        return [Proposal({"x": 0.5}, why) for _ in rngs]

    async def story(tuner: Tuner, database: Database) -> None:
        suggester = Suggester(database)
        given = [trial for _ in range(2) for trial in (await suggester.suggest(tuner.tuner_id, None, 2)).trials]
        assert [trial.why["mean"] for trial in given] == [0.5] * 4, "the score, which is to be maximised"

    monkeypatch.setattr(Random, "propose", propose)
    within(new_database(), story, n_replicas=1)


def test_what_a_strategy_proposes_is_held_as_the_space_has_it(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(tuner: Tuner, database: Database) -> None:
        (trial,) = (await Suggester(database).suggest(tuner.tuner_id, None, 1)).trials
        assert repr(trial.params) == "{'x': 1.0}", "a float_range has floats, whoever says 1"

    monkeypatch.setattr(Random, "propose", lambda *_: [Proposal({"x": 1}, {})])
    within(new_database(), story, n_replicas=1)


def test_the_numbers_of_a_strategy_may_be_those_of_numpy(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = {"mean": np.float64(-0.5), "n": np.int64(3), "parts": [np.float32(1.5)], "shares": np.array([0.25, 0.75])}

    async def story(tuner: Tuner, database: Database) -> None:
        (trial,) = (await Suggester(database).suggest(tuner.tuner_id, None, 1)).trials
        assert repr(trial.params) == "{'x': 0.25}"
        assert repr(trial.why) == "{'mean': 0.5, 'n': 3, 'parts': [1.5], 'shares': [0.25, 0.75]}"

    monkeypatch.setattr(Random, "propose", lambda *_: [Proposal({"x": np.float64(0.25)}, why)])
    within(new_database(), story, n_replicas=1)


def test_a_strategy_that_says_what_cannot_be_kept_is_named(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(tuner: Tuner, database: Database) -> None:
        with pytest.raises(RuntimeError, match="strategy random says what no JSON holds"):
            await Suggester(database).suggest(tuner.tuner_id, None, 1)

    monkeypatch.setattr(Random, "propose", lambda *_: [Proposal({"x": 0.5}, {"model": object()})])
    within(new_database(), story, n_replicas=1)


def test_what_was_thought_of_for_a_number_that_another_replica_took_is_thought_of_anew(
    new_database: NewDatabase,
) -> None:
    async def story(tuner: Tuner, first: Database, second: Database) -> None:
        one, other = Suggester(first), Suggester(second)
        asks = [await each.suggest(tuner.tuner_id, None, 1) for each in (one, other, one, other)]
        given = [trial for asked in asks for trial in asked.trials]
        assert [trial.number for trial in given] == [0, 1, 2, 3]
        alone = [proposal.params for proposal in propose(tuner, 4)]
        assert [trial.params for trial in given] == alone

    within(new_database(), story, n_replicas=2)


def propose(tuner: Tuner, n: int) -> list[Proposal]:
    """What the tuner's strategy has for its first trials."""
    strategy = find(tuner.strategy)(Space.from_json(tuner.space), tuner.options)
    return list(strategy.propose([], [], [generator(tuner.seed, number) for number in range(n)]))


def test_no_strategy_thinks_on_the_event_loop(new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    random = find("random")

    def propose(self: Strategy, *given: Any) -> list[Proposal]:
        threads.append(threading.current_thread())
        return plainly(self, *given)

    plainly = random.propose
    monkeypatch.setattr(random, "propose", propose)

    async def story(tuner: Tuner, database: Database) -> None:
        suggester = Suggester(database)
        for _ in range(2):  # the second needs no look at the store
            await suggester.suggest(tuner.tuner_id, None, 1)
        assert len(threads) == 2
        assert threading.current_thread() not in threads

    within(new_database(), story, n_replicas=1)
