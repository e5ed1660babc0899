"""Budgets: what a tuner may spend, and how it completes by itself."""

import httpx
import pytest

from tests.calls import (
    JSON,
    answer,
    ask,
    create_tuner,
    end_run,
    get_trial,
    get_tuner,
    list_events,
    problem,
    report,
    start_run,
    suggest,
)
from tests.waiting import SHORT_S, trial_in, tuner_in


def edit(client: httpx.Client, tuner: JSON, **body: object) -> JSON:
    return answer(client.patch(f"/v1/tuners/{tuner['tuner_id']}", json=body))


def enqueue(client: httpx.Client, tuner: JSON, *params: JSON) -> list[JSON]:
    body = {"trials": [{"params": one} for one in params]}
    trials: list[JSON] = answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/trials", json=body), 201)["trials"]
    return trials


def score(client: httpx.Client, tuner: JSON, trial: JSON, value: float | str) -> JSON:
    return report(client, tuner, trial_id=trial["trial_id"], score=value)


def ends(client: httpx.Client, tuner: JSON) -> list[tuple[str, str]]:
    events = list_events(client, tuner_id=tuner["tuner_id"], type="tuner_end")
    return [(event["state"], event["reason"]) for event in events]


def test_a_budget_is_without_limit_but_for_three_attempts(client: httpx.Client) -> None:
    assert create_tuner(client)["budget"] == {
        "max_trials": None,
        "max_parallel": None,
        "max_failures": None,
        "max_attempts": 3,
        "target": None,
        "wallclock_s": None,
    }


# ---- max_trials ----


def test_max_trials_counts_proposed_and_enqueued_trials_but_neither_imports_nor_retries(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 3})
    report(client, tuner, params={"x": 0.1}, score=0.1)
    enqueue(client, tuner, {"x": 0.5})
    trial = suggest(client, tuner)[0]
    report(client, tuner, trial_id=trial["trial_id"], state="failed")
    trials = ask(client, tuner, count=10)["trials"]
    assert [trial["number"] for trial in trials] == [1, 2, 3]
    assert ask(client, tuner)["trials"] == []


def test_there_is_no_room_to_enqueue_beyond_max_trials(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 2})
    path = f"/v1/tuners/{tuner['tuner_id']}/trials"
    problem(client.post(path, json={"trials": [{"params": {"x": n / 4}} for n in range(3)]}), 409, "tuner-stopped")
    assert sum(get_tuner(client, tuner)["counts"].values()) == 0
    enqueue(client, tuner, {"x": 0.5}, {"x": 0.6})
    problem(client.post(path, json={"params": {"x": 0.7}}), 409, "tuner-stopped")


def test_a_tuner_completes_once_its_last_trial_has_ended(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 2})
    first, second = suggest(client, tuner, 2)
    assert score(client, tuner, first, 0.1)["tuner_state"] == "active"
    assert get_tuner(client, tuner)["stop_reason"] is None
    assert score(client, tuner, second, 0.2)["tuner_state"] == "completed"
    (event,) = list_events(client, tuner_id=tuner["tuner_id"], type="tuner_end")
    assert (event["state"], event["reason"]) == ("completed", "max_trials")
    assert event["best"] == get_trial(client, second) == get_tuner(client, tuner)["best"]


def test_a_released_trial_keeps_its_tuner_from_completing(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 1})
    trial = suggest(client, tuner)[0]
    answer(client.post(f"/v1/trials/{trial['trial_id']}/release"))
    assert get_tuner(client, tuner)["state"] == "active"
    assert suggest(client, tuner)[0]["trial_id"] == trial["trial_id"]


def test_a_completed_tuner_hands_out_nothing_and_says_not_to_ask_again(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 1})
    score(client, tuner, suggest(client, tuner)[0], 1.0)
    assert ask(client, tuner) == {"trials": [], "tuner_state": "completed", "retry_after_s": None}


def test_raising_max_trials_makes_a_completed_tuner_active_again(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 1, "max_parallel": 7}, seed=4)
    score(client, tuner, suggest(client, tuner)[0], 1.0)
    edited = edit(client, tuner, budget={"max_trials": 2})
    assert (edited["state"], edited["stop_reason"]) == ("active", None)
    assert edited["budget"] == tuner["budget"] | {"max_trials": 2}
    trial = suggest(client, tuner)[0]
    assert trial["number"] == 1
    assert score(client, tuner, trial, 1.0)["tuner_state"] == "completed"
    assert ends(client, tuner) == [("completed", "max_trials")] * 2


def test_a_limit_is_lifted_with_null(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 1})
    score(client, tuner, suggest(client, tuner)[0], 1.0)
    assert edit(client, tuner, budget={"max_trials": None})["state"] == "active"
    assert len(suggest(client, tuner, 20)) == 20


