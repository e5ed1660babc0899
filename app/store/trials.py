"""Trials: a tuner's proposals and observations, numbered in the order in which they were made."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Connection, Row, Select, bindparam, select, tuple_

from app.domain.errors import UnknownTrial
from app.domain.states import TrialState
from app.domain.values import Scalar
from app.store import bulk
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


def _where(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(trials).where(*conditions).order_by(trials.c.tuner_id, trials.c.number)


def _any_of(name: str) -> BindParameter[Any]:
    return bindparam(name, expanding=True)


# Built once: to build a query costs more than to run it.
_BY_ID = _where(trials.c.trial_id.in_(_any_of("trial_ids")))
_EQUAL = _where(tuple_(trials.c.tuner_id, trials.c.params_digest).in_(_any_of("wanted")))
_QUEUED = _where(trials.c.tuner_id.in_(_any_of("tuner_ids")), trials.c.state == TrialState.queued)
_HELD = _where(
    trials.c.tuner_id.in_(_any_of("tuner_ids")),
    trials.c.state == TrialState.running,
    trials.c.worker.in_(_any_of("workers")),
)


def _list(connection: Connection, query: Select[Any], **values: Any) -> list[Trial]:
    return [_read(row) for row in connection.execute(query, values)]


def add(connection: Connection, added: Sequence[Trial]) -> None:
    """Add new trials."""
    bulk.insert(connection, trials, _COLUMNS, added)


def get(connection: Connection, trial_id: UUID) -> Trial:
    """One trial.

    Raises:
        UnknownTrial: there is none with this id.
    """
    found = find_many(connection, [trial_id])
    if not found:
        raise UnknownTrial(trial_id)
    return found[trial_id]


def find_many(connection: Connection, trial_ids: Collection[UUID]) -> dict[UUID, Trial]:
    """Those of these trials that exist."""
    if not trial_ids:
        return {}
    return {trial.trial_id: trial for trial in _list(connection, _BY_ID, trial_ids=list(trial_ids))}


def find_equal(connection: Connection, wanted: Collection[tuple[UUID, bytes]]) -> list[Trial]:
    """The trials with one of these (tuner, digest of parameters), by tuner and number."""
    if not wanted:
        return []
    return _list(connection, _EQUAL, wanted=list(wanted))


def list_queued(connection: Connection, tuner_ids: Collection[UUID]) -> list[Trial]:
    """The trials of these tuners that wait for a worker, by tuner and number."""
    return _list(connection, _QUEUED, tuner_ids=list(tuner_ids)) if tuner_ids else []


def list_held(connection: Connection, tuner_ids: Collection[UUID], workers: Collection[str]) -> list[Trial]:
    """The trials of these tuners that run with one of these workers, by tuner and number."""
    if not tuner_ids or not workers:
        return []
    return _list(connection, _HELD, tuner_ids=list(tuner_ids), workers=list(workers))


def list_all(connection: Connection, tuner_id: UUID) -> list[Trial]:
    """All the trials of a tuner, by number."""
    return _list(connection, _where(trials.c.tuner_id == tuner_id))


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


_CHANGING = ("trial_id", "state", "score", "reason", "worker", "attempt", "end_time")


def save(connection: Connection, changed: Sequence[Trial]) -> None:
    """Write what changes in the life of a trial. Their tuners' rows must be locked."""
    bulk.update(connection, trials, _CHANGING, changed)
