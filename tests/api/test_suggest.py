"""Suggest: what is handed out, to whom, and until when."""

import math
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.calls import JSON, answer, ask, create_tuner, get_trial, get_tuner, list_events, report, start_run, suggest

SPACE: JSON = {
    "learning_rate": {"type": "float_range", "min": 0.0001, "max": 0.1, "log": True},
    "num_layers": {"type": "int_range", "min": 1, "max": 6},
    "width": {"type": "int_range", "min": 16, "max": 512, "log": True},
    "units": {"type": "int_range", "min": 10, "max": 25, "step": 5},
    "dropout": {"type": "float_range", "min": 0.0, "max": 0.5, "step": 0.05},
    "optimizer": {"type": "choice", "options": ["adam", "sgd"]},
    "size": {"type": "choice", "options": [1, 2.0, "four", True], "ordered": True},
    "nesterov": {"type": "flag", "when": {"optimizer": ["sgd"]}},
    "momentum": {"type": "float_range", "min": 0.0, "max": 0.99, "when": {"nesterov": [True]}},
}
FOUR: JSON = {"a": {"type": "flag"}, "b": {"type": "choice", "options": ["x", "y"]}}


def exactly(value: object) -> tuple[type, object]:
    """The value with its type, so that 3, 3.0 and True differ."""
    return type(value), value


def assert_inside(params: JSON) -> None:
    """These parameters are a point of SPACE."""
    expected = SPACE.keys() - {"nesterov", "momentum"}
    if params["optimizer"] == "sgd":
        expected |= {"nesterov"}
        if params["nesterov"]:
            expected |= {"momentum"}
    assert params.keys() == expected
    assert type(params["learning_rate"]) is float
    assert 0.0001 <= params["learning_rate"] <= 0.1
    assert type(params["num_layers"]) is int
    assert 1 <= params["num_layers"] <= 6
    assert type(params["width"]) is int
    assert 16 <= params["width"] <= 512
    assert exactly(params["units"]) in {exactly(value) for value in (10, 15, 20, 25)}
    assert type(params["dropout"]) is float
    assert math.isclose(params["dropout"] / 0.05, round(params["dropout"] / 0.05), abs_tol=1e-9)
    assert 0.0 <= params["dropout"] <= 0.5
    assert exactly(params["size"]) in {exactly(value) for value in (1, 2.0, "four", True)}
    assert type(params.get("nesterov", True)) is bool
    assert 0.0 <= params.get("momentum", 0.5) <= 0.99


def test_proposals_lie_in_the_space_and_reach_all_of_it(client: httpx.Client) -> None:
    tuner = create_tuner(client, space=SPACE, strategy="random", seed=1)
    points = [trial["params"] for trial in suggest(client, tuner, 200)]
    for params in points:
        assert_inside(params)
    assert {params["num_layers"] for params in points} == {1, 2, 3, 4, 5, 6}
    assert {params["units"] for params in points} == {10, 15, 20, 25}
    assert {exactly(params["size"]) for params in points} == {exactly(value) for value in (1, 2.0, "four", True)}
    assert {params.get("nesterov") for params in points} == {None, True, False}
    assert len({params["learning_rate"] for params in points}) == 200
    # On a logarithmic scale a third of the draws falls into each decade; on a linear one nine tenths into the last.
    assert 30 < sum(params["learning_rate"] < 0.001 for params in points) < 110


def test_a_trial_tells_all_about_itself(client: httpx.Client) -> None:
    tuner = create_tuner(client, strategy="random")
    trial = suggest(client, tuner, worker="gpu-7")[0]
    assert trial["tuner_id"] == tuner["tuner_id"]
    assert (trial["number"], trial["attempt"]) == (0, 1)
    assert (trial["state"], trial["worker"]) == ("running", "gpu-7")
    assert (trial["score"], trial["reason"], trial["end_time"]) == (None, None, None)
    assert trial["why"]["strategy"] == "random"
    assert trial["why"]["phase"]
    assert trial["create_time"] >= tuner["create_time"]
    assert get_trial(client, trial) == trial


