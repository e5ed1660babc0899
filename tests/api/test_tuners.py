"""Tuners: created, answered with all that holds for them, found again, listed."""

import re
import uuid
from pathlib import Path

import httpx
import pytest

from tests.calls import JSON, SPACE, answer, ask, create_tuner, get_tuner, list_all, problem, report, suggest
from tests.conftest import NewDatabase, open_client
from tests.server import Server

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
TRIAL_STATES = {"queued", "running", "completed", "stopped", "failed", "infeasible"}

EVERYTHING: JSON = {
    "name": "digits-mlp",
    "strategy": "random",
    "space": {
        "learning_rate": {"type": "float_range", "min": 0.0001, "max": 0.1, "log": True},
        "num_layers": {"type": "int_range", "min": 1, "max": 6},
        "dropout": {"type": "float_range", "min": 0.0, "max": 0.5, "step": 0.05},
        "optimizer": {"type": "choice", "options": ["adam", "sgd"]},
        "nesterov": {"type": "flag", "when": {"optimizer": ["sgd"]}},
    },
    "objective": {"metric": "accuracy", "direction": "minimize"},
    "seed": 7,
    "options": {},
    "budget": {"max_trials": 50, "max_parallel": 8, "max_attempts": 2},
    "lease_s": 60.0,
    "tags": ["demo", "zweites"],
}


def test_a_space_is_all_that_a_tuner_needs(client: httpx.Client) -> None:
    space = {"lr": {"type": "float_range", "min": 1e-4, "max": 1e-1}}
    response = client.post("/v1/tuners", json={"space": space})
    tuner = answer(response, 201)
    assert response.headers["location"].endswith(f"/v1/tuners/{tuner['tuner_id']}")
    assert uuid.UUID(tuner["tuner_id"]).version == 7
    assert space["lr"].items() <= tuner["space"]["lr"].items()
    assert tuner["strategy"] == "auto"
    assert tuner["objective"] == {"metric": "score", "direction": "maximize"}
    assert tuner["budget"]["max_attempts"] == 3
    assert tuner["budget"]["max_trials"] is None
    assert tuner["budget"]["max_parallel"] is None
    assert tuner["state"] == "active"
    assert (tuner["stop_reason"], tuner["best"]) == (None, None)
    assert (tuner["tags"], tuner["options"]) == ([], {})
    assert type(tuner["seed"]) is int
    assert set(tuner["counts"]) >= TRIAL_STATES
    assert set(tuner["counts"].values()) == {0}
    assert TIME.fullmatch(tuner["create_time"])
    assert tuner["update_time"] == tuner["create_time"]


def test_a_tuner_answers_with_all_that_was_sent(client: httpx.Client) -> None:
    tuner = create_tuner(client, **EVERYTHING)
    for name in EVERYTHING.keys() - {"space", "budget"}:
        assert tuner[name] == EVERYTHING[name], name
    assert EVERYTHING["budget"].items() <= tuner["budget"].items()
    assert list(tuner["space"]) == list(EVERYTHING["space"])
    for name, spec in EVERYTHING["space"].items():
        assert spec.items() <= tuner["space"][name].items()


def test_a_tuner_is_found_as_it_was_created(client: httpx.Client) -> None:
    tuner = create_tuner(client, **EVERYTHING)
    assert get_tuner(client, tuner) == tuner


def test_the_location_of_a_new_tuner_leads_to_it(client: httpx.Client) -> None:
    response = client.post("/v1/tuners", json={"space": SPACE})
    assert answer(client.get(response.headers["location"])) == response.json()


def test_a_tuner_without_a_seed_is_given_one_and_keeps_it(client: httpx.Client) -> None:
    seeds = {create_tuner(client)["seed"] for _ in range(5)}
    assert len(seeds) == 5
    tuner = create_tuner(client)
    assert get_tuner(client, tuner)["seed"] == tuner["seed"]


@pytest.mark.parametrize("seed", [0, 7, 2**31, 2**53 + 1, 2**63 - 1])
def test_a_seed_comes_back_exactly(client: httpx.Client, seed: int) -> None:
    assert get_tuner(client, create_tuner(client, seed=seed))["seed"] == seed


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("random", "random"),
        ("RANDOM", "random"),
        ("Random_Search", "random"),
        ("grid", "grid"),
        ("Grid", "grid"),
        ("GRID_SEARCH", "grid"),
        ("auto", "auto"),
        ("Auto", "auto"),
    ],
)
def test_a_strategy_is_found_by_alias_and_in_any_case(client: httpx.Client, sent: str, name: str) -> None:
    space = {"flag": {"type": "flag"}}
    assert create_tuner(client, strategy=sent, space=space)["strategy"] == name


@pytest.mark.parametrize("strategy", ["annealing", "", "random ", "rändom", "random_"])
def test_an_unknown_strategy_is_refused_with_those_that_exist(client: httpx.Client, strategy: str) -> None:
    found = problem(
        client.post("/v1/tuners", json={"space": SPACE, "strategy": strategy}),
        422,
        "unknown-strategy",
        "invalid-request",
    )
    if strategy:
        assert found["code"] == "unknown-strategy"
        assert {"random", "grid", "auto"} <= set(found["known"])


