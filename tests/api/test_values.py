"""Values and texts at the edge of what is taken: they come back as they went in, from either database."""

import json
import math
from typing import Any

import httpx
import pytest

from tests.api.endpoints import WRITES, model_of, new_things, send
from tests.calls import (
    JSON,
    answer,
    create_tuner,
    end_run,
    get_run,
    get_series,
    get_tuner,
    list_events,
    log_epoch,
    problem,
    refused,
    report,
    start_run,
    suggest,
)

# ---- numbers ----


@pytest.mark.parametrize(
    "value",
    [-0.0, 0, 0.0, 5e-324, 1.7976931348623157e308, 2**53 + 1, 2**63 - 1, -(2**63), 3, 3.0, True, False, "", "3"],
)
def test_parameter_values_come_back_as_they_went_in(client: httpx.Client, value: Any) -> None:
    run = start_run(client, params={"p": value})
    (event,) = list_events(client, run_id=run["run_id"])
    for found in (run["params"]["p"], get_run(client, run)["params"]["p"], event["params"]["p"]):
        assert (type(found), found) == (type(value), value)
        if isinstance(value, float):
            assert math.copysign(1, found) == math.copysign(1, value)


@pytest.mark.parametrize("value", [2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 + 1, 10**300])
def test_big_integers_as_metrics_are_exact_or_refused(client: httpx.Client, value: int) -> None:
    run = start_run(client)
    response = client.post(f"/v1/runs/{run['run_id']}/epochs", json={"epoch": 0, "metrics": {"loss": value}})
    if response.status_code == 200:
        assert get_run(client, run)["metrics"]["loss"] == value
        assert get_series(client, run)["loss"]["values"] == [value]
    else:
        assert "write 1.8e19 where rounding is fine" in problem(response, 422, "invalid-request")["detail"]
        assert log_epoch(client, run, 0, loss=float(value))["accepted"] == 1


# ---- nulls ----

NEEDED = {"create_tuner": ["space"], "report_result": ["trial_id", "score"], "register_observer": ["run_id"]}
"""What a schema calls optional, and these calls need all the same (the last one only to be called about nothing)."""

UNCHANGED = {"change_observer": ["url", "types", "state"]}
"""Where null takes a filter away, what is no filter cannot be null."""


@pytest.mark.parametrize("endpoint", sorted(set(WRITES) - {"sign_in"}))
def test_a_field_that_is_null_is_not_given(client: httpx.Client, endpoint: str) -> None:
    model = model_of(endpoint)
    required = [*model.get("required", ()), *NEEDED.get(endpoint, ())]
    optional = model["properties"].keys() - {*required, *UNCHANGED.get(endpoint, ())}
    with new_things(client) as things:
        body = dict.fromkeys(optional) | {name: things.body(endpoint)[name] for name in required}
        assert things.send(endpoint, body).is_success, body


def test_what_is_null_in_a_tuner_has_its_default(client: httpx.Client) -> None:
    space: JSON = {"n": {"type": "int_range", "min": 1, "max": 9}, "c": {"type": "choice", "options": [1, 2]}}
    bare: JSON = {"space": space, "seed": 7}
    with_nulls: JSON = bare | {
        "space": {
            "n": space["n"] | {"log": None, "step": None, "when": None},
            "c": space["c"] | {"ordered": None, "when": None},
        },
        "objective": {"metric": None, "direction": None},
        "budget": {"max_trials": None, "max_attempts": None},
    }
    with_defaults, with_none = create_tuner(client, **bare), create_tuner(client, **with_nulls)
    for name in with_defaults.keys() - {"tuner_id", "create_time", "update_time"}:
        assert with_none[name] == with_defaults[name]


def test_a_snapshot_may_come_with_nulls_beside_it(client: httpx.Client) -> None:
    snapshot = answer(client.get(f"/v1/tuners/{create_tuner(client, name='x')['tuner_id']}/snapshot"))
    rebuilt = client.post("/v1/tuners", json={"snapshot": snapshot, "name": None, "space": None, "tags": None})
    assert answer(rebuilt, 201)["name"] == "x"
    problem(client.post("/v1/tuners", json={"snapshot": snapshot, "name": "y"}), 422, "invalid-request")


# ---- text ----

NO_TEXT = {"nul": "\u0000", "inner nul": "a\u0000b", "lone surrogate": "\ud800", "reversed surrogates": "\udc00\ud800"}
TEXTS = {
    "emoji": "🚀👩‍🔬",
    "right to left": "שלום \u202etrainer",
    "line separator": "a\u2028b\u2029c\x85d",
    "composed": "é",
    "decomposed": "e\u0301",
    "astral": "𝒳\U0010ffff",
    "noncharacter": "\ufffe\uffff",
    "prototype": "__proto__",
    "sql": "'; DROP TABLE runs; --",
    "percent": "100%_%s%(x)s",
    "path": "../../etc/passwd",
    "template": "{{7*7}}${7*7}#{7*7}",
    "crlf": "a\r\nX-Evil: 1",
    "ansi": "\x1b[31mred\x1b[0m",
    "html": "<img src=x onerror=alert(1)>",
    "quotes": "\"'`\\",
    "json": '{"a": [1, null]}',
    "delete": "a\x7fb",
    "nan": "NaN",
}


