"""Where a filter or order went wrong, and what could have stood there."""

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
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "$END": "the end",
}
_HINTS = {
    "=": "a comparison is written with one =",
    "&": "say `and`",
    "|": "say `or`",
    "!": "say `not`, or !=",
}


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
    words = sorted({_WORDS.get(name, name.strip("_").lower()) for name in expected}, key=lambda word: (len(word), word))
    found = "the end" if is_over else repr(text[position : position + 20])
    reason = f"expected {', or '.join(words)}; found {found}" if words else f"{found} has no meaning here"
    hint = _HINTS.get(text[position : position + 1])
    if text[position : position + 4].lower() == "null":
        hint = "what is missing is found by `is null`"
    if not is_over and text[position] in "\"'" and not hint and isinstance(error, UnexpectedCharacters):
        hint = "a text ends with the quote that it begins with"
    return BadFilter(f"{reason} ({hint})" if hint else reason, position)
