"""The table of bad inputs: never a 5xx (the client takes none), always a problem, nothing changed silently.

All of it is refused before a database is asked, so one will do; and changes nothing, so all are about the same things.
"""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.endpoints import WRITES, Things, new_things, send
from tests.calls import JSON, SPACE, answer, get_run, get_trial, problem, refused, suggest
from tests.conftest import Shared


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture(scope="module")
def things(shared: Shared) -> Iterator[Things]:
    with new_things(shared.client("sqlite")) as things:
        yield things


# ---- documents ----

DOCUMENTS: dict[str, bytes] = {
    "null": b"null",
    "array": b"[]",
    "text": b'"x"',
    "number": b"7",
    "true": b"true",
    "blank": b"  \n ",
    "truncated": b'{"name": "x"',
    "two documents": b"{}{}",
    "two lines": b"{}\n{}",
    "trailing comma": b'{"name": "x",}',
    "single quotes": b"{'name': 'x'}",
    "comment": b"{} // done",
    "no utf-8": b'{"name": "\xff\xff"}',
    "raw surrogate": b'{"name": "\xed\xa0\x80"}',
    "overlong": b'{"name": "\xc0\x80"}',
    "utf-16": '{"name": "x"}'.encode("utf-16"),
    "utf-32": '{"name": "x"}'.encode("utf-32-le"),
    "raw control": b'{"name": "a\nb"}',
    "bytes": bytes(range(256)),
    "zeros": b"\x00" * 64,
    "xml": b"<name>x</name>",
}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda name: name.replace(" ", "-"))
def test_a_body_that_is_no_json_object_is_refused(client: httpx.Client, things: Things, document: str) -> None:
    for endpoint in WRITES:
        refused(things.send(endpoint, DOCUMENTS[document]), 400, 422)


@pytest.mark.parametrize("endpoint", WRITES)
@pytest.mark.parametrize("depth", [1000, 50_000])
def test_deep_nesting_is_refused(client: httpx.Client, things: Things, endpoint: str, depth: int) -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        deep = opening * depth + "1" + closing * depth
        for body in (deep, json.dumps(things.body(endpoint))[:-1] + f', "params": {{"deep": {deep}}}}}'):
            refused(things.send(endpoint, body), 400, 413, 422)


@pytest.mark.parametrize(
    ("endpoint", "field"),
    [("create_tuner", "space"), ("start_run", "params"), ("log_epoch", "metrics"), ("end_run", "final_metrics")],
)
def test_a_hundred_thousand_keys_are_refused(client: httpx.Client, things: Things, endpoint: str, field: str) -> None:
    value = {"type": "flag"} if field == "space" else 1
    body = things.body(endpoint) | {field: {f"k{number}": value for number in range(100_000)}}
    refused(things.send(endpoint, body), 413, 422)


def test_of_equal_keys_the_last_one_wins(client: httpx.Client) -> None:
    body = '{"name": "first", "space": {"x": {"type": "flag"}}, "name": "last"}'
    assert answer(send(client, "/v1/tuners", body), 201)["name"] == "last"


# ---- numbers ----

NUMBERS: dict[str, list[str]] = {
    "create_tuner": [
        '{"space": {"x": {"type": "float_range", "min": 0, "max": %s}}}',
        '{"space": {"x": {"type": "int_range", "min": %s, "max": 9}}}',
        '{"space": {"x": {"type": "float_range", "min": 0, "max": 1, "step": %s}}}',
        '{"space": {"x": {"type": "choice", "options": [1, %s]}}}',
        '{"space": {"x": {"type": "flag"}}, "seed": %s}',
        '{"space": {"x": {"type": "flag"}}, "budget": {"max_trials": %s}}',
    ],
    "suggest": ['{"count": %s}'],
    "report_result": ['{"trial_id": "TRIAL", "score": %s}', '{"params": {"x": %s}, "score": 0.5}'],
    "start_run": ['{"params": {"x": %s}}'],
    "log_epoch": ['{"epoch": 0, "metrics": {"loss": %s}}', '{"epoch": %s, "metrics": {"loss": 0.5}}'],
    "log_epoch_batch": [
        '{"epochs": [{"epoch": 0, "metrics": {"loss": %s}}]}',
        '{"epochs": [{"epoch": %s, "metrics": {"loss": 0.5}}]}',
    ],
    "end_run": ['{"final_metrics": {"loss": %s}}'],
}