def texts_of_tuner(client: httpx.Client, text: str) -> httpx.Response:
    name = text or "x"
    space = {name: {"type": "choice", "options": [text, "other " + text]}}
    body = {"space": space, "name": text, "tags": [text], "objective": {"metric": name}}
    return send(client, "/v1/tuners", body)


def texts_of_run(client: httpx.Client, text: str) -> httpx.Response:
    body = {"name": text, "note": text, "tags": [text], "params": {text or "x": text}}
    return send(client, "/v1/runs", body)


@pytest.mark.parametrize("kind", NO_TEXT)
def test_a_query_with_text_that_cannot_be_is_refused_or_finds_nothing(client: httpx.Client, kind: str) -> None:
    raw = "".join(f"%{byte:02X}" for byte in NO_TEXT[kind].encode("utf-8", "surrogatepass"))
    run = start_run(client)
    for url in (f"/v1/events?tag={raw}", f"/v1/runs/{run['run_id']}/metrics?keys={raw}"):
        response = client.get(url)
        if response.status_code != 200:
            refused(response, 400, 422)


@pytest.mark.parametrize("kind", TEXTS)
def test_the_texts_of_a_tuner_come_back_unchanged(client: httpx.Client, kind: str) -> None:
    text = TEXTS[kind]
    tuner = answer(texts_of_tuner(client, text), 201)
    for found in (tuner, get_tuner(client, tuner)):
        assert (found["name"], found["tags"], found["objective"]["metric"]) == (text, [text], text)
        assert list(found["space"]) == [text]
        assert found["space"][text]["options"] == [text, "other " + text]
    trial = suggest(client, tuner, worker=text)[0]
    assert trial["worker"] == text
    assert trial["params"][text] in (text, "other " + text)
    ended = report(client, tuner, trial_id=trial["trial_id"], state="infeasible", reason=text)["trial"]
    assert ended["reason"] == text
    events = list_events(client, tag=text, tuner_id=tuner["tuner_id"])
    assert [event["type"] for event in events] == ["trial_start", "trial_end"]
    assert (events[0]["worker"], events[0]["params"], events[1]["reason"]) == (text, trial["params"], text)


@pytest.mark.parametrize("kind", TEXTS)
def test_the_texts_of_a_run_come_back_unchanged(client: httpx.Client, kind: str) -> None:
    text = TEXTS[kind]
    run = answer(texts_of_run(client, text), 201)
    for found in (run, get_run(client, run)):
        assert (found["name"], found["note"], found["tags"], found["params"]) == (text, text, [text], {text: text})
    answer(send(client, f"/v1/runs/{run['run_id']}/epochs", {"epoch": 0, "metrics": {text: 0.5}}))
    end_run(client, run, final_metrics={text: 0.7})
    now = get_run(client, run)
    assert (now["metrics"], list(now["summary"]), now["final_metrics"]) == ({text: 0.7}, [text], {text: 0.7})
    assert get_series(client, run) == {text: {"epochs": [0], "values": [0.5]}}
    events = list_events(client, tag=text, run_id=run["run_id"])
    assert [event["type"] for event in events] == ["run_start", "epoch_end", "training_end"]
    assert (events[0]["params"], events[1]["metrics"]) == ({text: text}, {text: 0.5})


# ---- spaces ----


def test_options_that_differ_only_in_type_are_different(client: httpx.Client) -> None:
    create_tuner(client, space={"x": {"type": "choice", "options": [1, 1.0, True, "1", 0, False, 0.0]}})


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "float_range", "min": -1.7976931348623157e308, "max": 1.7976931348623157e308},
        {"type": "float_range", "min": 5e-324, "max": 1.7976931348623157e308, "log": True},
        {"type": "float_range", "min": 0.0, "max": 5e-324},
        {"type": "float_range", "min": 0.0, "max": 1e308, "step": 1e-300},
        {"type": "float_range", "min": 0.1, "max": 0.1, "step": 0.1},
        {"type": "int_range", "min": -(2**63), "max": 2**63 - 1, "step": 2**62},
        {"type": "int_range", "min": 1, "max": 2**63 - 1, "log": True},
    ],
    ids=json.dumps,
)
def test_an_extreme_space_works_or_is_refused(client: httpx.Client, spec: JSON) -> None:
    response = send(client, "/v1/tuners", {"space": {"x": spec}, "strategy": "random", "seed": 1})
    if response.status_code != 201:
        refused(response, 422)
        return
    for trial in suggest(client, response.json(), 20):
        value = trial["params"]["x"]
        assert type(value) is (int if spec["type"] == "int_range" else float)
        assert spec["min"] <= value <= spec["max"]
        report(client, response.json(), params=trial["params"], score=1.0)
