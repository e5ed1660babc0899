"""Runs are named, tagged, annotated, and deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import Connection

from app.domain.errors import DomainError, InvalidRequest, ParamExists, RunEnded, UnknownRun
from app.domain.events import RunDelete
from app.domain.states import RUN_ENDS
from app.domain.values import MAX_NAMES, Scalar, same_scalar
from app.service.each import each, get_known
from app.service.edition import require_edition
from app.service.holding import open_holdings, rows_of_runs, save_holdings
from app.store import events, leavings, runs
from app.store.database import Database
from app.store.locks import Rows, locking
from app.store.runs import Run
from app.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class EditRun:
    """What to change of a run; None leaves it as it is.

    Args:
        params: to add to those that it has.
        editions: those that the change was made from; empty means any.
    """

    run_id: UUID
    name: str | None
    tags: list[str] | None
    note: str | None
    params: Mapping[str, Scalar]
    editions: frozenset[str]


@locking(lambda _, requests: Rows(run_ids={request.run_id for request in requests}))
def edit_runs(transaction: Transaction, requests: Sequence[EditRun]) -> list[Run | DomainError]:
    """Edit runs. Params may be added while a run goes on, and never changed."""
    locked = runs.lock(transaction.connection, {request.run_id for request in requests})
    answers = each(requests, lambda request: _edit(locked, request))
    runs.edit(transaction.connection, locked.values())
    return answers


def _edit(locked: Mapping[UUID, Run], request: EditRun) -> Run:
    run = get_known(locked, request.run_id, UnknownRun)
    require_edition(run, request.editions)
    added = {name: value for name, value in request.params.items() if name not in run.params}
    for name, value in request.params.items():
        if name not in added and not same_scalar(run.params[name], value):
            raise ParamExists(f"Param {name!r} is {run.params[name]!r} already; params are never changed.", name=name)
    if added and run.status in RUN_ENDS:
        raise RunEnded(f"Run {run.run_id} has ended as {run.status}: it takes no more params.")
    if len(run.params) + len(added) > MAX_NAMES:
        raise InvalidRequest(f"a run has at most {MAX_NAMES} params", "body", "params")
    run.params = {**run.params, **added}
    run.name = run.name if request.name is None else request.name
    run.tags = run.tags if request.tags is None else request.tags
    run.note = run.note if request.note is None else request.note
    return run


_AT_ONCE = 2048
"""Events of a run in one transaction: what waits for the writer meanwhile waits a hundredth of a second."""


@dataclass(frozen=True, slots=True)
class Left:
    """Events of a deleted run that the log still has: those with numbers above `after`, and not above `up_to`."""

    run_id: UUID
    after: int
    up_to: int


@locking(lambda connection, requests: rows_of_runs(connection, set(requests)), goes_first=True)
def delete_runs(transaction: Transaction, requests: Sequence[UUID]) -> list[Left | DomainError | None]:
    """Delete runs with their history. A trial that one of them spoke for is held until its lease is over.

    Of long histories only the beginning: `Left` says what is still in the log, for `clear_logs`. Repeated, a deletion
    that was interrupted goes on.

    Records `run_delete`.
    """
    connection = transaction.connection
    holdings = open_holdings(transaction, set(requests))
    gone = {run_id: holdings.runs[run_id] for run_id in dict.fromkeys(requests) if run_id in holdings.runs}
    for run in gone.values():
        tuner, trial = holdings.of(run)
        if tuner is not None and trial is not None and trial.run_id == run.run_id:
            trial.run_id = None
            tuner.change(trial)
        transaction.record(RunDelete(run.run_id, run.last_epoch), tuner_id=run.tuner_id)
    save_holdings(transaction, holdings)
    runs.delete(connection, gone.keys())
    interrupted = dict(leavings.list_left(connection, set(requests) - gone.keys()))
    ends = dict.fromkeys(gone, events.last_event_id(connection)) | interrupted
    left = {run_id: _clear(connection, Left(run_id, 0, up_to)) for run_id, up_to in ends.items()}
    return [left[run_id] if run_id in left else UnknownRun(run_id) for run_id in requests]


async def clear(database: Database, left: Left | None) -> None:
    """Remove what is left of a deleted run's history, some at once: others have something to write, too."""
    while left is not None:
        left = await database.write(clear_logs, left)


def clear_logs(transaction: Transaction, requests: Sequence[Left]) -> list[Left | DomainError | None]:
    """Remove some more of the histories of deleted runs; of each, what is left then."""
    return [_clear(transaction.connection, left) for left in requests]


def _clear(connection: Connection, left: Left) -> Left | None:
    reached = leavings.delete_some(connection, left.run_id, left.after, left.up_to, _AT_ONCE)
    return None if reached is None else replace(left, after=reached)
