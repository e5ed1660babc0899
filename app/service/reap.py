"""What has fallen silent is given up: trials whose lease ran out, runs that said nothing for too long.

Each replica looks once a second, and gives up what the others have not: the rows are locked, and looked at again.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from app.domain.errors import DomainError, Unavailable
from app.domain.states import TrialState
from app.service import metrics
from app.service.lifecycle import OpenTuner, crash, open_tuners, save_tuners
from app.store import clock, runs, trials, tuners
from app.store.database import Database
from app.store.locks import Rows, locking
from app.store.runs import Run
from app.store.transaction import Transaction
from app.store.trials import Trial

log = logging.getLogger(__name__)

_EVERY_S = 1.0
_AT_ONCE = 1000
"""Of each, in a transaction: after an outage all is over, and others have something to write, too."""
_LEAST_LEAP = timedelta(seconds=5)
_LEAPS_KEPT = 10


@dataclass(frozen=True, slots=True)
class Leap:
    """The clock was set forward, or the machine slept: what was promised until then lasts as much longer.

    Args:
        before: the last time seen before it.
    """

    before: datetime
    size: timedelta


@dataclass(frozen=True, slots=True)
class Due:
    """What seems to be over at a time."""

    now: datetime
    trials: list[Trial]
    run_ids: list[UUID]
    tuner_ids: list[UUID]

    def parts(self) -> Iterator["Due"]:
        """The same, some at once; none where nothing is over."""
        for begin in range(0, max(len(self.trials), len(self.run_ids), len(self.tuner_ids)), _AT_ONCE):
            some = slice(begin, begin + _AT_ONCE)
            yield Due(self.now, self.trials[some], self.run_ids[some], self.tuner_ids[some])


@dataclass(frozen=True, slots=True)
class Reap:
    """What seems to be over, to be given up where it is; and leaps of the clock."""

    due: Due
    leaps: Sequence[Leap] = ()


@dataclass(frozen=True, slots=True)
class Reaped:
    """How many trials and runs were given up."""

    n_trials: int
    n_runs: int


def look(connection: Connection, *, and_ahead: bool = False) -> Due:
    """What seems to be over now.

    Args:
        and_ahead: and what would last longer from now on than it may: that was promised before the clock was set back.
    """
    now = clock.now(connection)
    due = Due(
        now,
        trials.list_expired(connection, now),
        runs.list_silent(connection, now),
        tuners.list_overdue(connection, now),
    )
    if and_ahead:
        due.trials.extend(trials.list_held_too_long(connection, now + _LEAST_LEAP))
        due.run_ids.extend(runs.list_awaited_too_long(connection, now + _LEAST_LEAP))
    return due


class Reaper:
    """Looks for what is over, as long as the service runs, and minds leaps of the clock."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._leaps: list[Leap] = []
        self._last: tuple[datetime, float, float] | None = None
        self._is_set_back = True
        """Whether the clock may be behind what was promised; also since before this process was."""

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except Unavailable as error:
                log.warning("leases wait for the store: %s", error)
            except Exception:
                # Whatever it was, the service goes on, and the next look may pass.
                log.exception("what has fallen silent could not be given up")
            await asyncio.sleep(_EVERY_S)

    async def look(self) -> None:
        """Give up what is over now."""
        asked_s = time.monotonic()
        due = await self._database.read(look)
        self._mind(due.now, asked_s, time.monotonic())
        if self._is_set_back:
            due = await self._database.read(look, and_ahead=True)
        for part in due.parts():
            done = await self._database.write(reap, Reap(part, tuple(self._leaps)))
            metrics.LEASES_EXPIRED.inc(done.n_trials)
            metrics.RUNS_GIVEN_UP.inc(done.n_runs)
        self._is_set_back = False

    def _mind(self, now: datetime, asked_s: float, told_s: float) -> None:
        """Compare the clock with one that never leaps, and that showed something between these two when it was read."""
        if self._last is not None:
            before, asked_before_s, told_before_s = self._last
            passed = now - before
            ahead = passed - timedelta(seconds=told_s - asked_before_s)
            behind = timedelta(seconds=asked_s - told_before_s) - passed
            if ahead > _LEAST_LEAP:
                log.warning("the clock leapt forward by %s: leases last as much longer", ahead)
                self._leaps = [*self._leaps[1 - _LEAPS_KEPT :], Leap(before, ahead)]
            elif behind > _LEAST_LEAP:
                log.warning("the clock was set back by %s: leases that would last as much longer begin anew", behind)
                self._leaps, self._is_set_back = [], True
        self._last = now, asked_s, told_s


