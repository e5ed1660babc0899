"""The event stream: what goes over the wire, where it starts, and that nobody misses anything or sees it twice."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.calls import (
    JSON,
    create_tuner,
    end_run,
    list_events,
    log_batch,
    log_epoch,
    problem,
    report,
    start_run,
    suggest,
)
from tests.server import Server
from tests.subscriber import Subscriber


def marker(client: httpx.Client) -> int:
    """The id of an event that was just recorded."""
    event_id = log_epoch(client, start_run(client, tags=["marker"]), 0, marker=1.0)["event_id"]
    assert isinstance(event_id, int)
    return event_id


# ---- what goes over the wire ----


def test_a_stream_opens_with_the_time_to_come_back(server: Server) -> None:
    with Subscriber(server.url) as watcher:
        assert watcher.response is not None
        assert watcher.response.headers["content-type"].split(";")[0] == "text/event-stream"
        assert (
            "no-store" in watcher.response.headers["cache-control"]
            or "no-cache" in watcher.response.headers["cache-control"]
        )
        assert watcher.response.headers["x-accel-buffering"] == "no"
        assert "gzip" in watcher.response.request.headers["accept-encoding"]
        assert "content-encoding" not in watcher.response.headers, "packed, events would wait for each other"
        assert watcher.lines[0].startswith("retry:")
        assert watcher.retry_ms is not None
        assert 0 < watcher.retry_ms <= 60_000


def test_each_message_has_an_id_a_type_and_one_line_of_data(server: Server, client: httpx.Client) -> None:
    run = start_run(client)
    end_run(client, run)
    events = list_events(client, run_id=run["run_id"])
    with Subscriber(server.url, after=0, run_id=run["run_id"]) as watcher:
        assert [event.data for event in watcher.wait_for(2)] == events
        text = "\n".join(line for line in watcher.lines if not line.startswith(":"))
    *_, first, second = text.strip().split("\n\n")
    for message, event in zip((first, second), events, strict=True):
        names = [line.partition(":")[0] for line in message.split("\n")]
        values = {line.partition(":")[0]: line.partition(":")[2].strip() for line in message.split("\n")}
        assert sorted(names) == ["data", "event", "id"]
        assert (values["id"], values["event"]) == (str(event["event_id"]), event["type"])
        assert json.loads(values["data"]) == event


def test_text_that_looks_like_the_wire_stays_text(server: Server, client: httpx.Client) -> None:
    odd = "a\r\n\r\nid: 1\nevent: evil\u2028data: {}\x85\x0b\n\n🚀"
    with Subscriber(server.url, type="run_start") as watcher:
        run = start_run(client, params={odd: odd}, tags=[odd])
        event = next(one for one in watcher.wait_for(1) if one.data["run_id"] == run["run_id"])
        assert (event.type, event.data["params"], event.data["tags"]) == ("run_start", {odd: odd}, [odd])


def test_an_event_is_one_line_also_to_those_who_end_lines_at_more_than_the_standard(
    server: Server, client: httpx.Client
) -> None:
    odd = "a\u2028b\u2029c\x85d\x0be\x1cf"
    run = start_run(client, params={odd: odd})
    query: dict[str, Any] = {"after": 0, "run_id": run["run_id"]}
    with httpx.stream("GET", f"{server.url}/v1/events/stream", params=query, timeout=30, trust_env=False) as response:
        line = next(line for line in response.iter_lines() if line.startswith("data:"))
    assert json.loads(line.removeprefix("data:"))["params"] == {odd: odd}


# ---- where it starts ----


def test_a_new_stream_starts_now(server: Server, client: httpx.Client) -> None:
    before = marker(client)
    with Subscriber(server.url) as watcher:
        run = start_run(client)
        (event,) = watcher.wait_for(1)[:1]
        assert event.data["run_id"] == run["run_id"]
        assert before not in watcher.ids


def test_who_is_cut_before_the_first_event_comes_back_with_where_it_began(server: Server, client: httpx.Client) -> None:
    run = start_run(client)
    last = marker(client)
    with Subscriber(server.url, run_id=run["run_id"]) as watcher:
        assert (watcher.last_event_id, watcher.events) == (last, [])
    missed = log_epoch(client, run, 0, loss=1.0)["event_id"]
    with Subscriber(server.url, last_event_id=watcher.last_event_id, run_id=run["run_id"]) as watcher:
        assert [event.id for event in watcher.wait_for(1)] == [missed]


def test_after_zero_replays_all_there_is_and_goes_on(server: Server, client: httpx.Client) -> None:
    last = marker(client)
    everything = list_events(client)
    with Subscriber(server.url, after=0) as watcher:
        replayed = watcher.wait_for_id(last, timeout_s=60)
        assert [event.data for event in replayed] == everything
        more = marker(client)
        assert [event.id for event in watcher.wait_for_id(more)] == [
            *(event["event_id"] for event in everything),
            more - 1,
            more,
        ]


def test_what_a_deleted_run_said_comes_no_more_while_others_watch(server: Server, client: httpx.Client) -> None:
    with Subscriber(server.url) as watcher:
        first = marker(client)
        watcher.wait_for_id(first)
        run = start_run(client)
        log_epoch(client, run, 0, loss=1.0)
        client.delete(f"/v1/runs/{run['run_id']}")
        last = marker(client)
        watcher.wait_for_id(last)
        with Subscriber(server.url, after=first) as late:
            seen = late.wait_for_id(last)
    assert [event.type for event in seen if event.data.get("run_id") == run["run_id"]] == ["run_delete"]


def test_a_stream_goes_on_after_the_last_event_id(server: Server, client: httpx.Client) -> None:
    run = start_run(client)
    ids = [log_epoch(client, run, epoch, loss=1.0)["event_id"] for epoch in range(4)]
    with Subscriber(server.url, last_event_id=ids[1], run_id=run["run_id"]) as watcher:
        assert [event.id for event in watcher.wait_for(2)] == ids[2:]


def test_the_last_event_id_wins_over_after(server: Server, client: httpx.Client) -> None:
    run = start_run(client)
    ids = [log_epoch(client, run, epoch, loss=1.0)["event_id"] for epoch in range(4)]
    with Subscriber(server.url, last_event_id=ids[2], after=0, run_id=run["run_id"]) as watcher:
        assert [event.id for event in watcher.wait_for(1)] == ids[3:]
    with Subscriber(server.url, after=ids[0], run_id=run["run_id"]) as watcher:
        assert [event.id for event in watcher.wait_for(3)] == ids[1:]


@pytest.mark.parametrize("position", [{"last_event_id": 10**15}, {"after": 10**15}])
def test_an_id_not_reached_yet_starts_with_a_reset_and_goes_on_from_now(
    server: Server, client: httpx.Client, position: dict[str, Any]
) -> None:
    last = marker(client)
    with Subscriber(server.url, **position) as watcher:
        (reset,) = watcher.wait_for(1)
        assert (reset.id, reset.type) == (None, "reset")
        now = reset.data["last_event_id"]
        assert now >= last  # a lease of an earlier test may have ended meanwhile
        more = marker(client)
        assert [event.id for event in watcher.wait_for_id(more)] == [None, *range(now + 1, more + 1)]


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "1e3", "0x10", "1 2", "NaN", str(2**63), "9" * 400, "none"])
def test_a_position_that_is_no_number_is_refused(client: httpx.Client, value: str) -> None:
    problem(client.get("/v1/events/stream", headers={"Last-Event-ID": value}), 422, "invalid-request")
    problem(client.get("/v1/events/stream", params={"after": value}), 422, "invalid-request")


# ---- filters ----


def a_search(client: httpx.Client, tag: str) -> tuple[JSON, JSON]:
    """A tuner with one trial and its run: seven events."""
    tuner = create_tuner(client, budget={"max_trials": 1}, objective={"metric": "accuracy"}, tags=[f"tuner-{tag}"])
    run = start_run(client, trial_id=suggest(client, tuner)[0]["trial_id"], tags=[f"run-{tag}"])
    log_batch(client, run, [(0, {"accuracy": 0.1}), (1, {"accuracy": 0.2})])
    end_run(client, run)
    return tuner, run


@pytest.mark.parametrize("is_live", [True, False], ids=["live", "replayed"])
@pytest.mark.parametrize(
    "query",
    [
        {"type": "epoch_end"},
        {"type": ["trial_start", "training_end"]},
        {"tag": "marker"},
        {"tag": ["run-{name}", "tuner-{name}"]},
        {"tag": "run-{name}", "type": ["run_start", "epoch_end"]},
    ],
    ids=str,
)
def test_a_stream_shows_what_the_page_shows(
    server: Server, client: httpx.Client, query: dict[str, Any], is_live: bool, request: pytest.FixtureRequest
) -> None:
    name = request.node.name

    def fill(value: str | list[str]) -> str | list[str]:
        return [one.format(name=name) for one in value] if isinstance(value, list) else value.format(name=name)

    filled = {key: fill(value) for key, value in query.items()}
    start = marker(client)
    if not is_live:
        a_search(client, name)
        a_search(client, "other")
    with Subscriber(server.url, last_event_id=start, **filled) as watcher:
        if is_live:
            a_search(client, name)
            a_search(client, "other")
        expected = list_events(client, after=start, **filled)
        seen = watcher.wait_for(len(expected))
        assert [event.data for event in seen] == expected
    assert bool(expected) == (query != {"tag": "marker"})


@pytest.mark.parametrize("is_live", [True, False], ids=["live", "replayed"])
def test_a_stream_of_runs_and_tuners_shows_only_theirs(server: Server, client: httpx.Client, is_live: bool) -> None:
    runs = [start_run(client) for _ in range(3)]
    tuners = [create_tuner(client) for _ in range(2)]
    start = marker(client)

    def work() -> None:
        for run in runs:
            log_epoch(client, run, 0, loss=1.0)
        for tuner in tuners:
            trial = suggest(client, tuner)[0]
            of_trial = start_run(client, trial_id=trial["trial_id"])
            log_epoch(client, of_trial, 0, loss=1.0)
            report(client, tuner, trial_id=trial["trial_id"], score=1.0)

    with ExitStack() as exits:
        if not is_live:
            work()
        queries: list[dict[str, Any]] = [
            {"run_id": runs[0]["run_id"]},
            {"run_id": [runs[0]["run_id"], runs[2]["run_id"]]},
            {"tuner_id": tuners[1]["tuner_id"]},
        ]
        watchers = [exits.enter_context(Subscriber(server.url, last_event_id=start, **query)) for query in queries]
        if is_live:
            work()
        for query, watcher, count in zip(queries, watchers, (1, 2, 4), strict=True):
            expected = list_events(client, after=start, **query)
            assert len(expected) == count
            assert [event.data for event in watcher.wait_for(count)] == expected


# ---- nothing missed, nothing twice ----


def test_a_subscriber_that_is_cut_and_comes_back_sees_what_the_other_sees(server: Server, client: httpx.Client) -> None:
    runs = [start_run(client) for _ in range(4)]
    start = marker(client)
    has_been_cut_enough = threading.Event()

    def write(run: JSON) -> None:
        epoch = 0
        while not has_been_cut_enough.is_set():
            log_epoch(client, run, epoch, loss=1 / (epoch + 1))
            epoch += 1

    seen_in_parts: list[JSON] = []
    last: int | None = start
    with Subscriber(server.url, last_event_id=start) as steady, ThreadPoolExecutor(len(runs)) as pool:
        work = [pool.submit(write, run) for run in runs]
        try:
            for part in range(8):
                with Subscriber(server.url, last_event_id=last) as cut:
                    cut.wait_for(1 + part * 7)
                seen_in_parts += [event.data for event in cut.events]
                last = cut.last_id
        finally:
            has_been_cut_enough.set()
        for one in work:
            one.result()
        end = marker(client)
        with Subscriber(server.url, last_event_id=last) as cut:
            seen_in_parts += [event.data for event in cut.wait_for_id(end)]
        seen = [event.data for event in steady.wait_for_id(end)]
    assert seen == list_events(client, after=start)
    assert seen_in_parts == seen
    assert len({event["event_id"] for event in seen}) == len(seen) > 8


def test_subscribers_that_join_in_mid_load_all_see_the_same(server: Server, client: httpx.Client) -> None:
    runs = [start_run(client) for _ in range(3)]
    start = marker(client)

    def write(run: JSON) -> None:
        for epoch in range(50):
            log_epoch(client, run, epoch, loss=0.5)

    with ExitStack() as exits, ThreadPoolExecutor(len(runs)) as pool:
        work = [pool.submit(write, run) for run in runs]
        watchers = [exits.enter_context(Subscriber(server.url, last_event_id=start)) for _ in range(12)]
        for one in work:
            one.result()
        end = marker(client)
        expected = list_events(client, after=start)
        for watcher in watchers:
            assert [event.data for event in watcher.wait_for_id(end)] == expected


def test_an_event_is_on_the_stream_soon_after_the_write_was_answered(server: Server, client: httpx.Client) -> None:
    run = start_run(client)
    with Subscriber(server.url, run_id=run["run_id"]) as watcher:
        for epoch in range(10):
            event_id = log_epoch(client, run, epoch, loss=1.0)["event_id"]
            watcher.wait_for_id(event_id)
        assert watcher.ids == sorted(event.data["event_id"] for event in watcher.events)


def test_a_refused_write_is_on_no_stream(server: Server, client: httpx.Client) -> None:
    run = start_run(client)
    log_epoch(client, run, 0, loss=1.0)
    with Subscriber(server.url) as watcher:
        problem(client.post(f"/v1/runs/{run['run_id']}/epochs", json={"epoch": 0, "metrics": {"loss": 2.0}}), 409)
        problem(client.post("/v1/runs", json={"typo": 1}), 422)
        log_epoch(client, run, 0, loss=1.0)
        end = marker(client)
        assert [event.id for event in watcher.wait_for_id(end)] == [end - 1, end]


def test_readers_that_have_gone_leave_the_service_as_it_was(server: Server, client: httpx.Client) -> None:
    for _ in range(2):
        with ExitStack() as exits:
            for _ in range(8):
                exits.enter_context(Subscriber(server.url, after=0))
            marker(client)
    with Subscriber(server.url) as watcher:
        end = marker(client)
        assert watcher.wait_for_id(end)[-1].id == end
