"""The log as JSON pages: which events, in which order, with which fields."""

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from starlette.types import Message

from app.api.events import Stream, with_goodbye
from app.api.gate import while_admitted
from app.domain.access import OPEN, Grant
from tests.calls import (
    JSON,
    answer,
    create_tuner,
    end_run,
    list_events,
    log_epoch,
    problem,
    report,
    start_run,
    suggest,
)

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
FIELDS = {
    "run_start": {"run_id", "params", "tags", "tuner_id", "trial_id"},
    "epoch_end": {"run_id", "epoch", "metrics"},
    "training_end": {"run_id", "status", "final_metrics", "duration_s"},
    "trial_start": {"tuner_id", "trial_id", "number", "params", "worker", "attempt"},
    "trial_end": {"tuner_id", "trial_id", "number", "state", "score", "scores", "reason"},
    "tuner_end": {"tuner_id", "state", "reason", "best"},
}


def page(client: httpx.Client, **query: Any) -> JSON:
    return answer(client.get("/v1/events", params=query))


def a_whole_search(client: httpx.Client, tag: str) -> tuple[JSON, JSON]:
    """A tuner with one trial, and its run, from the beginning to the end; seven events."""
    tuner = create_tuner(client, budget={"max_trials": 1}, objective={"metric": "accuracy"}, tags=[f"tuner-{tag}"])
    trial = suggest(client, tuner)[0]
    run = start_run(client, trial_id=trial["trial_id"], tags=[f"run-{tag}"])
    log_epoch(client, run, 0, accuracy=0.4)
    log_epoch(client, run, 1, accuracy=0.5)
    end_run(client, run, final_metrics={"accuracy": 0.6})
    return tuner, run


def test_every_type_of_event_has_the_fields_of_the_contract(client: httpx.Client) -> None:
    tuner, _ = a_whole_search(client, "fields")
    events = list_events(client, tuner_id=tuner["tuner_id"])
    assert {event["type"] for event in events} == FIELDS.keys()
    for event in events:
        assert event.keys() >= FIELDS[event["type"]] | {"event_id", "type", "timestamp"}, event["type"]
        assert type(event["event_id"]) is int
        assert TIME.fullmatch(event["timestamp"])


def test_events_come_in_the_order_of_what_happened(client: httpx.Client) -> None:
    tuner, run = a_whole_search(client, "order")
    events = list_events(client, tuner_id=tuner["tuner_id"])
    assert [event["event_id"] for event in events] == sorted({event["event_id"] for event in events})
    types = [event["type"] for event in events]
    assert types[:4] == ["trial_start", "run_start", "epoch_end", "epoch_end"]
    assert sorted(types[4:]) == ["training_end", "trial_end", "tuner_end"]
    assert types[-1] == "tuner_end"
    assert [event["type"] for event in list_events(client, run_id=run["run_id"])] == [
        "run_start",
        "epoch_end",
        "epoch_end",
        "training_end",
    ]


def test_events_are_filtered_by_type(client: httpx.Client) -> None:
    start = last_event_id(client)
    a_whole_search(client, "type")
    assert types_after(client, start, type="epoch_end") == ["epoch_end", "epoch_end"]
    assert types_after(client, start, type=["training_end", "run_start"]) == ["run_start", "training_end"]


def last_event_id(client: httpx.Client) -> int:
    """The number of the newest event."""
    event_id = log_epoch(client, start_run(client), 0, marker=1.0)["event_id"]
    assert isinstance(event_id, int)
    return event_id


def types_after(client: httpx.Client, after: int, **query: Any) -> list[str]:
    return [event["type"] for event in page(client, after=after, **query)["items"]]


def test_events_are_filtered_by_run_and_tuner(client: httpx.Client) -> None:
    tuner, run = a_whole_search(client, "one")
    other_tuner, other_run = a_whole_search(client, "two")
    assert {event["run_id"] for event in list_events(client, run_id=run["run_id"])} == {run["run_id"]}
    both = list_events(client, run_id=[run["run_id"], other_run["run_id"]])
    assert len(both) == 8
    of_tuner = list_events(client, tuner_id=tuner["tuner_id"])
    assert len(of_tuner) == 7
    assert {event["run_id"] for event in of_tuner if event["type"] == "epoch_end"} == {run["run_id"]}
    assert len(list_events(client, tuner_id=[tuner["tuner_id"], other_tuner["tuner_id"]], type="epoch_end")) == 4
    assert list_events(client, run_id=run["run_id"], tuner_id=other_tuner["tuner_id"]) == []


def test_events_are_filtered_by_the_tags_of_their_run_or_tuner(client: httpx.Client) -> None:
    tuner, run = a_whole_search(client, "tagged")
    a_whole_search(client, "others")
    assert list_events(client, tag="run-tagged") == list_events(client, run_id=run["run_id"])
    of_tuner = list_events(client, tag="tuner-tagged")
    assert of_tuner == list_events(client, tuner_id=tuner["tuner_id"])
    assert list_events(client, tag=["run-tagged", "tuner-tagged"]) == of_tuner
    assert list_events(client, tag="tagged") == []
    assert list_events(client, tag="run_tagged") == []
    assert list_events(client, tag="%") == []
    client.delete(f"/v1/tuners/{tuner['tuner_id']}")
    assert list_events(client, tag="tuner-tagged") == of_tuner
    create_tuner(client, tuner_id=tuner["tuner_id"], tags=["again"])
    assert list_events(client, tag="tuner-tagged") == []


