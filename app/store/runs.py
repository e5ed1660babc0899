"""Runs: one training execution each, with a summary of what it logged. Its history is in the log."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnClause, Connection, Row, Select, literal_column, select
from sqlalchemy import delete as sql_delete

from app.domain.errors import UnknownRun
from app.domain.states import RunStatus
from app.domain.summary import MetricSummary
from app.domain.values import Number, Scalar
from app.store import bulk, clock, tags
from app.store.tables import events, runs
from app.store.types import Instant

Stop = dict[str, Any]
"""Why a run should stop: `rule`, `reason`, and the `epoch` that was judged."""


@dataclass(slots=True)
class Run:
    """A row of `runs`, with the time of its last epoch, which the log has.

    Attributes:
        lease_s: not None exactly while the run is running and holds its trial, which is running too.
    """

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
    stop: Stop | None
    lease_s: float | None
    stale_after_s: float | None
    stale_at: datetime | None
    body_digest: bytes
    indexed: int = 0
    last_epoch_time: datetime | None = None

    @property
    def metrics(self) -> dict[str, Number]:
        """The latest value of each metric, the final ones included."""
        latest = {key: summary.last for key, summary in self.summary.items()}
        return latest | (self.final_metrics or {})

    @property
    def duration_s(self) -> float | None:
        """How long it took, once it has ended."""
        return None if self.end_time is None else (self.end_time - self.start_time).total_seconds()


_COLUMNS = tuple(field.name for field in fields(Run) if field.name != "last_epoch_time")

# Where the row of a run is at hand. Two numbers lead to it, however long the run is.
LAST_EPOCH_TIME: ColumnClause[datetime] = literal_column(
    f"""(
        SELECT max({events.c.timestamp}) FROM events
        WHERE {events.c.run_id} = {runs.c.run_id} AND {events.c.epoch} = {runs.c.last_epoch}
    )""",
    Instant,
)


def read(row: Row[Any] | tuple[Any, ...]) -> Run:
    """A run from its row, as `rows` has it: the columns are in the order of the fields."""
    run = Run(*row)
    run.status = RunStatus(run.status)
    return run


def rows() -> Select[Any]:
    """All runs, whole, for `read`."""
    return select(*(runs.c[name] for name in _COLUMNS), LAST_EPOCH_TIME)


def add(connection: Connection, added: Sequence[Run]) -> None:
    """Add new runs, with their tags and none of a deleted one that had the same id."""
    bulk.insert(connection, runs, _COLUMNS, added)
    tags.replace(connection, [(run.run_id, run.tags) for run in added])


def get(connection: Connection, run_id: UUID) -> Run:
    """One run.

    Raises:
        UnknownRun: there is none with this id.
    """
    row = connection.execute(rows().where(runs.c.run_id == run_id)).one_or_none()
    if row is None:
        raise UnknownRun(run_id)
    return read(row)


def find_many(connection: Connection, run_ids: Collection[UUID]) -> dict[UUID, Run]:
    """Those of these runs that exist, as they are now and not locked."""
    return _find(connection, run_ids, is_locked=False)


def lock(connection: Connection, run_ids: Collection[UUID]) -> dict[UUID, Run]:
    """Those of these runs that exist, locked until the commit, always in the same order."""
    return _find(connection, run_ids, is_locked=True)


def _find(connection: Connection, run_ids: Collection[UUID], *, is_locked: bool) -> dict[UUID, Run]:
    rows = bulk.select(connection, runs, _COLUMNS, "run_id", run_ids, computed=(LAST_EPOCH_TIME,), is_locked=is_locked)
    found = {run.run_id: run for run in map(read, rows)}
    for run in found.values():
        if run.last_epoch is not None and run.last_epoch_time is None:
            # Told in this very transaction, which stores its events last; or in one that the lock has waited for.
            run.last_epoch_time = clock.now(connection)
    return found


_CHANGING = ("run_id", "status", "end_time", "final_metrics", "stop", "lease_s", "stale_at", "indexed")


def save(connection: Connection, changed: Collection[Run]) -> None:
    """Write what changes in the life of a run, but for its epochs. The rows must be locked."""
    for run in changed:
        run.indexed = 0
    bulk.update(connection, runs, _CHANGING, list(changed))


_EDITABLE = ("run_id", "name", "params", "tags", "note", "indexed")


def edit(connection: Connection, edited: Collection[Run]) -> None:
    """Write what people may change of a run. The rows must be locked."""
    for run in edited:
        run.indexed = 0
    bulk.update(connection, runs, _EDITABLE, list(edited))
    tags.replace(connection, [(run.run_id, run.tags) for run in edited])


def delete(connection: Connection, run_ids: Collection[UUID]) -> None:
    """Delete runs; their events are deleted apart, as they may be many. The rows must be locked.

    Their tags stay in their table: by them is found who is to be told of the deletion.
    """
    connection.execute(sql_delete(runs).where(runs.c.run_id.in_(run_ids)))


def list_silent(connection: Connection, now: datetime) -> list[UUID]:
    """The runs that should have said something by now, in order."""
    # Sorted here: SQLite would rather walk through all runs in order than find these few by their index.
    return sorted(connection.execute(select(runs.c.run_id).where(runs.c.stale_at <= now)).scalars())


def list_awaited_too_long(connection: Connection, now: datetime) -> list[UUID]:
    """The runs that might be silent for longer than they may, in order."""
    rows = connection.execute(select(runs.c.run_id, runs.c.stale_at, runs.c.stale_after_s).where(runs.c.stale_at > now))
    return sorted(run_id for run_id, stale_at, after_s in rows if stale_at > now + timedelta(seconds=after_s))


def list_of(connection: Connection, tuner_ids: Collection[UUID]) -> list[UUID]:
    """The runs of some tuners."""
    return list(connection.execute(select(runs.c.run_id).where(runs.c.tuner_id.in_(tuner_ids))).scalars())


def list_open(connection: Connection, tuner_ids: Collection[UUID]) -> list[UUID]:
    """The runs of some tuners that have not ended."""
    is_open = runs.c.status.in_((RunStatus.running, RunStatus.crashed))
    query = select(runs.c.run_id).where(runs.c.tuner_id.in_(tuner_ids), is_open)
    return list(connection.execute(query).scalars())


@dataclass(slots=True)
class Progress:
    """What logging an epoch needs to know of a run, and changes."""

    run_id: UUID
    tuner_id: UUID | None
    trial_id: UUID | None
    status: RunStatus
    last_epoch: int | None
    summary: dict[str, MetricSummary]
    stop: Stop | None
    lease_s: float | None
    stale_after_s: float | None
    stale_at: datetime | None = None
    indexed: int = 0


# When a run is late, and that its facts are old, is only written here.
_PROGRESS = tuple(field.name for field in fields(Progress) if field.name not in ("stale_at", "indexed"))


def lock_progress(connection: Connection, run_ids: Collection[UUID]) -> dict[UUID, Progress]:
    """Those of these runs that exist, locked until the commit, always in the same order."""
    found = [Progress(*row) for row in bulk.select(connection, runs, _PROGRESS, "run_id", run_ids, is_locked=True)]
    for run in found:
        run.status = RunStatus(run.status)
    return {run.run_id: run for run in found}


def save_progress(connection: Connection, changed: Collection[Progress]) -> None:
    """Write the last epochs and summaries. The rows must be locked."""
    bulk.update(connection, runs, ("run_id", "last_epoch", "summary", "indexed"), list(changed))


def put_off(connection: Connection, spoke: Collection[Progress]) -> None:
    """Write until when these runs, which have just said something, may be silent. The rows must be locked."""
    bulk.update(connection, runs, ("run_id", "stale_at"), list(spoke))