def test_strategies_are_listed_with_aliases_and_options(client: httpx.Client) -> None:
    items = answer(client.get("/v1/strategies"))["items"]
    strategies = {item["name"]: item for item in items}
    assert len(strategies) == len(items)
    assert {"random", "grid", "auto"} <= strategies.keys()
    assert "random_search" in strategies["random"]["aliases"]
    assert "grid_search" in strategies["grid"]["aliases"]
    for item in items:
        assert item["description"].strip()
        assert item["options"]["type"] == "object", "options is a JSON schema"


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_broken_plugin_is_listed_with_what_is_wrong_and_leaves_the_rest(
    client: httpx.Client, new_database: NewDatabase, tmp_path: Path
) -> None:
    installed = tmp_path / "broken-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[tunetrack.strategies]\nannealing = not_there:Annealing\n")
    with Server(new_database(), env={"PYTHONPATH": str(tmp_path)}) as server, open_client(server) as other:
        found = answer(other.get("/v1/strategies"))
    assert found["left_out"] == [
        {
            "kind": "strategy",
            "name": "annealing",
            "value": "not_there:Annealing",
            "reason": "ModuleNotFoundError: No module named 'not_there'",
        }
    ]
    assert answer(client.get("/v1/strategies")) == {**found, "left_out": []}


def test_every_listed_strategy_can_be_used_under_all_its_names(client: httpx.Client) -> None:
    space = {"flag": {"type": "flag"}}
    for item in answer(client.get("/v1/strategies"))["items"]:
        for name in [item["name"], *item["aliases"]]:
            tuner = create_tuner(client, strategy=name, space=space)
            assert tuner["strategy"] == item["name"]
            assert suggest(client, tuner)[0]["params"]["flag"] in (True, False)


def test_unknown_options_of_a_strategy_are_refused(client: httpx.Client) -> None:
    body = {"space": SPACE, "strategy": "random", "options": {"temprature": 3}}
    problem(client.post("/v1/tuners", json=body), 422)


# ---- an id of the client's own ----


def test_a_chosen_id_is_answered_in_its_canonical_form(client: httpx.Client) -> None:
    chosen = uuid.uuid4()
    tuner = create_tuner(client, tuner_id=chosen.hex.upper())
    assert tuner["tuner_id"] == str(chosen)
    assert get_tuner(client, tuner) == tuner


def test_the_same_creation_again_answers_the_same_tuner(client: httpx.Client) -> None:
    body = EVERYTHING | {"tuner_id": str(uuid.uuid4())}
    first = client.post("/v1/tuners", json=body)
    again = client.post("/v1/tuners", json=dict(reversed(body.items())))
    assert answer(again, 200) == answer(first, 201)


def test_the_same_creation_again_shows_the_tuner_as_it_is_now(client: httpx.Client) -> None:
    body = {"tuner_id": str(uuid.uuid4()), "space": SPACE, "strategy": "random", "lease_s": 60.0}
    tuner = create_tuner(client, **body)
    suggest(client, tuner, 3)
    again = answer(client.post("/v1/tuners", json=body), 200)
    assert again["counts"]["running"] == 3
    assert again["seed"] == tuner["seed"]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "another"},
        {"space": {"x": {"type": "float_range", "min": 0.0, "max": 2.0}}},
        {"seed": 8},
        {"tags": []},
        {"budget": {"max_trials": 99}, "lease_s": 77.0},
        {"objective": {"metric": "accuracy", "direction": "maximize"}},
    ],
)
def test_a_taken_id_with_another_body_is_a_conflict(client: httpx.Client, change: JSON) -> None:
    body = EVERYTHING | {"tuner_id": str(uuid.uuid4())}
    tuner = create_tuner(client, **body)
    found = problem(client.post("/v1/tuners", json=body | change), 409, "id-conflict")
    named = {"objectives" if name == "objective" else name for name in change if name != "seed"}  # which may be drawn
    assert set(found["differs"]) == named
    assert all(name in found["detail"].partition(".")[0] for name in named)
    assert get_tuner(client, tuner) == tuner


def test_without_an_id_the_same_body_makes_another_tuner(client: httpx.Client) -> None:
    assert create_tuner(client, name="twin")["tuner_id"] != create_tuner(client, name="twin")["tuner_id"]


# ---- what is not there ----


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("POST", "/suggest"),
        ("POST", "/result"),
        ("GET", "/trials"),
        ("GET", "/best"),
        ("GET", "/snapshot"),
    ],
)
def test_an_unknown_tuner_is_404(client: httpx.Client, method: str, path: str) -> None:
    body = {"trial_id": str(uuid.uuid4()), "score": 1.0} if path == "/result" else {}
    url = f"/v1/tuners/{uuid.uuid4()}{path}"
    problem(client.request(method, url, json=body if method == "POST" else None), 404, "unknown-tuner")
    no_uuid = f"/v1/tuners/nonsense{path}"
    problem(client.request(method, no_uuid, json=body if method == "POST" else None), 404)


