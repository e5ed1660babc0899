"""A wall clock that is set back or forward reorders nothing, and takes nothing from anybody."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import Self

import httpx
import pytest
import uvicorn
from sqlalchemy import Connection

from app.main import Application
from app.service import reap
from app.service.invariants import find_violations
from app.service.reap import Reaper
from app.store import clock, log
from app.store.engines import open_readers, parse
from tests.calls import (
    answer,
    ask,
    create_tuner,
    end_run,
    get_run,
    get_trial,
    list_all,
    list_events,
    log_epoch,
    report,
    start_run,
    suggest,
)
from tests.conftest import NewDatabase
from tests.waiting import SHORT_S, run_in, trial_in

HOUR = timedelta(hours=1)

Step = Callable[[timedelta], None]


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Step:
    """Moves the service's clock."""
    now = clock.now
    moved = timedelta()

    def moved_now(connection: Connection) -> datetime:
        return now(connection) + moved

    def move(by: timedelta) -> None:
        nonlocal moved
        moved += by

    class Moved(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + moved

    monkeypatch.setattr(clock, "now", moved_now)
    monkeypatch.setattr(log, "datetime", Moved)  # the log's own time, on SQLite
    return move


@pytest.fixture
def database(new_database: NewDatabase) -> Iterator[str]:
    """An empty database, which must agree with itself at the end."""
    url = new_database()
    yield url
    engine = open_readers(parse(url), pool_size=1)
    with engine.begin() as connection:
        assert list(find_violations(connection)) == []
    engine.dispose()


@pytest.fixture
def client(database: str, step: Step) -> Iterator[httpx.Client]:
    """A client of a service in this process, whose clock can be moved."""
    server = uvicorn.Server(uvicorn.Config(Application(parse(database)).asgi, log_level="warning", lifespan="on"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = threading.Thread(target=server.run, args=([listener],), daemon=True)
        serving.start()
        with httpx.Client(base_url=url, timeout=30.0, trust_env=False) as client:
            yield client
        server.should_exit = True
        serving.join()


def test_events_keep_the_order_in_which_they_happened(client: httpx.Client, step: Step) -> None:
    tuner = create_tuner(client, seed=3)
    ids: list[int] = []
    expected: list[str] = []
    for hours in (0, -1, -1, 3):
        step(hours * HOUR)
        (trial,) = suggest(client, tuner)
        run = start_run(client, trial_id=trial["trial_id"])
        ids.append(log_epoch(client, run, 0, loss=1.0)["event_id"])
        end_run(client, run, final_metrics={"score": 1.0})
        expected += ["trial_start", "run_start", "epoch_end", "trial_end", "training_end"]
    events = list_events(client)
    assert [event["type"] for event in events] == expected
    assert ids == sorted(ids)
    assert [event["event_id"] for event in events] == sorted(event["event_id"] for event in events)
    last = events[-1]["event_id"]
    step(-HOUR)
    assert log_epoch(client, start_run(client), 0, loss=1.0)["event_id"] > last


def test_trials_keep_their_numbers_their_workers_and_their_parameters(client: httpx.Client, step: Step) -> None:
    undisturbed = suggest(client, create_tuner(client, seed=3), 6)
    tuner = create_tuner(client, seed=3, budget={"max_trials": 6})
    held = suggest(client, tuner, 2, worker="w")
    step(-HOUR)
    assert suggest(client, tuner, 2, worker="w") == held
    others = suggest(client, tuner, 4, worker="v")
    assert ask(client, tuner, worker="u")["trials"] == []
    report(client, tuner, trial_id=held[0]["trial_id"], score=0.5)
    assert report(client, tuner, trial_id=held[0]["trial_id"], score=0.5)["trial"] == get_trial(client, held[0])
    trials = list_all(client, f"/v1/tuners/{tuner['tuner_id']}/trials")
    assert [trial["trial_id"] for trial in trials] == [trial["trial_id"] for trial in [*held, *others]]
    assert [trial["params"] for trial in trials] == [trial["params"] for trial in undisturbed]


def test_a_run_that_saw_the_step_took_no_negative_time(client: httpx.Client, step: Step) -> None:
    run = start_run(client)
    step(-HOUR)
    ended = end_run(client, run)
    assert ended["duration_s"] >= 0
    assert ended["end_time"] >= ended["start_time"]


def test_a_trial_and_a_tuner_that_saw_the_step_did_not_change_before_they_were_made(
    client: httpx.Client, step: Step
) -> None:
    tuner = create_tuner(client)
    told, trained, imported = suggest(client, tuner, 3)
    run = start_run(client, trial_id=trained["trial_id"])
    step(-HOUR)
    report(client, tuner, trial_id=told["trial_id"], score=0.5)
    end_run(client, run, final_metrics={"score": 0.5})
    report(client, tuner, params=imported["params"], score=0.5)
    for trial in list_all(client, f"/v1/tuners/{tuner['tuner_id']}/trials"):
        assert trial["end_time"] == trial["create_time"]
    changed = answer(client.get(f"/v1/tuners/{tuner['tuner_id']}"))
    assert changed["update_time"] == changed["create_time"]


def test_lists_show_everything_once_whenever_it_was_made(client: httpx.Client, step: Step) -> None:
    made = []
    for hours in (0, -1, 2, -3):
        step(hours * HOUR)
        made += [start_run(client)["run_id"] for _ in range(3)]
    listed = [run["run_id"] for run in list_all(client, "/v1/runs", page_size=2)]
    assert sorted(listed) == sorted(made)


def test_a_key_is_remembered_across_the_step(client: httpx.Client, step: Step) -> None:
    first = client.post("/v1/runs", json={}, headers={"Idempotency-Key": "k"})
    step(-HOUR)
    second = client.post("/v1/runs", json={}, headers={"Idempotency-Key": "k"})
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.json() == first.json()


# ---- leases ----

LEASE_S = 1800.0
SILENCE_S = 900.0


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Waits until the service has looked twice for what has fallen silent: once to see the clock, and once after it."""
    looks = threading.Semaphore(0)
    seen = Reaper.look

    async def counted(reaper: Reaper) -> None:
        await seen(reaper)
        looks.release()

    monkeypatch.setattr(Reaper, "look", counted)
    monkeypatch.setattr(reap, "_EVERY_S", 0.05)

    def wait() -> None:
        while looks.acquire(blocking=False):
            pass  # those of before
        for _ in range(3):  # the first may have been under way
            assert looks.acquire(timeout=60.0)

    return wait


@pytest.mark.parametrize("hours", [1, -1, 24])
def test_a_step_of_the_clock_takes_no_trial_from_anybody(
    look: Callable[[], None], client: httpx.Client, step: Step, hours: int
) -> None:
    tuner = create_tuner(client, lease_s=LEASE_S, budget={"max_trials": 2})
    held = suggest(client, tuner, 2, worker="w")
    run = start_run(client, trial_id=held[0]["trial_id"], stale_after_s=SILENCE_S)
    look()
    step(hours * HOUR)
    look()
    assert ask(client, tuner, worker="other")["trials"] == []
    assert [get_trial(client, trial)["state"] for trial in held] == ["running", "running"]
    assert get_run(client, run)["status"] == "running"
    assert log_epoch(client, run, 0, loss=1.0)["should_stop"] is False
    end_run(client, run, final_metrics={"score": 0.5})
    report(client, tuner, trial_id=held[1]["trial_id"], score=0.5, worker="w", attempt=1)
    kinds = {event["type"] for event in list_events(client)}
    assert not kinds & {"trial_stale", "run_crash"}


def test_a_worker_that_asks_again_shortly_before_the_end_of_its_lease_keeps_the_trial(
    client: httpx.Client, step: Step
) -> None:
    tuner = create_tuner(client, lease_s=LEASE_S)
    (held,) = suggest(client, tuner, worker="w")
    step(0.9 * timedelta(seconds=LEASE_S))
    (again,) = suggest(client, tuner, worker="w")
    assert again == held | {"lease_expires_at": again["lease_expires_at"]}
    assert again["lease_expires_at"] > held["lease_expires_at"]


def test_a_lease_that_began_after_the_step_ends_when_it_says(
    look: Callable[[], None], client: httpx.Client, step: Step
) -> None:
    tuner = create_tuner(client, lease_s=SHORT_S)
    look()
    step(HOUR)
    look()
    trial_in(client, suggest(client, tuner, worker="w")[0], "stale")


def test_what_a_dead_worker_held_is_free_soon_after_the_clock_was_set_back(
    look: Callable[[], None], client: httpx.Client, step: Step
) -> None:
    tuner = create_tuner(client, lease_s=SHORT_S)
    trial, other = suggest(client, tuner, 2, worker="dead")
    step(24 * HOUR)
    look()
    start_run(client, trial_id=trial["trial_id"])
    log_epoch(client, start_run(client, trial_id=other["trial_id"], stale_after_s=SHORT_S), 0, loss=1.0)
    silent = start_run(client, stale_after_s=SHORT_S)
    step(-24 * HOUR)
    look()
    trial_in(client, trial, "stale")
    trial_in(client, other, "stale")
    run_in(client, silent, "crashed")


def test_a_look_that_takes_long_is_no_step_of_the_clock(
    look: Callable[[], None], client: httpx.Client, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    (trial,) = suggest(client, create_tuner(client, lease_s=1.5 * HOUR.total_seconds()), worker="dead")
    steady, seen = time.monotonic, reap.look
    passed = timedelta()
    before_reading, after_reading = threading.Event(), threading.Event()

    def pass_an_hour(when: threading.Event) -> None:
        nonlocal passed
        if when.is_set():
            when.clear()
            passed += HOUR
            step(HOUR)

    def slow(connection: Connection, *, and_ahead: bool = False) -> reap.Due:
        pass_an_hour(before_reading)
        due = seen(connection, and_ahead=and_ahead)
        pass_an_hour(after_reading)
        return due

    monkeypatch.setattr(reap, "time", SimpleNamespace(monotonic=lambda: steady() + passed.total_seconds()))
    monkeypatch.setattr(reap, "look", slow)
    after_reading.set()
    look()
    assert get_trial(client, trial)["state"] == "running"
    before_reading.set()
    look()
    trial_in(client, trial, "stale")
