"""Conditions as SQL: two-valued like the tree that they come from, every literal bound, the same in both databases.

A field of a run is a column of its row; a param or metric is one of its facts, looked up by its key, so that a
condition costs a look-up for each part and never depends on how well a planner guesses.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Double,
    LargeBinary,
    Numeric,
    String,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)

from app.domain.filters import (
    MAPS,
    OPERATORS,
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
)
from app.domain.patterns import lower_ascii, split_pattern
from app.domain.sortable import FINITE, NAN, TEXT, after_kind, encode
from app.domain.values import Scalar
from app.store.tables import facts, tags
from app.store.types import Id, Instant

Sql = ColumnElement[bool]
Columns = Mapping[str, ColumnElement[Any]]


class Compiler:
    """Turns conditions into SQL.

    Args:
        dialect: the name of the database.
        columns: what each plain field is.
        owner: the id whose tags and facts are meant.
        known: the params and metrics that need no look-up, being there.
        is_of_all: whether it is asked of all owners there are: then of each part all to which it applies are found.
    """

    def __init__(
        self,
        dialect: str,
        columns: Columns,
        owner: ColumnElement[Any],
        *,
        known: Columns | None = None,
        is_of_all: bool = False,
    ) -> None:
        self._is_postgres = dialect == "postgresql"
        self._columns = columns
        self._owner = owner
        self._known = known or {}
        self._is_of_all = is_of_all

    def compile(self, condition: Condition) -> Sql:
        """The condition as SQL that is true or false, never null."""
        match condition:
            case And(items):
                return and_(*map(self.compile, items))
            case Or(items):
                return or_(*map(self.compile, items))
            case Not(item):
                return not_(self.compile(item).self_group())
            case HasTag(tag):
                return exists().where(tags.c.owner_id == self._owner, tags.c.tag == tag).correlate_except(tags)
            case IsTrue(field):
                return self._fact(field, lambda value: value == _bytes(encode(True)))
        if condition.field.kind in MAPS:
            return self._of_map(condition)
        return func.coalesce(self._of_column(condition), false())

    def column(self, field: Field) -> ColumnElement[Any]:
        """A plain field, so that it compares by code point."""
        found = self._columns[field.name]
        if field.kind is Kind.id:
            return self._id_text(found)
        return found.collate("C") if field.kind is Kind.text and self._is_postgres else found

    # Of a param or metric

    def _of_map(self, condition: Compare | OneOf | Like | Is) -> Sql:
        match condition:
            case Is(field, "null"):
                return not_(self._fact(field, lambda _: true()))
            case Like(field, pattern, ignores_case):
                return self._fact(field, lambda value: self._like_fact(value, pattern, ignores_case))
        return self._fact(condition.field, lambda value: within(condition, value))

    def _fact(self, field: Field, predicate: Callable[[ColumnElement[Any]], Sql]) -> Sql:
        if str(field) in self._known:
            return func.coalesce(predicate(self._known[str(field)]), false())
        has_it = facts.c.name == str(field)
        if not self._is_of_all:
            query = select(predicate(facts.c.value)).where(facts.c.run_id == self._owner, has_it)
            return func.coalesce(query.correlate_except(facts).scalar_subquery(), false())
        if self._is_postgres:  # which can turn a look-up inside out, and knows when
            same = facts.c.run_id == self._owner
            return exists().where(same, has_it, predicate(facts.c.value)).correlate_except(facts)
        return self._owner.in_(select(facts.c.run_id).where(has_it, predicate(facts.c.value)))

    def _like_fact(self, value: ColumnElement[Any], pattern: str, ignores_case: bool) -> Sql:
        # Only texts are read as such: other bytes are none.
        rest = func.substr(value, 2)
        text: ColumnElement[Any] = func.convert_from(rest, "UTF8") if self._is_postgres else cast(rest, String)
        is_text = and_(value >= _bytes(TEXT), value < _bytes(after_kind(TEXT)))
        return case((is_text, self._like(text, pattern, ignores_case)), else_=false())

    # Of a column

    def _of_column(self, condition: Compare | OneOf | Like | Is) -> Sql:
        field = condition.field
        match condition:
            case Compare(_, sign, value):
                return self._compare(field, sign, value)
            case OneOf(_, values):
                return or_(false(), *(self._compare(field, "=", value) for value in values))
            case Like(_, pattern, ignores_case):
                return self._like(self.column(field), pattern, ignores_case)
            case Is(_, "null"):
                return self._columns[field.name].is_(None)
            case Is(_, "finite"):
                return self._columns[field.name].is_not(None) if field.kind is Kind.number else false()
        return false()

    def _compare(self, field: Field, sign: str, value: Scalar) -> Sql:
        column = self._columns[field.name]
        if field.kind is Kind.number:
            if type(value) not in (int, float):
                return false()
            return self._compare_numbers(column, sign, value)  # type: ignore[arg-type]  # it is one of the two
        if not isinstance(value, str):
            return false()
        if field.kind is Kind.time:
            return _apply(sign, column, literal(datetime.fromisoformat(value), Instant))
        if field.kind is Kind.id and sign == "=":
            return column == literal(UUID(value), Id) if is_id(value) else false()
        return _apply(sign, self.column(field), literal(value, String))

    def _compare_numbers(self, column: ColumnElement[Any], sign: str, value: int | float) -> Sql:
        if not self._is_postgres:
            return _apply(sign, column, bindparam(None, value, type_=None, unique=True))
        if isinstance(column.type, Double):
            return _apply(sign, column, literal(float(value), Double))
        return _apply(sign, cast(column, Numeric), literal(Decimal(value), Numeric))

    def _like(self, text: ColumnElement[Any], pattern: str, ignores_case: bool) -> Sql:
        if ignores_case:
            pattern = lower_ascii(pattern)
        if self._is_postgres:
            text = text.collate("C")
            return (func.lower(text) if ignores_case else text).like(_like_pattern(pattern), escape="\\")
        return (func.lower(text) if ignores_case else text).op("GLOB", is_comparison=True)(_glob(pattern))

    def _id_text(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        if self._is_postgres:
            return cast(column, String).collate("C")
        digits = func.lower(func.hex(column))
        parts = [func.substr(digits, start, length) for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))]
        joined: ColumnElement[Any] = parts[0]
        for part in parts[1:]:
            joined = joined.concat("-").concat(part)
        return case((column.is_not(None), joined), else_=None)


def within(condition: Condition, value: ColumnElement[Any]) -> Sql:
    """The condition on a param or metric that is there, as ranges of its sortable form (see `domain/sortable.py`)."""
    match condition:
        case Compare(_, sign, scalar):
            return _range(sign, encode(scalar), value)
        case OneOf(_, scalars):
            return value.in_([_bytes(encode(scalar)) for scalar in scalars])
        case Is(_, "finite"):
            return and_(value >= _bytes(FINITE), value < _bytes(after_kind(FINITE)))
        case Is(_, "nan"):
            return value == _bytes(NAN)
        case IsTrue():
            return value == _bytes(encode(True))
    raise AssertionError(f"this is no range: {condition}")


def _range(sign: str, place: bytes, value: ColumnElement[Any]) -> Sql:
    first, beyond = _bytes(place[:1]), _bytes(after_kind(place[:1]))
    if sign == "=":
        return value == _bytes(place)
    if sign == "!=":
        return and_(value >= first, value < beyond, value != _bytes(place))
    if sign in ("<", "<="):
        return and_(value >= first, _apply(sign, value, _bytes(place)))
    return and_(_apply(sign, value, _bytes(place)), value < beyond)


def _bytes(place: bytes) -> ColumnElement[Any]:
    return literal(place, LargeBinary)


def _apply(sign: str, left: ColumnElement[Any], right: ColumnElement[Any]) -> Sql:
    compared: Sql = OPERATORS[sign](left, right)
    return compared


def is_id(text: str) -> bool:
    """Whether a text is an id as ids are written."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _like_pattern(pattern: str) -> str:
    return "".join("%" if part is None else "_" if part == "" else _escaped(part) for part in split_pattern(pattern))


def _escaped(character: str) -> str:
    return "\\" + character if character in "%_\\" else character


def _glob(pattern: str) -> str:
    return "".join(
        "*" if part is None else "?" if part == "" else f"[{part}]" if part in "*?[" else part
        for part in split_pattern(pattern)
    )
