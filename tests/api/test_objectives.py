"""Several objectives: scores instead of a score, no best one, and those that no other beats."""

import httpx
import pytest

from tests.api.test_snapshots import restore, signed, snapshot, trials_of
from tests.calls import (
    JSON,
    SPACE,
    answer,
    create_tuner,
    end_run,
    get_trial,
    get_tuner,
    list_events,
    log_epoch,
    problem,
    report,
    start_run,
    suggest,
)

TWO: list[JSON] = [{"metric": "accuracy", "direction": "maximize"}, {"metric": "latency", "direction": "minimize"}]


def result(client: httpx.Client, tuner: JSON, **body: object) -> httpx.Response:
    return client.post(f"/v1/tuners/{tuner['tuner_id']}/result", json=body)


def pareto(client: httpx.Client, tuner: JSON) -> list[JSON]:
    items: list[JSON] = answer(client.get(f"/v1/tuners/{tuner['tuner_id']}/pareto"))["items"]
    return items


def test_a_tuner_answers_with_one_objective_or_with_several(client: httpx.Client) -> None:
    one, two = create_tuner(client), create_tuner(client, objectives=TWO)
    assert (one["objective"], one["objectives"]) == (
        {"metric": "score", "direction": "maximize"},
        [{"metric": "score", "direction": "maximize"}],
    )
    assert (two["objective"], two["objectives"]) == (None, TWO)


def test_results_carry_a_score_for_each_and_there_is_no_best(client: httpx.Client) -> None:
    tuner = create_tuner(client, objectives=TWO)
    trial = suggest(client, tuner)[0]
    scores = {"accuracy": 0.9, "latency": 12.5}
    found = report(client, tuner, trial_id=trial["trial_id"], scores=scores)
    assert (found["trial"]["score"], found["trial"]["scores"], found["best"]) == (None, scores, None)
    assert report(client, tuner, trial_id=trial["trial_id"], scores=scores)["trial"] == found["trial"]
    assert get_trial(client, trial) == found["trial"]
    (event,) = list_events(client, tuner_id=tuner["tuner_id"], type="trial_end")
    assert (event["score"], event["scores"]) == (None, scores)
    problem(result(client, tuner, trial_id=trial["trial_id"], scores=scores | {"latency": 1.0}), 409, "trial-ended")
    none = problem(client.get(f"/v1/tuners/{tuner['tuner_id']}/best"), 404, "unknown-trial")
    assert f"GET /v1/tuners/{tuner['tuner_id']}/pareto" in none["detail"]


def test_why_has_the_score_that_is_expected_of_each(client: httpx.Client) -> None:
    space = {"x": {"type": "float_range", "min": 0, "max": 1}}
    tuner = create_tuner(client, space=space, objectives=TWO, strategy="gp", seed=7)
    for number in range(12):
        x = number / 11
        report(client, tuner, params={"x": x}, scores={"accuracy": 50 + 10 * x, "latency": 100 + 30 * x})
    trial = suggest(client, tuner)[0]
    x, why = trial["params"]["x"], trial["why"]
    assert why["means"] == {
        "accuracy": pytest.approx(50 + 10 * x, abs=1),
        "latency": pytest.approx(100 + 30 * x, abs=3),
    }
    assert {metric: 0 < std < 5 for metric, std in why["stds"].items()} == {"accuracy": True, "latency": True}


@pytest.mark.parametrize(
    "told",
    [
        {"score": 1.0},
        {"scores": {"accuracy": 1.0}},
        {"scores": {"accuracy": 1.0, "latency": 1.0, "other": 1.0}},
        {"scores": {}},
        {"scores": {"accuracy": 1.0, "latency": None}},
        {"scores": {"accuracy": 1.0, "latency": 1.0}, "score": 1.0},
    ],
)
def test_scores_of_other_metrics_are_refused(client: httpx.Client, told: JSON) -> None:
    tuner = create_tuner(client, objectives=TWO)
    trial = suggest(client, tuner)[0]
    problem(result(client, tuner, trial_id=trial["trial_id"], **told), 422, "invalid-request")
    problem(result(client, tuner, params={"x": 0.5}, **told), 422, "invalid-request")
    assert get_trial(client, trial) == trial


