"""Results: by trial, by parameters, from outside; failures, repeats, the best."""

import math
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
    list_all,
    list_events,
    log_epoch,
    problem,
    report,
    start_run,
    suggest,
)
from tests.waiting import run_in

ONE_POINT: JSON = {"c": {"type": "choice", "options": ["only"]}}


def result(client: httpx.Client, tuner: JSON, **body: object) -> httpx.Response:
    return client.post(f"/v1/tuners/{tuner['tuner_id']}/result", json=body)


def test_a_score_completes_the_trial(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    found = report(client, tuner, trial_id=trial["trial_id"], score=0.93)
    assert found["tuner_state"] == "active"
    ended = found["trial"]
    assert (ended["state"], ended["score"], ended["reason"]) == ("completed", 0.93, None)
    assert ended["end_time"] >= ended["create_time"]
    assert {name: ended[name] for name in ("trial_id", "number", "params", "attempt", "why")} == {
        name: trial[name] for name in ("trial_id", "number", "params", "attempt", "why")
    }
    assert found["best"] == ended == get_trial(client, trial) == get_tuner(client, tuner)["best"]


def test_the_end_of_a_trial_is_an_event(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    report(client, tuner, trial_id=trial["trial_id"], score=0.93)
    (event,) = list_events(client, tuner_id=tuner["tuner_id"], type="trial_end")
    assert (event["trial_id"], event["tuner_id"], event["number"]) == (trial["trial_id"], tuner["tuner_id"], 0)
    assert (event["state"], event["score"], event["reason"]) == ("completed", 0.93, None)


@pytest.mark.parametrize("outcome", [{"score": 0.5}, {"score": "NaN"}, {"state": "infeasible", "reason": "no"}])
def test_the_same_result_again_is_answered_again(client: httpx.Client, outcome: JSON) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    first = report(client, tuner, trial_id=trial["trial_id"], **outcome)
    assert report(client, tuner, trial_id=trial["trial_id"], **outcome)["trial"] == first["trial"]
    assert len(list_events(client, tuner_id=tuner["tuner_id"], type="trial_end")) == 1
    assert sum(get_tuner(client, tuner)["counts"].values()) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"score": 0.5}, {"score": 0.6}),
        ({"score": 0.5}, {"score": "NaN"}),
        ({"score": 0.5}, {"state": "failed", "reason": "OOM"}),
        ({"score": 0.5}, {"state": "infeasible"}),
        ({"score": "NaN"}, {"score": "Infinity"}),
        ({"score": "NaN"}, {"score": 0.5}),
        ({"state": "infeasible"}, {"score": 0.5}),
        ({"state": "infeasible"}, {"state": "failed"}),
    ],
)
def test_another_result_for_an_ended_trial_is_refused(client: httpx.Client, first: JSON, second: JSON) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    ended = report(client, tuner, trial_id=trial["trial_id"], **first)["trial"]
    problem(result(client, tuner, trial_id=trial["trial_id"], **second), 409, "trial-ended")
    assert get_trial(client, trial) == ended
    assert len(list_events(client, tuner_id=tuner["tuner_id"], type="trial_end")) == 1


# ---- by parameters ----


def test_parameters_end_the_oldest_running_trial_that_has_them(client: httpx.Client) -> None:
    tuner = create_tuner(client, space=ONE_POINT, strategy="random")
    suggest(client, tuner, 2)
    first = report(client, tuner, params={"c": "only"}, score=0.1)["trial"]
    second = report(client, tuner, params={"c": "only"}, score=0.2)["trial"]
    assert [(trial["number"], trial["score"]) for trial in (first, second)] == [(0, 0.1), (1, 0.2)]


def test_parameters_come_back_from_a_language_that_writes_14_digits(client: httpx.Client) -> None:
    space = {
        "lr": {"type": "float_range", "min": 1e-5, "max": 0.1, "log": True},
        "x": {"type": "float_range", "min": -1, "max": 1},
    }
    tuner = create_tuner(client, space=space)
    for trial in suggest(client, tuner, count=4):
        written = {name: float(f"{value:.14g}") for name, value in trial["params"].items()}
        assert report(client, tuner, params=written, score=0.5)["trial"]["trial_id"] == trial["trial_id"]


