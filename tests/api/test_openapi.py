"""The document: valid, committed, complete, with names that a generated client can live with.

That each answer of the service is as documented is checked in every other test: see `tests/documented.py`.
"""

import re
from typing import Any

import httpx
import pytest

from tests.calls import PROBLEM, answer
from tests.documented import document

JSON = "application/json"

# What stands in api.md and exists so far: (method, path) -> the answers that it can give.
_BODY = {"400", "415", "422"}
OPERATIONS: dict[tuple[str, str], set[str]] = {
    ("post", "/v1/tuners"): {"200", "201", "409"} | _BODY,
    ("get", "/v1/tuners"): {"200", "422"},
    ("get", "/v1/tuners/{tuner_id}"): {"200", "404"},
    ("patch", "/v1/tuners/{tuner_id}"): {"200", "404"} | _BODY,
    ("delete", "/v1/tuners/{tuner_id}"): {"204", "404"},
    ("post", "/v1/tuners/{tuner_id}/pause"): {"200", "404", "409"},
    ("post", "/v1/tuners/{tuner_id}/resume"): {"200", "404", "409"},
    ("post", "/v1/tuners/{tuner_id}/stop"): {"200", "404"},
    ("post", "/v1/tuners/{tuner_id}/trials"): {"201", "404", "409"} | _BODY,
    ("get", "/v1/tuners/{tuner_id}/pareto"): {"200", "404"},
    ("get", "/v1/tuners/{tuner_id}/importance"): {"200", "404"},
    ("post", "/v1/trials/{trial_id}/heartbeat"): {"200", "404", "409"} | _BODY,
    ("post", "/v1/trials/{trial_id}/release"): {"200", "404", "409"} | _BODY,
    ("post", "/v1/tuners/{tuner_id}/suggest"): {"200", "404"} | _BODY,
    ("post", "/v1/tuners/{tuner_id}/result"): {"200", "404", "409"} | _BODY,
    ("get", "/v1/tuners/{tuner_id}/trials"): {"200", "404", "422"},
    ("get", "/v1/tuners/{tuner_id}/best"): {"200", "404"},
    ("get", "/v1/tuners/{tuner_id}/snapshot"): {"200", "404"},
    ("get", "/v1/trials/{trial_id}"): {"200", "404"},
    ("get", "/v1/strategies"): {"200"},
    ("post", "/v1/runs"): {"200", "201", "404", "409"} | _BODY,
    ("get", "/v1/runs"): {"200", "422"},
    ("get", "/v1/runs/export"): {"200", "422"},
    ("get", "/v1/runs/compare"): {"200", "404", "422"},
    ("get", "/v1/metrics"): {"200", "404", "422"},
    ("get", "/v1/runs/{run_id}"): {"200", "404"},
    ("patch", "/v1/runs/{run_id}"): {"200", "404", "409", "412"} | _BODY,
    ("delete", "/v1/runs/{run_id}"): {"204", "404"},
    ("post", "/v1/runs/{run_id}/heartbeat"): {"200", "404", "409"},
    ("post", "/v1/runs/{run_id}/stop"): {"200", "404", "409"} | _BODY,
    ("post", "/v1/runs/{run_id}/epochs"): {"200", "404", "409"} | _BODY,
    ("post", "/v1/runs/{run_id}/epochs/batch"): {"200", "404", "409"} | _BODY,
    ("post", "/v1/runs/{run_id}/end"): {"200", "404", "409"} | _BODY,
    ("get", "/v1/runs/{run_id}/metrics"): {"200", "404", "422"},
    ("post", "/v1/session"): {"200", "401"} | _BODY,
    ("get", "/v1/session"): {"200", "401"},
    ("delete", "/v1/session"): {"204"},
    ("get", "/v1/overview"): {"200", "422"},
    ("get", "/v1/tuners/{tuner_id}/overview"): {"200", "404", "422"},
    ("get", "/v1/runs/{run_id}/overview"): {"200", "404", "422"},
    ("get", "/v1/events"): {"200", "422"},
    ("get", "/v1/events/stream"): {"200", "422"},
    ("post", "/v1/observers"): {"201", "409"} | _BODY,
    ("get", "/v1/observers"): {"200", "422"},
    ("get", "/v1/observers/{observer_id}"): {"200", "404"},
    ("patch", "/v1/observers/{observer_id}"): {"200", "404"} | _BODY,
    ("delete", "/v1/observers/{observer_id}"): {"204", "404"},
    ("post", "/v1/observers/{observer_id}/rotate"): {"200", "404"} | _BODY,
    ("post", "/v1/observers/{observer_id}/test"): {"202", "404"},
    ("get", "/v1/observers/{observer_id}/deliveries"): {"200", "404", "422"},
    ("post", "/v1/observers/{observer_id}/deliveries/{delivery_id}/redeliver"): {"202", "404"},
    ("get", "/healthz"): {"200"},
    ("get", "/docs"): {"200"},
    ("get", "/readyz"): {"200", "503"},
    ("get", "/metrics"): {"200"},
}
METHODS = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """The document's operations."""
    return {
        (method, path): item[method]
        for path, item in document()["paths"].items()
        for method in item
        if method in METHODS
    }


def resolve(value: dict[str, Any]) -> dict[str, Any]:
    """What a local reference points to."""
    while "$ref" in value:
        found: Any = document()
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def schemas(value: Any, path: str = "#") -> list[tuple[str, dict[str, Any]]]:
    """Every JSON object in a document, with where it stands."""
    found = []
    if isinstance(value, dict):
        found.append((path, value))
        for key, inner in value.items():
            found += schemas(inner, f"{path}/{key}")
    if isinstance(value, list):
        for number, inner in enumerate(value):
            found += schemas(inner, f"{path}/{number}")
    return found