def test_with_one_objective_scores_are_refused(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    problem(result(client, tuner, trial_id=trial["trial_id"], scores={"score": 1.0}), 422, "invalid-request")


def test_one_score_that_is_not_finite_fails_the_trial(client: httpx.Client) -> None:
    tuner = create_tuner(client, objectives=TWO)
    trial = suggest(client, tuner)[0]
    scores = {"accuracy": 0.9, "latency": "Infinity"}
    ended = report(client, tuner, trial_id=trial["trial_id"], scores=scores)["trial"]
    assert (ended["state"], ended["scores"], ended["reason"]) == ("failed", scores, "non-finite score")
    assert pareto(client, tuner) == []


def test_the_pareto_set_holds_what_no_other_trial_beats(client: httpx.Client) -> None:
    tuner = create_tuner(client, objectives=TWO)
    assert pareto(client, tuner) == []
    told = [(0.9, 10.0), (0.8, 5.0), (0.85, 11.0), (0.9, 10.0), (0.5, 5.0), (0.95, 50.0), (0.1, 4.0)]
    for number, (accuracy, latency) in enumerate(told):
        report(client, tuner, params={"x": number / 10}, scores={"accuracy": accuracy, "latency": latency})
    found = pareto(client, tuner)
    assert [trial["number"] for trial in found] == [0, 1, 3, 5, 6]
    assert found[0] == get_trial(client, found[0])


def test_with_one_objective_the_pareto_set_is_the_best(client: httpx.Client) -> None:
    tuner = create_tuner(client, objective={"metric": "loss", "direction": "minimize"})
    for number, score in enumerate([0.5, 0.25, 0.75, 0.25]):
        report(client, tuner, params={"x": number / 10}, score=score)
    assert [trial["number"] for trial in pareto(client, tuner)] == [1, 3]


def test_a_run_ends_with_all_of_them_or_not_at_all(client: httpx.Client) -> None:
    tuner = create_tuner(client, objectives=TWO)
    trial = suggest(client, tuner)[0]
    run = start_run(client, trial_id=trial["trial_id"])
    log_epoch(client, run, 0, accuracy=0.5)
    problem(client.post(f"/v1/runs/{run['run_id']}/end"), 422, "missing-objective", metric="latency")
    assert get_trial(client, trial)["state"] == "running"
    end_run(client, run, final_metrics={"latency": 3.0})
    assert get_trial(client, trial)["scores"] == {"accuracy": 0.5, "latency": 3.0}


def test_a_stopped_run_counts_with_what_it_had_at_once_rather_than_the_best_of_each(client: httpx.Client) -> None:
    tuner = create_tuner(client, objectives=TWO)
    trial = suggest(client, tuner)[0]
    run = start_run(client, trial_id=trial["trial_id"])
    for epoch, (accuracy, latency) in enumerate([(0.5, 3.0), (0.7, 5.0), (0.6, 4.0)]):
        log_epoch(client, run, epoch, accuracy=accuracy, latency=latency)
    end_run(client, run, status="stopped")
    ended = get_trial(client, trial)
    assert (ended["state"], ended["scores"]) == ("stopped", {"accuracy": 0.6, "latency": 4.0})


@pytest.mark.parametrize(
    "body",
    [
        {"objectives": []},
        {"objectives": [TWO[0], TWO[0]]},
        {"objectives": TWO, "objective": TWO[0]},
        {"objectives": TWO, "stopper": {"type": "median"}},
        {"objectives": TWO, "stopper": [{"type": "none"}, {"type": "patience"}]},
        {"objectives": TWO, "budget": {"target": 1.0}},
        {"objectives": [{"metric": " "}]},
        {"objectives": [{"metric": "a", "direction": "up"}]},
    ],
)
def test_objectives_without_sense_are_refused(client: httpx.Client, body: JSON) -> None:
    problem(client.post("/v1/tuners", json={"space": SPACE} | body), 422, "invalid-request")


def test_a_target_is_refused_later_too(client: httpx.Client) -> None:
    tuner = create_tuner(client, objectives=TWO, stopper={"type": "none"})
    problem(client.patch(f"/v1/tuners/{tuner['tuner_id']}", json={"budget": {"target": 1.0}}), 422, "invalid-request")
    assert get_tuner(client, tuner) == tuner


# ---- snapshots ----


def test_a_snapshot_keeps_stoppers_leases_budgets_and_trials(client: httpx.Client) -> None:
    tuner = create_tuner(
        client, lease_s=30, stopper=[{"type": "asha"}, {"type": "threshold", "max": 9.0}], budget={"max_failures": 4}
    )
    suggest(client, tuner, worker="gone")
    answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/pause"))
    restored = restore(client, snapshot(client, tuner))
    for name in ("lease_s", "stopper", "budget", "objectives"):
        assert restored[name] == tuner[name], name
    assert restored["state"] == "paused"
    (trial,) = trials_of(client, restored)
    # It waits to be tried again: what is told is the attempt to come.
    assert (trial["state"], trial["worker"], trial["lease_expires_at"], trial["attempt"]) == ("queued", None, None, 2)


def test_a_snapshot_keeps_scores_and_their_pareto_set(client: httpx.Client) -> None:
    tuner = create_tuner(client, objectives=TWO)
    for number in range(4):
        report(client, tuner, params={"x": number / 10}, scores={"accuracy": number, "latency": number % 2})
    report(client, tuner, params={"x": 0.9}, scores={"accuracy": "NaN", "latency": 1.0})
    restored = restore(client, snapshot(client, tuner))
    assert [(one["number"], one["scores"]) for one in pareto(client, restored)] == [
        (one["number"], one["scores"]) for one in pareto(client, tuner)
    ]
    assert trials_of(client, restored)[4]["scores"] == {"accuracy": "NaN", "latency": 1.0}


@pytest.mark.parametrize(
    "damage",
    [
        {"scores": {}},
        {"scores": None},
        {"scores": {"accuracy": 1.0}},
        {"scores": {"accuracy": 1.0, "latency": 1.0, "other": 1.0}},
        {"scores": {"accuracy": "NaN", "latency": 1.0}},
        {"score": 1.0},
        {"state": "queued"},
        {"state": "infeasible"},
    ],
)
def test_a_snapshot_with_scores_of_something_else_is_refused(client: httpx.Client, damage: JSON) -> None:
    tuner = create_tuner(client, objectives=TWO)
    report(client, tuner, params={"x": 0.5}, scores={"accuracy": 1.0, "latency": 2.0})
    taken = snapshot(client, tuner)
    taken["trials"][0] |= damage
    problem(client.post("/v1/tuners", json={"snapshot": signed(taken)}), 422, "invalid-request")


def test_a_snapshot_with_scores_for_one_objective_is_refused(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    report(client, tuner, params={"x": 0.5}, score=1.0)
    taken = snapshot(client, tuner)
    for damage in ({"score": None, "scores": {"score": 1.0}}, {"score": "NaN"}, {"score": None}):
        damaged = taken | {"trials": [taken["trials"][0] | damage]}
        problem(client.post("/v1/tuners", json={"snapshot": signed(damaged)}), 422, "invalid-request")
