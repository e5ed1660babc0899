"""Leases: who holds a trial, for how long, and what late words are worth."""

from collections import Counter
from datetime import datetime, timedelta

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

LONG_S = 3600.0


def heartbeat(client: httpx.Client, trial: JSON, **who: object) -> httpx.Response:
    return client.post(f"/v1/trials/{trial['trial_id']}/heartbeat", json=who)


def release(client: httpx.Client, trial: JSON, **who: object) -> httpx.Response:
    return client.post(f"/v1/trials/{trial['trial_id']}/release", json=who)


def result(client: httpx.Client, tuner: JSON, **body: object) -> httpx.Response:
    return client.post(f"/v1/tuners/{tuner['tuner_id']}/result", json=body)


def start(client: httpx.Client, trial: JSON, **who: object) -> httpx.Response:
    return client.post("/v1/runs", json={"trial_id": trial["trial_id"]} | who)


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def lost(client: httpx.Client, **body: object) -> tuple[JSON, JSON]:
    """A tuner, and a trial of it that the worker `old` let slip and nobody has taken yet."""
    tuner = create_tuner(client, lease_s=SHORT_S, **body)
    trial = suggest(client, tuner, worker="old")[0]
    return tuner, trial_in(client, trial, "stale")


def taken_over(client: httpx.Client) -> tuple[JSON, JSON, JSON]:
    """A tuner, a trial as `old` got it, and the same as `new` holds it now for long."""
    tuner = create_tuner(client, lease_s=LONG_S)
    trial = suggest(client, tuner, worker="old")[0]
    answer(release(client, trial, worker="old"))
    return tuner, trial, suggest(client, tuner, worker="new")[0]


# ---- how long ----


def test_a_hand_out_is_a_lease(client: httpx.Client) -> None:
    tuner = create_tuner(client, lease_s=120)
    assert tuner["lease_s"] == 120
    before = time_of(get_tuner(client, tuner)["update_time"])
    trial = suggest(client, tuner)[0]
    assert timedelta(0) <= time_of(trial["lease_expires_at"]) - before - timedelta(seconds=120) < timedelta(seconds=60)
    assert get_trial(client, trial) == trial


def test_a_lease_lasts_ten_minutes_by_default(client: httpx.Client) -> None:
    made = answer(client.post("/v1/tuners", json={"space": {"x": {"type": "flag"}}}), 201)
    assert made["lease_s"] == 600


@pytest.mark.parametrize("lease_s", [0, -1, "600", True, 1e10])
def test_a_lease_that_is_no_time_is_refused(client: httpx.Client, lease_s: object) -> None:
    space = {"x": {"type": "flag"}}
    problem(client.post("/v1/tuners", json={"space": space, "lease_s": lease_s}), 422, "invalid-request")


