"""What breaks a client is seen; what does not is let through."""

import copy
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.documented import document

_SPEC = importlib.util.spec_from_file_location("breaking", Path(__file__).parents[2] / "openapi" / "breaking.py")
assert _SPEC is not None
assert _SPEC.loader is not None
breaking = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(breaking)

JSON = dict[str, Any]


def after(change: Callable[[JSON, JSON], object]) -> list[str]:
    """What would break, if the document were changed so."""
    changed = copy.deepcopy(document())
    change(changed["paths"], changed["components"]["schemas"])
    found: list[str] = breaking.breaks(document(), changed)
    return found


def add_requirement(paths: JSON, schemas: JSON) -> None:
    """The worker of a suggest must be sent."""
    schemas["SuggestRequest"]["required"] = ["worker"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda paths, _: paths.pop("/v1/events"), "GET /v1/events: it is gone"),
        (lambda paths, _: paths["/v1/runs"]["get"].update(operationId="runs"), "operationId list_runs is runs now"),
        (lambda paths, _: paths["/v1/events"]["get"].update(parameters=[]), "the parameter limit is gone"),
        (add_requirement, ".worker: it is required now"),
        (lambda _, schemas: schemas["SuggestRequest"]["properties"].pop("count"), ".count: it is gone"),
        (lambda _, schemas: schemas["Run"]["properties"].pop("summary"), ".summary: it is gone"),
        (lambda _, schemas: schemas["Run"]["required"].remove("status"), ".status: it is not always there now"),
        (lambda _, schemas: schemas["EndStatus"]["enum"].remove("stopped"), "'stopped' is not taken any more"),
        (lambda _, schemas: schemas["Spec"]["oneOf"].pop(), "object flag is not taken any more"),
        (lambda _, schemas: schemas["Trial"]["properties"]["number"].update(type="string"), "a new kind of answer"),
        (lambda _, schemas: schemas["SuggestRequest"]["properties"]["count"].update(maximum=10), "maximum is 10 now"),
    ],
)
def test_a_change_that_breaks_clients_is_seen(change: Callable[[JSON, JSON], object], says: str) -> None:
    found = after(change)
    assert any(says in line for line in found), found


@pytest.mark.parametrize(
    "change",
    [
        lambda paths, _: paths.update({"/v1/new": paths["/healthz"]}),
        lambda _, schemas: schemas["Run"]["properties"].update(colour={"type": "string"}),
        lambda _, schemas: schemas["SuggestRequest"]["properties"].update(patience_s={"type": "number"}),
        lambda _, schemas: schemas["EndStatus"]["enum"].append("lost"),
        lambda _, schemas: schemas["SuggestRequest"]["properties"]["count"].update(maximum=10_000),
        lambda _, schemas: schemas["Run"].update(description="Other words."),
    ],
)
def test_a_change_that_breaks_nobody_is_let_through(change: Callable[[JSON, JSON], object]) -> None:
    assert after(change) == []
