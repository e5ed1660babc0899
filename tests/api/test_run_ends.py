"""The end of a run, and what it means for its trial and its tuner."""

from collections.abc import Callable
from datetime import datetime

import httpx
import pytest

from tests.calls import (
    JSON,
    answer,
    create_tuner,
    end_run,
    get_run,
    get_trial,
    get_tuner,
    list_events,
    log_batch,
    log_epoch,
    problem,
    report,
    start_run,
    suggest,
)


def post(client: httpx.Client, run: JSON, **body: object) -> httpx.Response:
    return client.post(f"/v1/runs/{run['run_id']}/end", json=body)


def run_of_trial(client: httpx.Client, **tuner: object) -> tuple[JSON, JSON, JSON]:
    """A tuner with objective accuracy, its first trial, and a run of it."""
    made = create_tuner(client, **{"objective": {"metric": "accuracy"}} | tuner)
    trial = suggest(client, made)[0]
    return made, trial, start_run(client, trial_id=trial["trial_id"])


def test_a_run_ends_with_its_final_metrics_and_its_duration(client: httpx.Client) -> None:
    run = start_run(client)
    log_epoch(client, run, 0, loss=0.5, accuracy=0.1)
    ended = end_run(client, run, final_metrics={"accuracy": 0.85}, status="finished")
    assert (ended["status"], ended["final_metrics"]) == ("finished", {"accuracy": 0.85})
    assert ended["metrics"] == {"loss": 0.5, "accuracy": 0.85}
    took = datetime.fromisoformat(ended["end_time"]) - datetime.fromisoformat(ended["start_time"])
    assert ended["duration_s"] == pytest.approx(took.total_seconds(), abs=1e-6)
    assert ended["duration_s"] >= 0
    assert get_run(client, run) == ended


def test_the_end_of_a_run_is_an_event(client: httpx.Client) -> None:
    run = start_run(client)
    ended = end_run(client, run, final_metrics={"accuracy": 0.85})
    event = list_events(client, run_id=run["run_id"])[-1]
    assert event["type"] == "training_end"
    for name in ("run_id", "status", "final_metrics", "duration_s"):
        assert event[name] == ended[name], name


def test_an_end_without_a_body_is_finished(client: httpx.Client) -> None:
    run = start_run(client)
    ended = answer(client.post(f"/v1/runs/{run['run_id']}/end"))
    assert (ended["status"], ended["final_metrics"]) == ("finished", {})


@pytest.mark.parametrize("status", ["finished", "failed", "stopped"])
def test_the_same_end_again_is_answered_again(client: httpx.Client, status: str) -> None:
    run = start_run(client)
    ended = end_run(client, run, final_metrics={"accuracy": 0.85, "odd": "NaN"}, status=status)
    assert ended["status"] == status
    assert end_run(client, run, status=status, final_metrics={"odd": "NaN", "accuracy": 0.85}) == ended
    assert len(list_events(client, run_id=run["run_id"], type="training_end")) == 1


@pytest.mark.parametrize(
    "other",
    [{"status": "failed"}, {"final_metrics": {"accuracy": 0.86}}, {"final_metrics": {}}, {"final_metrics": {"x": 1}}],
)
def test_another_end_is_refused(client: httpx.Client, other: JSON) -> None:
    run = start_run(client)
    first = {"status": "finished", "final_metrics": {"accuracy": 0.85}}
    ended = end_run(client, run, **first)
    problem(post(client, run, **first | other), 409, "run-ended")
    assert get_run(client, run) == ended


@pytest.mark.parametrize("status", ["running", "crashed", "exploded", "", "Finished", 1])
def test_a_run_can_only_end_as_finished_failed_or_stopped(client: httpx.Client, status: object) -> None:
    run = start_run(client)
    problem(post(client, run, status=status), 422, "invalid-request")
    assert get_run(client, run)["status"] == "running"


# ---- the run of a trial ----


