"""Long histories are made quick to draw some time after they were logged."""

from bisect import bisect_left
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection

from app.domain.curve import Logged, condense
from app.domain.errors import DomainError
from app.store import curve_pieces, events, runs
from app.store.curve_pieces import StoredPiece
from app.store.locks import Rows, locking
from app.store.transaction import Transaction

_EARLY = 4096
_EPOCHS_A_PIECE = (16, 64)
"""Of early epochs, for histories of a thousand epochs are drawn with a hundred points; and of later ones."""
_AT_ONCE = 2048
"""Epochs of a run in one transaction: what waits for the writer meanwhile waits a hundredth of a second."""


@locking(lambda _, requests: Rows(run_ids=set(requests)))
def condense_runs(transaction: Transaction, requests: Sequence[UUID]) -> list[bool | DomainError]:
    """Write the next pieces of these runs' histories; whether there may be more to write."""
    locked = runs.lock_progress(transaction.connection, set(requests))
    return [run_id in locked and _condense(transaction.connection, run_id) for run_id in requests]


def _condense(connection: Connection, run_id: UUID) -> bool:
    start = curve_pieces.stop_of(connection, run_id)
    read = events.list_logged(connection, run_id, start, _AT_ONCE)
    epochs = list(dict.fromkeys(read.epochs))
    pieces: list[StoredPiece] = []
    number = begin = 0
    # The last epoch that was read begins the piece after these: there may be more of it.
    while (number := number + _EPOCHS_A_PIECE[start >= _EARLY]) < len(epochs):
        stop = epochs[number]
        end = bisect_left(read.epochs, stop, begin)
        curves = condense(Logged(read.epochs[begin:end], read.metrics[begin:end]))
        pieces.append(curve_pieces.make(run_id, start, stop, curves))
        start, begin = stop, end
    curve_pieces.add(connection, pieces)
    return len(read.epochs) == _AT_ONCE and bool(pieces)


def list_long(connection: Connection, run_ids: Sequence[UUID]) -> list[UUID]:
    """Those of these runs that have enough epochs without pieces."""
    return [run_id for run_id in run_ids if curve_pieces.has_waiting(connection, run_id)]
