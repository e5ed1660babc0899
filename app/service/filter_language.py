"""The language of filters and orders, parsed: a text becomes a small tree, or an error that says where and why.

Nothing of the text is ever evaluated or pasted into SQL: fields are looked up in a vocabulary, literals are bound.
"""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from app.domain.errors import BadFilter, InvalidRequest
from app.domain.filters import (
    EVENT_FIELDS,
    MAPS,
    RUN_FIELDS,
    TRIAL_FIELDS,
    And,
    Compare,
    Condition,
    Field,
    HasTag,
    Is,
    IsTrue,
    Kind,
    Like,
    Not,
    OneOf,
    Or,
    Vocabulary,
)
from app.domain.order import OrderKey
from app.domain.values import INT64_MAX, INT64_MIN, Scalar, to_rfc3339

MAX_LENGTH = 4000
_MAX_DEPTH = 32
_MAX_PARTS = 100
_MAX_KEYS = 8

_GRAMMAR = r"""
    ?condition: conjunction (_OR conjunction)*          -> any_of
    ?conjunction: negation (_AND negation)*             -> all_of
    ?negation: _NOT negation                            -> no
        | "(" condition ")"
        | FIELD OPERATOR _literal                       -> compare
        | FIELD _IN "(" _literal ("," _literal)* ")"    -> one_of
        | FIELD (LIKE | ILIKE) STRING                   -> like
        | FIELD _IS (NULL | NAN | FINITE)               -> is_
        | FIELD _IS _NOT (NULL | NAN | FINITE)          -> is_not
        | STRING _IN FIELD                              -> has_tag
        | FIELD                                         -> is_true
    _literal: STRING | NUMBER | TRUE | FALSE

    order: order_key ("," order_key)*
    order_key: FIELD [ASC | DESC]

    OPERATOR: "!=" | "<=" | ">=" | "<" | ">" | "="
    STRING: /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/s
    NUMBER: /[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/
    _AND.2: /and\b/i
    _OR.2: /or\b/i
    _NOT.2: /not\b/i
    _IN.2: /in\b/i
    _IS.2: /is\b/i
    LIKE.2: /like\b/i
    ILIKE.2: /ilike\b/i
    NULL.2: /null\b/i
    NAN.2: /nan\b/i
    FINITE.2: /finite\b/i
    TRUE.2: /true\b/i
    FALSE.2: /false\b/i
    ASC.2: /asc\b/i
    DESC.2: /desc\b/i
    FIELD: /[^\W\d]\w*(?:\.(?:\w+|`(?:[^`]|``)+`))*/
    %ignore /\s+/
"""

_WORDS = {
    "FIELD": "a field",
    "OPERATOR": "one of = != < <= > >=",
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
    "`": "only what comes after the dot stands in backquotes: params.`batch size`",
}


def parse_filter(text: str | None, vocabulary: Vocabulary) -> Condition | None:
    """The condition that a text says; None where it says nothing.

    Raises:
        BadFilter: it does not parse; `position` says where.
    """
    if text is None or not text.strip():
        return None
    if len(text) > MAX_LENGTH:
        raise BadFilter(f"a filter has at most {MAX_LENGTH} characters", MAX_LENGTH)
    try:
        condition: Condition = _parser(_name_of(vocabulary)).parse(text, start="condition")  # type: ignore[assignment]
    except UnexpectedInput as error:
        raise _explained(error, text) from None
    if _size(condition) > _MAX_PARTS:
        raise BadFilter(f"a filter has at most {_MAX_PARTS} comparisons", 0)
    return condition


def parse_order(text: str | None, vocabulary: Vocabulary) -> tuple[OrderKey, ...]:
    """The keys of an order; none where the text says nothing.

    Raises:
        InvalidRequest: it does not parse.
    """
    if text is None or not text.strip():
        return ()
    try:
        if len(text) > MAX_LENGTH:
            raise BadFilter(f"an order has at most {MAX_LENGTH} characters", MAX_LENGTH)
        keys: tuple[OrderKey, ...] = _parser(_name_of(vocabulary)).parse(text, start="order")  # type: ignore[assignment]
        if len(keys) > _MAX_KEYS:
            raise BadFilter(f"an order has at most {_MAX_KEYS} keys", 0)
    except UnexpectedInput as error:
        bad = _explained(error, text)
    except BadFilter as error:
        bad = error
    else:
        return keys
    raise InvalidRequest(f"at character {bad.facts['position']}: {bad.reason}", "query", "order_by")