def test_trials_are_numbered_in_the_order_in_which_they_are_made(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trials = suggest(client, tuner, 3) + suggest(client, tuner) + suggest(client, tuner, 2)
    assert [trial["number"] for trial in trials] == [0, 1, 2, 3, 4, 5]
    assert len({trial["trial_id"] for trial in trials}) == 6


def test_a_suggest_without_a_body_hands_out_one_trial(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    found = answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/suggest"))
    assert len(found["trials"]) == 1
    assert (found["tuner_state"], found["retry_after_s"]) == ("active", None)
    assert found["trials"][0]["worker"] is None


def test_a_thousand_trials_at_once(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trials = suggest(client, tuner, 1000)
    assert [trial["number"] for trial in trials] == list(range(1000))
    assert get_tuner(client, tuner)["counts"]["running"] == 1000


# ---- workers ----


def test_a_worker_that_asks_again_gets_the_trials_that_it_holds(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    held = suggest(client, tuner, 2, worker="a")
    assert suggest(client, tuner, 2, worker="a") == held
    assert get_tuner(client, tuner)["counts"]["running"] == 2
    assert len(list_events(client, tuner_id=tuner["tuner_id"], type="trial_start")) == 2


def test_a_worker_gets_new_trials_only_beyond_those_it_holds(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    held = suggest(client, tuner, 2, worker="a")
    more = suggest(client, tuner, 3, worker="a")
    assert more[:2] == held
    assert more[2]["number"] == 2
    assert suggest(client, tuner, 1, worker="a") == held[:1]


def test_a_worker_gets_a_new_trial_after_the_end_of_its_old_one(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    first = suggest(client, tuner, worker="a")[0]
    report(client, tuner, trial_id=first["trial_id"], score=0.5)
    assert suggest(client, tuner, worker="a")[0]["number"] == 1


def test_two_workers_never_hold_the_same_trial(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    assert suggest(client, tuner, worker="a")[0]["trial_id"] != suggest(client, tuner, worker="b")[0]["trial_id"]


def test_without_a_worker_each_suggest_is_a_new_one(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    ids = {suggest(client, tuner)[0]["trial_id"] for _ in range(4)}
    assert len(ids) == 4


def test_many_workers_at_once_all_get_different_trials(client: httpx.Client) -> None:
    tuner = create_tuner(client)

    def one(number: int) -> list[str]:
        return [trial["trial_id"] for trial in suggest(client, tuner, 1 + number % 3, worker=f"w{number}")]

    with ThreadPoolExecutor(16) as pool:
        held = list(pool.map(one, range(48)))
    flat = [trial_id for ids in held for trial_id in ids]
    assert len(set(flat)) == len(flat) == 96
    numbers = sorted(event["number"] for event in list_events(client, tuner_id=tuner["tuner_id"], type="trial_start"))
    assert numbers == list(range(96))


def test_one_worker_that_asks_many_times_at_once_still_holds_one_trial(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    with ThreadPoolExecutor(8) as pool:
        held = list(pool.map(lambda _: suggest(client, tuner, worker="same")[0]["trial_id"], range(16)))
    assert len(set(held)) == 1


# ---- the end of it ----


def test_an_exhausted_grid_completes_the_tuner(client: httpx.Client) -> None:
    tuner = create_tuner(client, space=FOUR, strategy="grid")
    found = ask(client, tuner, count=10)
    trials = found["trials"]
    assert len({(trial["params"]["a"], trial["params"]["b"]) for trial in trials}) == len(trials) == 4
    assert found["tuner_state"] == "active"
    waiting = ask(client, tuner)
    assert (waiting["trials"], waiting["tuner_state"]) == ([], "active")
    assert waiting["retry_after_s"] > 0, "a running trial may fail and come back"
    states = [
        report(client, tuner, trial_id=trial["trial_id"], score=float(number))["tuner_state"]
        for number, trial in enumerate(trials)
    ]
    assert states == ["active", "active", "active", "completed"]
    now = get_tuner(client, tuner)
    assert (now["state"], now["stop_reason"]) == ("completed", "exhausted")
    after = ask(client, tuner)
    assert (after["trials"], after["tuner_state"], after["retry_after_s"]) == ([], "completed", None)
    (event,) = list_events(client, tuner_id=tuner["tuner_id"], type="tuner_end")
    assert (event["state"], event["reason"]) == ("completed", "exhausted")
    assert event["best"]["trial_id"] == trials[3]["trial_id"]


def test_a_grid_has_every_value_of_a_range_once(client: httpx.Client) -> None:
    space = {
        "i": {"type": "int_range", "min": 2, "max": 8, "step": 3},
        "f": {"type": "float_range", "min": 0.0, "max": 0.5, "step": 0.25},
    }
    tuner = create_tuner(client, space=space, strategy="grid")
    points = [trial["params"] for trial in ask(client, tuner, count=100)["trials"]]
    wanted = {(exactly(i), exactly(f)) for i in (2, 5, 8) for f in (0.0, 0.25, 0.5)}
    assert {(exactly(point["i"]), exactly(point["f"])) for point in points} == wanted
    assert len(points) == 9


def test_a_grid_that_is_asked_for_more_than_may_run_loses_no_point(client: httpx.Client) -> None:
    space = {"x": {"type": "choice", "options": ["a", "b"]}}
    tuner = create_tuner(client, space=space, strategy="grid", budget={"max_parallel": 1})
    (first,) = ask(client, tuner, count=2)["trials"]
    report(client, tuner, trial_id=first["trial_id"], score=0.5)
    (second,) = suggest(client, tuner)
    assert second["params"] != first["params"]


def test_a_grid_leaves_out_what_a_condition_excludes(client: httpx.Client) -> None:
    space = {
        "optimizer": {"type": "choice", "options": ["adam", "sgd"]},
        "nesterov": {"type": "flag", "when": {"optimizer": ["sgd"]}},
    }
    tuner = create_tuner(client, space=space, strategy="grid")
    points = [trial["params"] for trial in ask(client, tuner, count=100)["trials"]]
    assert sorted(points, key=str) == sorted(
        [{"optimizer": "adam"}, {"optimizer": "sgd", "nesterov": True}, {"optimizer": "sgd", "nesterov": False}],
        key=str,
    )


def test_the_budget_of_trials_completes_the_tuner(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 3})
    trials = ask(client, tuner, count=5)["trials"]
    assert len(trials) == 3
    assert ask(client, tuner)["trials"] == []
    states = [report(client, tuner, trial_id=trial["trial_id"], score=1.0)["tuner_state"] for trial in trials]
    assert states == ["active", "active", "completed"]
    assert get_tuner(client, tuner)["stop_reason"] == "max_trials"
    (event,) = list_events(client, tuner_id=tuner["tuner_id"], type="tuner_end")
    assert (event["state"], event["reason"]) == ("completed", "max_trials")


def test_observations_from_outside_do_not_use_up_the_budget(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 1})
    assert report(client, tuner, params={"x": 0.5}, score=1.0)["tuner_state"] == "active"
    assert len(suggest(client, tuner)) == 1


def test_no_more_trials_run_at_once_than_allowed(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_parallel": 2})
    found = ask(client, tuner, count=5, worker="a")
    assert len(found["trials"]) == 2
    waiting = ask(client, tuner, worker="b")
    assert (waiting["trials"], waiting["tuner_state"]) == ([], "active")
    assert waiting["retry_after_s"] > 0
    report(client, tuner, trial_id=found["trials"][0]["trial_id"], score=0.1)
    assert len(ask(client, tuner, count=5, worker="b")["trials"]) == 1


# ---- exact values ----


@pytest.mark.parametrize("strategy", ["grid", "random"])
def test_options_come_back_with_their_types(client: httpx.Client, strategy: str) -> None:
    options = [3, 3.0, "3", True, 1, "true", -0.5, 2**53 + 1, "ünï\u2028🚀"]
    tuner = create_tuner(client, space={"c": {"type": "choice", "options": options}}, strategy=strategy, seed=3)
    assert [exactly(option) for option in get_tuner(client, tuner)["space"]["c"]["options"]] == [
        exactly(option) for option in options
    ]
    trials = ask(client, tuner, count=9 if strategy == "grid" else 150)["trials"]
    assert {exactly(trial["params"]["c"]) for trial in trials} == {exactly(option) for option in options}
    assert [exactly(get_trial(client, trial)["params"]["c"]) for trial in trials[:9]] == [
        exactly(trial["params"]["c"]) for trial in trials[:9]
    ]


@pytest.mark.parametrize(("low", "high"), [(2**53 + 1, 2**53 + 1), (-(2**63), -(2**63)), (2**63 - 1, 2**63 - 1)])
def test_integers_of_64_bits_are_exact(client: httpx.Client, low: int, high: int) -> None:
    tuner = create_tuner(client, space={"i": {"type": "int_range", "min": low, "max": high}})
    trial = suggest(client, tuner)[0]
    assert exactly(trial["params"]["i"]) == exactly(low)
    run = start_run(client, trial_id=trial["trial_id"])
    assert exactly(run["params"]["i"]) == exactly(low)


def test_the_widest_integer_range_works(client: httpx.Client) -> None:
    tuner = create_tuner(client, space={"i": {"type": "int_range", "min": -(2**63), "max": 2**63 - 1}}, seed=5)
    values = [trial["params"]["i"] for trial in suggest(client, tuner, 50)]
    assert all(type(value) is int and -(2**63) <= value < 2**63 for value in values)
    assert min(values) < 0 < max(values)
    assert len(set(values)) == 50


# ---- the same seed ----


def test_the_same_seed_gives_the_same_proposals_one_by_one_or_together(client: httpx.Client) -> None:
    tuners = [create_tuner(client, space=SPACE, seed=42, strategy="random") for _ in range(2)]
    together = [trial["params"] for trial in suggest(client, tuners[0], 12)]
    one_by_one = [suggest(client, tuners[1])[0]["params"] for _ in range(12)]
    assert one_by_one == together


def test_another_seed_gives_other_proposals(client: httpx.Client) -> None:
    params = [suggest(client, create_tuner(client, seed=seed))[0]["params"]["x"] for seed in range(5)]
    assert len(set(params)) == 5


def test_results_that_random_search_does_not_heed_change_no_proposal(client: httpx.Client) -> None:
    tuners = [create_tuner(client, seed=9, strategy="random") for _ in range(2)]
    for tuner, score in zip(tuners, (0.0, 1.0), strict=True):
        for _ in range(3):
            report(client, tuner, trial_id=suggest(client, tuner)[0]["trial_id"], score=score)
    assert suggest(client, tuners[0])[0]["params"] == suggest(client, tuners[1])[0]["params"]


# ---- events ----


def test_each_hand_out_is_an_event(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner, worker="gpu-7")[0]
    (event,) = list_events(client, tuner_id=tuner["tuner_id"])
    assert event["type"] == "trial_start"
    for name in ("tuner_id", "trial_id", "number", "params", "worker", "attempt"):
        assert event[name] == trial[name], name


@pytest.mark.parametrize(("direction", "sign"), [("maximize", 1), ("minimize", -1)])
def test_a_model_says_what_it_expects_in_the_units_of_the_score(
    client: httpx.Client, direction: str, sign: int
) -> None:
    objective = {"metric": "gain", "direction": direction}
    tuner = create_tuner(client, strategy="gp", seed=1, objective=objective)
    for _ in range(12):
        trial = suggest(client, tuner)[0]
        report(client, tuner, trial_id=trial["trial_id"], score=sign * (100 - (trial["params"]["x"] - 0.3) ** 2))
    why = suggest(client, tuner)[0]["why"]
    assert (why["strategy"], why["phase"]) == ("gp", "model")
    assert abs(why["mean"] - sign * 100) < 1
    assert why["std"] >= 0


def test_auto_says_what_it_took_and_why(client: httpx.Client) -> None:
    why = suggest(client, create_tuner(client, strategy="auto"))[0]["why"]
    assert why["chosen_by"] == "auto"
    assert why["strategy"] in {"gp", "tpe", "sobol", "random"}
    assert why["because"]
