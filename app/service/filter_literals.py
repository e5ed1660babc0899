"""What the literals of a filter mean: numbers that databases hold, times with their zone, texts with JSON's escapes."""

import math
from datetime import UTC, datetime
from uuid import UUID

from lark import Token

from app.domain.errors import BadFilter
from app.domain.filters import Field, Kind
from app.domain.values import INT64_MAX, INT64_MIN, Scalar, to_rfc3339


def read_literal(token: Token, field: Field) -> Scalar:
    """What a literal means beside this field.

    Raises:
        BadFilter: it has no meaning there, or no database could hold it.
    """
    if token.type in ("TRUE", "FALSE"):
        return token.type == "TRUE"
    if token.type == "NUMBER":
        return _number(token)
    text = read_text(token)
    if field.kind is Kind.time:
        return _time(text, token)
    if field.kind is Kind.id:
        try:
            return str(UUID(text))
        except ValueError:
            return text
    return text


def _number(token: Token) -> int | float:
    if token.lstrip("+-").isdigit():
        if len(token) > 25 or not INT64_MIN <= int(token) <= INT64_MAX:
            raise BadFilter("an integer has at most 64 bits", start_of(token))
        return int(token)
    value = float(token)
    if not math.isfinite(value):
        raise BadFilter("this number is beyond all 64-bit floats", start_of(token))
    return value


def _time(text: str, token: Token) -> str:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None and len(text) == len("2026-11-24"):
            time = time.replace(tzinfo=UTC)
        return to_rfc3339(time)
    except (ValueError, OverflowError):
        raise BadFilter(
            'expected a time with its zone, such as "2026-11-24T07:00:00Z", or a day, which begins at midnight UTC',
            start_of(token),
        ) from None


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", '"': '"', "'": "'", "\\": "\\"}


def read_text(token: Token, *, is_pattern: bool = False) -> str:
    """What stands between the quotes: escapes are those of JSON; a pattern keeps the ones that are its own."""
    body, read, position = token[1:-1], "", 0
    while position < len(body):
        character = body[position]
        position += 1
        if character != "\\":
            read += character
            continue
        escape = body[position]
        position += 1
        if escape == "u":
            read += _unicode(body[position : position + 4], start_of(token) + position)
            position += 4
        elif is_pattern and escape in "%_\\":
            read += "\\" + escape
        elif escape in _ESCAPES:
            read += _ESCAPES[escape]
        else:
            raise BadFilter(f"there is no escape \\{escape} in a text", start_of(token) + position)
    try:
        read = read.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise BadFilter("half of a surrogate pair is not text", start_of(token)) from None
    if "\0" in read:
        raise BadFilter("a text cannot contain the character U+0000", start_of(token))
    return read


def _unicode(digits: str, position: int) -> str:
    try:
        if len(digits) == 4 and digits.isalnum():
            return chr(int(digits, 16))
    except ValueError:
        pass  # the same as too few digits
    raise BadFilter("expected four hexadecimal digits", position)


def start_of(token: Token) -> int:
    """Where in the text it stands."""
    return token.start_pos or 0
