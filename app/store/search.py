"""Runs found by a condition, in an order: from the facts of those that are indexed, from their rows for the few others.

The cost must depend neither on how many runs there are nor on the number of the page, so the way is chosen by counting:

- Where a part of the condition that must hold is true of few runs, those are looked at, and sorted.
- Else, where a param or metric orders them, its facts are walked in that order until the page is full; those that
  have none come last, and are looked for only when all others are told.
- Else the runs are walked, in the order of their start where that is asked for.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Select,
    and_,
    exists,
    extract,
    func,
    literal,
    or_,
    select,
    union,
)

from app.domain.filters import (
    MAPS,
    RUN_FIELDS,
    And,
    Compare,
    Condition,
    Field,
    HasTag,
    Is,
    IsTrue,
    Kind,
    Not,
    OneOf,
    Or,
    conjuncts,
    holds,
)
from app.domain.order import Order, OrderKey, Place
from app.domain.sortable import NAN, decode
from app.domain.values import INT64_MAX, Scalar, to_rfc3339
from app.store import runs as run_rows
from app.store.bounds import bounds_of
from app.store.facts import INDEXED
from app.store.filter_sql import Columns, Compiler, Sql, is_id, within
from app.store.runs import Run
from app.store.tables import facts, runs, tags
from app.store.types import Id

NEWEST_FIRST = Order((OrderKey(Field("start_time", Kind.time), is_descending=True),), are_ids_descending=True)

_FEW = 2000
"""So many runs are looked at one by one and sorted in about a hundredth of a second; for more of them, walking is as
quick."""


@dataclass(frozen=True, slots=True)
class Search:
    """Which runs, in which order, after which place (None: from the first on)."""

    condition: Condition | None = None
    order: Order = NEWEST_FIRST
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A run, and where it stands in the order."""

    run: Run
    place: Place


def thing_of(run: Run) -> Mapping[str, Any]:
    """A run as conditions see it."""
    return {
        "run_id": str(run.run_id),
        "name": run.name,
        "note": run.note,
        "status": run.status,
        "start_time": to_rfc3339(run.start_time),
        "end_time": None if run.end_time is None else to_rfc3339(run.end_time),
        "duration_s": run.duration_s,
        "last_epoch": run.last_epoch,
        "tuner_id": None if run.tuner_id is None else str(run.tuner_id),
        "trial_id": None if run.trial_id is None else str(run.trial_id),
        "tags": run.tags,
        "params": run.params,
        "metrics": run.metrics,
    }


def list_found(connection: Connection, search: Search, limit: int) -> list[Found]:
    """The next runs, at most `limit`."""
    needs_facts = _names_a_map(search.condition) or any(key.field.kind in MAPS for key in search.order.keys)
    run_ids = _Query(connection, search, needs_facts).list_ids(limit)
    rows = run_rows.find_many(connection, run_ids)
    found = [_found(search, rows[run_id], thing_of(rows[run_id])) for run_id in run_ids]
    if needs_facts:
        found += _list_plainly(connection, search, limit)
        search.order.sort(found, lambda one: one.place)
    return found[:limit]


def _found(search: Search, run: Run, thing: Mapping[str, Any]) -> Found:
    return Found(run, search.order.place_of(thing, run.run_id.bytes))


def _names_a_map(condition: Condition | None) -> bool:
    match condition:
        case None | HasTag():
            return False
        case And(items) | Or(items):
            return any(map(_names_a_map, items))
        case Not(item):
            return _names_a_map(item)
    return condition.field.kind in MAPS


def _list_plainly(connection: Connection, search: Search, limit: int) -> list[Found]:
    """Those of the runs that are not indexed that belong to the page; it holds no more than twice as many."""
    order, best = search.order, list[Found]()
    for run in _iterate_unindexed(connection, search.condition):
        thing = thing_of(run)
        if search.condition is not None and not holds(search.condition, thing):
            continue
        one = _found(search, run, thing)
        if search.after is None or order.compare(one.place, search.after) > 0:
            best.append(one)
            if len(best) >= 2 * limit:
                order.sort(best, lambda found: found.place)
                del best[limit:]
    return best


