"""The tree of a filter or order, made while the text is parsed: what makes no sense is refused where it stands."""

import re
from collections.abc import Mapping
from typing import Any

from lark import Token, Transformer, v_args

from app.domain.errors import BadFilter
from app.domain.filters import (
    MAPS,
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
from app.domain.values import Scalar
from app.service.filter_literals import read_literal, read_text, start_of

_MAX_DEPTH = 32


@v_args(inline=True)
class TreeBuilder(Transformer[Token, Any]):
    """Makes the tree while the text is parsed, so that a deep one is refused before it is deep.

    Args:
        words: all that a field can be, of those that are a word.
    """

    def __init__(self, vocabulary: Vocabulary, words: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__()
        self._vocabulary = vocabulary
        self._words = words

    def any_of(self, *items: Condition) -> Condition:
        return items[0] if len(items) == 1 else _not_too_deep(Or(items))

    def all_of(self, *items: Condition) -> Condition:
        return items[0] if len(items) == 1 else _not_too_deep(And(items))

    def no(self, item: Condition) -> Condition:
        return _not_too_deep(Not(item))

    def compare(self, field: Token, sign: Token, literal: Token) -> Condition:
        named = self._field(field)
        return Compare(named, str(sign), self._value(literal, named))

    def one_of(self, field: Token, *literals: Token) -> Condition:
        named = self._field(field)
        return OneOf(named, tuple(self._value(literal, named) for literal in literals))

    def like(self, field: Token, word: Token, pattern: Token) -> Condition:
        named = self._field(field)
        if named.kind not in (Kind.text, Kind.id, Kind.params):
            raise BadFilter(f"{named} is not a text, and `{word}` compares texts", start_of(word))
        return Like(named, read_text(pattern, is_pattern=True), str(word).lower() == "ilike")

    def is_(self, field: Token, what: Token) -> Condition:
        return Is(self._field(field), str(what).lower())

    def is_not(self, field: Token, what: Token) -> Condition:
        return _not_too_deep(Not(self.is_(field, what)))

    def has_tag(self, tag: Token, field: Token) -> Condition:
        if _split(field)[0] != "tags" or "tags" not in self._vocabulary:
            raise BadFilter('`in` after a text works only with tags: "baseline" in tags', start_of(field))
        return HasTag(read_text(tag))

    def is_true(self, field: Token) -> Condition:
        named = self._field(field)
        if named.kind is not Kind.params:
            raise BadFilter(
                f"{named} is not true or false by itself; compare it, such as {named} = …",
                start_of(field) + len(field),
            )
        return IsTrue(named)

    def order(self, *keys: OrderKey) -> tuple[OrderKey, ...]:
        return keys

    def order_key(self, field: Token, direction: Token | None = None) -> OrderKey:
        return OrderKey(self._field(field), direction is not None and direction.lower() == "desc")

    def _value(self, token: Token, field: Field) -> Scalar:
        value = read_literal(token, field)
        words = self._words.get(field.name)
        if words and value not in words:
            raise BadFilter(f"{field} is one of {', '.join(words)}", start_of(token))
        return value

    def _field(self, token: Token) -> Field:
        name, key = _split(token)
        kind = self._vocabulary.get(name)
        if kind is None:
            raise BadFilter(
                f"there is no field {name[:100]!r}; there are: {_listed(self._vocabulary)}", start_of(token)
            )
        if kind is Kind.tags:
            raise BadFilter('tags are searched with `in`: "baseline" in tags', start_of(token))
        if kind in MAPS and key is None:
            raise BadFilter(f"expected one of the {name}: {name}.…", start_of(token) + len(token))
        if kind not in MAPS and key is not None:
            raise BadFilter(f"{name} has no parts; only {_maps(self._vocabulary)} have", start_of(token))
        return Field(name, kind, key)


def _listed(vocabulary: Vocabulary) -> str:
    return ", ".join(f"{name}.*" if kind in MAPS else name for name, kind in vocabulary.items())


def _maps(vocabulary: Vocabulary) -> str:
    return " and ".join(name for name, kind in vocabulary.items() if kind in MAPS)


_FIELD_AND_KEY = re.compile(r"(`(?:[^`]|``)+`|[^.]+)(?:\.(.+))?", re.DOTALL)


def _split(token: Token) -> tuple[str, str | None]:
    """The field, and the name behind its first dot, if there is one; any piece may stand in backquotes."""
    found = _FIELD_AND_KEY.fullmatch(token)
    assert found is not None, "the grammar lets no other through"
    return _unquoted(found[1]), None if found[2] is None else _unquoted(found[2])


def _unquoted(text: str) -> str:
    return text.replace("``", "\0").replace("`", "").replace("\0", "`")


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
