"""The rule of a webhook: a filter over the event, so that it is called only when there is something to do.

`type = "training_end" and final_metrics.accuracy < 0.9` is a retraining trigger.
"""

import logging
from functools import cached_property, lru_cache
from typing import Any

import orjson

from app.domain.errors import BadFilter
from app.domain.filters import EVENT_FIELDS, Condition, holds
from app.service.audience import Encoded
from app.service.filter_language import parse_filter

log = logging.getLogger(__name__)


def check(text: str | None) -> None:
    """Nothing, where the text is a rule.

    Raises:
        BadFilter: it does not parse.
    """
    parse_filter(text, EVENT_FIELDS)


class Candidate:
    """An event that rules look at. It is parsed when the first one asks, and forgotten with this."""

    def __init__(self, one: Encoded) -> None:
        self.one = one

    @cached_property
    def members(self) -> dict[str, Any]:
        """What it holds, with the tags of its run and tuner."""
        found: dict[str, Any] = orjson.loads(self.one.event.data)
        return found | {"tags": self.one.tags}


def is_met(text: str | None, event: Candidate) -> bool:
    """Whether an event is one that the rule is about; without a rule each is."""
    if text is None or not text.strip():
        return True
    condition = _parsed(text)
    return condition is not None and holds(condition, event.members)


@lru_cache(maxsize=1000)
def _parsed(text: str) -> Condition | None:
    try:
        return parse_filter(text, EVENT_FIELDS)
    except BadFilter as error:
        # It was checked when it was registered: by another release, which knew another language.
        log.warning("a webhook's rule is not understood, and lets nothing through: %s", error)
        return None
