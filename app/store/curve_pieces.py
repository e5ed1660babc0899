"""Long histories in short: of each piece of a run's epochs, each metric's first, last, lowest and highest value.

A piece is written some time after its epochs, and forgotten when an epoch of it comes late. What has no piece is read
from the log: so no answer ever depends on which pieces there are, only how long it takes.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Connection, and_, bindparam, delete, func, select

from app.domain.curve import Piece
from app.store import bulk, driver
from app.store.tables import curve_pieces

SHORTEST = 512
"""Of a run with no more epochs than this there are no pieces."""


class StoredPiece(NamedTuple):
    """The curves of the epochs from `start` up to, and without, `stop`."""

    run_id: UUID
    start: int
    stop: int
    curves: str


class ReadPiece(NamedTuple):
    """A piece with its curves by metric."""

    start: int
    stop: int
    curves: Mapping[str, Piece]


def make(run_id: UUID, start: int, stop: int, curves: dict[str, Piece]) -> StoredPiece:
    """A piece as it is kept."""
    return StoredPiece(run_id, start, stop, orjson.dumps({key: list(one) for key, one in curves.items()}).decode())


def add(connection: Connection, added: Sequence[StoredPiece]) -> None:
    """Add new pieces."""
    bulk.insert(connection, curve_pieces, StoredPiece._fields, added)


_AT_ONCE = 1000

_PIECES = """
    SELECT start, stop, curves
    FROM curve_pieces
    WHERE run_id = {id} AND start >= {number}
    ORDER BY start
    LIMIT {number}
"""


def iterate(connection: Connection, run_id: UUID, start: int, keys: Collection[str]) -> Iterator[ReadPiece]:
    """The pieces of these metrics of a run from an epoch on, in order."""
    while True:
        rows = driver.fetch_of_run(connection, _PIECES, run_id, start, _AT_ONCE)
        # One text is read faster than a thousand are.
        for (first, stop, _), curves in zip(rows, orjson.loads(f"[{','.join([row[2] for row in rows])}]"), strict=True):
            yield ReadPiece(first, stop, {key: Piece._make(curves[key]) for key in keys if key in curves})
        if len(rows) < _AT_ONCE:
            return
        start = rows[-1][1]


_STOP = "SELECT stop FROM curve_pieces WHERE run_id = {id} ORDER BY start DESC LIMIT 1"


def stop_of(connection: Connection, run_id: UUID) -> int:
    """Up to which epoch a run has pieces, 0 where it has none."""
    found = driver.fetch_of_run(connection, _STOP, run_id)
    return found[0][0] if found else 0


_BEYOND = "SELECT 1 FROM events WHERE run_id = {id} AND epoch >= {number} ORDER BY epoch LIMIT 1 OFFSET {number}"


def has_waiting(connection: Connection, run_id: UUID) -> bool:
    """Whether enough epochs of a run come after its pieces for more of these."""
    return bool(driver.fetch_of_run(connection, _BEYOND, run_id, stop_of(connection, run_id), SHORTEST - 1))


def forget(connection: Connection, run_id: UUID, epochs: Collection[int]) -> None:
    """Forget the pieces that one of these epochs belongs to."""
    others = curve_pieces.alias()
    is_before = and_(others.c.run_id == run_id, others.c.start <= bindparam("epoch"))
    belongs = and_(
        curve_pieces.c.run_id == run_id,
        curve_pieces.c.start == select(func.max(others.c.start)).where(is_before).scalar_subquery(),
        curve_pieces.c.stop > bindparam("epoch"),
    )
    connection.execute(delete(curve_pieces).where(belongs), [{"epoch": epoch} for epoch in epochs])