def test_the_served_document_is_the_committed_one(client: httpx.Client) -> None:
    assert answer(client.get("/openapi.json")) == document(), "run `make openapi` and look at the difference"


def test_the_document_is_valid_openapi_3_1() -> None:
    assert document()["openapi"].startswith("3.1.")
    from openapi_spec_validator import OpenAPIV31SpecValidator

    OpenAPIV31SpecValidator(document()).validate()


def test_the_document_has_exactly_the_operations_of_the_contract() -> None:
    assert operations().keys() == OPERATIONS.keys()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_each_operation_declares_the_answers_that_it_can_give(method: str, path: str) -> None:
    assert operations()[method, path]["responses"].keys() >= OPERATIONS[method, path]


def test_each_refusal_is_declared_as_a_problem_document() -> None:
    for (method, path), operation in operations().items():
        for status, response in operation["responses"].items():
            if status[0] in "45":
                assert PROBLEM in resolve(response)["content"], f"{method} {path} {status}"


def test_the_problem_document_has_the_members_of_the_contract() -> None:
    response = resolve(operations()["get", "/v1/runs/{run_id}"]["responses"]["404"])
    schema = resolve(response["content"][PROBLEM]["schema"])
    wanted = {"type", "title", "status", "detail", "instance", "code", "request_id"}
    assert wanted <= set(schema["properties"])
    assert wanted <= set(schema["required"])


def test_operation_ids_are_short_and_unique() -> None:
    names = [operation["operationId"] for operation in operations().values()]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[a-z]+(_[a-z]+){0,3}", name), name
        assert not re.search(r"v1|_(get|post|id)$", name), name


def test_each_operation_tells_in_words_what_it_does() -> None:
    for (method, path), operation in operations().items():
        assert operation.get("summary", "").strip() or operation.get("description", "").strip(), f"{method} {path}"


def test_each_answer_is_said_to_be_something() -> None:
    for (method, path), operation in operations().items():
        for status, response in operation["responses"].items():
            assert response["description"] not in ("", "Successful Response"), f"{method} {path} {status}"


def test_what_has_a_name_has_words_that_do_more_than_repeat_it() -> None:
    for (method, path), operation in operations().items():
        for one in operation.get("parameters", []):
            assert one.get("description"), f"{method} {path}: {one['name']}"
    for name, schema in document()["components"]["schemas"].items():
        assert schema.get("description"), name
        assert isinstance(schema.get("title", {}), dict), f"{name} has a title that only repeats its name"


def test_each_body_has_a_name() -> None:
    for (method, path), operation in operations().items():
        if "requestBody" in operation:
            content = resolve(operation["requestBody"])["content"]
            assert set(content) == {JSON}, f"{method} {path}"
            schema = content[JSON]["schema"]
            named = schema.get("anyOf", schema.get("oneOf", [schema]))
            assert any("$ref" in one for one in named), f"{method} {path} has a body without a name"


def test_each_json_answer_has_a_name() -> None:
    for (method, path), operation in operations().items():
        for status, response in operation["responses"].items():
            for media_type, content in resolve(response).get("content", {}).items():
                if media_type.endswith(("/json", "+json")):
                    assert "$ref" in content["schema"], f"{method} {path} {status}"


def test_each_body_and_each_answer_has_an_example() -> None:
    for (method, path), operation in operations().items():
        answers = [resolve(one) for status, one in operation["responses"].items() if status[0] == "2"]
        for content in (one.get("content", {}) for one in (operation.get("requestBody", {}), *answers)):
            if JSON in content:
                schema = content[JSON]["schema"]
                for one in schema.get("anyOf", schema.get("oneOf", [schema])):
                    assert one.get("type") == "null" or resolve(one).get("examples"), f"{method} {path}"


def test_unknown_fields_are_declared_as_refused() -> None:
    for (method, path), operation in operations().items():
        if "requestBody" in operation:
            schema = resolve(operation["requestBody"])["content"][JSON]["schema"]
            for one in schema.get("anyOf", schema.get("oneOf", [schema])):
                if one.get("type") != "null":
                    assert resolve(one).get("additionalProperties") is False, f"{method} {path}"


def test_some_of_a_run_may_be_any_of_its_fields() -> None:
    models = document()["components"]["schemas"]
    assert models["SomeOfRun"]["properties"].keys() == models["Run"]["properties"].keys()


def test_the_stream_is_described_without_keywords_of_later_versions() -> None:
    content = resolve(operations()["get", "/v1/events/stream"]["responses"]["200"])["content"]
    assert set(content) == {"text/event-stream"}
    assert not [path for path, value in schemas(document()) if "itemSchema" in value]


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    references = {value["$ref"] for _, value in schemas(document()) if isinstance(value.get("$ref"), str)}
    for reference in references:
        resolve({"$ref": reference})
    used = {reference.rsplit("/", 1)[1] for reference in references if "/schemas/" in reference}
    mapped = {
        target.rsplit("/", 1)[1]
        for _, value in schemas(document())
        if isinstance(value.get("mapping"), dict)
        for target in value["mapping"].values()
    }
    assert set(document()["components"]["schemas"]) <= used | mapped


def test_no_name_in_the_document_comes_from_the_framework() -> None:
    for name in document()["components"]["schemas"]:
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name), name
        assert name not in ("HTTPValidationError", "ValidationError")