@pytest.mark.parametrize(
    "number",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-1e999",
        "9" * 5000,
        "1" + "0" * 400,
        "0x10",
        "1_000",
        ".5",
        "01",
        "+1",
        "1.",
    ],
    ids=lambda number: number[:12],
)
def test_what_is_no_number_of_json_is_refused(client: httpx.Client, things: Things, number: str) -> None:
    for endpoint, templates in NUMBERS.items():
        for template in templates:
            body = (template % number).replace("TRIAL", things.trial["trial_id"])
            refused(things.send(endpoint, body), 400, 422)
    assert get_run(client, things.run) == things.run
    assert get_trial(client, things.trial) == things.trial


@pytest.mark.parametrize("value", ["true", '"1.5"', '"nan"', '"inf"', '""', "[]", "[1]", "{}", "null"])
def test_what_is_no_metric_is_refused(client: httpx.Client, things: Things, value: str) -> None:
    for endpoint in ("log_epoch", "log_epoch_batch", "end_run"):
        body = NUMBERS[endpoint][0] % value
        refused(things.send(endpoint, body), 422)
    assert get_run(client, things.run) == things.run


@pytest.mark.parametrize(
    "value", ["-1", "1.5", "true", '"1"', "null", "[]", str(2**63), str(2**64), "1e3000", "9" * 5000]
)
def test_what_is_no_epoch_is_refused(client: httpx.Client, things: Things, value: str) -> None:
    for endpoint in ("log_epoch", "log_epoch_batch"):
        refused(things.send(endpoint, NUMBERS[endpoint][1] % value), 400, 422)
    assert get_run(client, things.run) == things.run


@pytest.mark.parametrize("value", ["0", "-1", "1001", "1000000000", str(2**63), "1.5", "true", '"1"', "[]"])
def test_what_is_no_count_is_refused(client: httpx.Client, things: Things, value: str) -> None:
    refused(things.send("suggest", NUMBERS["suggest"][0] % value), 422)


@pytest.mark.parametrize("value", ["null", "[]", "[1]", "{}", str(2**63), str(-(2**63) - 1), "9" * 5000])
def test_what_is_no_parameter_value_is_refused(client: httpx.Client, things: Things, value: str) -> None:
    refused(send(client, "/v1/runs", NUMBERS["start_run"][0] % value), 400, 422)
    refused(things.send("report_result", NUMBERS["report_result"][1] % value), 400, 422)
    refused(send(client, "/v1/tuners", NUMBERS["create_tuner"][3] % value), 400, 422)


# ---- text ----

NO_TEXT = {"nul": "\u0000", "inner nul": "a\u0000b", "lone surrogate": "\ud800", "reversed surrogates": "\udc00\ud800"}


@pytest.mark.parametrize("kind", NO_TEXT)
@pytest.mark.parametrize(
    "body",
    [
        {"space": SPACE, "name": "TEXT"},
        {"space": SPACE, "tags": ["TEXT"]},
        {"space": SPACE, "objective": {"metric": "TEXT"}},
        {"space": SPACE, "strategy": "TEXT"},
        {"space": {"TEXT": {"type": "flag"}}},
        {"space": {"x": {"type": "choice", "options": ["TEXT", "y"]}}},
        {"space": {"x": {"type": "TEXT"}}},
        {"space": SPACE | {"y": {"type": "flag", "when": {"TEXT": [True]}}}},
    ],
    ids=json.dumps,
)
def test_a_tuner_takes_only_text_that_can_be_kept(client: httpx.Client, body: JSON, kind: str) -> None:
    escaped = json.dumps(body).replace("TEXT", json.dumps(NO_TEXT[kind])[1:-1])
    refused(send(client, "/v1/tuners", escaped), 422)


