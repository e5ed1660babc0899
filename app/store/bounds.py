"""Where a walk through the values of one param or metric begins and ends, in their sortable form.

The database is given one bound of each side: of several it takes any, not the closest. They only say where to look, and
include what lies on them; the condition itself is asked of each value all the same.
"""

from collections.abc import Sequence

from app.domain.filters import Compare, Condition, OneOf
from app.domain.order import OrderKey
from app.domain.sortable import BOOLEAN, MINUS_INFINITY, after_kind, encode


def bounds_of(key: OrderKey, parts: Sequence[Condition], after: bytes | None) -> tuple[bytes, bytes]:
    """The least and the greatest value to look at.

    Args:
        key: what is walked, and which way.
        parts: of the condition, each of which must hold.
        after: where the walk goes on, if it does.
    """
    lower, upper = MINUS_INFINITY, BOOLEAN + b"\x01"  # what is NaN has no place in an order
    for part in parts:
        if isinstance(part, Compare | OneOf) and part.field == key.field:
            least, greatest = _bounds_of(part)
            lower, upper = max(lower, least), min(upper, greatest)
    if after is not None:
        lower, upper = (lower, min(upper, after)) if key.is_descending else (max(lower, after), upper)
    return lower, upper


def _bounds_of(part: Compare | OneOf) -> tuple[bytes, bytes]:
    places = list(map(encode, part.values if isinstance(part, OneOf) else (part.value,)))
    if isinstance(part, OneOf) or part.operator == "=":
        return min(places), max(places)
    (place,) = places
    kind = place[:1]
    return (
        place if part.operator in (">", ">=") else kind,
        place if part.operator in ("<", "<=") else after_kind(kind),
    )
