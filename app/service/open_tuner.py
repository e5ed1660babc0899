"""How a tuner and its trials move: every rule that suggesting, reporting, leases and the ends of runs share."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.domain.events import TrialEnd, TrialStale, TrialStart, TunerEnd
from app.domain.goal import Budget, Objective, Outcome
from app.domain.states import SCORED, TRIAL_MOVES, TrialState, TunerState, TunerStopReason
from app.service.trial import describe, params_digest
from app.store.transaction import Transaction
from app.store.trials import Trial
from app.store.tuners import Tuner

_WITHOUT_LIMIT = 2**31
_EXPIRED = "the lease ran out, and no attempts are left"
_UNSAID = "it failed, and nobody said why"
"""A trial that waits although it was handed out has a reason where it failed, and none where it was handed back."""


def n_left(tuner: Tuner, budget: Budget) -> int:
    """How many more trials a tuner may propose, as long as nothing closes it before."""
    if tuner.state is not TunerState.active or tuner.is_exhausted:
        return 0
    return _WITHOUT_LIMIT if budget.max_trials is None else max(0, budget.max_trials - tuner.n_proposed)


class OpenTuner:
    """A tuner whose row this transaction holds, and what it changes of it and of its trials."""

    def __init__(self, transaction: Transaction, tuner: Tuner) -> None:
        self.tuner = tuner
        self.objectives = [Objective.from_json(objective) for objective in tuner.objectives]
        self.budget = Budget.from_json(tuner.budget)
        self.best: Trial | None = None
        self.added: dict[UUID, Trial] = {}
        self.changed: dict[UUID, Trial] = {}
        # Runs that no longer hold a trial; of those, the ones whose trial was taken away from them.
        self.freed: set[UUID] = set()
        self.crashed: set[UUID] = set()
        self._transaction = transaction
        self._before = replace(tuner, counts=dict(tuner.counts))

    @property
    def has_changed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.added or self.changed) or self.tuner != self._before

    @property
    def n_running(self) -> int:
        """How many trials are out with workers."""
        return self.tuner.counts[TrialState.running]

    @property
    def n_waiting(self) -> int:
        """How many trials wait for a worker."""
        return self.tuner.counts[TrialState.queued] + self.tuner.counts[TrialState.stale]

    @property
    def n_free(self) -> int:
        """How many more trials may be out with workers now."""
        if self.tuner.state is not TunerState.active or self.closing is not None:
            return 0
        limit = self.budget.max_parallel
        return _WITHOUT_LIMIT if limit is None else max(0, limit - self.n_running)

    @property
    def n_left(self) -> int:
        """How many more trials may be proposed."""
        return 0 if self.closing is not None else n_left(self.tuner, self.budget)

    @property
    def closing(self) -> TunerStopReason | None:
        """Why no trial is handed out any more, not even one that waits."""
        budget, deadline = self.budget, self.tuner.deadline
        if budget.target is not None and self.best is not None and self._is_reached(budget.target, self.best):
            return TunerStopReason.target
        if budget.max_failures is not None and self.tuner.counts[TrialState.failed] >= budget.max_failures:
            return TunerStopReason.max_failures
        if deadline is not None and deadline <= self._transaction.now:
            return TunerStopReason.wallclock
        return None

    @property
    def lease_end(self) -> datetime:
        """When a lease that begins now will be over."""
        return self._transaction.now + self._lease

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=self.tuner.lease_s)

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
            scores=None,
            reason=None,
            worker=None,
            attempt=0,
            lease_expires_at=None,
            run_id=None,
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

    def observe(self, params: dict[str, Any], outcome: Outcome) -> Trial:
        """An observation from outside: a trial that has its outcome already. Records `trial_end`."""
        trial = self.add(params, {"phase": "imported"})
        self.end(trial, outcome)
        return trial

    def hand_out(self, trial: Trial, worker: str | None) -> None:
        """The trial goes to a worker, and away from whoever had it before. Records `trial_start`."""
        self._take_away(trial)
        trial.run_id = None
        self._move(trial, TrialState.running)
        trial.worker, trial.reason = worker, None
        trial.attempt += 1
        trial.lease_expires_at = self.lease_end
        self._transaction.record(
            TrialStart(trial.tuner_id, trial.trial_id, trial.number, trial.params, worker, trial.attempt)
        )

    def renew(self, trial: Trial) -> None:
        """The holder has spoken: the lease begins anew, also where it had run out and nobody else took the trial."""
        if trial.state is TrialState.stale:
            self._move(trial, TrialState.running)
        if trial.state is TrialState.running:
            trial.lease_expires_at = self.lease_end
            self.change(trial)

    def renew_late(self, trial: Trial) -> None:
        """Whoever asks for a trial again is alive, and needs time; but a request sent twice is answered the same."""
        if trial.lease_expires_at is None or self.lease_end - trial.lease_expires_at > self._lease / 2:
            self.renew(trial)

    def take_over(self, trial: Trial, run_id: UUID) -> None:
        """A run speaks for a trial that is out with a worker, in place of an earlier one."""
        self._take_away(trial)
        trial.run_id = run_id
        self.renew(trial)

    def expire(self, trial: Trial) -> None:
        """The lease has run out: another worker may have the trial, or where no attempts are left, it has failed.

        Records `trial_stale`, or `trial_end`.
        """
        if trial.attempt >= self.budget.max_attempts:
            self._take_away(trial)
            self.end(trial, Outcome(TrialState.failed, reason=_EXPIRED))
            return
        self._give_up(trial, TrialState.stale)
        self._transaction.record(TrialStale(trial.tuner_id, trial.trial_id, trial.number, trial.worker, trial.attempt))

    def release(self, trial: Trial, reason: str | None = None) -> None:
        """The trial is handed back, for another worker to have."""
        self._give_up(trial, TrialState.queued)
        trial.worker, trial.reason = None, reason

    def conclude(self, trial: Trial, outcome: Outcome) -> None:
        """The trial has this outcome, but a failed one is queued again while attempts are left, if it is not already.

        Records `trial_end`, unless it is queued again. Nobody would ask a stopped tuner for it.
        """
        is_over = trial.attempt >= self.budget.max_attempts or self.tuner.state is TunerState.stopped
        if outcome.state is not TrialState.failed or is_over:
            self.end(trial, outcome)
        elif trial.state is not TrialState.queued:
            self.release(trial, outcome.reason or _UNSAID)

    def give_up_spent(self, waiting: Iterable[Trial]) -> None:
        """Those of these waiting trials that have failed as often as they may have failed for good; to be handed back
        is no failure. Records `trial_end`."""
        for trial in waiting:
            has_failed = trial.state is TrialState.stale or trial.reason is not None
            if has_failed and trial.attempt >= self.budget.max_attempts:
                self.end(trial, Outcome(TrialState.failed, reason=trial.reason or _EXPIRED))

    def end(self, trial: Trial, outcome: Outcome) -> None:
        """The trial has its outcome, for good. Records `trial_end`."""
        if trial.run_id is not None:
            self.freed.add(trial.run_id)
        outcome = outcome.settled
        self._move(trial, outcome.state)
        trial.score, trial.reason = outcome.score, outcome.reason
        trial.scores = outcome.shown_scores
        trial.lease_expires_at = None
        trial.end_time = max(self._transaction.now, trial.create_time)
        self._note_best(trial)
        score, scores = outcome.shown_score, outcome.shown_scores
        self._transaction.record(
            TrialEnd(trial.tuner_id, trial.trial_id, trial.number, trial.state, score, scores, trial.reason)
        )

    def settle(self) -> None:
        """Complete the tuner if nothing is left to try and nothing runs; open it again if there is something again.

        Records `tuner_end`.
        """
        tuner = self.tuner
        reason = self._end_reason()
        if tuner.state is TunerState.completed and reason is None:
            tuner.state, tuner.stop_reason = TunerState.active, None
        elif tuner.state in (TunerState.active, TunerState.paused) and reason is not None and self.n_running == 0:
            self.close(TunerState.completed, reason)

    def close(self, state: TunerState, reason: TunerStopReason) -> None:
        """The tuner ends. Records `tuner_end`."""
        self.tuner.state, self.tuner.stop_reason = state, reason
        best = None if self.best is None else describe(self.best)
        self._transaction.record(TunerEnd(self.tuner.tuner_id, state, reason, best))

    def change(self, trial: Trial) -> None:
        """Save this trial, which was changed."""
        if trial.trial_id not in self.added:
            self.changed[trial.trial_id] = trial

    def _end_reason(self) -> TunerStopReason | None:
        """Why nothing will be handed out any more; None while something may be."""
        if (closing := self.closing) is not None or self.n_waiting:
            return closing
        if self.tuner.is_exhausted:
            return TunerStopReason.exhausted
        limit = self.budget.max_trials
        return TunerStopReason.max_trials if limit is not None and self.tuner.n_proposed >= limit else None

    def _give_up(self, trial: Trial, state: TrialState) -> None:
        self._take_away(trial)
        self._move(trial, state)
        trial.lease_expires_at = None

    def _take_away(self, trial: Trial) -> None:
        if trial.run_id is not None:
            self.freed.add(trial.run_id)
            self.crashed.add(trial.run_id)

    def _move(self, trial: Trial, state: TrialState) -> None:
        if state not in TRIAL_MOVES[trial.state]:
            raise AssertionError(f"trial {trial.trial_id} cannot move from {trial.state} to {state}")
        self.tuner.counts[trial.state] -= 1
        self.tuner.counts[state] += 1
        trial.state = state
        self.change(trial)

    def _note_best(self, trial: Trial) -> None:
        if trial.state in SCORED and trial.score is not None and self._is_better(trial.score):
            self.best = trial
            self.tuner.best_trial_id = trial.trial_id

    def _is_better(self, score: float) -> bool:
        if self.best is None or self.best.score is None:
            return True
        (objective,) = self.objectives
        return objective.loss(score) < objective.loss(self.best.score)

    def _is_reached(self, target: float, best: Trial) -> bool:
        (objective,) = self.objectives
        return best.score is not None and objective.loss(best.score) <= objective.loss(target)
