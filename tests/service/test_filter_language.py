"""What the language of filters says, and what it refuses, with the place where it goes wrong."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import BadFilter
from app.domain.events import EVENT_TYPES
from app.domain.filters import EVENT_FIELDS, RUN_FIELDS, holds
from app.service.filter_language import parse_filter, parse_order

RUN: dict[str, Any] = {
    "name": "it's",
    "status": "running",
    "start_time": "2026-11-24T07:00:00.000000Z",
    "tags": ["baseline", "a b"],
    "params": {"layers": 3, "lr": 0.5, "opt": "adam", "text": "3", "yes": True, "no": False, "batch size": 7, "a.b": 1},
    "metrics": {"loss": 0.25, "nan": "NaN", "up": "Infinity"},
}
TRUE = """
params.layers = 3 | params.layers = 3.0 | params.layers in (1, 3) | params.layers < 3.5 | params.text = "3" | params.yes
params.yes = true | not params.no | params.no = false | not params.missing | params.`batch size` = 7 | params.a.b = 1
params.opt like "a%m" | params.opt ilike 'ADA_' | name = "it's" | name = 'it\\'s' | "a b" in tags | metrics.nan is nan
metrics.loss is finite | params.missing is null | params.opt is not null | not metrics.nan = 1 | not metrics.nan != 1
status = "running" and (metrics.loss > 1 or params.lr >= .5) | NOT status = "failed" AND metrics.loss <= 25e-2
`name` = "it's" | `params`.`batch size` = 7 | params.`a.b` = 1 | params.a.`b` = 1 | "baseline" in `tags`
start_time >= "2026-11-24" | start_time < "2026-11-24T09:00:00+01:00" | metrics.loss>-1 | end_time is null
"""
FALSE = """
params.layers = "3" | params.layers = true | params.text = 3 | params.yes = 1 | params.yes = "true" | params.layers
params.missing != 1 | metrics.nan != 1 | metrics.up > 1 | metrics.up = 1 | metrics.up is nan | metrics.up is finite
params.opt like "dam" | params.opt like "A%" | params.opt != "adam" | "base" in tags | params.missing is nan | params.no
metrics.loss is null | start_time < "2026-11-24" | params.opt != 3
"""


def _each(lines: str) -> list[str]:
    return [one.strip() for line in lines.strip().splitlines() for one in line.split(" | ")]


@pytest.mark.parametrize("text", _each(TRUE))
def test_is_true(text: str) -> None:
    condition = parse_filter(text, RUN_FIELDS)
    assert condition is not None
    assert holds(condition, RUN)


@pytest.mark.parametrize("text", _each(FALSE))
def test_is_false_and_its_opposite_true(text: str) -> None:
    condition, opposite = parse_filter(text, RUN_FIELDS), parse_filter(f"not ({text})", RUN_FIELDS)
    assert condition is not None
    assert opposite is not None
    assert not holds(condition, RUN)
    assert holds(opposite, RUN)


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("metrics.loss <", 14, "a number"),
        ("metrics.loss == 1", 14, "one ="),
        ("foo = 1", 0, "there is no field 'foo'"),
        ("metrics", 7, "metrics"),
        ("`metrics.loss` = 1", 0, "there is no field 'metrics.loss'"),
        ("`name`.x = 1", 0, "no parts"),
        ("`` = 1", 0, "a field"),
        ("status", 6, "compare it"),
        ('(name = "a"', 11, "expected `)`"),
        ('"finished" = status', 11, "expected `in`; found '= status' (a comparison begins with the field)"),
        ('name <> "a"', 6, "(not equal is !=)"),
        ('name not like "a%"', 5, "(`not` stands first"),
        ("params.lr not in (1, 2)", 10, "(`not` stands first"),
        ("metrics.val/loss < 1", 11, "found '/loss < 1' (a name that holds it is in backquotes: metrics.`val/loss`)"),
        ("params.top-5 = 1", 10, "(a name that holds it is in backquotes: metrics.`val/loss`)"),
        ("params. = 1", 6, "(a name follows the point, in backquotes if need be)"),
        ("params.x = nullable", 11, "found 'nullable'."),
        ('status = "a', 9, "quote"),
        ("params.x = null", 11, "is null"),
        ("params.x = 9223372036854775808", 11, "64 bits"),
        ("params.x = 1e999", 11, "beyond"),
        ('name = "x" && params.x', 11, "`and`"),
        ('start_time > "yesterday"', 13, "zone"),
        ('start_time > "2026-11-24T07:00:00"', 13, "zone"),
        ('tags = "x"', 0, "tags"),
        ('status = "FINISHED"', 9, "one of running, finished, failed, stopped, crashed"),
        ('status in ("running", "done")', 22, "one of running"),
        ('metrics.a like "x"', 10, "not a text"),
        ('name = "\\q"', 9, "escape"),
        ('name = "\\u0000"', 7, "U+0000"),
        ('name = "\\ud800"', 7, "surrogate"),
        ("not " * 40 + "params.x", 0, "levels"),
        (" or ".join(["params.x"] * 101), 0, "comparisons"),
        ("1; DROP TABLE runs", 0, "expected"),
    ],
)
def test_is_refused_with_its_place_and_what_was_expected(text: str, position: int, words: str) -> None:
    with pytest.raises(BadFilter) as refused:
        parse_filter(text, RUN_FIELDS)
    assert refused.value.facts["position"] == position
    assert words in refused.value.detail


def test_the_same_language_asks_events() -> None:
    condition = parse_filter('type = "training_end" and final_metrics.accuracy < 0.9', EVENT_FIELDS)
    assert condition is not None
    assert holds(condition, {"type": "training_end", "final_metrics": {"accuracy": 0.8}})
    assert not holds(condition, {"type": "training_end", "final_metrics": {"accuracy": "NaN"}})
    assert not holds(condition, {"type": "epoch_end", "metrics": {"accuracy": 0.8}})


def test_a_rule_may_ask_for_every_id_that_an_event_tells() -> None:
    told = {field.name for event in EVENT_TYPES.values() for field in fields(event) if field.name.endswith("_id")}
    assert told <= EVENT_FIELDS.keys()


_DOCUMENTED = (Path(__file__).parents[2] / "docs" / "filters.md").read_text()
_ROWS = re.findall(r"^\| .+? \| (.+) \|$", _DOCUMENTED, re.MULTILINE)


@pytest.mark.parametrize(
    "text",
    [
        *re.findall(r"^```\n(.+?)\n```$", _DOCUMENTED, re.MULTILINE | re.DOTALL),
        *(
            text
            for row in _ROWS
            for text in re.findall(r"`([^`]+)`", row)
            if re.match(r'params\.|metrics\.|name |"', text)
        ),
        *(f"{text} = 1" for text in re.findall(r"``\s(metrics\..+?)\s``", _DOCUMENTED)),
    ],
)
def test_what_the_documentation_shows_is_understood(text: str) -> None:
    assert parse_filter(text, RUN_FIELDS) is not None


def test_the_documented_order_is_understood_and_all_fields_are_named() -> None:
    (order,) = re.findall(r"`order_by=(.+?)`", _DOCUMENTED)
    assert [str(key.field) for key in parse_order(order, RUN_FIELDS)] == ["metrics.accuracy", "start_time"]
    (named,) = re.findall(r"Fields of a run: `(.+?)`", _DOCUMENTED, re.DOTALL)
    assert {name.removesuffix(".*") for name in named.split()} == set(RUN_FIELDS)


def test_every_field_of_every_event_may_be_asked_for() -> None:
    told = {field.name for event_type in EVENT_TYPES.values() for field in fields(event_type)}
    assert told - EVENT_FIELDS.keys() == {"best"}, "but for the trial in it, which is not one value"
