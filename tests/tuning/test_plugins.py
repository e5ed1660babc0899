"""Strategies and stoppers of other packages join the tables; what is broken stays out, and is told of."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any, ClassVar

import pytest

from app.domain.goal import Direction
from app.tuning import plugins, registry
from app.tuning.random import Random
from app.tuning.stopping import registry as stopping
from app.tuning.stopping.patience import Patience


class Mine(Random):
    key: ClassVar[str] = "mine"
    aliases: ClassVar[tuple[str, ...]] = ("my_own",)


class Impostor(Random):
    key: ClassVar[str] = "grid"


class ByAlias(Random):
    key: ClassVar[str] = "other"
    aliases: ClassVar[tuple[str, ...]] = ("random_search",)


class BadlyNamed(Random):
    key: ClassVar[str] = "Bad Name"
    aliases: ClassVar[tuple[str, ...]] = ()


class Vague(Random):
    key: ClassVar[str] = "vague"
    aliases: ClassVar[tuple[str, ...]] = ()
    options_schema: ClassVar[dict[str, Any]] = {"type": "object", "properties": {"x": {"type": "integer"}}}


class MyStopper(Patience):
    key: ClassVar[str] = "mystopper"


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module to point at; the tables are afterwards as they were."""
    monkeypatch.setattr(registry, "STRATEGIES", dict(registry.STRATEGIES))
    monkeypatch.setattr(registry, "_BY_NAME", dict(registry._BY_NAME))
    monkeypatch.setattr(stopping, "STOPPERS", dict(stopping.STOPPERS))
    module = ModuleType("some_plugins")
    module.__dict__.update(globals())
    monkeypatch.setitem(sys.modules, "some_plugins", module)
    return module


def strategies(*values: str) -> list[plugins.LeftOut]:
    found = [EntryPoint(f"p{i}", value, plugins.STRATEGY_GROUP) for i, value in enumerate(values)]
    return plugins.join("strategy", found, plugins._add_strategy)


@pytest.mark.usefixtures("points")
def test_a_strategy_joins_by_its_name_and_aliases_however_often_it_is_found() -> None:
    assert strategies("some_plugins:Mine", "some_plugins:Mine") == []
    assert registry.find("MINE") is registry.find("my_own") is Mine


@pytest.mark.usefixtures("points")
@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("some_plugins:Impostor", "there is a strategy grid already"),
        ("some_plugins:ByAlias", "there is a strategy random_search already"),
        ("some_plugins:BadlyNamed", "not 'Bad Name'"),
        ("some_plugins:Vague", "each option needs a type, a default and a description"),
        ("some_plugins:MyStopper", "no subclass of app.tuning.strategy.Strategy"),
        ("some_plugins:nothing", "AttributeError"),
        ("no_such_module:Mine", "ModuleNotFoundError"),
    ],
)
def test_a_broken_plugin_is_told_of_and_leaves_the_rest_working(
    value: str, complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = dict(registry.STRATEGIES)
    (told,) = strategies(value, "some_plugins:Mine")
    assert (told.kind, told.name, told.value) == ("strategy", "p0", value)
    assert complaint in told.reason
    assert told.value in caplog.text
    assert told.reason in caplog.text
    assert {**before, "mine": Mine} == registry.STRATEGIES


@pytest.mark.usefixtures("points")
def test_a_stopper_joins_and_is_built_by_its_name() -> None:
    point = EntryPoint("p", "some_plugins:MyStopper", plugins.STOPPER_GROUP)
    assert plugins.join("stopper", [point, point], plugins._add_stopper) == []
    assert not stopping.build([{"type": "mystopper", "epochs": 3}], Direction.maximize).is_idle
    clash = EntryPoint("p", "some_plugins:Patience", plugins.STOPPER_GROUP)
    assert plugins.join("stopper", [clash], plugins._add_stopper) == []
