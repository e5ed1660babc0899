"""The language of filters and orders, parsed: a text becomes a small tree, or an error that says where and why.

Nothing of the text is ever evaluated or pasted into SQL: fields are looked up in a vocabulary, literals are bound.
"""

from functools import lru_cache

from lark import Lark
from lark.exceptions import UnexpectedInput

from app.domain.errors import BadFilter, InvalidRequest
from app.domain.filters import (
    EVENT_FIELDS,
    EVENT_WORDS,
    OPERATORS,
    RUN_FIELDS,
    TRIAL_FIELDS,
    TUNER_FIELDS,
    TUNER_WORDS,
    WORDS,
    And,
    Condition,
    Not,
    Or,
    Vocabulary,
)
from app.domain.order import OrderKey
from app.service.filter_faults import explained
from app.service.filter_tree import TreeBuilder

MAX_LENGTH = 4000
_MAX_PARTS = 100
_MAX_KEYS = 8

# The longest first: of two that begin alike it must be seen whole.
_OPERATORS = " | ".join(f'"{sign}"' for sign in sorted(OPERATORS, key=len, reverse=True))
_GRAMMAR = rf"""
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

    OPERATOR: {_OPERATORS}
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
    FIELD: /(?:[^\W\d]\w*|`(?:[^`]|``)+`)(?:\.(?:\w+|`(?:[^`]|``)+`))*/
    %ignore /\s+/
"""


def parse_filter(text: str | None, vocabulary: Vocabulary, *, is_stored: bool = False) -> Condition | None:
    """The condition that a text says; None where it says nothing.

    Args:
        is_stored: it was understood once, by a release that may have known other words.
    Raises:
        BadFilter: it does not parse; `position` says where.
    """
    if text is None or not text.strip():
        return None
    if len(text) > MAX_LENGTH:
        raise BadFilter(f"a filter has at most {MAX_LENGTH} characters", MAX_LENGTH)
    try:
        condition: Condition = _parser(_name_of(vocabulary), is_stored).parse(text, start="condition")  # type: ignore[assignment]
    except UnexpectedInput as error:
        raise explained(error, text) from None
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
        bad = explained(error, text)
    except BadFilter as error:
        bad = error
    else:
        return keys
    raise InvalidRequest(f"at character {bad.facts['position']}: {bad.reason}", "query", "order_by")


_VOCABULARIES = {"run": RUN_FIELDS, "trial": TRIAL_FIELDS, "tuner": TUNER_FIELDS, "event": EVENT_FIELDS}
_WORDS = {"run": WORDS, "trial": WORDS, "tuner": TUNER_WORDS, "event": EVENT_WORDS}


def _name_of(vocabulary: Vocabulary) -> str:
    return next(name for name, known in _VOCABULARIES.items() if known is vocabulary)


@lru_cache
def _parser(name: str, is_stored: bool = False) -> Lark:
    return Lark(
        _GRAMMAR,
        parser="lalr",
        start=["condition", "order"],
        maybe_placeholders=False,
        transformer=TreeBuilder(_VOCABULARIES[name], {} if is_stored else _WORDS[name]),
    )


def _size(condition: Condition) -> int:
    match condition:
        case And(items) | Or(items):
            return sum(_size(item) for item in items)
        case Not(item):
            return _size(item)
    return 1
