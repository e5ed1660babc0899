"""How trials and tuners move: every rule that suggesting, reporting and the end of a run share.

A write operation opens the tuners it is about (`open_tuners` locks their rows), changes them and their trials
through `OpenTuner`, and saves them all at once.
"""

import math
from collections.abc import Collection, Iterable
from hashlib import blake2b
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.domain.events import TrialEnd, TrialStart, TunerEnd
from app.domain.goal import Budget, Objective
from app.domain.states import SCORED, TRIAL_ENDS, TRIAL_MOVES, TrialState, TunerState, TunerStopReason
from app.domain.values import Params, params_key, to_json_number, to_rfc3339
from app.store import trials, tuners
from app.store.transaction import Transaction
from app.store.trials import Trial
from app.store.tuners import Tuner

_WITHOUT_LIMIT = 2**31
NON_FINITE = "non-finite score"


def params_digest(params: Params) -> bytes:
    """What equal parameters share, for looking them up."""
    return blake2b(params_key(params).encode(), digest_size=16).digest()


def describe(trial: Trial) -> dict[str, Any]:
    """A trial as the API and the events show it."""
    return {
        "trial_id": str(trial.trial_id),
        "tuner_id": str(trial.tuner_id),
        "number": trial.number,
        "params": trial.params,
        "state": trial.state,
        "score": None if trial.score is None else to_json_number(trial.score),
        "reason": trial.reason,
        "worker": trial.worker,
        "attempt": trial.attempt,
        "why": trial.why,
        "create_time": to_rfc3339(trial.create_time),
        "end_time": None if trial.end_time is None else to_rfc3339(trial.end_time),
    }


def n_left(tuner: Tuner, budget: Budget) -> int:
    """How many more trials a tuner may propose."""
    if tuner.state is not TunerState.active or tuner.is_exhausted:
        return 0
    return _WITHOUT_LIMIT if budget.max_trials is None else max(0, budget.max_trials - tuner.n_proposed)


