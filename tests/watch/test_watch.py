"""The command, on a real service: what it prints, when it ends, and that it comes back after an interruption."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from app.watch.follow import Event, Follower, in_background
from tests.calls import answer, create_tuner, end_run, list_events, log_epoch, report, start_run, suggest
from tests.conftest import NewDatabase, open_client
from tests.server import COMMAND, Server
from tests.waiting import eventually

TIMEOUT_S = 60
NOWHERE = "019ab1c2-0000-7000-8000-000000000000"


@contextmanager
def watching(server: Server, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """The command, without a terminal; the environment names a proxy, which reaches no address of this machine."""
    command = [str(COMMAND), "watch", "--url", server.url, *options]
    environment = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
    environment["HTTP_PROXY"] = environment["http_proxy"] = "http://127.0.0.1:9"
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_run_is_watched_from_its_beginning_to_its_end(server: Server, client: httpx.Client) -> None:
    run = start_run(client, params={"lr": 0.5})
    log_epoch(client, run, 0, loss=0.25)
    with watching(server, "--run", run["run_id"]) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert f"run_start  run {run['run_id']}" in first
        assert "lr=0.5" in first
        assert "epoch=0  loss=0.25" in process.stdout.readline()
        log_epoch(client, run, 1, loss="NaN")
        assert "epoch=1  loss=NaN" in process.stdout.readline()
        end_run(client, run, final_metrics={"loss": 0.125})
        output, errors = process.communicate(timeout=TIMEOUT_S)
    assert "training_end" in output
    assert "status=finished" in output
    assert (process.returncode, errors) == (0, "")


def test_a_tuner_is_watched_until_it_has_ended(server: Server, client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 2})
    with watching(server, "--tuner", tuner["tuner_id"]) as process:
        for trial in suggest(client, tuner, 2):
            report(client, tuner, trial_id=trial["trial_id"], score=0.5)
        output, errors = process.communicate(timeout=TIMEOUT_S)
    assert [line.split("  ")[1] for line in output.splitlines()] == [
        event["type"] for event in list_events(client, tuner_id=tuner["tuner_id"])
    ]
    assert output.splitlines()[-1].split("  ")[1] == "tuner_end"
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_end_of_a_trial_is_shown_with_its_scores(server: Server, client: httpx.Client) -> None:
    tuner = create_tuner(client, objectives=[{"metric": "loss"}, {"metric": "size"}], budget={"max_trials": 1})
    with watching(server, "--tuner", tuner["tuner_id"]) as process:
        (trial,) = suggest(client, tuner)
        report(client, tuner, trial_id=trial["trial_id"], scores={"loss": 0.25, "size": "Infinity"})
        output, _ = process.communicate(timeout=TIMEOUT_S)
    assert "number=0 state=failed reason=non-finite score  loss=0.25 size=Infinity\n" in output


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_what_others_have_written_says_nothing_to_the_terminal(server: Server, client: httpx.Client) -> None:
    hostile = "\x1b]0;title\x07\x9b2J\r\n\u2028a \u00e9"
    run = start_run(client, params={hostile: hostile})
    log_epoch(client, run, 0, **{hostile: 0.5})
    end_run(client, run)
    with watching(server, "--run", run["run_id"]) as process:
        output, _ = process.communicate(timeout=TIMEOUT_S)
    start, _, _ = output.splitlines()
    told = "\u241b]0;title\u2407\ufffd2J\u240d\u240a\ufffda \u00e9"
    assert start.endswith(f"{told}={told}")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_tuner_that_goes_on_after_an_end_is_watched_until_it_ends_again(server: Server, client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 1})
    (first,) = suggest(client, tuner)
    report(client, tuner, trial_id=first["trial_id"], score=0.5)
    answer(client.patch(f"/v1/tuners/{tuner['tuner_id']}", json={"budget": {"max_trials": 2}}))
    with watching(server, "--tuner", tuner["tuner_id"]) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline()]
        while "tuner_end" not in seen[-1]:
            seen.append(process.stdout.readline())
        (second,) = suggest(client, tuner)
        report(client, tuner, trial_id=second["trial_id"], score=0.5)
        output, errors = process.communicate(timeout=TIMEOUT_S)
    assert [line.split("  ")[1] for line in [*seen, *output.splitlines()]] == [
        event["type"] for event in list_events(client, tuner_id=tuner["tuner_id"])
    ]
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_what_does_not_exist_and_who_does_not_answer_is_said_in_a_line(server: Server) -> None:
    for options, said in (
        (["--run", NOWHERE], f"There is no run {NOWHERE}"),
        (["--tuner", "x"], "There is no tuner x"),
        (["--url", "http://ada:secret@127.0.0.1:9"], "no tunetrack service answers at http://127.0.0.1:9"),
    ):
        with watching(server, *options) as process:
            output, errors = process.communicate(timeout=TIMEOUT_S)
        assert (process.returncode, output) == (2, "")
        assert said in errors
        assert len(errors.splitlines()) == 1


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_follower_misses_nothing_and_sees_nothing_twice_when_the_service_is_killed(new_database: NewDatabase) -> None:
    with Server(new_database()) as server, open_client(server) as client:
        events = in_background(Follower(server.url, {"type": "epoch_end"}))
        run = start_run(client)
        seen: list[int] = []
        for kill in range(3):
            for epoch in range(10):
                log_epoch(client, run, 10 * kill + epoch, loss=0.5)
            while len(seen) < 10 * kill + 5:
                event = events.get(timeout=TIMEOUT_S)
                assert isinstance(event, dict), event
                seen.append(event["event_id"])
            server.kill()
            server.start()
        while len(seen) < 30:
            event = events.get(timeout=TIMEOUT_S)
            assert isinstance(event, dict), event
            seen.append(event["event_id"])
        assert seen == [event["event_id"] for event in list_events(client, type="epoch_end")]
        answer(client.get("/healthz"))


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_follower_of_a_store_that_was_replaced_starts_anew(server: Server, client: httpx.Client) -> None:
    events = in_background(Follower(server.url, {}, after=10**15))
    event = events.get(timeout=TIMEOUT_S)
    assert isinstance(event, dict)
    assert event["type"] == "reset"
    run = start_run(client)
    while isinstance(event, dict) and event.get("run_id") != run["run_id"]:
        event = events.get(timeout=TIMEOUT_S)
    assert isinstance(event, dict)
    assert event["type"] == "run_start"


def test_of_a_long_log_no_more_is_held_than_waits_to_be_drawn() -> None:
    is_read = threading.Event()

    def log() -> Iterator[Event]:
        yield from ({"type": "epoch_end", "event_id": number} for number in range(100_000))
        is_read.set()

    events = in_background(log())
    eventually(lambda: events.full() or is_read.is_set() or None)
    assert not is_read.is_set()
