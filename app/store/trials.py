"""Trials: a tuner's proposals and observations, numbered in the order in which they were made."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Executable,
    Row,
    Select,
    bindparam,
    select,
    union_all,
)

from app.domain.errors import UnknownTrial
from app.domain.states import TrialState
from app.domain.values import Number, Scalar
from app.store import bulk
from app.store.tables import trials, tuners
from app.store.tuners import Tuner


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
    scores: dict[str, Number] | None
    reason: str | None
    worker: str | None
    attempt: int
    lease_expires_at: datetime | None
    run_id: UUID | None
    why: dict[str, Any]
    create_time: datetime
    end_time: datetime | None

    @property
    def shown_attempt(self) -> int:
        """`attempt` is how often it was handed out; while it waits to be tried again, the one to come is told."""
        return self.attempt + (self.state is TrialState.queued and self.attempt > 0)


_COLUMNS = tuple(field.name for field in fields(Trial))
_AT_ONCE = 1000


def read(row: Row[Any] | tuple[Any, ...]) -> Trial:
    """A trial from its row, whose columns are in the order of the fields."""
    trial = Trial(*row)
    trial.state = TrialState(trial.state)
    return trial


def _where(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(trials).where(*conditions).order_by(trials.c.tuner_id, trials.c.number)


def _any_of(name: str) -> BindParameter[Any]:
    return bindparam(name, expanding=True)


_N: BindParameter[int] = bindparam("n")

# Built once: to build a query costs more than to run it.
_WAITING = union_all(
    *(
        select(_where(trials.c.tuner_id == bindparam("tuner_id"), trials.c.state == state).limit(_N).subquery())
        for state in (TrialState.stale, TrialState.queued)
    )
)
_HELD = _where(
    trials.c.tuner_id.in_(_any_of("tuner_ids")),
    trials.c.state == TrialState.running,
    trials.c.worker.in_(_any_of("workers")),
)
_BY_NUMBER = _where(trials.c.tuner_id == bindparam("tuner_id"), trials.c.number.in_(_any_of("numbers")))
# Not in order: SQLite would rather walk through all trials than find these few by their index.
_EQUAL = select(trials).where(
    trials.c.tuner_id == bindparam("tuner_id"), trials.c.params_digest.in_(_any_of("digests"))
)
_EXPIRED = select(trials).where(trials.c.lease_expires_at <= bindparam("now"))
_HELD_AT = select(trials.c.trial_id, trials.c.lease_expires_at, tuners.c.lease_s).join(tuners)
_HELD_AT = _HELD_AT.where(trials.c.lease_expires_at > bindparam("now"))


def _list(connection: Connection, query: Executable, **values: Any) -> list[Trial]:
    return [read(row) for row in connection.execute(query, values)]


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
    found = [read(row) for row in bulk.select(connection, trials, _COLUMNS, "trial_id", trial_ids)]
    return {trial.trial_id: trial for trial in found}


def best_of(connection: Connection, some: Iterable[Tuner]) -> dict[UUID, Trial]:
    """The best trials of these tuners, by tuner; those that have none are left out."""
    found = find_many(connection, {tuner.best_trial_id for tuner in some if tuner.best_trial_id is not None})
    return {trial.tuner_id: trial for trial in found.values()}


def numbers_of(connection: Connection, trial_ids: Collection[UUID]) -> dict[UUID, int]:
    """The numbers of those of these trials that exist."""
    return dict(bulk.select(connection, trials, ("trial_id", "number"), "trial_id", trial_ids))


def find_equal(connection: Connection, wanted: Collection[tuple[UUID, bytes]]) -> list[Trial]:
    """The trials with one of these (tuner, digest of parameters), by tuner and number."""
    of_tuners: defaultdict[UUID, list[bytes]] = defaultdict(list)
    for tuner_id, digest in wanted:
        of_tuners[tuner_id].append(digest)
    found = [
        trial
        for tuner_id, digests in of_tuners.items()
        for start in range(0, len(digests), _AT_ONCE)
        for trial in _list(connection, _EQUAL, tuner_id=tuner_id, digests=digests[start : start + _AT_ONCE])
    ]
    return sorted(found, key=lambda trial: (trial.tuner_id, trial.number))


def list_waiting(connection: Connection, tuner_id: UUID, limit: int) -> list[Trial]:
    """The trials of a tuner that wait for a worker, at most `limit`: stale ones first, then queued ones, by number."""
    found = _list(connection, _WAITING, tuner_id=tuner_id, n=limit)
    return sorted(found, key=lambda trial: (trial.state is TrialState.queued, trial.number))[:limit]


def list_held(connection: Connection, tuner_ids: Collection[UUID], workers: Collection[str]) -> list[Trial]:
    """The trials of these tuners that run with one of these workers, by tuner and number."""
    if not tuner_ids or not workers:
        return []
    return _list(connection, _HELD, tuner_ids=list(tuner_ids), workers=list(workers))


def list_others(connection: Connection, tuner_id: UUID, n_trials: int, known: Collection[int]) -> list[Trial]:
    """Of a tuner's trials, of which there are so many, those whose numbers are not among the known ones, by number."""
    if not known:
        return list_all(connection, tuner_id)
    return list_numbered(connection, tuner_id, [number for number in range(n_trials) if number not in known])


def list_all(connection: Connection, tuner_id: UUID) -> list[Trial]:
    """All the trials of a tuner, by number."""
    return _list(connection, _where(trials.c.tuner_id == tuner_id))


def list_numbered(connection: Connection, tuner_id: UUID, numbers: Sequence[int]) -> list[Trial]:
    """The trials of a tuner with these numbers, by number; the numbers must rise."""
    return [
        trial
        for start in range(0, len(numbers), _AT_ONCE)
        for trial in _list(connection, _BY_NUMBER, tuner_id=tuner_id, numbers=numbers[start : start + _AT_ONCE])
    ]


def list_in(connection: Connection, tuner_id: UUID, states: Collection[TrialState]) -> list[Trial]:
    """The trials of a tuner in one of these states, by number."""
    return _list(connection, _where(trials.c.tuner_id == tuner_id, trials.c.state.in_(states)))


_CHANGING = (
    "trial_id",
    "state",
    "score",
    "scores",
    "reason",
    "worker",
    "attempt",
    "lease_expires_at",
    "run_id",
    "end_time",
)


def save(connection: Connection, changed: Sequence[Trial]) -> None:
    """Write what changes in the life of a trial. Their tuners' rows must be locked."""
    bulk.update(connection, trials, _CHANGING, changed)


class Renewal(NamedTuple):
    """Until when a trial is held from now on."""

    trial_id: UUID
    lease_expires_at: datetime


def renew(connection: Connection, renewals: Sequence[Renewal]) -> None:
    """Write these leases. The trials must be running; the rows of the runs that hold them must be locked."""
    bulk.update(connection, trials, ("trial_id", "lease_expires_at"), renewals)


def list_expired(connection: Connection, now: datetime) -> list[Trial]:
    """The running trials whose lease is over, by tuner and number."""
    return sorted(_list(connection, _EXPIRED, now=now), key=lambda trial: (trial.tuner_id, trial.number))


def list_held_too_long(connection: Connection, now: datetime) -> list[Trial]:
    """The running trials whose lease would go on for longer than a whole one, by tuner and number."""
    rows = connection.execute(_HELD_AT, {"now": now})
    far = [trial_id for trial_id, end, lease_s in rows if end > now + timedelta(seconds=lease_s)]
    return sorted(find_many(connection, far).values(), key=lambda trial: (trial.tuner_id, trial.number))