class OpenTuner:
    """A tuner whose row this transaction holds, and what it changes of it and of its trials."""

    def __init__(self, transaction: Transaction, tuner: Tuner) -> None:
        self.tuner = tuner
        self.objective = Objective.from_json(tuner.objective)
        self.budget = Budget.from_json(tuner.budget)
        self.best: Trial | None = None
        self.added: dict[UUID, Trial] = {}
        self.changed: dict[UUID, Trial] = {}
        self._transaction = transaction

    @property
    def n_running(self) -> int:
        """How many trials are out with workers."""
        return self.tuner.counts[TrialState.running]

    @property
    def n_free(self) -> int:
        """How many more trials may be out with workers now."""
        limit = self.budget.max_parallel
        return _WITHOUT_LIMIT if limit is None else max(0, limit - self.n_running)

    @property
    def n_left(self) -> int:
        """How many more trials may be proposed."""
        return n_left(self.tuner, self.budget)

    def add(self, params: dict[str, Any], why: dict[str, Any]) -> Trial:
        """A new trial with the next number, queued."""
        trial = Trial(
            trial_id=uuid7(),
            tuner_id=self.tuner.tuner_id,
            number=self.tuner.n_trials,
            params=params,
            params_digest=params_digest(params),
            state=TrialState.queued,
            score=None,
            reason=None,
            worker=None,
            attempt=0,
            why=why,
            create_time=self._transaction.now,
            end_time=None,
        )
        self.tuner.n_trials += 1
        self.tuner.counts[TrialState.queued] += 1
        self.added[trial.trial_id] = trial
        return trial

    def propose(self, params: dict[str, Any], why: dict[str, Any]) -> Trial:
        """A new trial that counts against the budget."""
        self.tuner.n_proposed += 1
        return self.add(params, why)

    def hand_out(self, trial: Trial, worker: str | None) -> None:
        """The trial goes to a worker. Records `trial_start`."""
        self._move(trial, TrialState.running)
        trial.worker, trial.reason = worker, None
        trial.attempt += 1
        self._transaction.record(
            TrialStart(trial.tuner_id, trial.trial_id, trial.number, trial.params, worker, trial.attempt)
        )

    def conclude(self, trial: Trial, state: TrialState, score: float | None, reason: str | None) -> None:
        """The trial has this outcome, but a failed one is queued again while attempts are left.

        Records `trial_end`, unless it is queued again.
        """
        if state is TrialState.failed and trial.attempt < self.budget.max_attempts:
            self._move(trial, TrialState.queued)
            trial.reason = reason
        else:
            self.end(trial, state, score, reason)

    def end(self, trial: Trial, state: TrialState, score: float | None, reason: str | None) -> None:
        """The trial has its outcome, for good. Records `trial_end`."""
        if score is not None and not math.isfinite(score):
            state, reason = TrialState.failed, NON_FINITE
        self._move(trial, state)
        trial.score, trial.reason = score, reason
        trial.end_time = max(self._transaction.now, trial.create_time)
        self._note_best(trial)
        shown = None if score is None else to_json_number(score)
        self._transaction.record(
            TrialEnd(trial.tuner_id, trial.trial_id, trial.number, trial.state, shown, None, trial.reason)
        )

    def observe(self, params: dict[str, Any], state: TrialState, score: float | None, reason: str | None) -> Trial:
        """An observation from outside: a trial that has its outcome already. Records `trial_end`."""
        trial = self.add(params, {"phase": "imported"})
        self.end(trial, state, score, reason)
        return trial

    def settle(self) -> None:
        """Complete the tuner if nothing is left to try and nothing runs. Records `tuner_end`."""
        tuner = self.tuner
        is_open = self.n_left > 0 or tuner.counts[TrialState.queued] > 0 or self.n_running > 0
        if tuner.state is not TunerState.active or is_open:
            return
        tuner.state = TunerState.completed
        tuner.stop_reason = TunerStopReason.exhausted if tuner.is_exhausted else TunerStopReason.max_trials
        best = None if self.best is None else describe(self.best)
        self._transaction.record(TunerEnd(tuner.tuner_id, tuner.state, tuner.stop_reason, best))

    def _move(self, trial: Trial, state: TrialState) -> None:
        if state not in TRIAL_MOVES[trial.state]:
            raise AssertionError(f"trial {trial.trial_id} cannot move from {trial.state} to {state}")
        self.tuner.counts[trial.state] -= 1
        self.tuner.counts[state] += 1
        trial.state = state
        if trial.trial_id not in self.added:
            self.changed[trial.trial_id] = trial

    def _note_best(self, trial: Trial) -> None:
        if trial.state in SCORED and trial.score is not None and self._is_better(trial.score):
            self.best = trial
            self.tuner.best_trial_id = trial.trial_id

    def _is_better(self, score: float) -> bool:
        if self.best is None or self.best.score is None:
            return True
        return self.objective.loss(score) < self.objective.loss(self.best.score)


def open_tuners(transaction: Transaction, tuner_ids: Collection[UUID]) -> dict[UUID, OpenTuner]:
    """Those of these tuners that exist, locked, each with its best trial so far."""
    locked = tuners.lock(transaction.connection, tuner_ids)
    opened = {tuner_id: OpenTuner(transaction, tuner) for tuner_id, tuner in locked.items()}
    best_ids = [tuner.best_trial_id for tuner in locked.values() if tuner.best_trial_id is not None]
    for best in trials.find_many(transaction.connection, best_ids).values():
        opened[best.tuner_id].best = best
    return opened


def save_tuners(transaction: Transaction, opened: Iterable[OpenTuner]) -> None:
    """Complete those tuners that have nothing left to do, and write all that was changed."""
    for one in opened:
        one.settle()
        one.tuner.update_time = transaction.now
    trials.add(transaction.connection, [trial for one in opened for trial in one.added.values()])
    trials.save(transaction.connection, [trial for one in opened for trial in one.changed.values()])
    tuners.save(transaction.connection, [one.tuner for one in opened])


def has_ended(trial: Trial) -> bool:
    """Whether the trial has its outcome."""
    return trial.state in TRIAL_ENDS