def _rows(connection: Connection, requests: Sequence[Reap]) -> Rows:
    due = requests[-1].due
    again = trials.find_many(connection, [trial.trial_id for trial in due.trials])
    run_ids = {trial.run_id for trial in again.values() if trial.run_id is not None}
    return Rows({trial.tuner_id for trial in due.trials} | {*due.tuner_ids}, run_ids | {*due.run_ids})


@locking(_rows)
def reap(transaction: Transaction, requests: Sequence[Reap]) -> list[Reaped | DomainError]:
    """Give up trials and runs that have fallen silent, and complete tuners whose time is over. What would last longer
    than it may, because the clock was set back, begins anew.

    Records `trial_stale`, `trial_end`, `run_crash` and `tuner_end`.
    """
    connection, seen, leaps = transaction.connection, requests[-1].due, requests[-1].leaps
    opened = open_tuners(transaction, {trial.tuner_id for trial in seen.trials} | {*seen.tuner_ids})
    trial_ids = [trial.trial_id for trial in seen.trials]
    held_by = {trial.run_id for trial in trials.find_many(connection, trial_ids).values() if trial.run_id is not None}
    locked = runs.lock(connection, held_by | {*seen.run_ids})
    # As they are now that nobody else can change them: some may have spoken, or another replica was here first.
    again = trials.find_many(connection, trial_ids)
    expired = [trial for trial in again.values() if _has_expired(trial, opened[trial.tuner_id], seen.now, leaps)]
    for trial in expired:
        opened[trial.tuner_id].expire(trial)
    for trial in again.values():
        if _lasts_too_long(trial.lease_expires_at, opened[trial.tuner_id].tuner.lease_s, seen.now):
            opened[trial.tuner_id].renew(trial)
    still_there = [locked[run_id] for run_id in seen.run_ids if run_id in locked]
    silent = [run for run in still_there if _is_silent(run, seen.now, leaps)]
    for run in silent:
        crash(transaction, run)
    for run in still_there:
        if _lasts_too_long(run.stale_at, run.stale_after_s, seen.now):
            run.stale_at = seen.now + timedelta(seconds=run.stale_after_s or 0)
    save_tuners(transaction, opened.values(), locked)
    runs.save(connection, locked.values())
    return [Reaped(len(expired), len(silent))] * len(requests)


def _has_expired(trial: Trial, tuner: OpenTuner, now: datetime, leaps: Sequence[Leap]) -> bool:
    if trial.state is not TrialState.running or trial.lease_expires_at is None:
        return False
    return _is_over(trial.lease_expires_at, tuner.tuner.lease_s, now, leaps)


def _is_silent(run: Run, now: datetime, leaps: Sequence[Leap]) -> bool:
    return (
        run.stale_at is not None
        and run.stale_after_s is not None
        and _is_over(run.stale_at, run.stale_after_s, now, leaps)
    )


def _is_over(end: datetime, length_s: float, now: datetime, leaps: Sequence[Leap]) -> bool:
    """Whether a time that began `length_s` before its end is over, not counting leaps of the clock within it."""
    began = end - timedelta(seconds=length_s)
    for leap in leaps:
        if began <= leap.before:
            end += leap.size
    return end <= now


def _lasts_too_long(end: datetime | None, length_s: float | None, now: datetime) -> bool:
    """Whether this would end later than if it began now: so it was before the clock was set back."""
    return end is not None and length_s is not None and end > now + timedelta(seconds=length_s) + _LEAST_LEAP