@pytest.mark.parametrize("kind", NO_TEXT)
@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("start_run", {"name": "TEXT"}),
        ("start_run", {"note": "TEXT"}),
        ("start_run", {"tags": ["ok", "TEXT"]}),
        ("start_run", {"params": {"TEXT": 1}}),
        ("start_run", {"params": {"x": "TEXT"}}),
        ("log_epoch", {"epoch": 0, "metrics": {"TEXT": 1.0}}),
        ("log_epoch_batch", {"epochs": [{"epoch": 0, "metrics": {"ok": 1.0, "TEXT": 1.0}}]}),
        ("end_run", {"final_metrics": {"TEXT": 1.0}}),
        ("suggest", {"worker": "TEXT"}),
        ("report_result", {"trial_id": "TRIAL", "state": "failed", "reason": "TEXT"}),
        ("report_result", {"trial_id": "TRIAL", "score": "TEXT"}),
        ("report_result", {"trial_id": "TEXT", "score": 1.0}),
        ("report_result", {"params": {"TEXT": 0.5}, "score": 1.0}),
    ],
    ids=json.dumps,
)
def test_only_text_that_can_be_kept_is_taken(
    client: httpx.Client, things: Things, endpoint: str, body: JSON, kind: str
) -> None:
    escaped = json.dumps(body).replace("TEXT", json.dumps(NO_TEXT[kind])[1:-1])
    refused(things.send(endpoint, escaped.replace("TRIAL", things.trial["trial_id"])), 422)
    assert get_run(client, things.run) == things.run
    assert get_trial(client, things.trial) == things.trial


@pytest.mark.parametrize("blank", ["", " ", "\t", "\n", "\u00a0", "\u3000"], ids=repr)
def test_blank_names_are_refused(client: httpx.Client, things: Things, blank: str) -> None:
    for endpoint, body in (
        ("create_tuner", {"space": {blank: {"type": "flag"}}}),
        ("create_tuner", {"space": SPACE, "objective": {"metric": blank}}),
        ("start_run", {"params": {blank: 1}}),
        ("log_epoch", {"epoch": 0, "metrics": {blank: 1.0}}),
        ("log_epoch_batch", {"epochs": [{"epoch": 0, "metrics": {blank: 1.0}}]}),
        ("end_run", {"final_metrics": {blank: 1.0}}),
    ):
        refused(things.send(endpoint, body), 422)
    assert get_run(client, things.run) == things.run


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("create_tuner", {"space": SPACE, "name": "TEXT"}),
        ("create_tuner", {"space": {"TEXT": {"type": "flag"}}}),
        ("create_tuner", {"space": {"x": {"type": "choice", "options": ["TEXT", "y"]}}}),
        ("create_tuner", {"space": SPACE, "strategy": "TEXT"}),
        ("start_run", {"note": "TEXT"}),
        ("start_run", {"params": {"x": "TEXT"}}),
        ("start_run", {"tags": ["TEXT"]}),
        ("start_run", {"run_id": "TEXT"}),
        ("log_epoch", {"epoch": 0, "metrics": {"TEXT": 1.0}}),
        ("log_epoch", {"epoch": 0, "metrics": {"x": "TEXT"}}),
        ("end_run", {"final_metrics": {"TEXT": 1.0}}),
        ("suggest", {"worker": "TEXT"}),
        ("report_result", {"trial_id": "TRIAL", "state": "infeasible", "reason": "TEXT"}),
    ],
    ids=json.dumps,
)
def test_a_text_of_a_megabyte_is_refused(client: httpx.Client, things: Things, endpoint: str, body: JSON) -> None:
    text = json.dumps(body).replace("TRIAL", things.trial["trial_id"]).replace("TEXT", "x" * 1_000_000)
    refused(things.send(endpoint, text), 413, 422)


