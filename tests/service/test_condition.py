"""Which events webhooks with rules are called about."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from app.domain.states import ObserverState
from app.service.audience import Encoded
from app.service.deliver import find_concerning
from app.store.events import StoredEvent
from app.store.observers import Observer

RULES = ["epoch < 3", None, "epoch > 1 and metrics.loss < 0.5", '"a" in tags']


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
    found = find_concerning(page(), webhooks())
    assert list(found.values()) == [[0, 1, 2], [0, 1, 2, 3, 4], [2, 3, 4], [4]]