def test_the_end_of_a_run_is_the_result_of_its_trial(client: httpx.Client) -> None:
    tuner, trial, run = run_of_trial(client)
    log_epoch(client, run, 0, accuracy=0.2)
    end_run(client, run, final_metrics={"accuracy": 0.85})
    ended = get_trial(client, trial)
    assert (ended["state"], ended["score"]) == ("completed", 0.85)
    assert get_tuner(client, tuner)["best"] == ended
    types = [event["type"] for event in list_events(client, tuner_id=tuner["tuner_id"])]
    assert sorted(types) == sorted(["trial_start", "run_start", "epoch_end", "training_end", "trial_end"])
    (event,) = list_events(client, tuner_id=tuner["tuner_id"], type="trial_end")
    assert (event["trial_id"], event["state"], event["score"]) == (trial["trial_id"], "completed", 0.85)


def test_without_a_final_value_the_latest_one_counts(client: httpx.Client) -> None:
    _, trial, run = run_of_trial(client)
    log_batch(client, run, [(2, {"accuracy": 0.7}), (0, {"accuracy": 0.9}), (1, {"accuracy": 0.8})])
    end_run(client, run, final_metrics={"loss": 0.1})
    assert get_trial(client, trial)["score"] == 0.7


def test_the_same_end_of_a_trials_run_again_changes_nothing(client: httpx.Client) -> None:
    tuner, trial, run = run_of_trial(client)
    first = end_run(client, run, final_metrics={"accuracy": 0.85})
    assert end_run(client, run, final_metrics={"accuracy": 0.85}) == first
    assert len(list_events(client, tuner_id=tuner["tuner_id"], type="trial_end")) == 1
    assert sum(get_tuner(client, tuner)["counts"].values()) == 1
    assert get_trial(client, trial)["score"] == 0.85


def test_a_finished_run_without_the_objective_is_refused_and_goes_on(client: httpx.Client) -> None:
    tuner, trial, run = run_of_trial(client)
    log_epoch(client, run, 0, loss=0.2)
    before = get_run(client, run)
    problem(post(client, run, final_metrics={"loss": 0.1}), 422, "missing-objective", metric="accuracy")
    assert get_run(client, run) == before
    assert get_trial(client, trial)["state"] == "running"
    assert list_events(client, tuner_id=tuner["tuner_id"], type="training_end") == []
    end_run(client, run, final_metrics={"loss": 0.1, "accuracy": 0.5})
    assert get_trial(client, trial)["score"] == 0.5


def test_a_run_without_a_trial_needs_no_objective(client: httpx.Client) -> None:
    assert end_run(client, start_run(client))["status"] == "finished"


def test_a_failed_run_fails_its_trial(client: httpx.Client) -> None:
    tuner, trial, run = run_of_trial(client, budget={"max_attempts": 1})
    assert end_run(client, run, status="failed")["status"] == "failed"
    assert get_trial(client, trial)["state"] == "failed"
    assert get_tuner(client, tuner)["best"] is None


@pytest.mark.parametrize("status", ["failed", "stopped"])
def test_the_reason_of_a_run_is_that_of_its_trial(client: httpx.Client, status: str) -> None:
    _, trial, run = run_of_trial(client, budget={"max_attempts": 1})
    log_epoch(client, run, 0, accuracy=0.5)
    end_run(client, run, status=status, reason="out of memory")
    found = get_trial(client, trial)
    assert (found["state"], found["reason"]) == (status, "out of memory")
    event = list_events(client, type="trial_end", tuner_id=trial["tuner_id"])[-1]
    assert event["reason"] == "out of memory"


def test_what_finished_has_no_reason(client: httpx.Client) -> None:
    problem(post(client, start_run(client), reason="done"), 422, "invalid-request")


def test_the_trial_of_a_failed_run_is_tried_again_while_attempts_are_left(client: httpx.Client) -> None:
    tuner, trial, run = run_of_trial(client, budget={"max_attempts": 2})
    end_run(client, run, status="failed")
    assert get_trial(client, trial)["state"] == "queued"
    again = suggest(client, tuner)[0]
    assert (again["trial_id"], again["attempt"]) == (trial["trial_id"], 2)
    second = start_run(client, trial_id=trial["trial_id"])
    end_run(client, second, final_metrics={"accuracy": 0.5})
    assert get_trial(client, trial)["score"] == 0.5
    assert get_run(client, run)["status"] == "failed"


