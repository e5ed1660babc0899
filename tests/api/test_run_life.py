"""The life of a run: heartbeats, silence, being told to stop, edits, deletion."""

import uuid
from datetime import datetime

import httpx
import pytest

from tests.calls import (
    JSON,
    answer,
    create_tuner,
    end_run,
    get_run,
    get_series,
    get_trial,
    list_all,
    list_events,
    log_epoch,
    problem,
    start_run,
    suggest,
)
from tests.server import Server
from tests.subscriber import Subscriber
from tests.waiting import SHORT_S, run_in, trial_in


def path(run: JSON, what: str = "") -> str:
    return f"/v1/runs/{run['run_id']}{what}"


def types(client: httpx.Client, run: JSON) -> list[str]:
    return [event["type"] for event in list_events(client, run_id=run["run_id"])]


# ---- its last epoch ----


def test_a_run_that_lives_and_comes_to_no_epoch_is_found_by_the_time_of_its_last(client: httpx.Client) -> None:
    tag = uuid.uuid4().hex
    hung, started_only, goes_on, ended = (start_run(client, tags=[tag], stale_after_s=600) for _ in range(4))
    long_ago, lately = "2021-05-04T12:00:00.250000Z", "2026-05-04T15:00:00.000000Z"
    epochs = [{"epoch": 0, "metrics": {"loss": 1.0}}, {"epoch": 3, "metrics": {"loss": 1.0}, "timestamp": long_ago}]
    for run in (hung, ended):
        answer(client.post(path(run, "/epochs/batch"), json={"epochs": epochs}))
    late = [{"epoch": 1, "metrics": {"loss": 1.0}}, {"epoch": 4, "metrics": {}, "timestamp": lately}]
    answer(client.post(path(goes_on, "/epochs/batch"), json={"epochs": late}))
    answer(client.post(path(hung, "/heartbeat")))
    end_run(client, ended)

    def found(asked: str) -> list[str]:
        query = {"filter": f'"{tag}" in tags and {asked}', "order_by": "last_epoch_time desc"}
        return [run["run_id"] for run in list_all(client, "/v1/runs", **query)]

    since = '"2021-05-04T14:00:00Z"'
    assert found(f'status = "running" and last_epoch_time < {since}') == [hung["run_id"]]
    assert found('status = "running" and last_epoch_time is null') == [started_only["run_id"]]
    assert found('status = "running"') == [one["run_id"] for one in (goes_on, hung, started_only)]
    (same,) = list_all(client, "/v1/runs", filter=f'run_id = "{hung["run_id"]}"', fields="last_epoch,last_epoch_time")
    assert same == {"last_epoch": 3, "last_epoch_time": long_ago}
    # It is the time of the last epoch: another value of it counts, and those before do not.
    log_epoch(client, hung, 2, loss=1.0)
    assert get_run(client, hung)["last_epoch_time"] == long_ago
    log_epoch(client, hung, 3, accuracy=0.5)
    (*_, event) = list_events(client, run_id=hung["run_id"])
    assert get_run(client, hung)["last_epoch_time"] == event["timestamp"] > lately
    assert found(f"last_epoch_time < {since}") == [ended["run_id"]]


def test_every_answer_that_shows_a_run_tells_the_time_of_its_last_epoch(client: httpx.Client) -> None:
    run = start_run(client, run_id=str(uuid.uuid4()))
    assert run["last_epoch_time"] is None
    log_epoch(client, run, 0, loss=1.0)
    time = get_run(client, run)["last_epoch_time"]
    assert datetime.fromisoformat(run["start_time"]) <= datetime.fromisoformat(time)
    shown = [
        answer(client.post("/v1/runs", json={"run_id": run["run_id"]})),
        answer(client.patch(path(run), json={"note": "slow"})),
        answer(client.post(path(run, "/stop"))),
        answer(client.get(path(run, "/overview")))["run"],
        end_run(client, run),
        end_run(client, run),
        get_run(client, run),
    ]
    assert [one["last_epoch_time"] for one in shown] == [time] * len(shown)


# ---- heartbeat and stop ----


def test_a_heartbeat_says_that_all_is_well(client: httpx.Client) -> None:
    run = start_run(client)
    found = answer(client.post(path(run, "/heartbeat")))
    assert found == {"should_stop": False, "stop": None, "lease_expires_at": None}
    assert types(client, run) == ["run_start"]


