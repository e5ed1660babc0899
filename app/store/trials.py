"""Trials: a tuner's proposals and observations, numbered in the order in which they were made."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, and_, bindparam, insert, or_, select, tuple_, update

from app.domain.errors import UnknownTrial
from app.domain.states import TrialState
from app.domain.values import Scalar
from app.store.tables import trials


@dataclass(slots=True)
class Trial:
    """A row of `trials`."""

    trial_id: UUID
    tuner_id: UUID
    number: int
    params: dict[str, Scalar]
    params_digest: bytes
    state: TrialState
    score: float | None
    reason: str | None
    worker: str | None
    attempt: int
    why: dict[str, Any]
    create_time: datetime
    end_time: datetime | None


_COLUMNS = tuple(column.name for column in trials.columns)


def _read(row: Row[Any]) -> Trial:
    trial = Trial(**row._mapping)
    trial.state = TrialState(trial.state)
    return trial


def _list(connection: Connection, *conditions: Any) -> list[Trial]:
    query = select(trials).where(*conditions).order_by(trials.c.tuner_id, trials.c.number)
    return [_read(row) for row in connection.execute(query)]


def add(connection: Connection, added: Sequence[Trial]) -> None:
    """Add new trials."""
    if added:
        connection.execute(insert(trials), [{name: getattr(trial, name) for name in _COLUMNS} for trial in added])


def get(connection: Connection, trial_id: UUID) -> Trial:
    """One trial.

    Raises:
        UnknownTrial: there is none with this id.
    """
    found = _list(connection, trials.c.trial_id == trial_id)
    if not found:
        raise UnknownTrial(trial_id)
    return found[0]


def find_many(connection: Connection, trial_ids: Collection[UUID]) -> dict[UUID, Trial]:
    """Those of these trials that exist."""
    if not trial_ids:
        return {}
    return {trial.trial_id: trial for trial in _list(connection, trials.c.trial_id.in_(trial_ids))}


def find_equal(connection: Connection, wanted: Collection[tuple[UUID, bytes]]) -> list[Trial]:
    """The trials with one of these (tuner, digest of parameters), by tuner and number."""
    if not wanted:
        return []
    return _list(connection, tuple_(trials.c.tuner_id, trials.c.params_digest).in_(wanted))


def list_ready(connection: Connection, tuner_ids: Collection[UUID], workers: Collection[str]) -> list[Trial]:
    """The trials of these tuners that are queued, or run with one of these workers; by tuner and number."""
    is_queued = trials.c.state == TrialState.queued
    is_held = and_(trials.c.state == TrialState.running, trials.c.worker.in_(workers))
    is_ready = or_(is_queued, is_held) if workers else is_queued
    return _list(connection, trials.c.tuner_id.in_(tuner_ids), is_ready)


def list_all(connection: Connection, tuner_id: UUID) -> list[Trial]:
    """All the trials of a tuner, by number."""
    return _list(connection, trials.c.tuner_id == tuner_id)


def list_page(
    connection: Connection, tuner_id: UUID, states: Collection[TrialState], after: int | None, limit: int
) -> list[Trial]:
    """Trials of a tuner, by number, after the one with this number; an empty `states` is any."""
    query = select(trials).where(trials.c.tuner_id == tuner_id).order_by(trials.c.number).limit(limit)
    if states:
        query = query.where(trials.c.state.in_(states))
    if after is not None:
        query = query.where(trials.c.number > after)
    return [_read(row) for row in connection.execute(query)]


_CHANGING = ("state", "score", "reason", "worker", "attempt", "end_time")
_SAVE = (
    update(trials)
    .where(trials.c.trial_id == bindparam("this_id"))
    .values({name: bindparam(name) for name in _CHANGING})
)


def save(connection: Connection, changed: Sequence[Trial]) -> None:
    """Write what changes in the life of a trial. Their tuners' rows must be locked."""
    if changed:
        connection.execute(
            _SAVE,
            [{"this_id": trial.trial_id} | {name: getattr(trial, name) for name in _CHANGING} for trial in changed],
        )
