"""Where a walk through the values of one field begins and ends, as far as the condition says.

The database is given one bound of each side: of several it takes any, not the closest. They only say where to look, and
include what lies on them; the condition itself is asked of each value all the same.
"""

from collections.abc import Sequence

from app.domain.filters import Compare, Condition, Field, OneOf
from app.domain.sortable import BOOLEAN, MINUS_INFINITY, after_kind, encode

LEAST, GREATEST = MINUS_INFINITY, BOOLEAN + b"\x01"
"""What is NaN has no place in an order."""


def bounds_of(field: Field, parts: Sequence[Condition]) -> tuple[bytes, bytes]:
    """The least and the greatest value to look at, in their sortable form.

    Args:
        field: what is walked.
        parts: of the condition, each of which must hold.
    """
    lower, upper = LEAST, GREATEST
    for part in parts:
        if isinstance(part, Compare | OneOf) and part.field == field:
            least, greatest = _bounds_of(part)
            lower, upper = max(lower, least), min(upper, greatest)
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
