"""Runs: one training execution each, with a summary of what it logged. Its history is in the log."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
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
    run.summary = _read_summary(run.summary)
    return run


def _read_summary(stored: Mapping[str, Any]) -> dict[str, MetricSummary]:
    return {key: MetricSummary._make(numbers) for key, numbers in stored.items()}


def _written_summary(summary: Mapping[str, MetricSummary]) -> dict[str, list[Any]]:
    return {key: list(numbers) for key, numbers in summary.items()}


def _row(run: Run) -> dict[str, Any]:
    values = {name: getattr(run, name) for name in _COLUMNS}
    values["summary"] = _written_summary(run.summary)
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
_SAVE_PROGRESS = """
    UPDATE runs SET last_epoch = new.last_epoch, summary = new.summary
    FROM unnest(%b::uuid[], %b::bigint[], %b::text[]) AS new (run_id, last_epoch, summary)
    WHERE runs.run_id = new.run_id
"""


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
        run_id: Progress(run_id, tuner_id, RunStatus(status), last_epoch, _read_summary(orjson.loads(summary)))
        for run_id, tuner_id, status, last_epoch, summary in rows
    }


def save_progress(connection: Connection, changed: Collection[Progress]) -> None:
    """Write the last epochs and summaries. The rows must be locked."""
    if not changed:
        return
    summaries = [orjson.dumps(_written_summary(run.summary)).decode() for run in changed]
    last_epochs = [run.last_epoch for run in changed]
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_SAVE_PROGRESS, ([run.run_id for run in changed], last_epochs, summaries))
    else:
        connection.exec_driver_sql(
            "UPDATE runs SET last_epoch = ?, summary = ? WHERE run_id = ?",
            list(zip(last_epochs, summaries, [run.run_id.bytes for run in changed], strict=True)),
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
