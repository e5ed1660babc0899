"""What runs are searched by: each param and each latest metric, one a row, in the form that sorts as the values do.

    runs.indexed = 0   the run has changed since: it is read from its own row
    runs.indexed = 1   its facts are those of its row
    runs.indexed = 2   a text of it is too long for an index: it is read from its own row, always

Logging an epoch writes no facts, it only marks the run. They are written some time after, for runs that have ended or
are silent; a search reads the few others from their rows (`search.py`). So no answer ever depends on when that was.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, delete, select, update

from app.domain.sortable import encode, encode_number
from app.domain.values import Number, Scalar
from app.store import bulk
from app.store.runs import Run
from app.store.tables import facts, runs

CHANGED, INDEXED, TOO_LONG = range(3)

_LONGEST_BYTES = 1000
"""Of a value: PostgreSQL indexes no more than 2,700 bytes a row, and a name may take 1,000."""


class Fact(NamedTuple):
    """A row of `facts`."""

    run_id: UUID
    name: str
    value: bytes


class Mark(NamedTuple):
    """A run that is not indexed: whether it runs, and how far it was."""

    run_id: UUID
    status: str
    last_epoch: int | None


# The second condition is that of the index, which SQLite does not see in the first.
_CHANGED = select(runs.c.run_id, runs.c.status, runs.c.last_epoch).where(
    runs.c.indexed == CHANGED, runs.c.indexed != INDEXED
)


def list_changed(connection: Connection, limit: int) -> list[Mark]:
    """Runs that have changed since they were indexed, or never were; in no order."""
    return [Mark(*row) for row in connection.execute(_CHANGED.limit(limit))]


def facts_of(params: Mapping[str, Scalar], metrics: Mapping[str, Number]) -> dict[str, bytes]:
    """The facts of a run, by name."""
    found = {f"params.{key}": encode(value) for key, value in params.items()}
    return found | {f"metrics.{key}": encode_number(value) for key, value in metrics.items()}


def put(connection: Connection, changed: Sequence[Run]) -> None:
    """Write the facts of these runs anew. Their rows must be locked."""
    by_state: dict[int, list[UUID]] = {INDEXED: [], TOO_LONG: []}
    rows: list[Fact] = []
    for run in changed:
        found = facts_of(run.params, run.metrics)
        is_short = all(len(value) <= _LONGEST_BYTES for value in found.values())
        by_state[INDEXED if is_short else TOO_LONG].append(run.run_id)
        if is_short:
            rows += (Fact(run.run_id, name, value) for name, value in found.items())
    connection.execute(delete(facts).where(facts.c.run_id.in_([run.run_id for run in changed])))
    bulk.insert(connection, facts, ("run_id", "name", "value"), rows)
    for state, run_ids in by_state.items():
        if run_ids:
            connection.execute(update(runs).where(runs.c.run_id.in_(run_ids)).values(indexed=state))