# ---- shapes ----


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("create_tuner", {"space": None}),
        ("create_tuner", {"space": []}),
        ("create_tuner", {"space": "x"}),
        ("create_tuner", {"space": {"x": None}}),
        ("create_tuner", {"space": {"x": []}}),
        ("create_tuner", {"space": SPACE, "name": 5}),
        ("create_tuner", {"space": SPACE, "tags": "demo"}),
        ("create_tuner", {"space": SPACE, "tags": [5]}),
        ("create_tuner", {"space": SPACE, "tags": [None]}),
        ("create_tuner", {"space": SPACE, "options": []}),
        ("create_tuner", {"space": SPACE, "strategy": 5}),
        ("create_tuner", {"space": SPACE, "objective": "accuracy"}),
        ("create_tuner", {"space": SPACE, "objective": {"metric": 5}}),
        ("create_tuner", {"space": SPACE, "objective": {"direction": "up"}}),
        ("create_tuner", {"space": SPACE, "objective": {"direction": ""}}),
        ("create_tuner", {"space": SPACE, "seed": 1.5}),
        ("create_tuner", {"space": SPACE, "seed": True}),
        ("create_tuner", {"space": SPACE, "seed": "7"}),
        ("create_tuner", {"space": SPACE, "seed": 2**64}),
        ("create_tuner", {"space": SPACE, "seed": -(2**63) - 1}),
        ("create_tuner", {"space": SPACE, "budget": []}),
        ("create_tuner", {"space": SPACE, "budget": {"max_trials": 0}}),
        ("create_tuner", {"space": SPACE, "budget": {"max_trials": -1}}),
        ("create_tuner", {"space": SPACE, "budget": {"max_trials": 1.5}}),
        ("create_tuner", {"space": SPACE, "budget": {"max_trials": True}}),
        ("create_tuner", {"space": SPACE, "budget": {"max_parallel": 0}}),
        ("create_tuner", {"space": SPACE, "budget": {"max_attempts": 0}}),
        ("create_tuner", {"space": SPACE, "budget": {"max_attempts": 2**63}}),
        ("create_tuner", {"space": SPACE, "tuner_id": "x"}),
        ("create_tuner", {"space": SPACE, "tuner_id": ""}),
        ("create_tuner", {"space": SPACE, "tuner_id": 5}),
        ("create_tuner", {"space": SPACE, "tuner_id": "01890a5d-ac96-774b-bcce-b302099a80570"}),
        ("create_tuner", {"name": "no space"}),
        ("suggest", {"worker": 5}),
        ("suggest", {"worker": ["a"]}),
        ("report_result", {"params": [], "score": 0.5}),
        ("report_result", {"params": "x", "score": 0.5}),
        ("report_result", {"trial_id": 5, "score": 0.5}),
        ("start_run", {"params": []}),
        ("start_run", {"params": {"x": None}}),
        ("start_run", {"params": {"x": [1]}}),
        ("start_run", {"params": {"x": {"y": 1}}}),
        ("start_run", {"tags": {"a": 1}}),
        ("start_run", {"tags": [["a"]]}),
        ("start_run", {"name": []}),
        ("start_run", {"run_id": "x"}),
        ("start_run", {"run_id": 7}),
        ("start_run", {"trial_id": "x"}),
        ("log_epoch", {}),
        ("log_epoch", {"epoch": 0}),
        ("log_epoch", {"metrics": {"loss": 1.0}}),
        ("log_epoch", {"epoch": 0, "metrics": []}),
        ("log_epoch", {"epoch": 0, "metrics": None}),
        ("log_epoch", {"epoch": 0, "metrics": {"loss": [1.0]}}),
        ("log_epoch_batch", {}),
        ("log_epoch_batch", {"epochs": {}}),
        ("log_epoch_batch", {"epochs": None}),
        ("log_epoch_batch", {"epochs": [None]}),
        ("log_epoch_batch", {"epochs": [[]]}),
        ("log_epoch_batch", {"epochs": [{"epoch": 0, "metrics": {"loss": 1.0}}, {"epoch": 1}]}),
        ("end_run", {"final_metrics": []}),
        ("end_run", {"final_metrics": {"x": None}}),
        ("end_run", {"status": ["finished"]}),
    ],
    ids=json.dumps,
)
def test_a_body_of_the_wrong_shape_is_refused(client: httpx.Client, things: Things, endpoint: str, body: JSON) -> None:
    refused(things.send(endpoint, body), 422)
    assert get_run(client, things.run) == things.run
    assert get_trial(client, things.trial) == things.trial