def test_filters_of_different_kinds_narrow_each_other(client: httpx.Client) -> None:
    _, run = a_whole_search(client, "narrow")
    found = list_events(client, tag="tuner-narrow", type=["epoch_end", "tuner_end"], run_id=run["run_id"])
    assert [event["type"] for event in found] == ["epoch_end", "epoch_end"]


def test_a_page_starts_after_an_event_and_has_a_limit(client: httpx.Client) -> None:
    _, run = a_whole_search(client, "limit")
    ids = [event["event_id"] for event in list_events(client, run_id=run["run_id"])]
    first = page(client, run_id=run["run_id"], limit=2)
    assert [event["event_id"] for event in first["items"]] == ids[:2]
    assert first["last_event_id"] == ids[1]
    second = page(client, run_id=run["run_id"], after=first["last_event_id"], limit=2)
    assert [event["event_id"] for event in second["items"]] == ids[2:]
    assert page(client, run_id=run["run_id"], after=ids[1])["items"] == second["items"]


def test_an_empty_page_goes_on_from_where_it_was_asked(client: httpx.Client) -> None:
    last = last_event_id(client)
    assert page(client, after=last) == {"items": [], "last_event_id": last}
    assert page(client, after=last + 1000) == {"items": [], "last_event_id": last + 1000}
    assert page(client, after=5, tag="no such tag") == {"items": [], "last_event_id": 5}


def test_walking_the_pages_shows_every_event_once(client: httpx.Client) -> None:
    start = last_event_id(client)
    runs = [a_whole_search(client, f"walk{number}")[1] for number in range(4)]
    walked: list[JSON] = []
    after = start
    while items := page(client, after=after, limit=3)["items"]:
        walked += items
        after = items[-1]["event_id"]
    assert [event["event_id"] for event in walked] == [event["event_id"] for event in list_events(client, after=start)]
    assert len(walked) == 7 * len(runs)


def test_a_page_holds_a_hundred_events_from_the_beginning_unless_told(client: httpx.Client) -> None:
    run = start_run(client)
    for epoch in range(100):
        log_epoch(client, run, epoch, loss=1.0)
    assert len(page(client, run_id=run["run_id"])["items"]) == 100
    assert len(page(client, run_id=run["run_id"], limit=1000)["items"]) == 101
    assert page(client)["items"][0]["event_id"] == page(client, after=0, limit=1)["items"][0]["event_id"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 1001},
        {"limit": -1},
        {"limit": "x"},
        {"limit": 1.5},
        {"after": -1},
        {"after": "x"},
        {"after": ""},
        {"after": 2**63},
        {"after": 1.5},
        {"run_id": "no-uuid"},
        {"tuner_id": "no-uuid"},
        {"type": "exploded"},
        {"typo": 1},
    ],
    ids=str,
)
def test_an_event_query_without_sense_is_refused(client: httpx.Client, query: JSON) -> None:
    problem(client.get("/v1/events", params=query), 422, "invalid-request")
    problem(
        client.get("/v1/events/stream", params={name: query[name] for name in query if name != "limit"} or {"x": 1}),
        422,
    )


def test_a_refused_request_leaves_no_event(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    report(client, tuner, trial_id=trial["trial_id"], score=1.0)
    last = list_events(client, tuner_id=tuner["tuner_id"])[-1]["event_id"]
    client.post(f"/v1/tuners/{tuner['tuner_id']}/result", json={"trial_id": trial["trial_id"], "score": 2.0})
    client.post("/v1/runs", json={"trial_id": "no-uuid"})
    client.post("/v1/runs", json={"params": {"": 1}})
    assert page(client, after=last)["items"] == []


def test_a_stream_that_is_cut_in_mid_sentence_is_closed_at_once() -> None:
    is_sending, ended = asyncio.Event(), list[str]()

    async def talk() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b": on and on\n\n"
        finally:
            ended.append("what is said")

    async def admit() -> Grant:
        return OPEN

    async def hang_up() -> Message:
        await is_sending.wait()
        return {"type": "http.disconnect"}

    async def read_nothing(message: Message) -> None:
        if message["type"] == "http.response.body":
            is_sending.set()
            await asyncio.Event().wait()

    async def story() -> None:
        chunks = talk()  # held here: when garbage is collected, nobody knows
        stream = Stream(with_goodbye(while_admitted(chunks, admit)), lambda: ended.append("the stream"))
        await stream({"type": "http", "asgi": {"spec_version": "2.3"}}, hang_up, read_nothing)
        assert ended == ["what is said", "the stream"]

    asyncio.run(story())