def test_lowering_max_trials_completes_a_tuner_that_has_spent_as_much(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    first, second = suggest(client, tuner, 2)
    score(client, tuner, first, 1.0)
    assert edit(client, tuner, budget={"max_trials": 1})["state"] == "active", "a trial is running"
    assert ask(client, tuner)["trials"] == []
    assert score(client, tuner, second, 1.0)["tuner_state"] == "completed"


# ---- max_attempts ----


def test_lowering_max_attempts_ends_what_waits_for_one_more_but_not_what_was_handed_back(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    said, unsaid, handed_back, trains = trials = suggest(client, tuner, 4)
    report(client, tuner, trial_id=said["trial_id"], state="failed", reason="OOM")
    report(client, tuner, trial_id=unsaid["trial_id"], state="failed")
    answer(client.post(f"/v1/trials/{handed_back['trial_id']}/release"))
    enqueue(client, tuner, {"x": 0.25})
    assert edit(client, tuner, budget={"max_attempts": 2})["counts"]["queued"] == 4
    edited = edit(client, tuner, budget={"max_attempts": 1})
    assert (edited["counts"]["failed"], edited["counts"]["queued"]) == (2, 2)
    assert [get_trial(client, one)["state"] for one in trials] == ["failed", "failed", "queued", "running"]
    assert get_trial(client, said)["reason"] == "OOM"
    assert [event["number"] for event in list_events(client, tuner_id=tuner["tuner_id"], type="trial_end")] == [0, 1]
    assert report(client, tuner, trial_id=trains["trial_id"], state="failed")["trial"]["state"] == "failed"
    again = suggest(client, tuner, 3)
    assert [(one["number"], one["attempt"]) for one in again] == [(2, 2), (4, 1), (5, 1)]


def test_lowering_max_attempts_ends_what_fell_silent_at_the_last_of_them(client: httpx.Client) -> None:
    tuner = create_tuner(client, lease_s=SHORT_S, budget={"max_trials": 1})
    (trial,) = suggest(client, tuner)
    run = start_run(client, trial_id=trial["trial_id"])
    trial_in(client, trial, "stale")
    assert edit(client, tuner, budget={"max_attempts": 1})["state"] == "completed"
    ended = get_trial(client, trial)
    assert (ended["state"], ended["worker"]) == ("failed", trial["worker"])
    assert "lease" in ended["reason"]
    assert answer(client.post(f"/v1/runs/{run['run_id']}/heartbeat"))["should_stop"]
    assert ask(client, tuner)["trials"] == []


# ---- max_parallel ----


def test_a_trial_that_went_stale_makes_room_for_another(client: httpx.Client) -> None:
    tuner = create_tuner(client, lease_s=SHORT_S, budget={"max_parallel": 1})
    trial = suggest(client, tuner, worker="a")[0]
    trial_in(client, trial, "stale")
    found = ask(client, tuner, count=3, worker="b")["trials"]
    assert [one["trial_id"] for one in found] == [trial["trial_id"]]


def test_a_worker_gets_what_it_holds_even_where_no_more_may_run(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_parallel": 2})
    held = suggest(client, tuner, 2, worker="w")
    again = ask(client, tuner, count=3, worker="w")
    assert again["trials"] == held
    assert again["retry_after_s"] > 0
    assert ask(client, tuner, count=2, worker="w")["retry_after_s"] is None


def test_queued_trials_wait_too_where_no_more_may_run(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_parallel": 1})
    suggest(client, tuner)
    enqueue(client, tuner, {"x": 0.5})
    assert ask(client, tuner)["trials"] == []


# ---- max_failures ----


def test_so_many_failures_complete_the_tuner(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_failures": 2, "max_attempts": 1})
    trials = suggest(client, tuner, 3)
    report(client, tuner, trial_id=trials[0]["trial_id"], state="failed", reason="OOM")
    assert score(client, tuner, trials[1], "NaN")["tuner_state"] == "active", "one is running"
    found = ask(client, tuner)
    assert (found["trials"], found["tuner_state"]) == ([], "active")
    assert score(client, tuner, trials[2], 0.5)["tuner_state"] == "completed"
    assert get_tuner(client, tuner)["stop_reason"] == "max_failures"
    assert ends(client, tuner) == [("completed", "max_failures")]


def test_failures_that_are_tried_again_and_infeasible_trials_do_not_count(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_failures": 1})
    trial, other = suggest(client, tuner, 2)
    report(client, tuner, trial_id=trial["trial_id"], state="failed")
    assert report(client, tuner, trial_id=other["trial_id"], state="infeasible")["tuner_state"] == "active"
    assert suggest(client, tuner)[0]["attempt"] == 2


def test_allowing_more_failures_makes_it_active_again(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_failures": 1, "max_attempts": 1})
    report(client, tuner, trial_id=suggest(client, tuner)[0]["trial_id"], state="failed")
    assert get_tuner(client, tuner)["state"] == "completed"
    assert edit(client, tuner, budget={"max_failures": 2})["state"] == "active"
    assert len(suggest(client, tuner)) == 1


# ---- target ----


@pytest.mark.parametrize(("direction", "values"), [("maximize", [0.8, 0.9]), ("minimize", [-0.8, -0.9])])
def test_a_score_that_is_good_enough_completes_the_tuner(
    client: httpx.Client, direction: str, values: list[float]
) -> None:
    objective = {"metric": "m", "direction": direction}
    tuner = create_tuner(client, objective=objective, budget={"target": values[1]})
    first, second, third = suggest(client, tuner, 3)
    assert score(client, tuner, first, values[0])["tuner_state"] == "active"
    assert score(client, tuner, second, values[1])["tuner_state"] == "active", "the third is running"
    assert ask(client, tuner)["trials"] == []
    assert score(client, tuner, third, 0.0)["tuner_state"] == "completed"
    assert get_tuner(client, tuner)["stop_reason"] == "target"


def test_an_observation_from_outside_reaches_the_target_too(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"target": 1.0})
    assert report(client, tuner, params={"x": 0.5}, score=2.0)["tuner_state"] == "completed"
    assert ends(client, tuner) == [("completed", "target")]


def test_the_end_of_a_run_reaches_the_target_too(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"target": 1.0})
    run = start_run(client, trial_id=suggest(client, tuner)[0]["trial_id"])
    end_run(client, run, final_metrics={"score": 1.0})
    assert get_tuner(client, tuner)["stop_reason"] == "target"


def test_what_waits_is_not_handed_out_after_the_target_until_it_is_raised(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"target": 1.0})
    enqueue(client, tuner, {"x": 0.25})
    report(client, tuner, params={"x": 0.5}, score=2.0)
    assert ask(client, tuner)["tuner_state"] == "completed"
    assert edit(client, tuner, budget={"target": 3.0})["state"] == "active"
    assert suggest(client, tuner)[0]["params"] == {"x": 0.25}


def test_a_score_that_is_not_finite_reaches_no_target(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"target": 1.0})
    assert report(client, tuner, params={"x": 0.5}, score="Infinity")["tuner_state"] == "active"


# ---- wallclock_s ----


def test_when_the_time_is_over_nothing_is_handed_out_and_the_tuner_completes(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"wallclock_s": 0.001})
    assert ask(client, tuner)["trials"] == []
    ended = tuner_in(client, tuner, "completed")
    assert ended["stop_reason"] == "wallclock"
    assert ends(client, tuner) == [("completed", "wallclock")]


def test_running_trials_may_end_after_the_time(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    assert edit(client, tuner, budget={"wallclock_s": 0.001})["state"] == "active"
    assert ask(client, tuner)["trials"] == []
    assert score(client, tuner, trial, 0.5)["tuner_state"] == "completed"
    assert get_tuner(client, tuner)["stop_reason"] == "wallclock"


def test_more_time_makes_it_active_again(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"wallclock_s": 0.001})
    tuner_in(client, tuner, "completed")
    assert edit(client, tuner, budget={"wallclock_s": 3600})["state"] == "active"
    assert len(suggest(client, tuner)) == 1


# ---- exhausted ----


def test_a_space_without_more_points_completes_the_tuner(client: httpx.Client) -> None:
    tuner = create_tuner(client, strategy="grid", space={"f": {"type": "flag"}})
    trials = ask(client, tuner, count=5)["trials"]
    assert len(trials) == 2
    for trial in trials:
        score(client, tuner, trial, 0.5)
    assert get_tuner(client, tuner)["stop_reason"] == "exhausted"


def test_an_enqueued_trial_opens_an_exhausted_tuner_once_more(client: httpx.Client) -> None:
    tuner = create_tuner(client, strategy="grid", space={"f": {"type": "flag"}})
    for trial in ask(client, tuner, count=5)["trials"]:
        score(client, tuner, trial, 0.5)
    enqueue(client, tuner, {"f": True})
    assert get_tuner(client, tuner)["state"] == "active"
    score(client, tuner, suggest(client, tuner)[0], 0.7)
    assert get_tuner(client, tuner)["stop_reason"] == "exhausted"


@pytest.mark.parametrize(
    "budget",
    [
        {"max_trials": 0},
        {"max_parallel": 0},
        {"max_failures": 0},
        {"max_attempts": 0},
        {"target": "NaN"},
        {"target": "Infinity"},
        {"wallclock_s": 0},
        {"wallclock_s": -1},
        {"max_trials": 1.5},
        {"max_trials": True},
        {"typo": 1},
    ],
)
def test_a_budget_without_sense_is_refused(client: httpx.Client, budget: JSON) -> None:
    problem(client.post("/v1/tuners", json={"space": {"f": {"type": "flag"}}, "budget": budget}), 422)
    tuner = create_tuner(client)
    problem(client.patch(f"/v1/tuners/{tuner['tuner_id']}", json={"budget": budget}), 422)
    assert get_tuner(client, tuner) == tuner