@pytest.mark.parametrize(
    "time", ["1700000000", "1700000000.5", "2026-11-24T10:00:00", "2026-11-24", 1700000000, True, ""]
)
def test_what_is_no_time_with_its_zone_is_refused(client: httpx.Client, things: Things, time: Any) -> None:
    refused(client.post("/v1/runs", json={"start_time": time}), 422)
    refused(things.send("end_run", {"end_time": time}), 422)
    refused(things.send("log_epoch_batch", {"epochs": [{"epoch": 0, "metrics": {"x": 1.0}, "timestamp": time}]}), 422)


def test_a_refusal_names_the_field_and_nothing_that_would_be_refused_too(client: httpx.Client) -> None:
    space = {"x": {"type": "flag"}}
    told = problem(client.post("/v1/tuners", json={"space": space, "lease_s": "1", "stopper": 3}), 422)
    assert [(*error["loc"], error["message"]) for error in told["errors"]] == [
        ("body", "stopper", "An object is expected"),
        ("body", "stopper", "Input should be a valid list"),
        ("body", "lease_s", "a finite number is expected"),
    ]


# ---- spaces ----

FLAG: JSON = {"type": "flag"}
OPTIMIZER: JSON = {"type": "choice", "options": ["adam", "sgd"]}


@pytest.mark.parametrize(
    ("space", "name"),
    [
        ({"ok": FLAG, "x": {"type": "int_range", "min": 2, "max": 1}}, "x"),
        ({"ok": FLAG, "x": {"type": "float_range", "min": 2.0, "max": 1.0}}, "x"),
        ({"x": {"type": "float_range", "min": 0.0, "max": 1.0, "log": True}}, "x"),
        ({"x": {"type": "float_range", "min": -1.0, "max": 1.0, "log": True}}, "x"),
        ({"x": {"type": "int_range", "min": 0, "max": 9, "log": True}}, "x"),
        ({"x": {"type": "int_range", "min": 0, "max": 9, "step": 0}}, "x"),
        ({"x": {"type": "int_range", "min": 0, "max": 9, "step": -1}}, "x"),
        ({"x": {"type": "int_range", "min": 0, "max": 9, "step": 10}}, "x"),
        ({"x": {"type": "int_range", "min": 0, "max": 2**63}}, "x"),
        ({"x": {"type": "int_range", "min": -(2**63) - 1, "max": 0}}, "x"),
        ({"x": {"type": "int_range", "min": -(2**63), "max": 2**63 - 1, "step": 2**63}}, "x"),
        ({"x": {"type": "float_range", "min": 0.0, "max": 1.0, "step": 0.0}}, "x"),
        ({"x": {"type": "float_range", "min": 0.0, "max": 1.0, "step": -0.1}}, "x"),
        ({"x": {"type": "float_range", "min": 0.0, "max": 1.0, "step": 1.1}}, "x"),
        ({"x": {"type": "choice", "options": []}}, "x"),
        ({"x": {"type": "choice", "options": ["a", "b", "a"]}}, "x"),
        ({"x": {"type": "choice", "options": [3.0, 3.0]}}, "x"),
        ({"x": {"type": "flag", "when": {"nobody": [True]}}}, "x"),
        ({"x": {"type": "flag", "when": {"x": [True]}}}, "x"),
        ({"x": {"type": "flag", "when": {"y": [1]}}, "y": {"type": "int_range", "min": 0, "max": 1}}, "x"),
        ({"x": {"type": "flag", "when": {"o": ["rmsprop"]}}, "o": OPTIMIZER}, "x"),
        ({"x": {"type": "flag", "when": {"o": [1]}}, "o": FLAG}, "x"),
        ({"x": {"type": "flag", "when": {"o": []}}, "o": FLAG}, "x"),
    ],
    ids=json.dumps,
)
def test_a_space_without_sense_is_refused_with_the_parameter(client: httpx.Client, space: JSON, name: str) -> None:
    problem(send(client, "/v1/tuners", {"space": space}), 422, "invalid-space", name=name)


