"""Runs are told to stop: by somebody, by a stopper, or because their trial has ended or their tuner is gone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.domain.errors import DomainError, RunEnded, UnknownRun
from app.domain.states import RUN_ENDS
from app.service.each import each, get_known
from app.store import runs
from app.store.locks import Rows, locking
from app.store.runs import Run, Stop
from app.store.transaction import Transaction

STOPPED_TUNER: Stop = {"rule": "tuner", "reason": "the tuner was stopped", "epoch": None}
DELETED_TUNER: Stop = {"rule": "tuner", "reason": "the tuner was deleted", "epoch": None}
ENDED_TRIAL: Stop = {"rule": "trial", "reason": "the trial has ended already", "epoch": None}
REQUESTED = "requested"


@dataclass(frozen=True, slots=True)
class TellToStop:
    """Why a run is to stop; `epoch` is the one that was judged, None its last one."""

    run_id: UUID
    rule: str
    reason: str
    epoch: int | None = None


@locking(lambda _, requests: Rows(run_ids={request.run_id for request in requests}))
def tell_to_stop(transaction: Transaction, requests: Sequence[TellToStop]) -> list[Run | DomainError]:
    """Tell runs to stop: their next epoch or heartbeat is answered so. Who said it first is who is named."""
    locked = runs.lock(transaction.connection, {request.run_id for request in requests})
    answers = each(requests, lambda request: _tell(locked, request))
    runs.save(transaction.connection, locked.values())
    return answers


def _tell(locked: Mapping[UUID, Run], request: TellToStop) -> Run:
    run = get_known(locked, request.run_id, UnknownRun)
    if run.status in RUN_ENDS:
        raise RunEnded(f"Run {run.run_id} has ended as {run.status} already.")
    if run.stop is None:
        epoch = run.last_epoch if request.epoch is None else request.epoch
        run.stop = {"rule": request.rule, "reason": request.reason, "epoch": epoch}
    return run
