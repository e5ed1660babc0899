"""Orders as SQL: what is missing comes last whichever way a key goes, in both databases."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, literal, or_

from app.domain.filters import MAPS, Field, Kind
from app.domain.order import Order, Place
from app.domain.sortable import TEXT, decode, decode_integer
from app.store.filter_sql import Sql
from app.store.types import Id

_NEVER_MISSING = frozenset({"start_time", "name", "note", "status", "run_id"})


class Key(NamedTuple):
    """What a key of an order is in SQL."""

    column: ColumnElement[Any]
    may_be_missing: bool


def key_of(field: Field, column: ColumnElement[Any]) -> Key:
    """The key that is this column, which is this field."""
    return Key(column, field.name not in _NEVER_MISSING)


def ordered(query: Select[Any], order: Order, keys: Sequence[Key], run_id: ColumnElement[Any]) -> Select[Any]:
    """The query with this order."""
    for key, (column, may_be_missing) in zip(order.keys, keys, strict=True):
        if may_be_missing:
            query = query.order_by(column.is_(None))
        query = query.order_by(column.desc() if key.is_descending else column.asc())
    return query.order_by(run_id.desc() if order.are_ids_descending else run_id.asc())


def beyond(order: Order, place: Place, keys: Sequence[Key], run_id: ColumnElement[Any]) -> Sql:
    """What comes behind a place: the first keys equal, and the next one further on."""
    last = literal(UUID(bytes=place[-1]), Id)
    ways: Sql = run_id < last if order.are_ids_descending else run_id > last
    for key, (column, may_be_missing), at in reversed(list(zip(order.keys, keys, place, strict=False))):
        if at is None:
            ways = and_(column.is_(None), ways)
            continue
        value = literal(to_column_value(key.field, at), column.type)
        further = column < value if key.is_descending else column > value
        ways = or_(further, and_(column == value, ways))
        if may_be_missing:
            ways = or_(ways, column.is_(None))
    return ways


def to_column_value(field: Field, place: bytes) -> Any:
    """What a place in the order is to the database."""
    if field.kind in MAPS:
        return place
    if field.kind is Kind.time:
        return datetime.fromisoformat(str(decode(place))).astimezone(UTC)
    return decode_integer(place) if field.name == "last_epoch" else decode(place)


def to_bound(field: Field, place: bytes) -> Any:
    """What the end of a range is to the database; None where no value of this field lies beyond it."""
    is_open = field.kind is Kind.time and (place[:1] != TEXT or place == TEXT)
    return None if is_open else to_column_value(field, place)
