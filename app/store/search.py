"""Runs found by a condition, in an order: by index (`ways.py`), and from their rows the few that are not indexed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from app.domain.filters import MAPS, Condition, Field, Kind, conjuncts, fields_of, holds
from app.domain.order import Order, OrderKey, Place
from app.domain.values import to_rfc3339
from app.store import runs as run_rows
from app.store.facts import INDEXED
from app.store.filter_sql import Compiler
from app.store.run_columns import columns_of_rows
from app.store.runs import Run
from app.store.tables import runs
from app.store.ways import list_ids

NEWEST_FIRST = Order((OrderKey(Field("start_time", Kind.time), is_descending=True),))


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
        "last_epoch_time": None if run.last_epoch_time is None else to_rfc3339(run.last_epoch_time),
        "tuner_id": None if run.tuner_id is None else str(run.tuner_id),
        "trial_id": None if run.trial_id is None else str(run.trial_id),
        "tags": run.tags,
        "params": run.params,
        "metrics": run.metrics,
    }


def list_found(connection: Connection, search: Search, limit: int) -> list[Found]:
    """The next runs, at most `limit`."""
    needs_facts = _names_a_map(search.condition) or any(key.field.kind in MAPS for key in search.order.keys)
    run_ids = list_ids(connection, search.condition, search.order, search.after, limit, indexed=needs_facts)
    rows = run_rows.find_many(connection, run_ids)
    found = [_found(search, rows[run_id], thing_of(rows[run_id])) for run_id in run_ids]
    if not needs_facts:
        return found
    return search.order.first(chain(found, _iterate_plainly(connection, search)), lambda one: one.place, limit)


def _found(search: Search, run: Run, thing: Mapping[str, Any]) -> Found:
    return Found(run, search.order.place_of(thing, run.run_id.bytes))


def _names_a_map(condition: Condition | None) -> bool:
    return any(field.kind in MAPS for field in fields_of(condition))


def _iterate_plainly(connection: Connection, search: Search) -> Iterator[Found]:
    """Those of the runs that are not indexed, in no order."""
    for run in _iterate_unindexed(connection, search.condition):
        thing = thing_of(run)
        if search.condition is None or holds(search.condition, thing):
            one = _found(search, run, thing)
            if search.after is None or search.order.compare(one.place, search.after) > 0:
                yield one


def _iterate_unindexed(connection: Connection, condition: Condition | None) -> Iterator[Run]:
    query = run_rows.rows().where(runs.c.indexed != INDEXED)
    compiler = Compiler(connection.dialect.name, columns_of_rows(connection.dialect.name), runs.c.run_id)
    for part in conjuncts(condition):
        if not _names_a_map(part):
            query = query.where(compiler.compile(part))
    for row in connection.execute(query.execution_options(yield_per=500)):
        yield run_rows.read(row)
