"""Ways to the next runs of a list, those among them whose facts are those of their rows.

The cost must depend neither on how many runs there are nor on the number of the page, so they are tried in this order:

- Where a part of the condition that must hold is true of few runs, those are looked at, and sorted.
- An index that has the runs in the order of the first key is walked: the facts of a param or metric, or the times of
  start. Only a stretch of it: that fills the page, unless nearly all runs that come there fail the condition.
- Else all runs are looked at. That costs something for each, but far less than the look-ups of a walk would.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, FromClause, Select, Tuple, and_, func, literal, select, true, tuple_

from app.domain.filters import MAPS, Condition, Field, conjuncts
from app.domain.order import Order, OrderKey, Place
from app.domain.sortable import NAN
from app.store.bounds import bounds_of
from app.store.facts import INDEXED
from app.store.filter_sql import Compiler, Sql
from app.store.narrowing import narrow
from app.store.order_sql import Key, beyond, key_of, ordered, to_bound, to_column_value
from app.store.run_columns import columns_looked_up, columns_of_rows
from app.store.tables import facts, runs
from app.store.types import Id

_STRETCH = 3000
"""So many runs of an index are walked through in some thousandths of a second; they fill a page of fifty, where the
condition is true of one in sixty."""


def list_ids(
    connection: Connection, condition: Condition | None, order: Order, after: Place | None, limit: int, *, indexed: bool
) -> list[UUID]:
    """The ids of the next runs, in order; of all, or of the indexed ones."""
    ways = _Ways(connection.dialect.name, condition, order, after, indexed)

    def run(query: Select[Any]) -> list[UUID]:
        return list(connection.execute(query.limit(limit)).scalars())

    few = narrow(connection, condition)
    if few is not None:
        return run(ways.through(few))
    walk = ways.walk
    if walk is not None:
        row = connection.execute(ways.end_of_stretch(walk)).one_or_none()
        end = None if row is None else (row[0], row[1])
        found = run(ways.along(walk, end))
        if len(found) == limit or (end is None and not _are_some_without(connection, order.keys[0].field)):
            return found
    return run(ways.through_all())


def _are_some_without(connection: Connection, field: Field) -> bool:
    if field.kind not in MAPS:
        return False
    have = select(func.count()).where(facts.c.name == str(field), facts.c.value < NAN).scalar_subquery()
    count = select(func.count()).select_from(runs).scalar_subquery()
    return connection.execute(select(have < count)).scalar_one()


class _Walk(NamedTuple):
    """An index that has the runs in the order of the first key, from its least value to its greatest."""

    run_id: ColumnElement[Any]
    value: ColumnElement[Any]
    is_in_it: Sql
    least: Any
    greatest: Any

    @property
    def place(self) -> Tuple:
        """Where in the index a run stands."""
        return tuple_(self.value, self.run_id)

    def place_at(self, value: Any, run_id: UUID) -> Tuple:
        """Where in the index this run would stand."""
        return tuple_(literal(value, self.value.type), literal(run_id, Id))

    def hinted(self, query: Select[Any]) -> Select[Any]:
        """The query, kept from another index."""
        return query if self.run_id is runs.c.run_id else query.with_hint(self.run_id.table, _FACTS_IN_ORDER, "sqlite")


_FACTS_IN_ORDER = "INDEXED BY ix_facts_name_value_run_id"
_End = tuple[Any, UUID] | None


@dataclass
class _Ways:
    """The queries.

    Attributes:
        is_of_indexed: of the indexed runs only.
    """

    dialect: str
    condition: Condition | None
    order: Order
    after: Place | None
    is_of_indexed: bool

    @cached_property
    def walk(self) -> _Walk | None:
        """The index to walk, if there is one; there is none for what comes after all values."""
        field = self.order.keys[0].field
        if self.after is not None and self.after[0] is None:
            return None
        bounds = (to_bound(field, place) for place in bounds_of(field, conjuncts(self.condition)))
        if field.kind in MAPS:
            walked = facts.alias("walked")
            return _Walk(walked.c.run_id, walked.c.value, walked.c.name == str(field), *bounds)
        if field.name == "start_time":
            return _Walk(runs.c.run_id, runs.c.start_time, true(), *bounds)
        return None

    def end_of_stretch(self, walk: _Walk) -> Select[Any]:
        """Where a stretch that begins after the place has its end, which is no more in it: a value and an id.

        Nothing where the index ends first. Further keys need all runs of a value together.
        """
        is_down = self.order.keys[0].is_descending
        ends = [column.desc() if is_down else column for column in (walk.value, walk.run_id)]
        query = walk.hinted(select(walk.value, walk.run_id).where(walk.is_in_it, *self._between(walk, None)))
        end = query.order_by(*ends).offset(_STRETCH).limit(1)
        if len(self.order.keys) == 1:
            return end
        last = end.with_only_columns(walk.value).scalar_subquery()
        is_next = walk.value < last if is_down else walk.value > last
        return query.where(is_next).order_by(*ends).limit(1)

    def along(self, walk: _Walk, end: _End) -> Select[Any]:
        """The runs of a stretch that meet the condition."""
        if walk.run_id is runs.c.run_id:
            compiler = Compiler(self.dialect, columns_of_rows(self.dialect), walk.run_id)
        else:
            columns = columns_looked_up(self.dialect, walk.run_id)
            known = {str(self.order.keys[0].field): walk.value}
            compiler = Compiler(self.dialect, columns, walk.run_id, known=known)
        source, others = self._joined(walk.run_id.table, compiler, self.order.keys[1:])
        keys = [Key(walk.value, may_be_missing=False), *others]
        query = select(walk.run_id).select_from(source).where(walk.is_in_it, *self._between(walk, end))
        if others:
            query = self._behind(query, keys, walk.run_id)
        query = query.where(*self._asked(compiler, walk.run_id))
        return ordered(walk.hinted(query), self.order, keys, walk.run_id)

    def through(self, some: Select[Any]) -> Select[Any]:
        """Those of some runs that meet the condition."""
        chosen = some.cte("some").prefix_with("MATERIALIZED")
        run_id = chosen.c.run_id
        compiler = Compiler(self.dialect, columns_looked_up(self.dialect, run_id), run_id)
        source, keys = self._joined(chosen, compiler, self.order.keys)
        query = select(run_id).select_from(source).where(*self._asked(compiler, run_id))
        return ordered(self._behind(query, keys, run_id), self.order, keys, run_id)

    def through_all(self) -> Select[Any]:
        """Those of all runs that meet the condition."""
        compiler = Compiler(self.dialect, columns_of_rows(self.dialect), runs.c.run_id, is_of_all=True)
        source, keys = self._joined(runs, compiler, self.order.keys)
        named = [key.column.label(f"key_{number}") for number, key in enumerate(keys)]
        query = select(runs.c.run_id, *named).select_from(source).where(*self._asked(compiler, runs.c.run_id))
        met = query.cte("met")
        if self.is_of_indexed:  # apart, so that it is not planned for few rows because few are wanted in the end
            met = met.prefix_with("MATERIALIZED", dialect="postgresql")
        keys = [key._replace(column=met.c[one.name]) for key, one in zip(keys, named, strict=True)]
        return ordered(self._behind(select(met.c.run_id), keys, met.c.run_id), self.order, keys, met.c.run_id)

    def _joined(self, source: FromClause, compiler: Compiler, keys: Sequence[OrderKey]) -> tuple[FromClause, list[Key]]:
        """These keys, each param and metric among them looked up once a run."""
        columns: list[ColumnElement[Any]] = []
        run_id, joined = source.c.run_id, source
        for key in keys:
            if key.field.kind in MAPS:
                fact = facts.alias()
                is_key = and_(fact.c.run_id == run_id, fact.c.name == str(key.field), fact.c.value < NAN)
                joined = joined.outerjoin(fact, is_key)
                columns.append(fact.c.value)
            else:
                columns.append(compiler.column(key.field))
        return joined, [key_of(key.field, column) for key, column in zip(keys, columns, strict=True)]

    def _asked(self, compiler: Compiler, run_id: ColumnElement[Any]) -> Iterator[Sql]:
        if self.condition is not None:
            yield compiler.compile(self.condition)
        if self.is_of_indexed:
            yield run_id.not_in(select(runs.c.run_id).where(runs.c.indexed != INDEXED))

    def _behind(self, query: Select[Any], keys: list[Key], run_id: ColumnElement[Any]) -> Select[Any]:
        return query if self.after is None else query.where(beyond(self.order, self.after, keys, run_id))

    def _between(self, walk: _Walk, end: _End) -> Iterator[Sql]:
        """Of a walk what lies after the place and before an end: one bound of each side, see `bounds.py`."""
        is_down, is_one_key = self.order.keys[0].is_descending, len(self.order.keys) == 1
        near, far = (walk.greatest, walk.least) if is_down else (walk.least, walk.greatest)
        if self.after is not None and self.after[0] is not None:
            near = to_column_value(self.order.keys[0].field, self.after[0])
        if self.after is not None and is_one_key:
            mark = walk.place_at(near, UUID(bytes=self.after[-1]))
            yield walk.place < mark if is_down else walk.place > mark
        elif near is not None:
            yield walk.value <= near if is_down else walk.value >= near
        if end is not None and is_one_key:
            mark = walk.place_at(*end)
            yield walk.place > mark if is_down else walk.place < mark
        elif end is not None:
            yield walk.value > end[0] if is_down else walk.value < end[0]
        elif far is not None:
            yield walk.value >= far if is_down else walk.value <= far
