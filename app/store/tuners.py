"""Tuners: the row that is locked for every change of its trials, and what is asked about them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, literal, select, tuple_
from sqlalchemy import delete as sql_delete

from app.domain.errors import UnknownTuner
from app.domain.filters import TUNER_FIELDS, Condition, Kind
from app.domain.states import TrialState, TunerState, TunerStopReason
from app.store import bulk, tags
from app.store.filter_sql import Compiler
from app.store.tables import tuners
from app.store.types import Id, Instant


@dataclass(slots=True)
class Tuner:
    """A row of `tuners`; space, objectives, budget and stopper in their JSON form."""

    tuner_id: UUID
    name: str
    strategy: str
    space: dict[str, Any]
    objectives: list[dict[str, Any]]
    seed: int
    options: dict[str, Any]
    budget: dict[str, Any]
    deadline: datetime | None
    stopper: dict[str, Any] | list[dict[str, Any]]
    lease_s: float
    tags: list[str]
    state: TunerState
    stop_reason: TunerStopReason | None
    n_trials: int
    n_proposed: int
    is_exhausted: bool
    counts: dict[str, int]
    best_trial_id: UUID | None
    body_digest: bytes
    create_time: datetime
    update_time: datetime


_COLUMNS = tuple(field.name for field in fields(Tuner))


def _read(row: Row[Any] | tuple[Any, ...]) -> Tuner:
    """A tuner from its row, whose columns are in the order of the fields."""
    tuner = Tuner(*row)
    tuner.state = TunerState(tuner.state)
    tuner.stop_reason = None if tuner.stop_reason is None else TunerStopReason(tuner.stop_reason)
    return tuner


def add(connection: Connection, added: Sequence[Tuner]) -> None:
    """Add new tuners, with their tags and none of a deleted one that had the same id."""
    bulk.insert(connection, tuners, _COLUMNS, added)
    tags.replace(connection, [(tuner.tuner_id, tuner.tags) for tuner in added])


def get(connection: Connection, tuner_id: UUID) -> Tuner:
    """One tuner.

    Raises:
        UnknownTuner: there is none with this id.
    """
    row = connection.execute(select(tuners).where(tuners.c.tuner_id == tuner_id)).one_or_none()
    if row is None:
        raise UnknownTuner(tuner_id)
    return _read(row)


def find_many(connection: Connection, tuner_ids: Collection[UUID]) -> dict[UUID, Tuner]:
    """Those of these tuners that exist, as they are now and not locked."""
    return _find(connection, tuner_ids, is_locked=False)


def lock(connection: Connection, tuner_ids: Collection[UUID]) -> dict[UUID, Tuner]:
    """Those of these tuners that exist, locked until the commit, always in the same order."""
    return _find(connection, tuner_ids, is_locked=True)


def _find(connection: Connection, tuner_ids: Collection[UUID], *, is_locked: bool) -> dict[UUID, Tuner]:
    rows = bulk.select(connection, tuners, _COLUMNS, "tuner_id", tuner_ids, is_locked=is_locked)
    return {tuner.tuner_id: tuner for tuner in map(_read, rows)}


_CREATE_TIME = select(tuners.c.create_time).where(tuners.c.tuner_id == bindparam("tuner_id"))


def find_create_time(connection: Connection, tuner_id: UUID) -> datetime | None:
    """When a tuner was created, None where it does not exist: under its id there may be another one by now."""
    found: datetime | None = connection.execute(_CREATE_TIME, {"tuner_id": tuner_id}).scalar_one_or_none()
    return found


_CHANGING = (
    "tuner_id",
    "state",
    "stop_reason",
    "n_trials",
    "n_proposed",
    "is_exhausted",
    "counts",
    "best_trial_id",
    "update_time",
)


def save(connection: Connection, changed: Sequence[Tuner]) -> None:
    """Write what changes in the life of a tuner. The rows must be locked."""
    bulk.update(connection, tuners, _CHANGING, changed)


_EDITABLE = ("tuner_id", "name", "budget", "deadline", "tags")


def edit(connection: Connection, edited: Sequence[Tuner]) -> None:
    """Write what people may change of a tuner. The rows must be locked."""
    bulk.update(connection, tuners, _EDITABLE, edited)
    tags.replace(connection, [(tuner.tuner_id, tuner.tags) for tuner in edited])


def delete(connection: Connection, tuner_ids: Collection[UUID]) -> None:
    """Delete tuners with their trials; their runs stay, without a tuner. The rows must be locked.

    Their tags stay in their table: by them are found the events that tell of them.
    """
    connection.execute(sql_delete(tuners).where(tuners.c.tuner_id.in_(tuner_ids)))


def list_overdue(connection: Connection, now: datetime) -> list[UUID]:
    """The tuners that have not ended although their time is over and no trial of theirs is running, in order."""
    is_open = tuners.c.state.in_((TunerState.active, TunerState.paused))
    # Sorted here: SQLite would rather walk through all tuners in order than find these few by their index.
    found = connection.execute(select(tuners.c.tuner_id, tuners.c.counts).where(tuners.c.deadline <= now, is_open))
    return sorted(row.tuner_id for row in found if not row.counts[TrialState.running])


Key = tuple[datetime, UUID]
"""Where a tuner stands in the list: its time of creation and id."""


_FIELDS = {name: tuners.c[name] for name, kind in TUNER_FIELDS.items() if kind is not Kind.tags}


def list_page(connection: Connection, after: Key | None, limit: int, condition: Condition | None = None) -> list[Tuner]:
    """Tuners that meet the condition, newest first, after (in this order) a key."""
    query = select(tuners).order_by(tuners.c.create_time.desc(), tuners.c.tuner_id.desc()).limit(limit)
    if after is not None:
        mark = tuple_(literal(after[0], Instant), literal(after[1], Id))
        query = query.where(tuple_(tuners.c.create_time, tuners.c.tuner_id) < mark)
    if condition is not None:
        query = query.where(Compiler(connection.dialect.name, _FIELDS, tuners.c.tuner_id).compile(condition))
    return [_read(row) for row in connection.execute(query)]
