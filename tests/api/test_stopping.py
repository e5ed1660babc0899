"""Stoppers: hopeless runs are told to stop while they train, why, and what becomes of their trials."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.calls import (
    JSON,
    answer,
    create_tuner,
    end_run,
    get_run,
    get_trial,
    log_batch,
    log_epoch,
    problem,
    start_run,
    suggest,
)
from tests.training import Training

ASHA: JSON = {"type": "asha", "min_epochs": 1, "max_epochs": 9, "reduction_factor": 2}
THRESHOLD: JSON = {"type": "threshold", "min": 0.2, "from_epoch": 1}
GOES_ON: JSON = {"should_stop": False, "stop": None}


def told(said: JSON) -> JSON:
    """Of an answer, what concerns stopping."""
    return {"should_stop": said["should_stop"], "stop": said["stop"]}


def beat(client: httpx.Client, run: JSON) -> JSON:
    return told(answer(client.post(f"/v1/runs/{run['run_id']}/heartbeat")))


def stopped_run(client: httpx.Client) -> tuple[JSON, JSON, JSON]:
    """A trial with its run, and what that was told: asha has stopped it."""
    tuner = create_tuner(client, stopper=ASHA)
    good, bad = suggest(client, tuner, 2)
    log_epoch(client, start_run(client, trial_id=good["trial_id"]), 0, score=0.9)
    run = start_run(client, trial_id=bad["trial_id"])
    return bad, run, told(log_epoch(client, run, 0, score=0.1))


# ---- what a run is told ----


def test_asha_stops_a_bad_run_and_says_why(client: httpx.Client) -> None:
    _, run, said = stopped_run(client)
    reason = "2nd of 2 at rung 1, keeps 1"
    assert said == {"should_stop": True, "stop": {"rule": "asha", "reason": reason, "epoch": 0}}
    assert get_run(client, run)["stop_requested"] is True
    assert get_run(client, run)["status"] == "running"


def test_a_verdict_stands_whatever_comes_after_it(client: httpx.Client) -> None:
    _, run, said = stopped_run(client)
    assert beat(client, run) == said
    assert told(log_epoch(client, run, 1, score=1.0)) == said
    assert told(log_epoch(client, run, 0, score=0.1)) == said
    assert told(log_batch(client, run, [(2, {"score": 1.0}), (3, {"score": 1.0})])) == said
    answer(client.post(f"/v1/runs/{run['run_id']}/stop", json={"reason": "somebody"}))
    assert beat(client, run) == said


def test_a_heartbeat_asks_the_stopper_too(client: httpx.Client) -> None:
    tuner = create_tuner(client, stopper=ASHA)
    early, late = (start_run(client, trial_id=trial["trial_id"]) for trial in suggest(client, tuner, 2))
    assert told(log_epoch(client, early, 0, score=0.1)) == GOES_ON
    assert beat(client, early) == GOES_ON
    assert told(log_epoch(client, late, 0, score=0.9)) == GOES_ON
    said = beat(client, early)
    assert (said["should_stop"], said["stop"]["rule"], said["stop"]["epoch"]) == (True, "asha", 0)


def test_a_batch_is_judged_by_all_its_epochs(client: httpx.Client) -> None:
    tuner = create_tuner(client, stopper=THRESHOLD)
    run = start_run(client, trial_id=suggest(client, tuner)[0]["trial_id"])
    said = told(log_batch(client, run, [(0, {"score": 0.1}), (1, {"score": 0.9}), (2, {"score": 0.1})]))
    assert (said["should_stop"], said["stop"]["rule"], said["stop"]["epoch"]) == (True, "threshold", 2)


def test_the_first_of_a_list_that_says_stop_is_named(client: httpx.Client) -> None:
    for stopper, rule in (([ASHA, THRESHOLD], "asha"), ([THRESHOLD, ASHA], "threshold")):
        tuner = create_tuner(client, stopper=stopper)
        good, bad = (start_run(client, trial_id=trial["trial_id"]) for trial in suggest(client, tuner, 2))
        log_batch(client, good, [(0, {"score": 0.9}), (1, {"score": 0.9})])
        assert log_batch(client, bad, [(0, {"score": 0.1}), (1, {"score": 0.1})])["stop"]["rule"] == rule
        (third,) = suggest(client, tuner)
        unlike = start_run(client, trial_id=third["trial_id"])
        # Only one of them has anything against these.
        assert log_epoch(client, unlike, 0, score=0.15)["stop"]["rule"] == "asha"


@pytest.mark.parametrize("stopper", [{"type": "none"}, [], [{"type": "none"}, {"type": "none"}]])
def test_without_a_stopper_nobody_is_stopped(client: httpx.Client, stopper: Any) -> None:
    tuner = create_tuner(client, stopper=stopper)
    for trial in suggest(client, tuner, 3):
        run = start_run(client, trial_id=trial["trial_id"])
        for epoch in range(3):
            assert told(log_epoch(client, run, epoch, score="NaN")) == GOES_ON
        assert beat(client, run) == GOES_ON


def test_only_the_objectives_metric_is_looked_at(client: httpx.Client) -> None:
    tuner = create_tuner(client, stopper=[ASHA, THRESHOLD], objective={"metric": "loss", "direction": "minimize"})
    good, bad = (start_run(client, trial_id=trial["trial_id"]) for trial in suggest(client, tuner, 2))
    log_batch(client, good, [(0, {"loss": 0.3, "score": 0.0}), (1, {"score": "NaN"})])
    assert beat(client, good) == GOES_ON
    assert log_epoch(client, bad, 0, loss=0.9, score=1.0)["stop"]["rule"] == "asha"


def test_a_value_that_is_not_finite_stops_at_once(client: httpx.Client) -> None:
    tuner = create_tuner(client, stopper={"type": "threshold"})
    run = start_run(client, trial_id=suggest(client, tuner)[0]["trial_id"])
    assert told(log_epoch(client, run, 0, score=1e308)) == GOES_ON
    said = told(log_epoch(client, run, 1, score="-Infinity"))
    assert (said["stop"]["rule"], said["stop"]["epoch"]) == ("threshold", 1)


def test_a_run_that_belongs_to_no_trial_is_nobodys_to_stop(client: httpx.Client) -> None:
    create_tuner(client, stopper=THRESHOLD)
    run = start_run(client)
    assert told(log_epoch(client, run, 5, score=0.0)) == GOES_ON


def test_runs_of_another_tuner_do_not_count(client: httpx.Client) -> None:
    one, other = (create_tuner(client, stopper=ASHA) for _ in range(2))
    log_epoch(client, start_run(client, trial_id=suggest(client, one)[0]["trial_id"]), 0, score=0.9)
    run = start_run(client, trial_id=suggest(client, other)[0]["trial_id"])
    assert told(log_epoch(client, run, 0, score=0.1)) == GOES_ON


@pytest.mark.parametrize(("status", "counts"), [("finished", True), ("stopped", True), ("failed", False)])
def test_of_the_runs_that_ended_those_count_that_ended_well(client: httpx.Client, status: str, counts: bool) -> None:
    tuner = create_tuner(client, stopper={"type": "median", "warmup_epochs": 0, "min_trials": 1})
    good, bad = (start_run(client, trial_id=trial["trial_id"]) for trial in suggest(client, tuner, 2))
    log_epoch(client, good, 0, score=0.9)
    end_run(client, good, status=status)
    assert log_epoch(client, bad, 0, score=0.1)["should_stop"] is counts


def test_a_deleted_run_counts_no_more(client: httpx.Client) -> None:
    tuner = create_tuner(client, stopper=ASHA)
    good, bad = (start_run(client, trial_id=trial["trial_id"]) for trial in suggest(client, tuner, 2))
    log_epoch(client, good, 0, score=0.9)
    assert client.delete(f"/v1/runs/{good['run_id']}").status_code == 204
    assert told(log_epoch(client, bad, 0, score=0.1)) == GOES_ON


def test_a_stopped_tuner_tells_its_runs(client: httpx.Client) -> None:
    tuner = create_tuner(client, stopper=ASHA)
    held = suggest(client, tuner, 2)
    run = start_run(client, trial_id=held[0]["trial_id"])
    answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/stop"))
    late = start_run(client, trial_id=held[1]["trial_id"])
    for one in (run, late):
        assert get_run(client, one)["stop_requested"] is True
        assert beat(client, one)["stop"]["rule"] == "tuner"
        assert log_epoch(client, one, 0, score=0.5)["should_stop"] is True


# ---- what becomes of it ----


def test_a_run_that_obeys_gives_its_trial_the_best_that_it_reached(client: httpx.Client) -> None:
    tuner = create_tuner(client, stopper={"type": "threshold", "min": 0.2})
    (trial,) = suggest(client, tuner)
    run = start_run(client, trial_id=trial["trial_id"])
    log_batch(client, run, [(0, {"score": 0.3}), (1, {"score": 0.7})])
    assert log_epoch(client, run, 2, score=0.1)["should_stop"] is True
    assert end_run(client, run, status="stopped")["status"] == "stopped"
    ended = get_trial(client, trial)
    assert (ended["state"], ended["score"]) == ("stopped", 0.7)


def test_a_run_that_does_not_obey_is_finished_all_the_same(client: httpx.Client) -> None:
    trial, run, _ = stopped_run(client)
    assert end_run(client, run, final_metrics={"score": 0.4})["status"] == "finished"
    ended = get_trial(client, trial)
    assert (ended["state"], ended["score"]) == ("completed", 0.4)
    problem(client.post(f"/v1/runs/{run['run_id']}/heartbeat"), 409, "run-ended")


def test_a_repeat_after_the_end_is_told_nothing(client: httpx.Client) -> None:
    _, run, _ = stopped_run(client)
    end_run(client, run, status="stopped")
    assert told(log_epoch(client, run, 0, score=0.1)) == GOES_ON


# ---- repeats ----


@pytest.mark.parametrize("word", ["epochs", "epochs/batch", "heartbeat"])
def test_a_repeat_under_one_key_is_told_to_stop_as_the_first_was(client: httpx.Client, word: str) -> None:
    tuner = create_tuner(client, stopper=ASHA)
    good, bad = (start_run(client, trial_id=trial["trial_id"]) for trial in suggest(client, tuner, 2))
    if word == "heartbeat":
        log_epoch(client, bad, 0, score=0.1)
    log_epoch(client, good, 0, score=0.9)
    epoch = {"epoch": 0, "metrics": {"score": 0.1}}
    body = {"epochs": epoch, "epochs/batch": {"epochs": [epoch]}, "heartbeat": {}}[word]
    headers = {"Idempotency-Key": str(uuid4())}
    first, second = (client.post(f"/v1/runs/{bad['run_id']}/{word}", json=body, headers=headers) for _ in range(2))
    assert second.headers["Idempotent-Replayed"] == "true"
    assert answer(second) == answer(first)
    assert first.json()["stop"]["rule"] == "asha"
    end_run(client, bad, status="stopped")
    assert told(answer(client.post(f"/v1/runs/{bad['run_id']}/{word}", json=body, headers=headers))) == GOES_ON


# ---- whole searches: what is true of what a stopper says is shown in tests/tuning/stopping ----

EACH_RULE: list[Any] = [
    ASHA,
    {"type": "median", "warmup_epochs": 1, "min_trials": 2},
    {"type": "hyperband", "min_epochs": 1, "max_epochs": 9, "reduction_factor": 2},
    {"type": "patience", "epochs": 2},
    [THRESHOLD, {"type": "patience", "epochs": 3}, {"type": "asha"}],
]


@pytest.mark.parametrize("stopper", EACH_RULE)
def test_every_answer_is_what_the_stopper_says_of_all_that_was_logged(client: httpx.Client, stopper: Any) -> None:
    training = Training([client], stopper, n_runs=8)
    levels = [0.9, 0.8, 0.5, 0.7, 0.1, 0.15, 0.6, 0.3]
    for begin in range(0, 8, 4):
        training.train(range(6), levels, among=range(begin, begin + 4))
        for number in range(begin, begin + 4):
            training.end(number)
    assert training.stops
