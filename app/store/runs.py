"""Runs: one training execution each, with a summary of what it logged. Its history is in the log."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, insert, literal, select, tuple_, update

from app.domain.errors import UnknownRun
from app.domain.states import RunStatus
from app.domain.summary import MetricSummary
from app.domain.values import Number, Scalar
from app.store.tables import runs, tags
from app.store.types import Id, Instant


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
    run.summary = {key: MetricSummary(*numbers) for key, numbers in run.summary.items()}
    return run


def _row(run: Run) -> dict[str, Any]:
    values = {name: getattr(run, name) for name in _COLUMNS}
    values["summary"] = {key: list(numbers) for key, numbers in run.summary.items()}
    return values


def add(connection: Connection, added: Sequence[Run]) -> None:
    """Add new runs, with their tags."""
    if added:
        connection.execute(insert(runs), [_row(run) for run in added])
    tagged = [{"owner_id": run.run_id, "tag": tag} for run in added for tag in set(run.tags)]
    if tagged:
        connection.execute(insert(tags), tagged)


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


_CHANGING = ("status", "end_time", "last_epoch", "summary", "final_metrics")
_SAVE = update(runs).where(runs.c.run_id == bindparam("this_id")).values({name: bindparam(name) for name in _CHANGING})


def save(connection: Connection, changed: Collection[Run]) -> None:
    """Write what changes in the life of a run. The rows must be locked."""
    if changed:
        rows = [(run.run_id, _row(run)) for run in changed]
        connection.execute(
            _SAVE, [{"this_id": run_id} | {name: row[name] for name in _CHANGING} for run_id, row in rows]
        )


Key = tuple[datetime, UUID]
"""Where a run stands in the list: its start and id."""


def list_page(connection: Connection, after: Key | None, limit: int) -> list[Run]:
    """Runs, newest first, after (in this order) a key."""
    query = select(runs).order_by(runs.c.start_time.desc(), runs.c.run_id.desc()).limit(limit)
    if after is not None:
        mark = tuple_(literal(after[0], Instant), literal(after[1], Id))
        query = query.where(tuple_(runs.c.start_time, runs.c.run_id) < mark)
    return [_read(row) for row in connection.execute(query)]
