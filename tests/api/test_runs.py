"""Runs: started, found again, listed."""

import math
import re
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from app.api.pages import write_place
from app.domain.filters import Field, Kind
from app.domain.order import Order, OrderKey
from app.domain.sortable import encode
from app.domain.values import Scalar
from tests.calls import (
    JSON,
    answer,
    create_tuner,
    end_run,
    get_run,
    list_all,
    list_events,
    log_epoch,
    problem,
    report,
    start_run,
    suggest,
)

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
FIELDS = {
    "run_id",
    "name",
    "params",
    "tags",
    "note",
    "status",
    "start_time",
    "end_time",
    "duration_s",
    "metrics",
    "summary",
    "final_metrics",
    "last_epoch",
    "last_epoch_time",
    "tuner_id",
    "trial_id",
}
EVERYTHING: JSON = {
    "params": {"learning_rate": 0.01, "layers": 3, "ratio": 3.0, "optimizer": "adam", "nesterov": True},
    "tags": ["integration-test", "zwei"],
    "name": "baseline",
    "note": "a first try\nof two lines",
}


def test_a_run_needs_nothing_at_all(client: httpx.Client) -> None:
    response = client.post("/v1/runs")
    run = answer(response, 201)
    assert response.headers["location"].endswith(f"/v1/runs/{run['run_id']}")
    assert run.keys() >= FIELDS
    assert uuid.UUID(run["run_id"]).version == 7
    assert run["status"] == "running"
    assert TIME.fullmatch(run["start_time"])
    assert run["end_time"] is None
    assert (run["params"], run["tags"], run["metrics"], run["summary"]) == ({}, [], {}, {})
    assert (run["last_epoch"], run["tuner_id"], run["trial_id"]) == (None, None, None)
    assert not run["final_metrics"]


def test_a_run_answers_with_all_that_was_sent(client: httpx.Client) -> None:
    run = start_run(client, **EVERYTHING)
    assert {name: run[name] for name in EVERYTHING} == EVERYTHING
    assert {name: type(value) for name, value in run["params"].items()} == {
        name: type(value) for name, value in EVERYTHING["params"].items()
    }
    assert get_run(client, run) == run
    assert list(get_run(client, run)["params"]) == list(EVERYTHING["params"])


def test_null_means_the_default(client: httpx.Client) -> None:
    run = start_run(client, trial_id=None, run_id=None)
    assert run["trial_id"] is None


def test_the_location_of_a_new_run_leads_to_it(client: httpx.Client) -> None:
    response = client.post("/v1/runs", json={})
    assert answer(client.get(response.headers["location"])) == response.json()


def test_the_start_of_a_run_is_an_event(client: httpx.Client) -> None:
    run = start_run(client, **EVERYTHING)
    (event,) = list_events(client, run_id=run["run_id"])
    assert event["type"] == "run_start"
    for name in ("run_id", "params", "tags", "tuner_id", "trial_id"):
        assert event[name] == run[name], name


# ---- an id of the client's own ----


def test_a_chosen_id_is_answered_in_its_canonical_form(client: httpx.Client) -> None:
    chosen = uuid.uuid4()
    run = start_run(client, run_id=chosen.hex.upper())
    assert run["run_id"] == str(chosen)
    assert get_run(client, run) == run
    assert answer(client.get(f"/v1/runs/{str(chosen).upper()}")) == run


def test_the_same_start_again_answers_the_same_run(client: httpx.Client) -> None:
    body = EVERYTHING | {"run_id": str(uuid.uuid4())}
    run = start_run(client, **body)
    assert answer(client.post("/v1/runs", json=dict(reversed(body.items()))), 200) == run
    log_epoch(client, run, 0, loss=1.0)
    end_run(client, run)
    assert answer(client.post("/v1/runs", json=body), 200) == get_run(client, run)
    assert len(list_events(client, run_id=run["run_id"], type="run_start")) == 1


@pytest.mark.parametrize(
    "change", [{"params": {}}, {"tags": ["other"]}, {"name": "other"}, {"note": ""}, {"params": {"layers": 3.0}}]
)
def test_a_taken_id_with_another_body_is_a_conflict(client: httpx.Client, change: JSON) -> None:
    body = EVERYTHING | {"params": {"layers": 3}, "run_id": str(uuid.uuid4())}
    run = start_run(client, **body)
    found = problem(client.post("/v1/runs", json=body | change), 409, "id-conflict")
    assert found["differs"] == ([] if change == {"params": {}} else [*change])  # params may have joined since
    told = "was another body" if change == {"params": {}} else f"differs in {', '.join(change)}"
    assert f"what was sent first {told}." in found["detail"]
    assert get_run(client, run) == run


def test_one_id_started_by_many_at_once_is_one_run(client: httpx.Client) -> None:
    body = {"run_id": str(uuid.uuid4()), "tags": ["race"]}
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(lambda _: client.post("/v1/runs", json=body).status_code, range(16)))
    assert statuses == [200] * 15 + [201]
    assert len(list_events(client, run_id=body["run_id"])) == 1


# ---- the run of a trial ----


