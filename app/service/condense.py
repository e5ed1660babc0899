"""Long histories are made quick to draw some time after they were logged."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from sqlalchemy import Connection

from app.domain.curve import condense
from app.domain.errors import DomainError
from app.store import curve_pieces, events, runs
from app.store.curve_pieces import SHORTEST, StoredPiece
from app.store.locks import Rows, locking
from app.store.transaction import Transaction

EPOCHS_A_PIECE = 64
_AT_ONCE = 2048
"""Epochs of a run in one transaction: what waits for the writer meanwhile waits a hundredth of a second."""


@locking(lambda _, requests: Rows(run_ids=set(requests)))
def condense_runs(transaction: Transaction, requests: Sequence[UUID]) -> list[bool | DomainError]:
    """Write the next pieces of these runs' histories; whether there may be more to write."""
    locked = runs.lock_progress(transaction.connection, set(requests))
    return [run_id in locked and _condense(transaction.connection, run_id) for run_id in requests]


def _condense(connection: Connection, run_id: UUID) -> bool:
    start = curve_pieces.stop_of(connection, run_id)
    read = list(events.iterate_epochs(connection, run_id, start, None, limit=_AT_ONCE))
    by_epoch = [(epoch, list(same)) for epoch, same in groupby(read, itemgetter(0))]
    pieces: list[StoredPiece] = []
    # The last epoch that was read begins the piece after these: there may be more of it.
    for end in range(EPOCHS_A_PIECE, len(by_epoch), EPOCHS_A_PIECE):
        group = by_epoch[end - EPOCHS_A_PIECE : end]
        stop = by_epoch[end][0]
        curves = condense(point for _, same in group for point in same)
        pieces.append(curve_pieces.make(run_id, start, stop, curves))
        start = stop
    curve_pieces.add(connection, pieces)
    return len(read) == _AT_ONCE and bool(pieces)


def list_long(connection: Connection, run_ids: Sequence[UUID]) -> list[UUID]:
    """Those of these runs that have enough epochs without pieces."""
    return [run_id for run_id in run_ids if curve_pieces.has_waiting(connection, run_id, SHORTEST)]