def test_a_run_that_is_asked_to_stop_is_told_at_its_next_epoch_and_heartbeat(client: httpx.Client) -> None:
    run = start_run(client)
    log_epoch(client, run, 3, loss=1.0)
    assert not get_run(client, run)["stop_requested"]
    asked = answer(client.post(path(run, "/stop"), json={"reason": "it explodes"}))
    assert asked["stop_requested"]
    why = {"rule": "requested", "reason": "it explodes", "epoch": 3}
    assert answer(client.post(path(run, "/heartbeat"))) == {
        "should_stop": True,
        "stop": why,
        "lease_expires_at": None,
    }
    told = log_epoch(client, run, 4, loss=2.0)
    assert (told["should_stop"], told["stop"]) == (True, why)
    assert get_run(client, run)["status"] == "running"
    assert end_run(client, run, status="stopped")["status"] == "stopped"


def test_who_asks_first_is_who_is_named(client: httpx.Client) -> None:
    run = start_run(client)
    for reason in ("first", "second"):
        answer(client.post(path(run, "/stop"), json={"reason": reason}))
    assert answer(client.post(path(run, "/heartbeat")))["stop"]["reason"] == "first"


def test_a_reason_to_stop_is_optional(client: httpx.Client) -> None:
    run = start_run(client)
    assert answer(client.post(path(run, "/stop")))["stop_requested"]


def test_a_run_that_finishes_though_it_was_asked_to_stop_has_finished(client: httpx.Client) -> None:
    trial = suggest(client, create_tuner(client))[0]
    run = start_run(client, trial_id=trial["trial_id"])
    answer(client.post(path(run, "/stop")))
    assert end_run(client, run, final_metrics={"score": 0.5})["status"] == "finished"
    assert (get_trial(client, trial)["state"], get_trial(client, trial)["score"]) == ("completed", 0.5)


@pytest.mark.parametrize("status", ["finished", "failed", "stopped"])
def test_after_the_end_there_is_nothing_to_keep_alive_or_to_stop(client: httpx.Client, status: str) -> None:
    run = start_run(client)
    log_epoch(client, run, 0, loss=1.0)
    ended = end_run(client, run, status=status)
    problem(client.post(path(run, "/heartbeat")), 409, "run-ended")
    problem(client.post(path(run, "/stop")), 409, "run-ended")
    problem(client.post(path(run, "/epochs"), json={"epoch": 1, "metrics": {"loss": 1.0}}), 409, "run-ended")
    again = log_epoch(client, run, 0, loss=1.0)
    assert (again["accepted"], again["duplicates"], again["should_stop"]) == (0, 1, False)
    assert get_run(client, run) == ended


@pytest.mark.parametrize("what", ["/heartbeat", "/stop", "/end"])
def test_a_run_that_does_not_exist_is_404(client: httpx.Client, what: str) -> None:
    problem(client.post(f"/v1/runs/{uuid.uuid4()}{what}"), 404, "unknown-run")
    problem(client.post(f"/v1/runs/x{what}"), 404, "unknown-run")


# ---- silence ----


def test_a_run_that_says_nothing_for_too_long_has_crashed_and_comes_back_when_it_speaks(
    client: httpx.Client, server: Server
) -> None:
    with Subscriber(server.url, type=["run_crash", "run_resume"]) as watching:
        run = start_run(client, stale_after_s=SHORT_S)
        log_epoch(client, run, 2, loss=1.0)
        crashed = run_in(client, run, "crashed")
        assert (crashed["end_time"], crashed["last_epoch"]) == (None, 2)
        assert log_epoch(client, run, 3, loss=0.5)["accepted"] == 1
        # It may have been silent for too long before its first epoch, too, and after its last one.
        events = list_events(client, run_id=run["run_id"])
        events = events[[event["type"] for event in events].index("epoch_end") :][:4]
        assert [event["type"] for event in events] == ["epoch_end", "run_crash", "run_resume", "epoch_end"]
        _, crash, resume, _ = events
        seen = [one.data for one in watching.wait_for_id(resume["event_id"]) if one.data["run_id"] == run["run_id"]]
        assert [event for event in seen if event["last_epoch"] == 2] == [crash, resume]


def test_a_heartbeat_brings_it_back_too(client: httpx.Client) -> None:
    run = start_run(client, stale_after_s=SHORT_S)
    run_in(client, run, "crashed")
    assert not answer(client.post(path(run, "/heartbeat")))["should_stop"]
    assert types(client, run)[:3] == ["run_start", "run_crash", "run_resume"]
    run_in(client, run, "crashed")  # and silence is noticed again


