"""Tuners are paused, resumed, stopped, edited and deleted."""

import uuid

import httpx
import pytest

from tests.calls import (
    JSON,
    answer,
    ask,
    create_tuner,
    end_run,
    get_run,
    get_trial,
    get_tuner,
    list_events,
    log_epoch,
    problem,
    report,
    start_run,
    suggest,
)
from tests.waiting import SHORT_S, eventually, trial_in


def steer(client: httpx.Client, tuner: JSON, turn: str) -> JSON:
    return answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/{turn}"))


def heartbeat(client: httpx.Client, run: JSON) -> JSON:
    return answer(client.post(f"/v1/runs/{run['run_id']}/heartbeat"))


# ---- pause and resume ----


def test_a_paused_tuner_hands_out_nothing_until_it_is_resumed(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    assert steer(client, tuner, "pause")["state"] == "paused"
    found = ask(client, tuner)
    assert (found["trials"], found["tuner_state"]) == ([], "paused")
    assert found["retry_after_s"] > 0
    assert steer(client, tuner, "resume")["state"] == "active"
    assert len(suggest(client, tuner)) == 1


def test_trials_that_are_out_go_on_while_their_tuner_is_paused(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial, other = suggest(client, tuner, 2, worker="w")
    run = start_run(client, trial_id=trial["trial_id"])
    steer(client, tuner, "pause")
    assert suggest(client, tuner, 2, worker="w") == [get_trial(client, trial), other]
    assert not log_epoch(client, run, 0, score=0.5)["should_stop"]
    end_run(client, run)
    assert report(client, tuner, trial_id=other["trial_id"], score=0.1)["tuner_state"] == "paused"
    assert get_tuner(client, tuner)["counts"]["completed"] == 2


def test_a_paused_tuner_takes_proposals_and_observations(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    steer(client, tuner, "pause")
    path = f"/v1/tuners/{tuner['tuner_id']}/trials"
    answer(client.post(path, json={"trials": [{"params": {"x": 0.5}}, {"params": {"x": 0.2}, "score": 1.0}]}), 201)
    steer(client, tuner, "resume")
    assert suggest(client, tuner)[0]["params"] == {"x": 0.5}


@pytest.mark.parametrize(
    ("turns", "state"), [(("pause",), "paused"), (("pause", "resume"), "active"), (("stop",), "stopped")]
)
def test_repeating_is_harmless(client: httpx.Client, turns: tuple[str, ...], state: str) -> None:
    tuner = create_tuner(client)
    for turn in turns:
        steer(client, tuner, turn)
    again = steer(client, tuner, turns[-1])
    assert again["state"] == state
    assert len(list_events(client, tuner_id=tuner["tuner_id"], type="tuner_end")) == (state == "stopped")


def test_pausing_and_resuming_leave_a_completed_tuner_as_it_is(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 1})
    report(client, tuner, trial_id=suggest(client, tuner)[0]["trial_id"], score=1.0)
    for turn in ("pause", "resume"):
        found = steer(client, tuner, turn)
        assert (found["state"], found["stop_reason"]) == ("completed", "max_trials")


# ---- stop ----


def test_a_stopped_tuner_hands_out_nothing_more(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    report(client, tuner, params={"x": 0.5}, score=0.5)
    stopped = steer(client, tuner, "stop")
    assert (stopped["state"], stopped["stop_reason"]) == ("stopped", "stopped")
    assert ask(client, tuner) == {"trials": [], "tuner_state": "stopped", "retry_after_s": None}
    (event,) = list_events(client, tuner_id=tuner["tuner_id"], type="tuner_end")
    assert (event["state"], event["reason"], event["best"]) == ("stopped", "stopped", stopped["best"])


def test_stop_is_final(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 5})
    steer(client, tuner, "stop")
    path = f"/v1/tuners/{tuner['tuner_id']}"
    problem(client.post(f"{path}/pause"), 409, "tuner-stopped")
    problem(client.post(f"{path}/resume"), 409, "tuner-stopped")
    problem(client.post(f"{path}/trials", json={"params": {"x": 0.5}}), 409, "tuner-stopped")
    assert answer(client.patch(path, json={"budget": {"max_trials": 50}}))["state"] == "stopped"
    assert answer(client.patch(path, json={"name": "the late"}))["name"] == "the late"


def test_a_new_tuner_goes_on_from_a_stopped_one_as_the_refusal_says(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    report(client, tuner, params={"x": 0.5}, score=0.5)
    steer(client, tuner, "stop")
    path = f"/v1/tuners/{tuner['tuner_id']}"
    assert "import its trials" in problem(client.post(f"{path}/resume"), 409, "tuner-stopped")["detail"]
    copy = answer(client.post("/v1/tuners", json={"snapshot": answer(client.get(f"{path}/snapshot"))}), 201)
    assert copy["state"] == "stopped"  # so the snapshot is no way on
    new = create_tuner(client)
    known = answer(client.get(f"{path}/trials"))["items"]
    brought = {"trials": [{"params": trial["params"], "score": trial["score"]} for trial in known]}
    answer(client.post(f"/v1/tuners/{new['tuner_id']}/trials", json=brought), 201)
    (trial,) = suggest(client, new)
    assert (trial["number"], trial["state"]) == (1, "running")


def test_a_stopped_tuner_still_takes_observations_from_outside(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    steer(client, tuner, "stop")
    assert report(client, tuner, params={"x": 0.5}, score=0.5)["best"]["score"] == 0.5


def test_a_completed_tuner_may_be_stopped(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 1})
    report(client, tuner, trial_id=suggest(client, tuner)[0]["trial_id"], score=1.0)
    assert steer(client, tuner, "stop")["state"] == "stopped"
    assert answer(client.patch(f"/v1/tuners/{tuner['tuner_id']}", json={"budget": {"max_trials": 9}}))["state"] == (
        "stopped"
    )


def test_running_trials_of_a_stopped_tuner_may_end_and_their_runs_are_told_to_stop(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    bare, other = suggest(client, tuner, 2)
    run = start_run(client, trial_id=other["trial_id"])
    log_epoch(client, run, 0, score=0.25)
    stranger = start_run(client)
    steer(client, tuner, "stop")
    assert get_run(client, run)["stop_requested"]
    told = heartbeat(client, run)
    assert told["should_stop"]
    assert told["stop"]["rule"] == "tuner"
    assert log_epoch(client, run, 1, score=0.125)["stop"] == told["stop"]
    assert not heartbeat(client, stranger)["should_stop"]
    end_run(client, run, status="stopped")
    assert (get_trial(client, other)["state"], get_trial(client, other)["score"]) == ("stopped", 0.25)
    assert report(client, tuner, trial_id=bare["trial_id"], score=0.5)["trial"]["state"] == "completed"
    assert get_tuner(client, tuner)["state"] == "stopped"


def test_a_trial_that_fails_after_its_tuner_was_stopped_has_failed_as_nobody_can_try_it_again(
    client: httpx.Client,
) -> None:
    tuner = create_tuner(client)
    told, trained = suggest(client, tuner, 2)
    run = start_run(client, trial_id=trained["trial_id"])
    steer(client, tuner, "stop")
    told = report(client, tuner, trial_id=told["trial_id"], state="failed", reason="OOM")["trial"]
    end_run(client, run, status="failed")
    assert (told["state"], told["reason"]) == ("failed", "OOM")
    assert get_trial(client, trained)["state"] == "failed"
    assert [event["state"] for event in list_events(client, type="trial_end", tuner_id=tuner["tuner_id"])] == [
        "failed"
    ] * 2


def test_a_run_that_starts_late_is_told_too(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    steer(client, tuner, "stop")
    run = start_run(client, trial_id=trial["trial_id"])
    assert heartbeat(client, run)["should_stop"]


def test_a_run_that_comes_back_to_a_stopped_tuner_is_told_too(client: httpx.Client) -> None:
    tuner = create_tuner(client, lease_s=SHORT_S)
    trial = suggest(client, tuner)[0]
    run = start_run(client, trial_id=trial["trial_id"])
    trial_in(client, trial, "stale")
    steer(client, tuner, "stop")
    assert heartbeat(client, run)["stop"]["rule"] == "tuner"


def test_a_run_that_was_told_to_stop_before_keeps_that_reason(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    run = start_run(client, trial_id=suggest(client, tuner)[0]["trial_id"])
    answer(client.post(f"/v1/runs/{run['run_id']}/stop", json={"reason": "it diverges"}))
    steer(client, tuner, "stop")
    told = heartbeat(client, run)["stop"]
    assert (told["rule"], told["reason"]) == ("requested", "it diverges")


# ---- edit ----


def test_what_is_not_sent_stays(client: httpx.Client) -> None:
    tuner = create_tuner(client, name="a", tags=["t"], budget={"max_trials": 5})
    path = f"/v1/tuners/{tuner['tuner_id']}"
    renamed = answer(client.patch(path, json={"name": "b"}))
    assert renamed == tuner | {"name": "b", "update_time": renamed["update_time"]}
    tagged = answer(client.patch(path, json={"tags": ["u", "v"]}))
    assert tagged == renamed | {"tags": ["u", "v"], "update_time": tagged["update_time"]}
    assert answer(client.patch(path))["tags"] == ["u", "v"]
    assert get_tuner(client, tuner)["name"] == "b"


def test_an_edit_of_a_tuner_that_was_edited_since_is_refused(client: httpx.Client) -> None:
    created = client.post("/v1/tuners", json={"space": {"on": {"type": "flag"}}, "name": "a"})
    tuner, etag = answer(created, 201), created.headers["ETag"]
    path = f"/v1/tuners/{tuner['tuner_id']}"
    suggest(client, tuner)
    seen = [client.get(path), client.post(f"{path}/pause"), client.patch(path)]
    assert {one.headers["ETag"] for one in seen} == {etag}, "neither a trial nor a pause is an edit"
    for change in ({"name": "b"}, {"tags": ["t"]}, {"budget": {"max_trials": 9}}):
        before, etag = etag, client.patch(path, json=change, headers={"If-Match": etag}).headers["ETag"]
        problem(client.patch(path, json={"name": "late"}, headers={"If-Match": before}), 412, "precondition-failed")
    assert client.get(path).headers["ETag"] == etag
    assert get_tuner(client, tuner)["name"] == "b"


def test_events_are_found_by_the_tags_that_a_tuner_has_now(client: httpx.Client) -> None:
    old, new = str(uuid.uuid4()), str(uuid.uuid4())
    tuner = create_tuner(client, tags=[old])
    suggest(client, tuner)
    answer(client.patch(f"/v1/tuners/{tuner['tuner_id']}", json={"tags": [new]}))
    assert (len(list_events(client, tag=old)), len(list_events(client, tag=new))) == (0, 1)


@pytest.mark.parametrize("body", [{"space": {}}, {"strategy": "grid"}, {"state": "active"}, {"name": 1}, {"seed": 1}])
def test_only_name_tags_and_budget_are_edited(client: httpx.Client, body: JSON) -> None:
    tuner = create_tuner(client)
    problem(client.patch(f"/v1/tuners/{tuner['tuner_id']}", json=body), 422)
    problem(client.patch(f"/v1/tuners/{uuid.uuid4()}", json={"name": "x"}), 404, "unknown-tuner")


# ---- delete ----


def test_a_deleted_tuner_is_gone_with_its_trials_and_its_runs_stay(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    done, running = suggest(client, tuner, 2)
    runs = [start_run(client, trial_id=trial["trial_id"]) for trial in (done, running)]
    log_epoch(client, runs[0], 0, score=0.5)
    end_run(client, runs[0])
    path = f"/v1/tuners/{tuner['tuner_id']}"
    assert client.delete(path).status_code == 204
    problem(client.get(path), 404, "unknown-tuner")
    problem(client.post(f"{path}/suggest"), 404, "unknown-tuner")
    problem(client.delete(path), 404, "unknown-tuner")
    problem(client.get(f"/v1/trials/{done['trial_id']}"), 404, "unknown-trial")
    kept = [get_run(client, run) for run in runs]
    assert [(run["tuner_id"], run["trial_id"], run["status"]) for run in kept] == [
        (None, None, "finished"),
        (None, None, "running"),
    ]
    assert kept[0]["metrics"] == {"score": 0.5}
    told = log_epoch(client, runs[1], 0, score=0.25)
    assert (told["accepted"], told["lease_expires_at"]) == (1, None)
    assert end_run(client, runs[1])["status"] == "finished"


def test_the_runs_of_a_deleted_tuner_are_told_to_stop_with_their_next_word(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trials = suggest(client, tuner, 4)
    speaks, beats, asked, done = [start_run(client, trial_id=trial["trial_id"]) for trial in trials]
    answer(client.post(f"/v1/runs/{asked['run_id']}/stop", json={"reason": "it diverges"}))
    end_run(client, done, final_metrics={"score": 1})
    assert client.delete(f"/v1/tuners/{tuner['tuner_id']}").status_code == 204
    told = log_epoch(client, speaks, 0, score=0.5)
    assert told["should_stop"]
    assert told["stop"] == {"rule": "tuner", "reason": "the tuner was deleted", "epoch": None}
    assert heartbeat(client, beats)["stop"]["reason"] == "the tuner was deleted"
    assert heartbeat(client, asked)["stop"]["reason"] == "it diverges"
    assert not get_run(client, done)["stop_requested"]
    assert end_run(client, speaks, status="stopped")["status"] == "stopped"


def test_a_run_that_comes_back_after_its_tuner_was_deleted_is_told_too(client: httpx.Client) -> None:
    tuner = create_tuner(client, lease_s=SHORT_S)
    trial = suggest(client, tuner)[0]
    run = start_run(client, trial_id=trial["trial_id"])
    trial_in(client, trial, "stale")
    assert client.delete(f"/v1/tuners/{tuner['tuner_id']}").status_code == 204
    assert heartbeat(client, run)["stop"]["reason"] == "the tuner was deleted"


def recreate(client: httpx.Client, tuner: JSON, **body: object) -> JSON:
    """Another tuner under the same id."""
    assert client.delete(f"/v1/tuners/{tuner['tuner_id']}").status_code == 204
    return create_tuner(client, tuner_id=tuner["tuner_id"], **body)


@pytest.mark.parametrize("strategy", ["random", "grid", "tpe"])
def test_a_tuner_under_the_id_of_a_deleted_one_proposes_from_its_own_space(client: httpx.Client, strategy: str) -> None:
    first = create_tuner(client, strategy=strategy, tuner_id=str(uuid.uuid4()), space={"a": {"type": "flag"}})
    for trial in suggest(client, first, 2):
        report(client, first, trial_id=trial["trial_id"], score=0.5)
    second = recreate(client, first, strategy=strategy, space={"b": {"type": "choice", "options": [1, 2, 3]}})
    client.post(f"/v1/tuners/{second['tuner_id']}/trials", json={"params": {"b": 3}})
    trials = [suggest(client, second, worker=f"w{number}")[0] for number in range(3)]
    assert [trial["number"] for trial in trials] == [0, 1, 2]
    assert all(trial["params"].keys() == {"b"} for trial in trials)


def test_a_tuner_under_the_id_of_a_deleted_one_stops_runs_by_its_own_rule(client: httpx.Client) -> None:
    tuner = create_tuner(client, tuner_id=str(uuid.uuid4()))

    def log(score: float, n_epochs: int = 1) -> list[bool]:
        run = start_run(client, trial_id=suggest(client, tuner)[0]["trial_id"])
        told = [log_epoch(client, run, epoch, score=score)["should_stop"] for epoch in range(n_epochs)]
        end_run(client, run)
        return told

    assert log(5.0) == [False]
    tuner = recreate(client, tuner, stopper={"type": "threshold", "max": 1.0})
    eventually(lambda: any(log(5.0)) or None)  # that the one before had none is known for two seconds
    median = {"type": "median", "warmup_epochs": 0, "min_trials": 2}
    tuner = recreate(client, tuner, stopper=median)
    assert [*log(5.0), *log(4.0), *log(4.5)] == [False, False, False]
    tuner = recreate(client, tuner, stopper=median)
    assert [*log(1.0), *log(1.0)] == [False, False], "the curves of the one before are not its own"
    tuner = recreate(client, tuner)
    assert log(5.0, 2) == [False, False]


@pytest.mark.parametrize("turn", ["pause", "resume", "stop"])
def test_a_tuner_that_does_not_exist_is_not_steered(client: httpx.Client, turn: str) -> None:
    problem(client.post(f"/v1/tuners/{uuid.uuid4()}/{turn}"), 404, "unknown-tuner")