@pytest.mark.parametrize("length", [2, 3, 50])
def test_conditions_in_a_circle_are_refused(client: httpx.Client, length: int) -> None:
    space = {f"p{number}": FLAG | {"when": {f"p{(number + 1) % length}": [True]}} for number in range(length)}
    found = problem(send(client, "/v1/tuners", {"space": space}), 422, "invalid-space")
    assert found["name"] in space


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"type": "int_range"},
        {"type": "int_range", "min": 1},
        {"type": "int_range", "min": 1.5, "max": 3},
        {"type": "int_range", "min": 1, "max": 3, "step": 0.5},
        {"type": "int_range", "min": True, "max": 3},
        {"type": "int_range", "min": "1", "max": 3},
        {"type": "float_range", "min": 0.0, "max": "1.0"},
        {"type": "float_range", "min": 0.0, "max": "Infinity"},
        {"type": "float_range", "min": "NaN", "max": 1.0},
        {"type": "float_range", "min": False, "max": 1.0},
        {"type": "float_range", "min": 0.0, "max": 1.0, "log": "yes"},
        {"type": "float_range", "min": 0.0, "max": None},
        {"type": "choice"},
        {"type": "choice", "options": "adam"},
        {"type": "choice", "options": [None]},
        {"type": "choice", "options": [["a"], "b"]},
        {"type": "choice", "options": [{"a": 1}, "b"]},
        {"type": "flag", "min": 0},
        {"type": "flag", "when": []},
        {"type": "flag", "when": {"o": True}},
        {"type": "uniform", "min": 0, "max": 1},
        {"type": "FLAG"},
        {"type": None},
        {"type": ["flag"]},
        {"min": 0, "max": 1},
    ],
    ids=json.dumps,
)
def test_a_spec_of_the_wrong_shape_is_refused(client: httpx.Client, spec: JSON) -> None:
    problem(send(client, "/v1/tuners", {"space": {"o": FLAG, "x": spec}}), 422, "invalid-space", "invalid-request")


def test_a_space_needs_a_parameter(client: httpx.Client) -> None:
    problem(send(client, "/v1/tuners", {"space": {}}), 422, "invalid-space", "invalid-request")


def test_a_grid_too_big_to_list_is_refused_or_still_quick(client: httpx.Client) -> None:
    space = {f"p{number}": {"type": "int_range", "min": 0, "max": 2**62} for number in range(8)}
    response = send(client, "/v1/tuners", {"space": space, "strategy": "grid"})
    if response.status_code != 201:
        refused(response, 422)
        return
    points = [json.dumps(trial["params"]) for trial in suggest(client, response.json(), 100)]
    assert len(set(points)) == 100


def test_a_grid_over_a_continuous_range_is_refused_or_finite(client: httpx.Client) -> None:
    response = send(client, "/v1/tuners", {"space": SPACE, "strategy": "grid"})
    if response.status_code != 201:
        refused(response, 422)
        return
    trials = answer(client.post(f"/v1/tuners/{response.json()['tuner_id']}/suggest", json={"count": 1000}))["trials"]
    values = [trial["params"]["x"] for trial in trials]
    assert len(set(values)) == len(values) < 1000
    assert (min(values), max(values)) == (0.0, 1.0)
