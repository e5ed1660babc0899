"""The rule of a webhook: a filter over the event, so that it is called only when there is something to do.

`type = "training_end" and final_metrics.accuracy < 0.9` is a retraining trigger.
"""

import logging
import re
from collections.abc import Collection
from dataclasses import fields
from functools import cached_property, lru_cache
from typing import Any

import orjson

from app.domain.errors import BadFilter
from app.domain.events import EVENT_TYPES
from app.domain.filters import EVENT_FIELDS, Compare, Condition, Field, OneOf, conjuncts, fields_of, holds
from app.service.audience import Encoded
from app.service.filter_language import parse_filter

log = logging.getLogger(__name__)


def check(text: str | None, types: Collection[str]) -> None:
    """Refuse a text that is no rule about events of these types; no `types` means all.

    Raises:
        BadFilter: it does not parse, or looks for what none of these events has, and would be met never or always.
    """
    condition = parse_filter(text, EVENT_FIELDS)
    types = _narrowed(condition, types)
    if not types:
        raise BadFilter("it lets through none of the types that are asked for", _place(text, "type"))
    known = [name for name in EVENT_FIELDS if any(name in _MEMBERS[one] for one in types)]
    for field in fields_of(condition):
        if field.name not in known:
            reason = f"{' or '.join(types)} has no {field.name}; there are: {', '.join(known)}"
            raise BadFilter(reason, _place(text, field.name))


_MEMBERS = {
    name: {"event_id", "timestamp", "type", "tags", *(member.name for member in fields(event))}
    for name, event in EVENT_TYPES.items()
}


def _narrowed(condition: Condition | None, types: Collection[str]) -> Collection[str]:
    """Those of the types that the rule lets through by what it says of the type itself."""
    left = list(types or EVENT_TYPES)
    for part in conjuncts(condition):
        match part:
            case Compare(Field("type"), "=", word):
                left = [one for one in left if one == word]
            case OneOf(Field("type"), words):
                left = [one for one in left if one in words]
    return left


def _place(text: str | None, name: str) -> int:
    """Where a field is first named, as a whole word that is no part of another field."""
    found = re.search(rf"(?<![\w.]){name}\b", text or "")
    return found.start() if found else 0


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
        return parse_filter(text, EVENT_FIELDS, is_stored=True)
    except BadFilter as error:
        # It was checked when it was registered: by another release, which knew another language.
        log.warning("a webhook's rule is not understood, and lets nothing through: %s", error)
        return None