def test_parameters_and_score_of_an_ended_trial_are_a_repeat(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    first = report(client, tuner, params=trial["params"], score=0.1)
    assert first["trial"]["trial_id"] == trial["trial_id"]
    assert report(client, tuner, params=trial["params"], score=0.1)["trial"] == first["trial"]
    assert sum(get_tuner(client, tuner)["counts"].values()) == 1


@pytest.mark.parametrize("outcome", [{"score": 0.5}, {"state": "failed"}, {"state": "infeasible"}], ids=str)
def test_a_worker_that_says_a_result_twice_has_nothing_to_do_with_anothers_equal_trial(
    client: httpx.Client, outcome: JSON
) -> None:
    tuner = create_tuner(client, space=ONE_POINT, strategy="random")
    mine, yours = (suggest(client, tuner, worker=worker)[0] for worker in ("mine", "yours"))
    first, again = (report(client, tuner, params=mine["params"], worker="mine", **outcome) for _ in range(2))
    assert first["trial"]["trial_id"] == mine["trial_id"]
    assert again == first
    assert get_trial(client, yours) == yours
    problem(result(client, tuner, params=mine["params"], worker="mine", score=0.6), 409, "lease-lost")


def test_parameters_with_another_score_are_a_new_observation(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    report(client, tuner, params=trial["params"], score=0.1)
    other = report(client, tuner, params=trial["params"], score=0.2)["trial"]
    assert other["number"] == 1
    assert (other["state"], other["score"], other["params"]) == ("completed", 0.2, trial["params"])
    assert get_trial(client, trial)["score"] == 0.1


def test_an_observation_from_outside_is_a_trial_of_its_own(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    found = report(client, tuner, params={"x": 0.123}, score=4.0)
    trial = found["trial"]
    assert (trial["number"], trial["params"], trial["state"], trial["score"]) == (0, {"x": 0.123}, "completed", 4.0)
    assert trial["why"]["phase"] == "imported"
    assert found["best"] == trial
    assert report(client, tuner, params={"x": 0.123}, score=4.0)["trial"] == trial
    assert get_tuner(client, tuner)["counts"]["completed"] == 1
    assert suggest(client, tuner)[0]["number"] == 1


def test_parameters_are_compared_with_their_types_and_in_any_order(client: httpx.Client) -> None:
    space = {"a": {"type": "choice", "options": [3, 3.0, "3", True]}, "b": {"type": "flag"}}
    tuner = create_tuner(client, space=space, strategy="grid")
    for trial in suggest(client, tuner, 8):
        params = dict(reversed(trial["params"].items()))
        assert report(client, tuner, params=params, score=0.5)["trial"]["trial_id"] == trial["trial_id"]
    assert get_tuner(client, tuner)["state"] == "completed"


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"i": 11, "o": "adam"}, "i"),
        ({"i": 0, "o": "adam"}, "i"),
        ({"i": 2, "o": "adam"}, "i"),
        ({"i": 3.0, "o": "adam"}, "i"),
        ({"i": True, "o": "adam"}, "i"),
        ({"i": "3", "o": "adam"}, "i"),
        ({"i": 3, "o": "Adam"}, "o"),
        ({"i": 3, "o": 1}, "o"),
        ({"i": 3}, "o"),
        ({"i": 3, "o": "adam", "typo": 1}, "typo"),
        ({"i": 3, "o": "adam", "n": True}, "n"),
        ({"i": 3, "o": "sgd"}, "n"),
        ({"i": 3, "o": "sgd", "n": 1}, "n"),
    ],
)
def test_parameters_outside_the_space_are_refused_by_name(client: httpx.Client, params: JSON, name: str) -> None:
    space = {
        "i": {"type": "int_range", "min": 1, "max": 9, "step": 2},
        "o": {"type": "choice", "options": ["adam", "sgd"]},
        "n": {"type": "flag", "when": {"o": ["sgd"]}},
    }
    tuner = create_tuner(client, space=space)
    problem(result(client, tuner, params=params, score=0.5), 422, "params-out-of-space", name=name)
    assert sum(get_tuner(client, tuner)["counts"].values()) == 0


