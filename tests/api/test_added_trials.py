"""Trials that no strategy proposed: enqueued to be handed out next, or imported with what came of them."""

import uuid

import httpx
import pytest

from tests.calls import (
    JSON,
    answer,
    ask,
    create_tuner,
    get_trial,
    get_tuner,
    list_all,
    list_events,
    problem,
    report,
    suggest,
)
from tests.spaces import EXAMPLE


def post(client: httpx.Client, tuner: JSON, body: JSON) -> httpx.Response:
    return client.post(f"/v1/tuners/{tuner['tuner_id']}/trials", json=body)


def add(client: httpx.Client, tuner: JSON, *trials: JSON) -> list[JSON]:
    added: list[JSON] = answer(post(client, tuner, {"trials": list(trials)}), 201)["trials"]
    return added


def test_enqueued_trials_are_handed_out_next_in_their_order(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    (first,) = answer(post(client, tuner, {"params": {"x": 0.5}}), 201)["trials"]
    second, third = add(client, tuner, {"params": {"x": 0.25}}, {"params": {"x": 0.5}})
    for number, trial in enumerate((first, second, third)):
        assert (trial["number"], trial["state"], trial["attempt"], trial["lease_expires_at"]) == (
            number,
            "queued",
            0,
            None,
        )
        assert trial["why"]["phase"] == "enqueued"
        assert get_trial(client, trial) == trial
    handed = suggest(client, tuner, 4, worker="w")
    assert [trial["trial_id"] for trial in handed[:3]] == [trial["trial_id"] for trial in (first, second, third)]
    assert [trial["params"] for trial in handed[:3]] == [{"x": 0.5}, {"x": 0.25}, {"x": 0.5}]
    assert handed[3]["number"] == 3
    assert handed[3]["why"]["phase"] != "enqueued"


def test_enqueueing_changes_no_later_proposal_of_the_same_number(client: httpx.Client) -> None:
    alone, other = (create_tuner(client, seed=6, strategy="random") for _ in range(2))
    add(client, other, {"params": {"x": 0.5}})
    assert suggest(client, alone, 3)[1:] != []
    expected = [trial["params"] for trial in suggest(client, create_tuner(client, seed=6, strategy="random"), 3)]
    assert [trial["params"] for trial in suggest(client, other, 3)][1:] == expected[1:]


def test_what_an_enqueued_trial_leaves_open_is_drawn_at_once_and_why_says_so(client: httpx.Client) -> None:
    tuner, same = (create_tuner(client, space=EXAMPLE, seed=7) for _ in range(2))
    wanted: list[JSON] = [{"num_layers": 2, "optimizer": "sgd"}, {"num_layers": 2, "optimizer": "sgd"}, {}]
    trials, again = (
        add(client, one, *({"params": params, "partial": True} for params in wanted)) for one in (tuner, same)
    )
    assert [trial["params"] for trial in trials] == [trial["params"] for trial in again]
    first, second, free = trials
    assert list(first["params"]) == list(EXAMPLE)
    assert [first["params"][name] for name in ("num_layers", "optimizer")] == [2, "sgd"]
    assert first["why"] == {"phase": "enqueued", "drawn": ["learning_rate", "dropout", "nesterov"]}
    assert first["params"]["learning_rate"] != second["params"]["learning_rate"]
    assert free["why"]["drawn"] == list(free["params"])
    assert [trial["params"] for trial in suggest(client, tuner, 3)] == [trial["params"] for trial in trials]
    assert report(client, tuner, params=second["params"], score=1.0)["trial"]["trial_id"] == second["trial_id"]


def test_a_parameter_whose_condition_is_left_open_cannot_be_enqueued(client: httpx.Client) -> None:
    tuner = create_tuner(client, space=EXAMPLE)
    for refused, name in (({"nesterov": True}, "nesterov"), ({"optimiser": "sgd"}, "optimiser")):
        problem(post(client, tuner, {"params": refused, "partial": True}), 422, "params-out-of-space", name=name)
    assert get_tuner(client, tuner)["counts"]["queued"] == 0


def test_observations_are_imported_and_the_best_of_them_is_the_best(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    imported = add(
        client,
        tuner,
        {"params": {"x": 0.1}, "score": 0.5},
        {"params": {"x": 0.2}, "score": 0.75},
        {"params": {"x": 0.3}, "state": "failed", "reason": "OOM"},
        {"params": {"x": 0.4}, "state": "infeasible"},
        {"params": {"x": 0.5}, "score": "NaN"},
        {"params": {"x": 0.6}, "state": "completed", "score": 0.25},
    )
    assert [trial["state"] for trial in imported] == [
        "completed",
        "completed",
        "failed",
        "infeasible",
        "failed",
        "completed",
    ]
    assert {trial["why"]["phase"] for trial in imported} == {"imported"}
    assert all(trial["end_time"] is not None for trial in imported)
    assert imported[2]["reason"] == "OOM"
    assert get_tuner(client, tuner)["best"] == imported[1]
    ends = list_events(client, tuner_id=tuner["tuner_id"], type="trial_end")
    assert [event["number"] for event in ends] == list(range(6))
    assert suggest(client, tuner)[0]["number"] == 6


def test_an_observation_that_is_known_is_not_imported_again(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    observations = [{"params": {"x": 0.5}, "score": 1.0}, {"params": {"x": 0.5}, "score": 2.0}]
    first = add(client, tuner, *observations)
    assert add(client, tuner, *observations) == first
    assert add(client, tuner, observations[0], observations[0]) == [first[0]] * 2
    assert get_tuner(client, tuner)["counts"]["completed"] == 2
    assert report(client, tuner, params={"x": 0.5}, score=2.0)["trial"] == first[1]


def test_equal_observations_in_one_request_are_one(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    first, second = add(client, tuner, *[{"params": {"x": 0.5}, "score": 1.0}] * 2)
    assert first == second
    assert get_tuner(client, tuner)["counts"]["completed"] == 1


def test_a_thousand_at_a_time(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    added = add(client, tuner, *[{"params": {"x": n / 1000}, **({"score": n} if n % 2 else {})} for n in range(1000)])
    assert [trial["number"] for trial in added] == list(range(1000))
    counts = get_tuner(client, tuner)["counts"]
    assert (counts["queued"], counts["completed"]) == (500, 500)
    assert list_all(client, f"/v1/tuners/{tuner['tuner_id']}/trials") == added
    problem(post(client, tuner, {"trials": [{"params": {"x": 0.5}}] * 1001}), 422, "invalid-request")
    problem(post(client, tuner, {"trials": []}), 422, "invalid-request")


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"params": {"x": 2.0}}, "params-out-of-space"),
        ({"params": {}}, "params-out-of-space"),
        ({"params": {}, "score": 1.0}, "params-out-of-space"),
        ({"params": {}, "partial": True, "score": 1.0}, "invalid-request"),
        ({"params": {}, "partial": "true"}, "invalid-request"),
        ({"params": {}, "partial": 1}, "invalid-request"),
        ({"params": {"x": 0.5, "y": 1}, "score": 1.0}, "params-out-of-space"),
        ({"params": {"x": 0.5}, "scores": {"a": 1.0}}, "invalid-request"),
        ({"params": {"x": 0.5}, "score": True}, "invalid-request"),
        ({"params": {"x": 0.5}, "state": "running"}, "invalid-request"),
        ({"params": {"x": 0.5}, "state": "completed"}, "invalid-request"),
        ({"params": {"x": 0.5}, "state": "failed", "score": 1.0}, "invalid-request"),
        ({"params": {"x": 0.5}, "reason": "why"}, "invalid-request"),
        ({"params": {"x": 0.5}, "typo": 1}, "invalid-request"),
        ({"score": 1.0}, "invalid-request"),
    ],
)
def test_one_bad_trial_and_none_is_taken(client: httpx.Client, bad: JSON, code: str) -> None:
    tuner = create_tuner(client)
    good = [{"params": {"x": 0.25}}, {"params": {"x": 0.75}, "score": 1.0}]
    problem(post(client, tuner, {"trials": [*good, bad]}), 422, code)
    problem(post(client, tuner, bad), 422, code)
    found = get_tuner(client, tuner)
    assert (sum(found["counts"].values()), found["best"]) == (0, None)
    assert list_events(client, tuner_id=tuner["tuner_id"]) == []
    assert suggest(client, tuner)[0]["number"] == 0


def test_a_tuner_that_does_not_exist_takes_no_trials(client: httpx.Client) -> None:
    problem(client.post(f"/v1/tuners/{uuid.uuid4()}/trials", json={"params": {"x": 1}}), 404, "unknown-tuner")


def test_a_failure_by_params_told_twice_costs_one_attempt(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    first = report(client, tuner, params=trial["params"], state="failed", reason="OOM")["trial"]
    again = report(client, tuner, params=trial["params"], state="failed", reason="OOM")["trial"]
    assert first == again == get_trial(client, trial)
    assert (first["state"], first["trial_id"]) == ("queued", trial["trial_id"])
    assert sum(get_tuner(client, tuner)["counts"].values()) == 1


def test_a_failure_by_params_leaves_an_equal_trial_that_was_never_handed_out(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/trials", json={"params": {"x": 0.5}}), 201)
    assert report(client, tuner, params={"x": 0.5}, state="failed")["trial"]["state"] == "failed"
    assert get_tuner(client, tuner)["counts"]["queued"] == 1


def test_the_result_of_an_enqueued_trial_counts_as_any_other(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 1})
    add(client, tuner, {"params": {"x": 0.5}})
    trial = suggest(client, tuner)[0]
    assert report(client, tuner, trial_id=trial["trial_id"], score=1.0)["tuner_state"] == "completed"
    assert ask(client, tuner)["trials"] == []
