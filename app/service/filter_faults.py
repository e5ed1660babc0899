"""Where a filter or order went wrong, and what could have stood there."""

import re
from collections.abc import Iterable

from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from app.domain.errors import BadFilter
from app.domain.filters import OPERATORS
from app.service.filter_literals import start_of

_WORDS = {
    "FIELD": "a field",
    "OPERATOR": f"one of {' '.join(OPERATORS)}",
    "STRING": "a text in quotes",
    "NUMBER": "a number",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "COMMA": "a comma",
    "$END": "the end",
}
_HINTS = {
    re.compile("(?<==)="): "a comparison is written with one =",
    re.compile("="): "a comparison begins with the field",
    re.compile("(?<=<)>"): "not equal is !=",
    re.compile("[.]"): "a name follows the point, in backquotes if need be",
    re.compile(r"(?<=\w)[/:@#%+*-]"): "a name that holds it is in backquotes: metrics.`val/loss`",
    re.compile("&"): "say `and`",
    re.compile("[|]"): "say `or`",
    re.compile("!"): "say `not`, or !=",
    re.compile(r"not\b", re.IGNORECASE): '`not` stands first: not name like "base%"',
    re.compile(r"null\b", re.IGNORECASE): "what is missing is found by `is null`",
}
"""What to say to what stands at the wrong place, or is another language's; the first that fits."""


def explained(error: UnexpectedInput, text: str) -> BadFilter:
    """What to say of a text that does not parse."""
    if isinstance(error, UnexpectedToken):
        is_over = error.token.type == "$END"
        position = len(text) if is_over else start_of(error.token)
        expected: Iterable[str] = error.accepts
    else:
        position = int(error.pos_in_stream)  # type: ignore[call-overload]  # of a character it is always there
        allowed = error.allowed if isinstance(error, UnexpectedCharacters) else None
        expected = () if allowed is None else allowed
        is_over = position >= len(text)
    words = {_WORDS.get(name) or f"`{name.strip('_').lower()}`" for name in expected}
    choice = ", or ".join(sorted(words, key=lambda word: (len(word), word)))
    found = "the end" if is_over else repr(text[position : position + 20])
    reason = f"expected {choice}; found {found}" if choice else f"{found} has no meaning here"
    hint = next((hint for pattern, hint in _HINTS.items() if pattern.match(text, position)), None)
    if not is_over and text[position] in "\"'" and not hint and isinstance(error, UnexpectedCharacters):
        hint = "a text ends with the quote that it begins with"
    return BadFilter(f"{reason} ({hint})" if hint else reason, position)