# ---- failures ----


def test_a_failed_trial_is_handed_out_again_until_its_attempts_are_used_up(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 1})
    attempts = []
    found: JSON = {}
    for _ in range(3):
        trial = suggest(client, tuner, worker="w")[0]
        attempts.append((trial["number"], trial["attempt"]))
        found = report(client, tuner, trial_id=trial["trial_id"], state="failed", reason="OOM")
    assert attempts == [(0, 1), (0, 2), (0, 3)]
    assert (found["trial"]["state"], found["trial"]["reason"]) == ("failed", "OOM")
    assert found["best"] is None
    assert found["tuner_state"] == "completed"
    assert ask(client, tuner)["trials"] == []
    ends = list_events(client, tuner_id=tuner["tuner_id"], type="trial_end")
    assert [(event["state"], event["reason"]) for event in ends] == [("failed", "OOM")]


def test_a_failed_trial_with_attempts_left_is_queued(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    first, second = suggest(client, tuner, 2, worker="a")
    trial = report(client, tuner, trial_id=first["trial_id"], state="failed", reason="OOM")["trial"]
    assert (trial["state"], trial["attempt"]) == ("queued", 2)
    assert trial["end_time"] is None
    counts = get_tuner(client, tuner)["counts"]
    assert (counts["queued"], counts["running"], counts["failed"]) == (1, 1, 0)
    again = suggest(client, tuner, worker="b")[0]
    assert (again["trial_id"], again["attempt"], again["worker"]) == (first["trial_id"], 2, "b")
    assert again["params"] == first["params"]
    assert suggest(client, tuner, worker="a") == [second]


def test_a_failure_told_twice_costs_one_attempt(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    for _ in range(4):
        report(client, tuner, trial_id=trial["trial_id"], state="failed", reason="OOM")
    assert get_trial(client, trial)["state"] == "queued"
    assert suggest(client, tuner)[0]["attempt"] == 2


def test_a_trial_that_is_tried_again_has_no_reason_any_more(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    report(client, tuner, trial_id=suggest(client, tuner)[0]["trial_id"], state="failed", reason="OOM")
    (again,) = suggest(client, tuner)
    assert (again["attempt"], again["reason"]) == (2, None)


def test_with_one_attempt_a_failure_is_the_end(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_attempts": 1})
    trial = suggest(client, tuner)[0]
    ended = report(client, tuner, trial_id=trial["trial_id"], state="failed", reason="OOM")["trial"]
    assert (ended["state"], ended["reason"], ended["score"]) == ("failed", "OOM", None)
    assert report(client, tuner, trial_id=trial["trial_id"], state="failed", reason="OOM")["trial"] == ended
    assert suggest(client, tuner)[0]["number"] == 1


def test_queued_trials_go_out_before_new_ones(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trials = suggest(client, tuner, 3)
    for trial in (trials[2], trials[0]):
        report(client, tuner, trial_id=trial["trial_id"], state="failed")
    assert sorted(trial["number"] for trial in suggest(client, tuner, 3)) == [0, 2, 3]


def test_an_infeasible_trial_is_never_tried_again(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    found = report(client, tuner, trial_id=trial["trial_id"], state="infeasible", reason="does not fit")
    assert (found["trial"]["state"], found["trial"]["reason"]) == ("infeasible", "does not fit")
    assert found["best"] is None
    assert suggest(client, tuner)[0]["number"] == 1
    (event,) = list_events(client, tuner_id=tuner["tuner_id"], type="trial_end")
    assert (event["state"], event["score"]) == ("infeasible", None)


@pytest.mark.parametrize("score", ["NaN", "Infinity", "-Infinity"])
def test_a_score_that_is_not_finite_fails_the_trial(client: httpx.Client, score: str) -> None:
    tuner = create_tuner(client)
    trial, good = suggest(client, tuner, 2)
    report(client, tuner, trial_id=good["trial_id"], score=-5.0)
    found = report(client, tuner, trial_id=trial["trial_id"], score=score)
    ended = found["trial"]
    assert (ended["state"], ended["score"], ended["reason"]) == ("failed", score, "non-finite score")
    assert found["best"]["trial_id"] == good["trial_id"]
    assert get_trial(client, trial) == ended
    event = list_events(client, tuner_id=tuner["tuner_id"], type="trial_end")[-1]
    assert (event["state"], event["score"], event["reason"]) == ("failed", score, "non-finite score")


# ---- the best ----


@pytest.mark.parametrize(
    ("direction", "bests"), [("maximize", [0.2, 0.2, 0.9, 0.9]), ("minimize", [0.2, -0.5, -0.5, -0.5])]
)
def test_the_best_is_best_in_the_direction_of_the_objective(
    client: httpx.Client, direction: str, bests: list[float]
) -> None:
    tuner = create_tuner(client, objective={"metric": "m", "direction": direction})
    answers = [
        report(client, tuner, trial_id=suggest(client, tuner)[0]["trial_id"], score=score)["best"]
        for score in (0.2, -0.5, 0.9, 0.1)
    ]
    assert [best["score"] for best in answers] == bests
    best = answer(client.get(f"/v1/tuners/{tuner['tuner_id']}/best"))
    assert best == answers[-1] == get_tuner(client, tuner)["best"]


def test_of_equal_scores_the_first_that_was_told_stays_the_best(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    first, second = suggest(client, tuner, 2)
    for trial in (first, second):
        best = report(client, tuner, trial_id=trial["trial_id"], score=0.5)["best"]
        assert best["trial_id"] == first["trial_id"]


def test_there_is_no_best_trial_before_the_first_score(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    problem(client.get(f"/v1/tuners/{tuner['tuner_id']}/best"), 404, "unknown-trial")
    report(client, tuner, trial_id=trial["trial_id"], score="NaN")
    problem(client.get(f"/v1/tuners/{tuner['tuner_id']}/best"), 404, "unknown-trial")


@pytest.mark.parametrize("score", [-0.0, 5e-324, 1.7976931348623157e308, -1.7976931348623157e308, 0.1 + 0.2])
def test_scores_are_exact(client: httpx.Client, score: float) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    report(client, tuner, trial_id=trial["trial_id"], score=score)
    (event,) = list_events(client, tuner_id=tuner["tuner_id"], type="trial_end")
    for found in (get_trial(client, trial)["score"], event["score"], get_tuner(client, tuner)["best"]["score"]):
        assert found == score
        assert math.copysign(1, found) == math.copysign(1, score)


# ---- what is refused ----


@pytest.mark.parametrize("said", [{"score": 0.5}, {"state": "infeasible"}, {"state": "failed"}])
@pytest.mark.parametrize("by", ["trial_id", "params"])
def test_a_run_that_goes_on_when_its_trial_has_a_result_is_told_to_stop(
    client: httpx.Client, said: JSON, by: str
) -> None:
    tuner = create_tuner(client, budget={"max_attempts": 1})
    trial, other = suggest(client, tuner, 2)
    run = start_run(client, trial_id=trial["trial_id"])
    stranger = start_run(client, trial_id=other["trial_id"])
    assert not log_epoch(client, run, 0, score=0.25)["should_stop"]
    report(client, tuner, **{by: trial[by]}, **said)
    told = log_epoch(client, run, 1, score=0.375)
    assert (told["should_stop"], told["stop"]["rule"]) == (True, "trial")
    assert answer(client.post(f"/v1/runs/{run['run_id']}/heartbeat"))["stop"] == told["stop"]
    assert get_run(client, run)["stop"] == told["stop"]
    assert end_run(client, run, status="stopped")["status"] == "stopped"
    assert not log_epoch(client, stranger, 0, score=0.25)["should_stop"]
    assert end_run(client, stranger)["stop"] is None


def test_a_run_that_fell_silent_and_comes_back_to_an_ended_trial_is_told_to_stop(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    run = start_run(client, trial_id=trial["trial_id"], stale_after_s=0.05)
    run_in(client, run, "crashed")
    report(client, tuner, trial_id=trial["trial_id"], score=0.5)
    assert log_epoch(client, run, 0, score=0.25)["stop"]["rule"] == "trial"


def test_an_unknown_trial_is_404(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    problem(result(client, tuner, trial_id=str(uuid.uuid4()), score=1.0), 404, "unknown-trial")
    problem(client.get(f"/v1/trials/{uuid.uuid4()}"), 404, "unknown-trial")


def test_a_trial_of_another_tuner_is_404_and_stays_as_it_is(client: httpx.Client) -> None:
    mine, other = create_tuner(client), create_tuner(client)
    trial = suggest(client, other)[0]
    problem(result(client, mine, trial_id=trial["trial_id"], score=1.0), 404, "unknown-trial")
    assert get_trial(client, trial) == trial


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"score": 1.0},
        {"trial_id": "TRIAL"},
        {"params": {"x": 0.5}},
        {"trial_id": "TRIAL", "params": {"x": 0.5}, "score": 1.0},
        {"trial_id": "TRIAL", "state": "running"},
        {"trial_id": "TRIAL", "state": "stale"},
        {"trial_id": "TRIAL", "state": "queued"},
        {"trial_id": "TRIAL", "state": "completed"},
        {"trial_id": "TRIAL", "state": "exploded"},
        {"trial_id": "no-uuid", "score": 1.0},
        {"trial_id": "TRIAL", "score": True},
        {"trial_id": "TRIAL", "score": "0.5"},
        {"trial_id": "TRIAL", "score": "nan"},
        {"trial_id": "TRIAL", "score": [1.0]},
        {"trial_id": "TRIAL", "score": 1.0, "typo": 1},
    ],
)
def test_a_result_without_sense_is_refused(client: httpx.Client, body: JSON) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    if body.get("trial_id") == "TRIAL":
        body = body | {"trial_id": trial["trial_id"]}
    problem(result(client, tuner, **body), 422, "invalid-request")
    assert get_trial(client, trial) == trial
    assert sum(get_tuner(client, tuner)["counts"].values()) == 1


# ---- the list of trials ----


def test_trials_are_listed_page_by_page_in_the_order_of_their_numbers(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    suggest(client, tuner, 25)
    path = f"/v1/tuners/{tuner['tuner_id']}/trials"
    everything = list_all(client, path)
    assert [trial["number"] for trial in everything] == list(range(25))
    for size in (1, 7, 25, 26):
        assert list_all(client, path, page_size=size) == everything
    assert answer(client.get(path, params={"page_size": 25}))["next_page_token"] is None


def test_trials_are_listed_by_state(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trials = suggest(client, tuner, 9)
    for trial in trials[::3]:
        report(client, tuner, trial_id=trial["trial_id"], score=1.0)
    report(client, tuner, trial_id=trials[1]["trial_id"], state="infeasible")
    path = f"/v1/tuners/{tuner['tuner_id']}/trials"
    numbers = {
        state: [trial["number"] for trial in list_all(client, path, state=state, page_size=2)]
        for state in ("completed", "infeasible", "running", "queued")
    }
    assert numbers == {"completed": [0, 3, 6], "infeasible": [1], "running": [2, 4, 5, 7, 8], "queued": []}
    problem(client.get(path, params={"state": "exploded"}), 422, "invalid-request")


def test_the_list_shows_trials_as_they_are(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trials = suggest(client, tuner, 3)
    report(client, tuner, trial_id=trials[1]["trial_id"], score="NaN")
    listed = list_all(client, f"/v1/tuners/{tuner['tuner_id']}/trials")
    assert listed == [get_trial(client, trial) for trial in trials]


def test_pages_of_the_best_trials_hold_each_once_and_in_order(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    for number in range(25):
        report(client, tuner, params={"x": number / 100}, score=number * 7 % 25)
    found = list_all(client, f"/v1/tuners/{tuner['tuner_id']}/trials", order_by="score desc", page_size=3)
    assert [trial["score"] for trial in found] == list(range(24, -1, -1))
