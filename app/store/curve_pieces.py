"""Long histories in short: of each piece of a run's epochs, each metric's first, last, lowest and highest value.

A piece is written some time after its epochs, and forgotten when an epoch of it comes late. What has no piece is read
from the log: so no answer ever depends on which pieces there are, only how long it takes.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Connection, and_, bindparam, delete, func, select

from app.domain.curve import Piece
from app.store import bulk
from app.store.tables import curve_pieces, events

SHORTEST = 1024
"""Of a run with no more epochs than this there are no pieces."""


class StoredPiece(NamedTuple):
    """The curves of the epochs from `start` up to, and without, `stop`."""

    run_id: UUID
    start: int
    stop: int
    curves: str

    def read(self) -> dict[str, Piece]:
        """By metric."""
        return {key: Piece._make(numbers) for key, numbers in orjson.loads(self.curves).items()}


def make(run_id: UUID, start: int, stop: int, curves: dict[str, Piece]) -> StoredPiece:
    """A piece as it is kept."""
    return StoredPiece(run_id, start, stop, orjson.dumps({key: list(one) for key, one in curves.items()}).decode())


def add(connection: Connection, added: Sequence[StoredPiece]) -> None:
    """Add new pieces."""
    bulk.insert(connection, curve_pieces, StoredPiece._fields, added)


def iterate(connection: Connection, run_id: UUID, start: int) -> Iterator[StoredPiece]:
    """The pieces of a run from an epoch on, in order."""
    query = select(curve_pieces).where(curve_pieces.c.run_id == run_id, curve_pieces.c.start >= start)
    for row in connection.execute(query.order_by(curve_pieces.c.start).execution_options(yield_per=1000)):
        yield StoredPiece._make(row)


_STOP = select(func.max(curve_pieces.c.stop)).where(curve_pieces.c.run_id == bindparam("run"))


def stop_of(connection: Connection, run_id: UUID) -> int:
    """Up to which epoch a run has pieces, 0 where it has none."""
    return connection.execute(_STOP, {"run": run_id}).scalar_one() or 0


def has_waiting(connection: Connection, run_id: UUID, least: int) -> bool:
    """Whether at least so many epochs of a run come after its pieces."""
    stop = stop_of(connection, run_id)
    beyond = select(events.c.epoch).where(events.c.run_id == run_id, events.c.epoch >= stop).limit(least).subquery()
    return connection.execute(select(func.count()).select_from(beyond)).scalar_one() == least


def forget(connection: Connection, run_id: UUID, epochs: Collection[int]) -> None:
    """Forget the pieces that one of these epochs belongs to."""
    belongs = and_(
        curve_pieces.c.run_id == run_id,
        curve_pieces.c.start <= bindparam("epoch"),
        curve_pieces.c.stop > bindparam("epoch"),
    )
    connection.execute(delete(curve_pieces).where(belongs), [{"epoch": epoch} for epoch in epochs])