def test_the_run_of_a_trial_has_its_params_and_its_tuner(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    run = start_run(client, trial_id=trial["trial_id"])
    assert (run["params"], run["trial_id"], run["tuner_id"]) == (trial["params"], trial["trial_id"], tuner["tuner_id"])
    (event,) = list_events(client, run_id=run["run_id"])
    assert (event["params"], event["trial_id"], event["tuner_id"]) == (
        trial["params"],
        trial["trial_id"],
        tuner["tuner_id"],
    )


def test_a_run_of_a_trial_may_have_params_of_its_own(client: httpx.Client) -> None:
    trial = suggest(client, create_tuner(client))[0]
    params = trial["params"] | {"batch_size": 32}
    assert start_run(client, trial_id=trial["trial_id"], params=params)["params"] == params


def test_a_run_of_an_unknown_trial_is_refused(client: httpx.Client) -> None:
    problem(client.post("/v1/runs", json={"trial_id": str(uuid.uuid4())}), 404, "unknown-trial")


def test_a_run_of_an_ended_trial_is_refused(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trial = suggest(client, tuner)[0]
    report(client, tuner, trial_id=trial["trial_id"], score=1.0)
    problem(client.post("/v1/runs", json={"trial_id": trial["trial_id"]}), 409, "trial-ended")


# ---- what is not there ----


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("POST", "/epochs", {"epoch": 0, "metrics": {"loss": 1.0}}),
        ("POST", "/epochs/batch", {"epochs": [{"epoch": 0, "metrics": {"loss": 1.0}}]}),
        ("POST", "/end", {}),
        ("GET", "/metrics", None),
    ],
)
def test_an_unknown_run_is_404(client: httpx.Client, method: str, path: str, body: JSON | None) -> None:
    problem(client.request(method, f"/v1/runs/{uuid.uuid4()}{path}", json=body), 404, "unknown-run")
    problem(client.request(method, f"/v1/runs/nonsense{path}", json=body), 404)


# ---- the list ----


def test_the_list_holds_every_run_once_whatever_the_size_of_a_page(client: httpx.Client) -> None:
    mine = [start_run(client)["run_id"] for _ in range(7)]
    everything = [run["run_id"] for run in list_all(client, "/v1/runs")]
    assert set(mine) <= set(everything)
    assert len(set(everything)) == len(everything)
    size = max(2, len(everything) // 6)
    assert [run["run_id"] for run in list_all(client, "/v1/runs", page_size=size)] == everything


def test_the_list_shows_runs_as_they_are(client: httpx.Client) -> None:
    run = start_run(client, **EVERYTHING)
    log_epoch(client, run, 0, loss="NaN")
    end_run(client, run, final_metrics={"accuracy": 0.5})
    listed = next(one for one in list_all(client, "/v1/runs") if one["run_id"] == run["run_id"])
    assert listed == get_run(client, run)


def test_a_run_started_between_two_pages_shifts_nothing(client: httpx.Client) -> None:
    for _ in range(4):
        start_run(client)
    first = answer(client.get("/v1/runs", params={"page_size": 2}))
    start_run(client)
    second = answer(client.get("/v1/runs", params={"page_size": 2, "page_token": first["next_page_token"]}))
    assert len({run["run_id"] for run in first["items"] + second["items"]}) == 4


@pytest.mark.parametrize("path", ["/v1/runs", "/v1/tuners", "/v1/tuners/{tuner_id}/trials"])
def test_a_page_is_between_one_and_a_thousand_long(client: httpx.Client, path: str) -> None:
    tuner = create_tuner(client)
    suggest(client, tuner, 2)
    start_run(client)
    path = path.format(tuner_id=tuner["tuner_id"])
    assert len(answer(client.get(path, params={"page_size": 1}))["items"]) == 1
    answer(client.get(path, params={"page_size": 1000}))
    for size in ("0", "-1", "1001", "x", "1.5", "", str(2**63), "NaN"):
        problem(client.get(path, params={"page_size": size}), 422, "invalid-request")


@pytest.mark.parametrize("path", ["/v1/runs", "/v1/tuners", "/v1/tuners/{tuner_id}/trials"])
def test_a_forged_page_token_is_refused(client: httpx.Client, path: str) -> None:
    tuner = create_tuner(client)
    suggest(client, tuner, 2)
    start_run(client)
    start_run(client)
    create_tuner(client)
    path = path.format(tuner_id=tuner["tuner_id"])
    token = answer(client.get(path, params={"page_size": 1}))["next_page_token"]
    assert isinstance(token, str)
    forged = ["", "x", "0", "../../etc/passwd", "\u0000", "ünï", "e30", "bnVsbA==", "W10=", "A" * 5000, token * 2]
    forged += [token[:length] for length in range(1, len(token), 7)]
    for one in forged:
        problem(client.get(path, params={"page_token": one}), 422, "invalid-request")


NUMBERS = (2.0**63, -(2.0**63), 1e300, -math.inf, math.nan, 2**63 - 1, 0.5)
TIMES = ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00", "x")


@pytest.mark.parametrize(
    ("path", "order_by", "field", "values"),
    [
        ("/v1/tuners/{tuner_id}/trials", "number", Field("number", Kind.number), NUMBERS),
        ("/v1/tuners/{tuner_id}/trials", "score desc", Field("score", Kind.number), NUMBERS),
        ("/v1/runs", "last_epoch", Field("last_epoch", Kind.number), NUMBERS),
        ("/v1/runs", "duration_s desc", Field("duration_s", Kind.number), NUMBERS),
        ("/v1/runs", "start_time desc", Field("start_time", Kind.time), TIMES),
    ],
)
def test_a_page_token_that_names_an_impossible_place_is_no_failure(
    client: httpx.Client, path: str, order_by: str, field: Field, values: Sequence[Scalar]
) -> None:
    path = path.format(tuner_id=create_tuner(client)["tuner_id"])
    order = Order((OrderKey(field, is_descending="desc" in order_by),))
    for value in values:
        token = write_place((encode(value), bytes(16)), order)
        refused = client.get(path, params={"page_token": token, "order_by": order_by})
        assert refused.status_code in (200, 422), (value, refused.text)
