"""Tuners are opened for a change, and saved: what every operation that moves trials has in common.

A write operation opens the tuners it is about (`open_tuners` locks their rows), changes them and their trials
through `OpenTuner`, and saves them all at once. docs/states.md has the picture.
"""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from app.domain.events import RunCrash
from app.domain.states import RUN_ENDS, RunStatus
from app.service.open_tuner import OpenTuner
from app.service.stop import ENDED_TRIAL
from app.service.trial import has_ended
from app.store import runs, trials, tuners
from app.store.runs import Run
from app.store.transaction import Transaction

__all__ = ["OpenTuner", "crash", "open_tuners", "save_tuners"]


def open_tuners(transaction: Transaction, tuner_ids: Collection[UUID]) -> dict[UUID, OpenTuner]:
    """Those of these tuners that exist, locked, each with its best trial so far."""
    locked = tuners.lock(transaction.connection, tuner_ids)
    opened = {tuner_id: OpenTuner(transaction, tuner) for tuner_id, tuner in locked.items()}
    for tuner_id, best in trials.best_of(transaction.connection, locked.values()).items():
        opened[tuner_id].best = best
    return opened


def save_tuners(
    transaction: Transaction, opened: Iterable[OpenTuner], locked_runs: Mapping[UUID, Run] | None = None
) -> None:
    """Complete those tuners that have nothing left to do, and write all that was changed. A run that goes on although
    its trial has ended, by somebody else's word, is told to stop.

    Args:
        locked_runs: runs that the caller has locked, all that speak for changed trials among them, and saves itself.
            Without any, those are locked here.
    """
    opened = list(opened)
    for one in opened:
        one.settle()
    opened = [one for one in opened if one.has_changed]
    for one in opened:
        one.tuner.update_time = max(transaction.now, one.tuner.create_time)  # as with the end of a run
    freed = set().union(*(one.freed for one in opened))
    # Those that speak for a trial that is changed, too: their own words change it as well.
    changed = [trial for one in opened for trial in one.changed.values()]
    speaking = {trial.run_id for trial in changed if trial.run_id is not None}
    ended = {trial.run_id for trial in changed if has_ended(trial)}
    held = locked_runs or runs.lock(transaction.connection, freed | speaking)
    found = {run_id: held[run_id] for run_id in freed & held.keys()}
    crashed = set().union(*(one.crashed for one in opened))
    for run in found.values():
        run.lease_s = None
        if run.run_id in crashed:
            crash(transaction, run)
        if run.run_id in ended and run.status not in RUN_ENDS:
            run.stop = run.stop or ENDED_TRIAL
    if not locked_runs:
        runs.save(transaction.connection, found.values())
    trials.add(transaction.connection, [trial for one in opened for trial in one.added.values()])
    trials.save(transaction.connection, changed)
    tuners.save(transaction.connection, [one.tuner for one in opened])


def crash(transaction: Transaction, run: Run) -> None:
    """Give a running run up, until it speaks again. Records `run_crash`."""
    if run.status is RunStatus.running:
        run.status, run.lease_s, run.stale_at = RunStatus.crashed, None, None
        transaction.record(RunCrash(run.run_id, run.last_epoch), tuner_id=run.tuner_id)
