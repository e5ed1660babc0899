"""The order of a list: several fields, each up or down, what is missing or NaN last in either, ties broken by id."""

import math
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cmp_to_key
from heapq import nsmallest
from typing import Any, TypeVar

from app.domain.filters import MAPS, Field, Kind, value_of
from app.domain.sortable import NAN, decode, encode
from app.domain.values import INT64_MAX, INT64_MIN

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One field of an order."""

    field: Field
    is_descending: bool


Place = tuple[bytes | None, ...]
"""Where a thing stands: for each key the sortable form of its value (None: last), and at the end the id's bytes."""


@dataclass(frozen=True, slots=True)
class Order:
    """Keys, the first one first; ids go the way of the last one, so that an index can be read in that order."""

    keys: tuple[OrderKey, ...]

    @property
    def are_ids_descending(self) -> bool:
        """Whether the greater id comes first, of two things that are equal otherwise."""
        return self.keys[-1].is_descending

    def place_of(self, thing: Mapping[str, Any], id_bytes: bytes) -> Place:
        """Where a thing in its JSON form stands."""
        return (*(_sortable(key.field, thing) for key in self.keys), id_bytes)

    def compare(self, a: Place, b: Place) -> int:
        """Negative where `a` comes first, positive where `b` does, 0 for one and the same."""
        for key, left, right in zip(self.keys, a, b, strict=False):
            if left != right:
                if left is None or right is None:
                    return 1 if left is None else -1
                return -1 if (left > right) == key.is_descending else 1
        left, right = a[-1], b[-1]
        assert left is not None, "an id is never missing"
        assert right is not None, "an id is never missing"
        return 0 if left == right else -1 if (left > right) == self.are_ids_descending else 1

    def first(self, things: Iterable[T], place: Callable[[T], Place], n: int) -> list[T]:
        """The first n, in order; of many things no more are held."""
        by_place = cmp_to_key(self.compare)
        return nsmallest(n, things, key=lambda thing: by_place(place(thing)))


def _sortable(field: Field, thing: Mapping[str, Any]) -> bytes | None:
    value = value_of(field, thing)
    place = NAN if value is None else encode(value)
    return None if place == NAN else place


def can_stand(field: Field, place: bytes) -> bool:
    """Whether a value of this field can have this sortable form: what came from outside may be anything."""
    if field.kind in MAPS:
        return b"\1" <= place[:1] < NAN
    try:
        value = decode(place)
        if field.kind is Kind.time:
            time = datetime.fromisoformat(str(value))
            return isinstance(value, str) and time.tzinfo is not None and time.astimezone(UTC) is not None
    except (ValueError, KeyError, IndexError, OverflowError, struct.error):
        return False
    if field.kind is Kind.number:
        is_integer = type(value) is int and INT64_MIN <= value <= INT64_MAX
        return is_integer or (isinstance(value, float) and not math.isnan(value))
    return isinstance(value, str) and "\0" not in value