_VOCABULARIES = {"run": RUN_FIELDS, "trial": TRIAL_FIELDS, "event": EVENT_FIELDS}


def _name_of(vocabulary: Vocabulary) -> str:
    return next(name for name, known in _VOCABULARIES.items() if known is vocabulary)


@lru_cache
def _parser(name: str) -> Lark:
    return Lark(
        _GRAMMAR,
        parser="lalr",
        start=["condition", "order"],
        maybe_placeholders=False,
        transformer=_Builder(_VOCABULARIES[name]),
    )


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """Makes the tree while the text is parsed, so that a deep one is refused before it is deep."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self._vocabulary = vocabulary

    def any_of(self, *items: Condition) -> Condition:
        return items[0] if len(items) == 1 else _not_too_deep(Or(items))

    def all_of(self, *items: Condition) -> Condition:
        return items[0] if len(items) == 1 else _not_too_deep(And(items))

    def no(self, item: Condition) -> Condition:
        return _not_too_deep(Not(item))

    def compare(self, field: Token, sign: Token, literal: Token) -> Condition:
        named = self._field(field)
        return Compare(named, str(sign), _literal(literal, named))

    def one_of(self, field: Token, *literals: Token) -> Condition:
        named = self._field(field)
        return OneOf(named, tuple(_literal(literal, named) for literal in literals))

    def like(self, field: Token, word: Token, pattern: Token) -> Condition:
        named = self._field(field)
        if named.kind not in (Kind.text, Kind.id, Kind.params):
            raise BadFilter(f"{named} is no text, and `{word}` compares texts", _start(word))
        return Like(named, _text(pattern, is_pattern=True), str(word).lower() == "ilike")

    def is_(self, field: Token, what: Token) -> Condition:
        return Is(self._field(field), str(what).lower())

    def is_not(self, field: Token, what: Token) -> Condition:
        return _not_too_deep(Not(self.is_(field, what)))

    def has_tag(self, tag: Token, field: Token) -> Condition:
        if str(field) != "tags" or "tags" not in self._vocabulary:
            raise BadFilter('`in` after a text looks into tags: "baseline" in tags', _start(field))
        return HasTag(_text(tag))

    def is_true(self, field: Token) -> Condition:
        named = self._field(field)
        if named.kind is not Kind.params:
            raise BadFilter(
                f"{named} is no yes or no by itself; expected is a comparison, such as {named} = …",
                _start(field) + len(field),
            )
        return IsTrue(named)

    def order(self, *keys: OrderKey) -> tuple[OrderKey, ...]:
        return keys

    def order_key(self, field: Token, direction: Token | None = None) -> OrderKey:
        return OrderKey(self._field(field), direction is not None and direction.lower() == "desc")

    def _field(self, token: Token) -> Field:
        name, dot, key = str(token).partition(".")
        kind = self._vocabulary.get(name)
        if kind is None:
            raise BadFilter(f"there is no field {name[:100]!r}; there are: {_listed(self._vocabulary)}", _start(token))
        if kind is Kind.tags:
            raise BadFilter('tags are looked into: "baseline" in tags', _start(token))
        if kind in MAPS and not dot:
            raise BadFilter(f"expected is one of the {name}: {name}.…", _start(token) + len(token))
        if kind not in MAPS and dot:
            raise BadFilter(f"{name} has no parts; only {_maps(self._vocabulary)} have", _start(token) + len(name))
        return Field(name, kind, _unquoted(key) if dot else None)


def _listed(vocabulary: Vocabulary) -> str:
    return ", ".join(f"{name}.*" if kind in MAPS else name for name, kind in vocabulary.items())


def _maps(vocabulary: Vocabulary) -> str:
    return " and ".join(name for name, kind in vocabulary.items() if kind in MAPS)


def _unquoted(key: str) -> str:
    """The name behind the first dot: its pieces, of which some may stand in backquotes."""
    text, is_quoted, characters = "", False, iter(key.replace("``", "\0"))
    for character in characters:
        if character == "`":
            is_quoted = not is_quoted
        else:
            text += "`" if character == "\0" else character
    return text


def _literal(token: Token, field: Field) -> Scalar:
    """What a literal means beside this field.

    Raises:
        BadFilter: it has no meaning there, or no database could hold it.
    """
    if token.type in ("TRUE", "FALSE"):
        return token.type == "TRUE"
    if token.type == "NUMBER":
        return _number(token)
    text = _text(token)
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
            raise BadFilter("an integer has at most 64 bits", _start(token))
        return int(token)
    value = float(token)
    if not math.isfinite(value):
        raise BadFilter("this number is beyond all 64-bit floats", _start(token))
    return value


def _time(text: str, token: Token) -> str:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None and len(text) == len("2026-11-24"):
            time = time.replace(tzinfo=UTC)
        return to_rfc3339(time)
    except (ValueError, OverflowError):
        raise BadFilter(
            'expected is a time with its zone, such as "2026-11-24T07:00:00Z", or a day, which begins in UTC',
            _start(token),
        ) from None


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", '"': '"', "'": "'", "\\": "\\"}


def _text(token: Token, *, is_pattern: bool = False) -> str:
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
            read += _unicode(body[position : position + 4], _start(token) + position)
            position += 4
        elif is_pattern and escape in "%_\\":
            read += "\\" + escape
        elif escape in _ESCAPES:
            read += _ESCAPES[escape]
        else:
            raise BadFilter(f"there is no escape \\{escape} in a text", _start(token) + position)
    try:
        read = read.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise BadFilter("half of a surrogate pair is no text", _start(token)) from None
    if "\0" in read:
        raise BadFilter("the character U+0000 is in no text", _start(token))
    return read


def _unicode(digits: str, position: int) -> str:
    try:
        if len(digits) == 4 and digits.isalnum():
            return chr(int(digits, 16))
    except ValueError:
        pass  # the same as too few digits
    raise BadFilter("expected are four hexadecimal digits", position)


def _start(token: Token) -> int:
    return token.start_pos or 0


def _depth(condition: Condition) -> int:
    match condition:
        case And(items) | Or(items):
            return 1 + max(_depth(item) for item in items)
        case Not(item):
            return 1 + _depth(item)
    return 1


def _not_too_deep(condition: Condition) -> Condition:
    if _depth(condition) > _MAX_DEPTH:
        raise BadFilter(f"a filter is at most {_MAX_DEPTH} levels deep", 0)
    return condition


def _size(condition: Condition) -> int:
    match condition:
        case And(items) | Or(items):
            return sum(_size(item) for item in items)
        case Not(item):
            return _size(item)
    return 1


def _explained(error: UnexpectedInput, text: str) -> BadFilter:
    """Where the text went wrong, and what could have stood there."""
    if isinstance(error, UnexpectedToken):
        is_over = error.token.type == "$END"
        position = len(text) if is_over else _start(error.token)
        expected: Iterable[str] = error.accepts
    else:
        position = int(error.pos_in_stream)  # type: ignore[call-overload]  # of a character it is always there
        allowed = error.allowed if isinstance(error, UnexpectedCharacters) else None
        expected = () if allowed is None else allowed
        is_over = position >= len(text)
    words = sorted({_WORDS.get(name, name.strip("_").lower()) for name in expected}, key=lambda word: (len(word), word))
    found = "the end" if is_over else repr(text[position : position + 20])
    reason = f"expected is {', or '.join(words)}; found is {found}" if words else f"{found} has no meaning here"
    hint = _HINTS.get(text[position : position + 1])
    if text[position : position + 4].lower() == "null":
        hint = "what is missing is found by `is null`"
    if not is_over and text[position] in "\"'" and not hint and isinstance(error, UnexpectedCharacters):
        hint = "a text ends with the quote that it begins with"
    return BadFilter(f"{reason} ({hint})" if hint else reason, position)