def test_a_crashed_run_may_end_without_coming_back(client: httpx.Client) -> None:
    run = start_run(client, stale_after_s=SHORT_S)
    run_in(client, run, "crashed")
    ended = end_run(client, run, final_metrics={"loss": 0.5})
    assert (ended["status"], ended["final_metrics"]) == ("finished", {"loss": 0.5})
    assert ended["duration_s"] > 0
    assert types(client, run) == ["run_start", "run_crash", "training_end"]
    assert end_run(client, run, final_metrics={"loss": 0.5}) == ended


def test_a_crashed_run_may_be_asked_to_stop(client: httpx.Client) -> None:
    run = start_run(client, stale_after_s=SHORT_S)
    run_in(client, run, "crashed")
    answer(client.post(path(run, "/stop")))
    assert log_epoch(client, run, 0, loss=1.0)["should_stop"]


def test_a_run_that_speaks_again_holds_its_trial_again(client: httpx.Client) -> None:
    trial = suggest(client, create_tuner(client))[0]
    run = start_run(client, trial_id=trial["trial_id"], stale_after_s=SHORT_S)
    run_in(client, run, "crashed")
    assert get_trial(client, trial)["state"] == "running", "its lease is another matter"
    told = log_epoch(client, run, 0, loss=1.0)
    assert told["lease_expires_at"] == get_trial(client, trial)["lease_expires_at"]