# ---- the state of a tuner ----


def test_counts_and_update_time_follow_the_trials(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trials = suggest(client, tuner, 3)
    report(client, tuner, trial_id=trials[0]["trial_id"], score=0.5)
    report(client, tuner, trial_id=trials[1]["trial_id"], state="infeasible")
    now = get_tuner(client, tuner)
    counts = {state: count for state, count in now["counts"].items() if count}
    assert counts == {"completed": 1, "infeasible": 1, "running": 1}
    assert now["update_time"] > tuner["update_time"]
    assert now["best"]["trial_id"] == trials[0]["trial_id"]


def test_a_space_of_one_point_is_fine(client: httpx.Client) -> None:
    space = {
        "i": {"type": "int_range", "min": 3, "max": 3},
        "f": {"type": "float_range", "min": 0.25, "max": 0.25},
        "c": {"type": "choice", "options": ["only"]},
    }
    tuner = create_tuner(client, space=space)
    assert suggest(client, tuner)[0]["params"] == {"i": 3, "f": 0.25, "c": "only"}


# ---- the list ----


def test_the_list_holds_every_tuner_once_whatever_the_size_of_a_page(client: httpx.Client) -> None:
    mine = [create_tuner(client)["tuner_id"] for _ in range(7)]
    everything = [tuner["tuner_id"] for tuner in list_all(client, "/v1/tuners")]
    assert set(mine) <= set(everything)
    assert len(set(everything)) == len(everything)
    size = max(2, len(everything) // 6)
    assert [tuner["tuner_id"] for tuner in list_all(client, "/v1/tuners", page_size=size)] == everything


def test_the_list_shows_tuners_as_they_are(client: httpx.Client) -> None:
    tuner = create_tuner(client, **EVERYTHING)
    suggest(client, tuner)
    listed = next(one for one in list_all(client, "/v1/tuners") if one["tuner_id"] == tuner["tuner_id"])
    assert listed == get_tuner(client, tuner)


def test_a_tuner_made_between_two_pages_shifts_nothing(client: httpx.Client) -> None:
    for _ in range(4):
        create_tuner(client)
    first = answer(client.get("/v1/tuners", params={"page_size": 2}))
    create_tuner(client)
    second = answer(client.get("/v1/tuners", params={"page_size": 2, "page_token": first["next_page_token"]}))
    ids = [tuner["tuner_id"] for tuner in first["items"] + second["items"]]
    assert len(set(ids)) == 4


def test_a_page_holds_fifty_unless_told(client: httpx.Client) -> None:
    for _ in range(51):
        create_tuner(client)
    assert len(answer(client.get("/v1/tuners"))["items"]) == 50


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ('name = "Digits"', "a"),
        ('name ilike "digits%"', "abc"),
        ('"ann" in tags', "ac"),
        ('"ann" in tags and not state = "stopped"', "a"),
        ('strategy in ("grid", "random")', "bc"),
        ("stop_reason is null", "ab"),
        ('not stop_reason = "stopped"', "ab"),
        ('create_time >= "2020-01-01" and update_time < "2999-01-01"', "abc"),
        ('create_time < "2020-01-01"', ""),
        ("tuner_id = {a}", "a"),
        ("tuner_id != {a}", "bc"),
    ],
)
def test_tuners_are_found_by_a_filter(client: httpx.Client, rule: str, found: str) -> None:
    mark = str(uuid.uuid4())
    made = {
        "a": create_tuner(client, name="Digits", tags=["ann", mark], strategy="tpe"),
        "b": create_tuner(client, name="digits 2", tags=[mark], strategy="random"),
        "c": create_tuner(client, name="digits 3", tags=["ann", mark], strategy="grid"),
    }
    answer(client.post(f"/v1/tuners/{made['c']['tuner_id']}/stop"))
    rule = rule.replace("{a}", f'"{made["a"]["tuner_id"]}"')
    listed = list_all(client, "/v1/tuners", filter=f'{rule} and "{mark}" in tags', page_size=2)
    assert [tuner["tuner_id"] for tuner in listed] == [made[letter]["tuner_id"] for letter in reversed(found)]


@pytest.mark.parametrize("rule", ['state = "running"', 'stop_reason = "tired"', "params.x = 1", "score > 1"])
def test_a_filter_of_tuners_that_could_find_none_is_refused(client: httpx.Client, rule: str) -> None:
    problem(client.get("/v1/tuners", params={"filter": rule}), 422, "bad-filter")


def test_asking_changes_nothing(client: httpx.Client) -> None:
    tuner = create_tuner(client, space={"flag": {"type": "flag"}}, strategy="grid")
    suggest(client, tuner, 2)
    before = get_tuner(client, tuner)
    assert ask(client, tuner)["trials"] == []
    for path in ("", "/trials", "/snapshot"):
        answer(client.get(f"/v1/tuners/{tuner['tuner_id']}{path}"))
    assert get_tuner(client, tuner) | {"update_time": ""} == before | {"update_time": ""}