def test_the_same_failed_end_again_costs_no_second_attempt(client: httpx.Client) -> None:
    tuner, trial, run = run_of_trial(client)
    end_run(client, run, status="failed")
    suggest(client, tuner)
    end_run(client, run, status="failed")
    now = get_trial(client, trial)
    assert (now["state"], now["attempt"]) == ("running", 2)


@pytest.mark.parametrize(("direction", "score"), [("maximize", 0.9), ("minimize", 0.3)])
def test_a_stopped_run_stops_its_trial_at_the_best_value_it_reached(
    client: httpx.Client, direction: str, score: float
) -> None:
    tuner, trial, run = run_of_trial(client, objective={"metric": "accuracy", "direction": direction})
    for epoch, value in enumerate((0.5, 0.9, 0.3, 0.7)):
        log_epoch(client, run, epoch, accuracy=value)
    log_epoch(client, run, 9, accuracy="NaN")
    assert end_run(client, run, status="stopped")["status"] == "stopped"
    ended = get_trial(client, trial)
    assert (ended["state"], ended["score"]) == ("stopped", score)
    assert get_tuner(client, tuner)["best"] == ended


@pytest.mark.parametrize("last_words", [0.4, 0.9])
@pytest.mark.parametrize(("direction", "score"), [("maximize", max), ("minimize", min)])
def test_the_last_words_of_a_stopped_run_count_where_they_are_the_best(
    client: httpx.Client, direction: str, score: Callable[[float, float], float], last_words: float
) -> None:
    _, trial, run = run_of_trial(client, objective={"metric": "accuracy", "direction": direction})
    log_epoch(client, run, 0, accuracy=0.7)
    end_run(client, run, status="stopped", final_metrics={"accuracy": last_words})
    assert get_trial(client, trial)["score"] == score(0.7, last_words)


def test_a_stopped_run_that_reached_nothing_still_ends_its_trial(client: httpx.Client) -> None:
    _, trial, run = run_of_trial(client)
    assert end_run(client, run, status="stopped")["status"] == "stopped"
    ended = get_trial(client, trial)
    assert ended["state"] in ("stopped", "failed", "queued")
    assert ended["score"] is None


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_a_final_value_that_is_not_finite_fails_the_trial(client: httpx.Client, value: str) -> None:
    tuner, trial, run = run_of_trial(client)
    ended_run = end_run(client, run, final_metrics={"accuracy": value})
    assert (ended_run["status"], ended_run["final_metrics"]) == ("finished", {"accuracy": value})
    ended = get_trial(client, trial)
    assert (ended["state"], ended["score"], ended["reason"]) == ("failed", value, "non-finite score")
    assert get_tuner(client, tuner)["best"] is None


def test_the_last_run_completes_the_tuner(client: httpx.Client) -> None:
    tuner, trial, run = run_of_trial(client, budget={"max_trials": 1})
    end_run(client, run, final_metrics={"accuracy": 0.5})
    now = get_tuner(client, tuner)
    assert (now["state"], now["stop_reason"]) == ("completed", "max_trials")
    events = list_events(client, tuner_id=tuner["tuner_id"])
    assert events[-1]["type"] == "tuner_end", "the tuner ends after its trial and its run"
    assert events[-1]["best"]["trial_id"] == trial["trial_id"]


def test_a_result_and_an_equal_end_of_the_run_agree(client: httpx.Client) -> None:
    tuner, trial, run = run_of_trial(client)
    end_run(client, run, final_metrics={"accuracy": 0.5})
    assert report(client, tuner, trial_id=trial["trial_id"], score=0.5)["trial"]["score"] == 0.5
    response = client.post(f"/v1/tuners/{tuner['tuner_id']}/result", json={"trial_id": trial["trial_id"], "score": 0.6})
    problem(response, 409, "trial-ended")
    assert len(list_events(client, tuner_id=tuner["tuner_id"], type="trial_end")) == 1


def test_a_run_may_end_when_it_began_and_not_before(client: httpx.Client) -> None:
    run = start_run(client)
    body = {"status": "finished", "end_time": "2026-01-01T00:00:00Z"}
    problem(client.post(f"/v1/runs/{run['run_id']}/end", json=body), 422, "invalid-request")
    ended = end_run(client, run, end_time=run["start_time"])
    assert ended["end_time"] == run["start_time"]
