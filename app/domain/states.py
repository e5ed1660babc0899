"""The states of tuners, trials and runs, and the only moves between them (docs/states.md has the picture).

A transition is compare-and-set in the store; these tables say which ones exist.
"""

from enum import StrEnum


class TunerState(StrEnum):
    """Whether a tuner hands out trials."""

    active = "active"
    paused = "paused"
    stopped = "stopped"
    completed = "completed"


class TunerStopReason(StrEnum):
    """Why a tuner hands out no more trials."""

    max_trials = "max_trials"
    max_failures = "max_failures"
    target = "target"
    wallclock = "wallclock"
    exhausted = "exhausted"
    stopped = "stopped"


class TrialState(StrEnum):
    """Where a trial is between its proposal and its outcome."""

    queued = "queued"
    running = "running"
    completed = "completed"
    stopped = "stopped"
    failed = "failed"
    infeasible = "infeasible"
    stale = "stale"


class RunStatus(StrEnum):
    """The state of a run. A crashed one fell silent, or lost its trial; if it is heard from again, it may come back."""

    running = "running"
    finished = "finished"
    failed = "failed"
    stopped = "stopped"
    crashed = "crashed"


class ObserverState(StrEnum):
    """Whether a webhook is called."""

    on = "on"
    off = "off"


class DeliveryState(StrEnum):
    """Whether a webhook's receiver has an event."""

    pending = "pending"
    delivered = "delivered"
    failed = "failed"


_OUTCOMES = {TrialState.completed, TrialState.stopped, TrialState.failed, TrialState.infeasible}

TRIAL_MOVES: dict[TrialState, frozenset[TrialState]] = {
    # A queued trial may end without being handed out: a result that comes late is welcome.
    TrialState.queued: frozenset({TrialState.running, *_OUTCOMES}),
    TrialState.running: frozenset({TrialState.queued, TrialState.stale, *_OUTCOMES}),
    # Its lease is over. Whoever speaks first has it: another worker that asks, or the one that was given up.
    TrialState.stale: frozenset({TrialState.queued, TrialState.running, *_OUTCOMES}),
    TrialState.completed: frozenset(),
    TrialState.stopped: frozenset(),
    TrialState.failed: frozenset(),
    TrialState.infeasible: frozenset(),
}

TRIAL_ENDS = frozenset(state for state, moves in TRIAL_MOVES.items() if not moves)
"""What has ended stays ended."""

SCORED = frozenset({TrialState.completed, TrialState.stopped})
"""Trials whose score is a real observation, and may be the best."""

RUN_ENDS = frozenset({RunStatus.finished, RunStatus.failed, RunStatus.stopped})
"""Likewise."""
