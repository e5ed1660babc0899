"""Events with a tag are all found, in order, whether each event is looked at or what carries the tag."""

import random
from uuid import uuid4

import pytest

from app.domain.events import EpochEnd, Event, RunCrash
from app.domain.values import INT64_MAX
from app.store import events, log, tags
from app.store.engines import open_writer, parse
from app.store.events import EventFilter
from app.store.log import Record
from tests.conftest import NewDatabase

TAGS = ["a", "b", "c"]


def test_the_tagged_are_those_that_have_the_tag(new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_STRETCH", 3)
    monkeypatch.setattr(events, "_LONGER", 2)
    chance = random.Random(7)
    run_ids, tuner_ids = [uuid4() for _ in range(9)], [uuid4() for _ in range(3)]
    engine = open_writer(parse(new_database()))
    with engine.begin() as connection:
        owners = [(owner, chance.sample(TAGS, chance.choice([0, 0, 1, 2]))) for owner in run_ids + tuner_ids]
        tags.replace(connection, owners)
        for number in range(120):
            run_id = chance.choice(run_ids[: 1 + number // 14])  # of some there is none for long
            event: Event = RunCrash(run_id, 0) if chance.random() < 0.5 else EpochEnd(run_id, number, {"loss": 1.0})
            log.append(connection, [Record(event, None, chance.choice([None, *tuner_ids]))])
        everything = events.list_news(connection, 0, 1000)
        assert len(everything) == 120
        for wanted in ({"a"}, {"b", "c"}, {"none"}):
            expected = [event for event, its_tags in everything if its_tags & wanted]
            for after in (0, 1, 50, 119, 200, INT64_MAX):
                for limit in (1, 5, 200):
                    found = events.list_next(connection, after, EventFilter(tags=frozenset(wanted)), limit)
                    assert found == [event for event in expected if event.event_id > after][:limit]
    engine.dispose()
