"""Runs: one training execution each, with a summary of what it logged. Its history is in the log."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, literal, select, tuple_

from app.domain.errors import UnknownRun
from app.domain.states import RunStatus
from app.domain.summary import MetricSummary
from app.domain.values import Number, Scalar
from app.store import bulk, tags
from app.store.tables import runs
from app.store.types import Id, Instant, read_summary


@dataclass(slots=True)
class Run:
    """A row of `runs`."""

    run_id: UUID
    tuner_id: UUID | None
    trial_id: UUID | None
    name: str
    params: dict[str, Scalar]
    tags: list[str]
    note: str
    status: RunStatus
    start_time: datetime
    end_time: datetime | None
    last_epoch: int | None
    summary: dict[str, MetricSummary]
    final_metrics: dict[str, Number] | None
    body_digest: bytes

    @property
    def metrics(self) -> dict[str, Number]:
        """The latest value of each metric, the final ones included."""
        latest = {key: summary.last for key, summary in self.summary.items()}
        return latest | (self.final_metrics or {})

    @property
    def duration_s(self) -> float | None:
        """How long it took, once it has ended."""
        return None if self.end_time is None else (self.end_time - self.start_time).total_seconds()


_COLUMNS = tuple(column.name for column in runs.columns)


def _read(row: Row[Any]) -> Run:
    run = Run(**row._mapping)
    run.status = RunStatus(run.status)
    return run


def add(connection: Connection, added: Sequence[Run]) -> None:
    """Add new runs, with their tags."""
    bulk.insert(connection, runs, _COLUMNS, added)
    tags.put(connection, [(run.run_id, run.tags) for run in added])


def get(connection: Connection, run_id: UUID) -> Run:
    """One run.

    Raises:
        UnknownRun: there is none with this id.
    """
    row = connection.execute(select(runs).where(runs.c.run_id == run_id)).one_or_none()
    if row is None:
        raise UnknownRun(run_id)
    return _read(row)


def require(connection: Connection, run_id: UUID) -> None:
    """Nothing, where the run exists.

    Raises:
        UnknownRun: there is none with this id.
    """
    if connection.execute(select(runs.c.run_id).where(runs.c.run_id == run_id)).one_or_none() is None:
        raise UnknownRun(run_id)


def find_many(connection: Connection, run_ids: Collection[UUID]) -> dict[UUID, Run]:
    """Those of these runs that exist, as they are now and not locked."""
    return _find(connection, run_ids, is_locked=False)


def lock(connection: Connection, run_ids: Collection[UUID]) -> dict[UUID, Run]:
    """Those of these runs that exist, locked until the commit, always in the same order."""
    return _find(connection, run_ids, is_locked=True)


def _find(connection: Connection, run_ids: Collection[UUID], *, is_locked: bool) -> dict[UUID, Run]:
    if not run_ids:
        return {}
    query = select(runs).where(runs.c.run_id.in_(run_ids)).order_by(runs.c.run_id)
    if is_locked:
        query = query.with_for_update(key_share=True)
    return {row.run_id: _read(row) for row in connection.execute(query)}


_CHANGING = ("run_id", "status", "end_time", "last_epoch", "summary", "final_metrics")


def save(connection: Connection, changed: Collection[Run]) -> None:
    """Write what changes in the life of a run. The rows must be locked."""
    bulk.update(connection, runs, _CHANGING, list(changed))


@dataclass(slots=True)
class Progress:
    """What logging an epoch needs to know of a run, and changes."""

    run_id: UUID
    tuner_id: UUID | None
    status: RunStatus
    last_epoch: int | None
    summary: dict[str, MetricSummary]


_PROGRESS = "run_id, tuner_id, status, last_epoch, summary"
_LOCK_PROGRESS = f"SELECT {_PROGRESS} FROM runs WHERE run_id = ANY(%s) ORDER BY run_id FOR NO KEY UPDATE"


def lock_progress(connection: Connection, run_ids: Collection[UUID]) -> dict[UUID, Progress]:
    """Those of these runs that exist, locked until the commit, always in the same order."""
    if connection.dialect.name == "postgresql":
        found = connection.exec_driver_sql(_LOCK_PROGRESS, (list(run_ids),))
        rows = [tuple(row) for row in found]
    else:
        marks = ",".join("?" * len(run_ids))
        query = f"SELECT {_PROGRESS} FROM runs WHERE run_id IN ({marks})"
        found = connection.exec_driver_sql(query, tuple(run_id.bytes for run_id in run_ids))
        rows = [(UUID(bytes=row[0]), row[1] and UUID(bytes=row[1]), *row[2:]) for row in found]
    return {
        run_id: Progress(run_id, tuner_id, RunStatus(status), last_epoch, read_summary(summary))
        for run_id, tuner_id, status, last_epoch, summary in rows
    }


def save_progress(connection: Connection, changed: Collection[Progress]) -> None:
    """Write the last epochs and summaries. The rows must be locked."""
    bulk.update(connection, runs, ("run_id", "last_epoch", "summary"), list(changed))


Key = tuple[datetime, UUID]
"""Where a run stands in the list: its start and id."""


def list_page(connection: Connection, after: Key | None, limit: int) -> list[Run]:
    """Runs, newest first, after (in this order) a key."""
    query = select(runs).order_by(runs.c.start_time.desc(), runs.c.run_id.desc()).limit(limit)
    if after is not None:
        mark = tuple_(literal(after[0], Instant), literal(after[1], Id))
        query = query.where(tuple_(runs.c.start_time, runs.c.run_id) < mark)
    return [_read(row) for row in connection.execute(query)]
