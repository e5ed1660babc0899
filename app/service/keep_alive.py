"""Runs say that they are alive: each word puts off that they are given up, and renews the lease of their trial."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.domain.errors import DomainError, RunEnded, UnknownRun
from app.domain.events import RunResume
from app.domain.states import RUN_ENDS, RunStatus, TrialState, TunerState
from app.service.each import each, get_known
from app.service.holding import Holdings, open_holdings, require_hold, rows_of_runs, save_holdings
from app.service.stop import STOPPED_TUNER
from app.store import runs, trials
from app.store.locks import Rows, locking
from app.store.runs import Progress, Run, Stop
from app.store.transaction import Transaction
from app.store.trials import Renewal


class GivenUp(DomainError):
    """The run was given up: `reclaim` may bring it back. Never leaves the service."""


@dataclass(frozen=True, slots=True)
class Alive:
    """What a run is told when it has said something.

    Args:
        lease_expires_at: until when it holds its trial; None where it holds none.
    """

    run_id: UUID
    tuner_id: UUID | None
    stop: Stop | None
    lease_expires_at: datetime | None


def keep_alive(transaction: Transaction, locked: Collection[Progress]) -> dict[UUID, Alive]:
    """What those of these runs that are running are told, which have spoken; what depends on their words is put off."""
    spoke = [run for run in locked if run.status is RunStatus.running]
    leases: list[Renewal] = []
    told: dict[UUID, Alive] = {}
    for run in spoke:
        lease_end = None
        if run.lease_s is not None and run.trial_id is not None:
            lease_end = transaction.now + timedelta(seconds=run.lease_s)
            leases.append(Renewal(run.trial_id, lease_end))
        told[run.run_id] = Alive(run.run_id, run.tuner_id, run.stop, lease_end)
    trials.renew(transaction.connection, leases)
    awaited = [run for run in spoke if run.stale_after_s is not None]
    for run in awaited:
        run.stale_at = transaction.now + timedelta(seconds=run.stale_after_s or 0)
    runs.put_off(transaction.connection, awaited)
    return told


@locking(lambda _, requests: Rows(run_ids=set(requests)))
def heartbeat(transaction: Transaction, requests: Sequence[UUID]) -> list[Alive | DomainError]:
    """Runs that have nothing to tell are alive all the same."""
    locked = runs.lock_progress(transaction.connection, set(requests))
    told = keep_alive(transaction, locked.values())
    return [_beat(run_id, locked.get(run_id), told) for run_id in requests]


def _beat(run_id: UUID, run: Progress | None, told: dict[UUID, Alive]) -> Alive | DomainError:
    if run is None:
        return UnknownRun(run_id)
    if run.status is RunStatus.crashed:
        return GivenUp()
    if run.status in RUN_ENDS:
        return RunEnded(f"Run {run_id} has ended as {run.status}; there is nothing to keep alive.")
    return told[run_id]


@locking(lambda connection, requests: rows_of_runs(connection, set(requests)))
def reclaim(transaction: Transaction, requests: Sequence[UUID]) -> list[Run | DomainError]:
    """Bring runs back that were given up and speak again, where nobody else has their trial. Records `run_resume`."""
    holdings = open_holdings(transaction, set(requests))
    answers = each(requests, lambda run_id: _reclaim(transaction, holdings, run_id))
    save_holdings(transaction, holdings)
    return answers


def _reclaim(transaction: Transaction, holdings: Holdings, run_id: UUID) -> Run:
    run = get_known(holdings.runs, run_id, UnknownRun)
    if run.status is not RunStatus.crashed:
        return run
    tuner, trial = holdings.of(run)
    require_hold(run, trial)
    run.status = RunStatus.running
    if run.stale_after_s is not None:
        run.stale_at = transaction.now + timedelta(seconds=run.stale_after_s)
    if tuner is not None and trial is not None:
        tuner.renew(trial)
        run.lease_s = tuner.tuner.lease_s if trial.state is TrialState.running else None
        if run.stop is None and tuner.tuner.state is TunerState.stopped:
            run.stop = STOPPED_TUNER
    transaction.record(RunResume(run.run_id, run.last_epoch), tuner_id=run.tuner_id)
    return run