def test_a_run_that_crashed_before_its_tuner_was_stopped_is_told_when_it_is_back(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    run = start_run(client, trial_id=suggest(client, tuner)[0]["trial_id"], stale_after_s=SHORT_S)
    run_in(client, run, "crashed")
    answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/stop"))
    assert answer(client.post(path(run, "/heartbeat")))["stop"]["rule"] == "tuner"


@pytest.mark.parametrize("silence", [0, -1, "1", True, 1e10])
def test_a_silence_that_is_no_time_is_refused(client: httpx.Client, silence: object) -> None:
    problem(client.post("/v1/runs", json={"stale_after_s": silence}), 422, "invalid-request")


# ---- edits ----


def test_what_is_sent_is_changed_and_the_rest_stays(client: httpx.Client) -> None:
    run = start_run(client, name="a", tags=["t"], note="n", params={"lr": 0.1})
    assert answer(client.patch(path(run), json={"name": "b"})) == run | {"name": "b"}
    assert answer(client.patch(path(run), json={"note": "m", "tags": []})) == run | {
        "name": "b",
        "note": "m",
        "tags": [],
    }
    assert answer(client.patch(path(run))) == get_run(client, run)


def test_params_are_added_while_it_runs_and_never_changed(client: httpx.Client) -> None:
    run = start_run(client, params={"lr": 0.1, "n": 3})
    edited = answer(client.patch(path(run), json={"params": {"device": "cpu", "n": 3}}))
    assert edited["params"] == {"lr": 0.1, "n": 3, "device": "cpu"}
    for params in ({"lr": 0.2}, {"n": 3.0}, {"n": "3"}, {"device": "cpu", "lr": True}):
        body = {"params": params | {"other": 1}, "name": "not this"}
        problem(client.patch(path(run), json=body), 409, "param-exists")
    assert get_run(client, run) == edited


def test_after_the_end_names_may_change_and_params_may_not(client: httpx.Client) -> None:
    run = start_run(client, params={"lr": 0.1})
    end_run(client, run)
    problem(client.patch(path(run), json={"params": {"device": "cpu"}}), 409, "run-ended")
    edited = answer(
        client.patch(path(run), json={"name": "late", "note": "seen", "tags": ["x"], "params": {"lr": 0.1}})
    )
    assert (edited["name"], edited["note"], edited["tags"]) == ("late", "seen", ["x"])


def test_an_edit_of_something_that_was_edited_since_is_refused(client: httpx.Client) -> None:
    run = start_run(client, name="a")
    etag = client.get(path(run)).headers["ETag"]
    log_epoch(client, run, 0, loss=1.0)
    assert client.get(path(run)).headers["ETag"] == etag, "an epoch is no edit"
    changed = client.patch(path(run), json={"name": "b"}, headers={"If-Match": etag})
    assert answer(changed)["name"] == "b"
    assert changed.headers["ETag"] == client.get(path(run)).headers["ETag"] != etag
    problem(client.patch(path(run), json={"name": "c"}, headers={"If-Match": etag}), 412)
    assert get_run(client, run)["name"] == "b"
    packed = "W/" + changed.headers["ETag"]  # as a proxy marks it
    for header in ("*", changed.headers["ETag"], f'"other", {changed.headers["ETag"]}', packed):
        answer(client.patch(path(run), json={"name": "b"}, headers={"If-Match": header}))
    for header in ("", '"other"', 'W/"other"'):
        problem(client.patch(path(run), json={"name": "c"}, headers={"If-Match": header}), 412)


def test_events_are_found_by_the_tags_that_a_run_has_now(client: httpx.Client) -> None:
    old, new = str(uuid.uuid4()), str(uuid.uuid4())
    run = start_run(client, tags=[old])
    answer(client.patch(path(run), json={"tags": [new]}))
    assert (len(list_events(client, tag=old)), len(list_events(client, tag=new))) == (0, 1)


# ---- deletion ----


@pytest.mark.parametrize("asked", ["run_id", "tag"])
def test_a_deleted_run_is_gone_with_its_history_and_an_event_tells_so(
    client: httpx.Client, server: Server, asked: str
) -> None:
    tag = str(uuid.uuid4())
    run = start_run(client, tags=[tag])
    with Subscriber(server.url, **{asked: {"run_id": run["run_id"], "tag": tag}[asked]}) as watching:
        log_epoch(client, run, 5, loss=1.0)
        watching.wait_for(1)  # once it is deleted, nobody sees it any more
        assert client.delete(path(run)).status_code == 204
        assert [one.type for one in watching.wait_for(2)] == ["epoch_end", "run_delete"]
    problem(client.get(path(run)), 404, "unknown-run")
    problem(client.get(path(run, "/metrics")), 404, "unknown-run")
    problem(client.delete(path(run)), 404, "unknown-run")
    problem(client.post(path(run, "/epochs"), json={"epoch": 6, "metrics": {"loss": 1.0}}), 404, "unknown-run")
    (event,) = list_events(client, run_id=run["run_id"])
    assert (event["type"], event["run_id"], event["last_epoch"]) == ("run_delete", run["run_id"], 5)
    assert list_events(client, tag=tag) == [event]
    assert answer(client.get("/v1/runs", params={"filter": f'"{tag}" in tags'}))["items"] == []


def test_a_deleted_run_makes_room_for_another_of_the_same_id(client: httpx.Client) -> None:
    tags = [str(uuid.uuid4()) for _ in range(3)]
    run = start_run(client, run_id=str(uuid.uuid4()), name="a", tags=tags[:2])
    log_epoch(client, run, 0, loss=1.0)
    client.delete(path(run))
    again = start_run(client, run_id=run["run_id"], name="b", tags=tags[1:])
    assert get_series(client, again) == {}
    assert types(client, again) == ["run_delete", "run_start"]
    found = [answer(client.get("/v1/runs", params={"filter": f'"{tag}" in tags'}))["items"] for tag in tags]
    assert [len(items) for items in found] == [0, 1, 1]


def test_the_trial_of_a_deleted_run_stays_with_its_result(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    run = start_run(client, trial_id=trial["trial_id"])
    end_run(client, run, final_metrics={"score": 0.5})
    ended = get_trial(client, trial)
    assert client.delete(path(run)).status_code == 204
    assert get_trial(client, trial) == ended
    (event,) = list_events(client, tuner_id=tuner["tuner_id"], type="run_delete")
    assert event["run_id"] == run["run_id"]


def test_a_run_whose_place_another_took_is_deleted_without_the_trial_losing_that_one(client: httpx.Client) -> None:
    trial = suggest(client, create_tuner(client), worker="w")[0]
    first, second = (start_run(client, trial_id=trial["trial_id"], worker="w", attempt=1) for _ in range(2))
    assert client.delete(path(first)).status_code == 204
    end_run(client, second, final_metrics={"score": 0.5})
    ended = get_trial(client, trial)
    assert (ended["state"], ended["score"]) == ("completed", 0.5)


def test_the_trial_of_a_deleted_running_run_is_held_until_its_lease_is_over(client: httpx.Client) -> None:
    tuner = create_tuner(client, lease_s=SHORT_S)
    trial = suggest(client, tuner)[0]
    run = start_run(client, trial_id=trial["trial_id"])
    assert client.delete(path(run)).status_code == 204
    trial_in(client, trial, "stale")
    assert suggest(client, tuner)[0]["trial_id"] == trial["trial_id"]