def _iterate_unindexed(connection: Connection, condition: Condition | None) -> Iterator[Run]:
    query = select(runs).where(runs.c.indexed != INDEXED)
    compiler = Compiler(connection.dialect.name, _columns_of_rows(connection.dialect.name), runs.c.run_id)
    for part in conjuncts(condition):
        if not _names_a_map(part):
            query = query.where(compiler.compile(part))
    for row in connection.execute(query.execution_options(yield_per=500)):
        yield run_rows.read(row)


def _duration_s(dialect: str) -> ColumnElement[Any]:
    if dialect == "postgresql":
        return extract("epoch", runs.c.end_time - runs.c.start_time).cast(Double)
    # The type is that of the times: without it, the difference would be read as one.
    microseconds = runs.c.end_time.cast(Double) - runs.c.start_time.cast(Double)
    return microseconds / literal(1e6, Double)


def _columns_of_rows(dialect: str) -> Columns:
    plain = [name for name, kind in RUN_FIELDS.items() if kind not in MAPS and kind is not Kind.tags]
    return {name: _duration_s(dialect) if name == "duration_s" else runs.c[name] for name in plain}


def _columns_looked_up(dialect: str, run_id: ColumnElement[Any]) -> Columns:
    return {
        name: select(column).where(runs.c.run_id == run_id).correlate_except(runs).scalar_subquery()
        for name, column in _columns_of_rows(dialect).items()
    }


