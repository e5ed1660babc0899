"""Which events webhooks with rules are called about, and what it costs to find out."""

import weakref
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest

from app.domain.states import ObserverState
from app.service import condition, deliver
from app.service.audience import Encoded
from app.store.events import StoredEvent
from app.store.observers import Observer

RULES = ["epoch < 3", None, "epoch > 1 and metrics.loss < 0.5", '"a" in tags']


class Parsed(dict[str, Any]):
    """A parsed event whose end can be seen."""

    __hash__ = object.__hash__  # type: ignore[assignment]  # each is another

    def __or__(self, other: Any) -> Any:
        return Parsed({**self, **other})


def webhooks() -> list[Observer]:
    """One for each rule."""
    nothing: dict[str, Any] = dict.fromkeys(("tuner_id", "run_id", "tag", "off_reason", "failing_since"))
    common: dict[str, Any] = {
        "url": "https://example.org",
        "types": ["epoch_end"],
        "sealed_secrets": "",
        "state": ObserverState.on,
        "position": 0,
        "create_time": datetime.now(UTC),
    }
    return [
        Observer(**nothing, **common, observer_id=UUID(int=number), condition=rule) for number, rule in enumerate(RULES)
    ]


def page() -> list[Encoded]:
    """Epochs 0 to 4, the last of which has a tag; and something else."""
    told = [("epoch_end", {"epoch": epoch, "metrics": {"loss": 0.4}}) for epoch in range(5)] + [("run_start", {})]
    return [
        Encoded(StoredEvent(number, kind, None, None, orjson.dumps(data)), frozenset("a" if number == 4 else ""), b"")
        for number, (kind, data) in enumerate(told)
    ]


def test_each_webhook_is_called_about_what_its_rule_lets_through() -> None:
    found = deliver._find_concerning(page(), webhooks())
    assert list(found.values()) == [[0, 1, 2], [0, 1, 2, 3, 4], [2, 3, 4], [4]]


def test_an_event_is_parsed_once_for_all_rules_and_then_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: weakref.WeakSet[Parsed] = weakref.WeakSet()
    n_parsed = 0

    def parse(data: bytes) -> Parsed:
        nonlocal n_parsed
        n_parsed += 1
        assert not alive, "the one before is still held"
        return Parsed(orjson.loads(data))

    monkeypatch.setattr(condition, "orjson", type("Json", (), {"loads": staticmethod(parse)}))
    monkeypatch.setattr(condition, "holds", lambda _, members: alive.add(members))
    deliver._find_concerning(page(), webhooks())
    assert (n_parsed, list(alive)) == (5, [])