def test_only_a_running_trial_has_a_lease(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    done, failed, infeasible = suggest(client, tuner, 3)
    ended = [
        report(client, tuner, trial_id=done["trial_id"], score=1.0)["trial"],
        report(client, tuner, trial_id=failed["trial_id"], state="failed")["trial"],
        report(client, tuner, trial_id=infeasible["trial_id"], state="infeasible")["trial"],
    ]
    assert [trial["lease_expires_at"] for trial in ended] == [None] * 3


def test_a_heartbeat_renews_the_lease(client: httpx.Client) -> None:
    tuner = create_tuner(client, lease_s=LONG_S)
    trial = suggest(client, tuner, worker="w")[0]
    renewed = answer(heartbeat(client, trial, worker="w", attempt=1))
    assert time_of(renewed["lease_expires_at"]) > time_of(trial["lease_expires_at"])
    assert renewed == get_trial(client, trial)
    assert {k: v for k, v in renewed.items() if k != "lease_expires_at"} == {
        k: v for k, v in trial.items() if k != "lease_expires_at"
    }


def test_a_heartbeat_need_not_say_who_speaks(client: httpx.Client) -> None:
    trial = suggest(client, create_tuner(client))[0]
    renewed = answer(client.post(f"/v1/trials/{trial['trial_id']}/heartbeat"))
    assert time_of(renewed["lease_expires_at"]) > time_of(trial["lease_expires_at"])


def test_epochs_and_heartbeats_of_a_run_renew_the_lease_and_say_until_when(client: httpx.Client) -> None:
    trial = suggest(client, create_tuner(client))[0]
    run = start_run(client, trial_id=trial["trial_id"])
    ends = [trial["lease_expires_at"], get_trial(client, trial)["lease_expires_at"]]
    for epoch in range(2):
        ends.append(log_epoch(client, run, epoch, loss=1.0)["lease_expires_at"])
        assert get_trial(client, trial)["lease_expires_at"] == ends[-1]
    ends.append(answer(client.post(f"/v1/runs/{run['run_id']}/heartbeat"))["lease_expires_at"])
    assert get_trial(client, trial)["lease_expires_at"] == ends[-1]
    assert sorted(set(ends)) == ends


def test_a_run_without_a_trial_has_no_lease(client: httpx.Client) -> None:
    run = start_run(client)
    assert log_epoch(client, run, 0, loss=1.0)["lease_expires_at"] is None
    assert answer(client.post(f"/v1/runs/{run['run_id']}/heartbeat"))["lease_expires_at"] is None


# ---- it runs out ----


def test_a_lease_that_runs_out_makes_the_trial_stale_and_another_worker_gets_it(client: httpx.Client) -> None:
    def n_stale_and_running() -> tuple[int, int]:
        counts = get_tuner(client, tuner)["counts"]
        return counts["stale"], counts["running"]

    def is_held() -> bool | None:
        suggest(client, tuner, worker="new")  # once more: its own lease is as short
        return n_stale_and_running() == (0, 1) or None

    tuner, trial = lost(client, budget={"max_attempts": 100})
    assert (trial["lease_expires_at"], trial["worker"], trial["attempt"]) == (None, "old", 1)
    assert n_stale_and_running() == (1, 0)
    again = suggest(client, tuner, worker="new")[0]
    assert [again[name] for name in ("trial_id", "params", "number")] == [
        trial[name] for name in ("trial_id", "params", "number")
    ]
    assert (again["attempt"], again["worker"], again["state"]) == (2, "new", "running")
    assert eventually(is_held)
    told = [
        (event["type"], event["worker"], event["attempt"])
        for event in list_events(client, tuner_id=tuner["tuner_id"])
        if event["trial_id"] == trial["trial_id"]
    ]
    assert told[:3] == [("trial_start", "old", 1), ("trial_stale", "old", 1), ("trial_start", "new", 2)]


def test_stale_trials_go_out_before_queued_ones_and_those_before_new_ones(client: httpx.Client) -> None:
    tuner = create_tuner(client, lease_s=SHORT_S)
    answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/trials", json={"params": {"x": 0.5}}), 201)
    first, second = suggest(client, tuner, 2, worker="old")
    trial_in(client, second, "stale")
    answer(release(client, first))
    trials = suggest(client, tuner, 3, worker="new")
    assert [trial["number"] for trial in trials] == [second["number"], first["number"], 2]


def test_a_trial_that_is_never_heard_of_ends_as_failed_when_its_attempts_are_used_up(client: httpx.Client) -> None:
    tuner = create_tuner(client, lease_s=SHORT_S, budget={"max_attempts": 2, "max_trials": 1})
    trial = suggest(client, tuner)[0]
    trial_in(client, trial, "stale")
    assert suggest(client, tuner)[0]["attempt"] == 2
    failed = trial_in(client, trial, "failed")
    assert (failed["attempt"], failed["score"], failed["lease_expires_at"]) == (2, None, None)
    assert "lease" in failed["reason"]
    assert ask(client, tuner)["trials"] == []
    ended = get_tuner(client, tuner)
    assert (ended["state"], ended["stop_reason"]) == ("completed", "max_trials")
    told = Counter(event["type"] for event in list_events(client, tuner_id=tuner["tuner_id"]))
    assert told == {"trial_start": 2, "trial_stale": 1, "trial_end": 1, "tuner_end": 1}


def test_a_run_whose_trial_went_stale_has_crashed(client: httpx.Client) -> None:
    tuner = create_tuner(client, lease_s=SHORT_S)
    trial = suggest(client, tuner)[0]
    run = start_run(client, trial_id=trial["trial_id"])
    trial_in(client, trial, "stale")
    assert get_run(client, run)["status"] == "crashed"
    assert [event["type"] for event in list_events(client, run_id=run["run_id"])] == ["run_start", "run_crash"]


# ---- late words, while nobody else holds the trial ----


def test_a_late_heartbeat_brings_the_lease_back(client: httpx.Client) -> None:
    _, trial = lost(client)
    held = answer(heartbeat(client, trial, worker="old", attempt=1))
    assert (held["state"], held["attempt"], held["worker"]) == ("running", 1, "old")
    assert held["lease_expires_at"] is not None


def test_a_late_result_is_welcome(client: httpx.Client) -> None:
    tuner, trial = lost(client)
    ended = report(client, tuner, trial_id=trial["trial_id"], score=0.5, worker="old", attempt=1)["trial"]
    assert (ended["state"], ended["score"]) == ("completed", 0.5)
    assert get_tuner(client, tuner)["counts"]["stale"] == 0


def test_a_late_result_by_params_is_welcome(client: httpx.Client) -> None:
    tuner, trial = lost(client)
    ended = report(client, tuner, params=trial["params"], score=0.5)["trial"]
    assert (ended["trial_id"], ended["state"]) == (trial["trial_id"], "completed")


def test_a_late_start_of_a_run_is_welcome(client: httpx.Client) -> None:
    _, trial = lost(client)
    run = answer(start(client, trial, attempt=1, worker="old"), 201)
    assert run["status"] == "running"
    starts = list_events(client, tuner_id=trial["tuner_id"], type="trial_start")
    assert len(starts) == 1


def test_a_late_epoch_brings_run_and_trial_back(client: httpx.Client) -> None:
    tuner = create_tuner(client, lease_s=SHORT_S)
    trial = suggest(client, tuner)[0]
    run = start_run(client, trial_id=trial["trial_id"])
    trial_in(client, trial, "stale")
    told = log_epoch(client, run, 0, loss=1.0)
    assert (told["accepted"], told["should_stop"]) == (1, False)
    assert told["lease_expires_at"] is not None
    types = [event["type"] for event in list_events(client, run_id=run["run_id"])]
    assert types[:4] == ["run_start", "run_crash", "run_resume", "epoch_end"]


def test_a_late_end_of_a_run_is_the_trials_result(client: httpx.Client) -> None:
    tuner = create_tuner(client, lease_s=SHORT_S)
    trial = suggest(client, tuner)[0]
    run = start_run(client, trial_id=trial["trial_id"])
    trial_in(client, trial, "stale")
    assert end_run(client, run, final_metrics={"score": 0.25})["status"] == "finished"
    ended = get_trial(client, trial)
    assert (ended["state"], ended["score"]) == ("completed", 0.25)


# ---- late words, once another holds it ----


def test_the_late_words_of_a_worker_are_refused_once_another_holds_the_trial(client: httpx.Client) -> None:
    tuner, trial, held = taken_over(client)
    for who in ({"worker": "old"}, {"attempt": 1}, {"worker": "old", "attempt": 1}, {"worker": "new", "attempt": 1}):
        problem(heartbeat(client, trial, **who), 409, "lease-lost")
        problem(release(client, trial, **who), 409, "lease-lost")
        problem(start(client, trial, **who), 409, "lease-lost")
        problem(result(client, tuner, trial_id=trial["trial_id"], score=0.1, **who), 409, "lease-lost")
        problem(result(client, tuner, params=trial["params"], score=0.1, **who), 409, "lease-lost")
        problem(result(client, tuner, trial_id=trial["trial_id"], state="failed", **who), 409, "lease-lost")
    assert get_trial(client, trial) == held
    for who in ({"worker": "new"}, {"attempt": 2}, {}):
        answer(heartbeat(client, held, **who))


def test_the_late_words_of_a_run_are_refused_once_another_worker_holds_the_trial(client: httpx.Client) -> None:
    tuner = create_tuner(client, lease_s=SHORT_S, budget={"max_attempts": 100})
    trial = suggest(client, tuner, worker="old")[0]
    run = start_run(client, trial_id=trial["trial_id"])
    log_epoch(client, run, 0, score=0.1)
    trial_in(client, trial, "stale")
    suggest(client, tuner, worker="new")
    path = f"/v1/runs/{run['run_id']}"
    problem(client.post(f"{path}/epochs", json={"epoch": 1, "metrics": {"score": 0.2}}), 409, "lease-lost")
    problem(client.post(f"{path}/heartbeat"), 409, "lease-lost")
    problem(client.post(f"{path}/end", json={"final_metrics": {"score": 0.3}}), 409, "lease-lost")
    problem(client.post(f"{path}/end", json={"status": "failed"}), 409, "lease-lost")
    found = get_run(client, run)
    assert (found["status"], found["last_epoch"]) == ("crashed", 0)


def test_what_a_run_said_before_is_no_news_and_yet_refused_once_it_lost_its_trial(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    run = start_run(client, trial_id=trial["trial_id"])
    log_epoch(client, run, 0, score=0.1)
    answer(release(client, trial))
    suggest(client, tuner)
    problem(
        client.post(f"/v1/runs/{run['run_id']}/epochs", json={"epoch": 0, "metrics": {"score": 0.1}}), 409, "lease-lost"
    )


def test_a_new_run_of_a_trial_takes_the_place_of_the_one_before(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner, worker="w")[0]
    first = start_run(client, trial_id=trial["trial_id"], worker="w", attempt=1)
    second = start_run(client, trial_id=trial["trial_id"], worker="w", attempt=1)
    assert get_run(client, first)["status"] == "crashed"
    assert get_run(client, second)["status"] == "running"
    assert get_trial(client, trial)["attempt"] == 1
    problem(
        client.post(f"/v1/runs/{first['run_id']}/epochs", json={"epoch": 0, "metrics": {"a": 1}}), 409, "lease-lost"
    )
    problem(client.post(f"/v1/runs/{first['run_id']}/end", json={"status": "failed"}), 409, "lease-lost")
    end_run(client, second, final_metrics={"score": 1.0})
    assert get_trial(client, trial)["score"] == 1.0
    assert get_run(client, first)["status"] == "crashed"


def test_the_late_end_of_a_run_after_anothers_result_changes_nothing(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner, worker="old")[0]
    run = start_run(client, trial_id=trial["trial_id"])
    answer(release(client, trial))
    held = suggest(client, tuner, worker="new")[0]
    ended = report(client, tuner, trial_id=held["trial_id"], score=0.9)["trial"]
    problem(client.post(f"/v1/runs/{run['run_id']}/end", json={"final_metrics": {"score": 0.1}}), 409, "lease-lost")
    assert get_trial(client, trial) == ended


# ---- handed back ----


def test_a_released_trial_is_queued_for_another_worker(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner, worker="w")[0]
    back = answer(release(client, trial, worker="w", attempt=1))
    assert (back["state"], back["worker"], back["lease_expires_at"], back["end_time"]) == ("queued", None, None, None)
    again = suggest(client, tuner, worker="v")[0]
    assert (again["trial_id"], again["attempt"], again["worker"]) == (trial["trial_id"], 2, "v")


def test_a_release_told_twice_is_harmless(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    assert answer(release(client, trial)) == answer(release(client, trial)) == get_trial(client, trial)
    assert get_tuner(client, tuner)["counts"]["queued"] == 1


def test_the_run_of_a_released_trial_has_crashed(client: httpx.Client) -> None:
    trial = suggest(client, create_tuner(client))[0]
    run = start_run(client, trial_id=trial["trial_id"])
    answer(release(client, trial))
    assert get_run(client, run)["status"] == "crashed"


@pytest.mark.parametrize("word", ["heartbeat", "release"])
def test_an_ended_trial_is_not_held_any_more(client: httpx.Client, word: str) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    report(client, tuner, trial_id=trial["trial_id"], score=1.0)
    problem(client.post(f"/v1/trials/{trial['trial_id']}/{word}"), 409, "trial-ended")
    problem(client.post(f"/v1/trials/{tuner['tuner_id']}/{word}"), 404, "unknown-trial")
    problem(client.post(f"/v1/trials/x/{word}"), 404, "unknown-trial")


def test_a_run_that_goes_on_after_its_trials_result_holds_no_lease(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    run = start_run(client, trial_id=trial["trial_id"])
    report(client, tuner, trial_id=trial["trial_id"], score=1.0)
    assert log_epoch(client, run, 0, score=0.5)["lease_expires_at"] is None
    assert get_trial(client, trial)["lease_expires_at"] is None


# ---- asking again ----


def test_a_worker_that_asks_again_gets_what_it_holds(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    held = suggest(client, tuner, 3, worker="w")
    assert suggest(client, tuner, 3, worker="w") == held
    assert suggest(client, tuner, 1, worker="w") == held[:1]
    more = suggest(client, tuner, 5, worker="w")
    assert more[:3] == held
    assert [trial["number"] for trial in more] == [0, 1, 2, 3, 4]


def test_workers_without_a_name_never_share_a_trial(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    assert [suggest(client, tuner)[0]["number"] for _ in range(3)] == [0, 1, 2]


# ---- a queued trial ----


def test_a_run_may_be_started_for_a_trial_that_waits(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    (trial,) = answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/trials", json={"params": {"x": 0.5}}), 201)["trials"]
    run = answer(start(client, trial, worker="w"), 201)
    assert run["params"] == {"x": 0.5}
    held = get_trial(client, trial)
    assert (held["state"], held["worker"], held["attempt"]) == ("running", "w", 1)
    assert suggest(client, tuner)[0]["number"] == 1


def test_a_trial_that_waits_to_be_tried_again_is_spoken_for_by_the_attempt_that_it_tells(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    waiting = report(client, tuner, trial_id=trial["trial_id"], state="failed")["trial"]
    assert (waiting["state"], waiting["attempt"]) == ("queued", 2)
    refused = problem(start(client, trial, attempt=3), 409, "lease-lost")
    assert "at attempt 2" in refused["detail"]
    answer(start(client, trial, attempt=waiting["attempt"]), 201)
    held = get_trial(client, trial)
    assert (held["state"], held["attempt"]) == ("running", 2)


@pytest.mark.parametrize("hindrance", ["max_parallel", "paused", "stopped"])
def test_a_run_takes_no_waiting_trial_that_could_not_be_handed_out(client: httpx.Client, hindrance: str) -> None:
    tuner = create_tuner(client, budget={"max_parallel": 1})
    path = f"/v1/tuners/{tuner['tuner_id']}"
    (trial,) = answer(client.post(f"{path}/trials", json={"params": {"x": 0.5}}), 201)["trials"]
    if hindrance == "max_parallel":
        suggest(client, tuner, worker="w")
        (trial,) = answer(client.post(f"{path}/trials", json={"params": {"x": 0.6}}), 201)["trials"]
    else:
        answer(client.post(f"{path}/{'pause' if hindrance == 'paused' else 'stop'}"))
    problem(start(client, trial), 409, "tuner-stopped" if hindrance == "stopped" else "lease-lost")
    assert get_trial(client, trial) == trial


def test_a_trial_that_was_handed_back_at_its_last_attempt_ends_when_it_is_said_to_have_failed(
    client: httpx.Client,
) -> None:
    tuner = create_tuner(client, budget={"max_attempts": 1})
    trial = suggest(client, tuner, worker="w")[0]
    answer(release(client, trial, worker="w"))
    late = report(client, tuner, trial_id=trial["trial_id"], state="failed", worker="w")["trial"]
    assert late["state"] == "failed"