class _Query:
    """The search of the runs whose facts are those of their rows; of all runs, where facts are not needed."""

    def __init__(self, connection: Connection, search: Search, needs_facts: bool) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name
        self._search = search
        self._needs_facts = needs_facts

    def list_ids(self, limit: int) -> list[UUID]:
        """The ids of the next runs, in order."""
        few = self._count_few(self._search.condition)
        if few is not None and few[0] <= _FEW:
            chosen = few[1].cte("chosen").prefix_with("MATERIALIZED")
            return self._run(self._select(chosen.c.run_id), limit)
        first = self._search.order.keys[0]
        if first.field.kind not in MAPS:
            return self._run(self._select(runs.c.run_id), limit)
        after = self._search.after
        found: list[UUID] = []
        if after is None or after[0] is not None:
            found = self._run(self._walk(first), limit)
        if len(found) < limit and self._are_some_without(first):
            found += self._run(self._select(runs.c.run_id, without=first), limit - len(found))
        return found

    def _run(self, query: Select[Any], limit: int) -> list[UUID]:
        return list(self._connection.execute(query.limit(limit)).scalars())

    def _select(self, owner: ColumnElement[Any], without: OrderKey | None = None) -> Select[Any]:
        """The condition asked of the runs with these ids, and the order."""
        is_of_rows = owner is runs.c.run_id
        columns = _columns_of_rows(self._dialect) if is_of_rows else _columns_looked_up(self._dialect, owner)
        compiler = Compiler(self._dialect, columns, owner)
        keys = [
            compiler.fact_value(key.field) if key.field.kind in MAPS else compiler.column(key.field)
            for key in self._search.order.keys
        ]
        query = select(owner)
        if without is not None:
            query = query.where(keys[0].is_(None))
        return self._restricted(query, compiler, owner, keys)

    def _walk(self, first: OrderKey) -> Select[Any]:
        """The condition asked of the runs that have a param or metric, in its order."""
        walked = facts.alias("walked")
        owner, value = walked.c.run_id, walked.c.value
        compiler = Compiler(self._dialect, _columns_looked_up(self._dialect, owner), owner)
        keys = [value] + [
            compiler.fact_value(key.field) if key.field.kind in MAPS else compiler.column(key.field)
            for key in self._search.order.keys[1:]
        ]
        after = self._search.after
        lower, upper = bounds_of(first, conjuncts(self._search.condition), None if after is None else after[0])
        query = select(owner).where(walked.c.name == str(first.field), value.between(lower, upper))
        if self._dialect == "sqlite":
            query = query.with_hint(walked, "INDEXED BY ix_facts_name_value_run_id", "sqlite")
        return self._restricted(query, compiler, owner, keys, is_first_there=True)

    def _restricted(
        self,
        query: Select[Any],
        compiler: Compiler,
        owner: ColumnElement[Any],
        keys: list[ColumnElement[Any]],
        is_first_there: bool = False,
    ) -> Select[Any]:
        order, after = self._search.order, self._search.after
        if after is not None:
            query = query.where(*self._after(after, keys, owner, is_first_there))
        if self._search.condition is not None:
            query = query.where(compiler.compile(self._search.condition))
        if self._needs_facts:
            is_indexed = select(runs.c.indexed).where(runs.c.run_id == owner).correlate_except(runs).scalar_subquery()
            query = query.where((runs.c.indexed if owner is runs.c.run_id else is_indexed) == INDEXED)
        for number, (key, column) in enumerate(zip(order.keys, keys, strict=True)):
            if (number > 0 or not is_first_there) and key.field.name not in _NEVER_MISSING:
                query = query.order_by(column.is_(None))
            query = query.order_by(column.desc() if key.is_descending else column.asc())
        return query.order_by(owner.desc() if order.are_ids_descending else owner.asc())

    def _after(
        self, after: Place, keys: list[ColumnElement[Any]], owner: ColumnElement[Any], is_first_there: bool
    ) -> Iterator[Sql]:
        """What comes behind a place: the first keys equal, and the next one further on."""
        order = self._search.order
        run_id = literal(UUID(bytes=after[-1]), Id)
        ways: Sql = owner < run_id if order.are_ids_descending else owner > run_id
        for key, column, place in reversed(list(zip(order.keys, keys, after, strict=False))):
            if place is None:
                ways = and_(column.is_(None), ways)
                continue
            value = literal(_to_column_value(key.field, place), column.type)
            further = column < value if key.is_descending else column > value
            is_equal = and_(column == value, ways)
            is_there = key.field.name in _NEVER_MISSING or (column is keys[0] and is_first_there)
            ways = or_(further, is_equal) if is_there else or_(further, is_equal, column.is_(None))
            if column is keys[0] and is_there and not is_first_there:
                yield column <= value if key.is_descending else column >= value  # what an index can jump to
        yield ways

    def _are_some_without(self, first: OrderKey) -> bool:
        have = select(func.count()).where(facts.c.name == str(first.field), facts.c.value < NAN)
        indexed = select(func.count()).where(runs.c.indexed == INDEXED)
        return self._connection.execute(select(have.scalar_subquery() < indexed.scalar_subquery())).scalar_one() == 1

    def _count_few(self, condition: Condition | None) -> tuple[int, Select[Any]] | None:
        """Ids that no run that meets the condition is missing from, and how many, up to one more than few."""
        if isinstance(condition, And):
            counted = [few for few in map(self._count_few, condition.items) if few is not None]
            return min(counted, key=lambda few: few[0], default=None)
        if isinstance(condition, Or):
            all_counted = [self._count_few(item) for item in condition.items]
            some = [few for few in all_counted if few is not None]
            if len(some) < len(all_counted) or sum(n for n, _ in some) > _FEW:
                return None
            united = union(*(query for _, query in some)).subquery()
            return sum(n for n, _ in some), select(united.c.run_id)
        query = self._ids_by_index(condition)
        if query is None:
            return None
        some_of_it = query.limit(_FEW + 1).subquery()
        return self._connection.execute(select(func.count()).select_from(some_of_it)).scalar_one(), query

    def _ids_by_index(self, condition: Condition | None) -> Select[Any] | None:
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
        return None


def _ids(texts: Iterable[Scalar]) -> list[UUID]:
    return [UUID(text) for text in texts if isinstance(text, str) and is_id(text)]


_NEVER_MISSING = frozenset({"start_time", "name", "note", "status", "run_id"})


def _to_column_value(field: Field, place: bytes) -> Any:
    """What a place in the order is to the database."""
    if field.kind in MAPS:
        return place
    value = decode(place)
    if field.kind is Kind.time:
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    return min(int(value), INT64_MAX) if field.name == "last_epoch" else value
