"""The few runs that a condition can be true of, where an index knows that they are few."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, exists, func, literal, select, union

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
    OneOf,
    Or,
)
from app.domain.values import Scalar
from app.store.filter_sql import is_id, within
from app.store.tables import facts, runs, tags
from app.store.types import Instant

_FEW = 2000
"""So many runs are looked at one by one and sorted in about a hundredth of a second."""


def narrow(connection: Connection, condition: Condition | None) -> Select[Any] | None:
    """Ids that no run that meets the condition is missing from, where these are few."""
    found = _count(connection, condition)
    return found[1] if found is not None and found[0] <= _FEW else None


def _count(connection: Connection, condition: Condition | None) -> tuple[int, Select[Any]] | None:
    """How many ids there are, up to one more than few, and which."""
    if isinstance(condition, And):
        counted = [one for one in (_count(connection, item) for item in condition.items) if one is not None]
        return min(counted, key=lambda one: one[0], default=None)
    if isinstance(condition, Or):
        all_counted = [_count(connection, item) for item in condition.items]
        some = [one for one in all_counted if one is not None]
        if len(some) < len(all_counted) or sum(n for n, _ in some) > _FEW:
            return None
        united = union(*(query for _, query in some)).subquery()
        return sum(n for n, _ in some), select(united.c.run_id)
    query = _ids_by_index(condition)
    if query is None:
        return None
    some_of_it = query.limit(_FEW + 1).subquery()
    return connection.execute(select(func.count()).select_from(some_of_it)).scalar_one(), query


def _ids_by_index(condition: Condition | None) -> Select[Any] | None:
    match condition:
        case HasTag(tag):
            is_run = exists().where(runs.c.run_id == tags.c.owner_id)  # tuners have tags, too
            return select(tags.c.owner_id.label("run_id")).where(tags.c.tag == tag, is_run)
        case Compare(field) | OneOf(field) | IsTrue(field) | Is(field, "finite" | "nan") if field.kind in MAPS:
            query = select(facts.c.run_id).where(facts.c.name == str(field))
            return query.where(within(condition, facts.c.value))
        case Compare(Field("run_id" | "tuner_id" | "trial_id" as name), "=", value):
            return select(runs.c.run_id).where(runs.c[name].in_(_ids([value])))
        case OneOf(Field("run_id" | "tuner_id" | "trial_id" as name), values):
            return select(runs.c.run_id).where(runs.c[name].in_(_ids(values)))
        case Compare(Field("start_time"), sign, str(value)) if sign != "!=":
            time = literal(datetime.fromisoformat(value), Instant)
            return select(runs.c.run_id).where(OPERATORS[sign](runs.c.start_time, time))
    return None


def _ids(texts: Iterable[Scalar]) -> list[UUID]:
    return [UUID(text) for text in texts if isinstance(text, str) and is_id(text)]
