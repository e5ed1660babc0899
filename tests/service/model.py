"""What a tuner, its trials and their runs must do, as briefly as it can be said: no store, no events."""

import math
from dataclasses import dataclass, field
from typing import Any

from app.domain.errors import DomainError, LeaseLost, RunEnded, TrialEnded, TunerStopped

LEASE_S = 1000.0
SILENCE_S = 700.0
WAIT_S = 400.0
"""Time passes in multiples of this, so that nothing ever falls due at the very moment: a step itself takes no time."""

ENDED = ("completed", "stopped", "failed", "infeasible")


class Refused(Exception):
    """What the service must answer instead."""

    def __init__(self, kind: type[DomainError]) -> None:
        super().__init__(kind.__name__)
        self.kind = kind


@dataclass(slots=True, eq=False)
class Run:
    """A run of a trial."""

    trial: "Trial"
    silent_at: float
    status: str = "running"
    score: float | None = None
    last_words: float | None = None


@dataclass(slots=True, eq=False)
class Trial:
    """A trial; `run` is the last one that spoke for it."""

    number: int
    state: str = "queued"
    score: float | None = None
    worker: str | None = None
    attempt: int = 0
    lease_end: float = 0.0
    run: Run | None = None
    is_to_try_again: bool = False

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Who:
    """Who claims to speak; None does not say."""

    worker: str | None
    attempt: int | None


@dataclass
class Tuner:
    """One tuner. Each method is what one request does; `Refused` tells that it does nothing."""

    max_trials: int | None
    max_parallel: int | None
    max_failures: int | None
    max_attempts: int
    target: float | None
    state: str = "active"
    stop_reason: str | None = None
    n_proposed: int = 0
    now: float = 0.0
    best: Trial | None = None
    trials: list[Trial] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    def among(self, *states: str) -> list[Trial]:
        return [trial for trial in self.trials if trial.state in states]

    @property
    def closing(self) -> str | None:
        if self.target is not None and self.best is not None and (self.best.score or 0.0) >= self.target:
            return "target"
        if self.max_failures is not None and len(self.among("failed")) >= self.max_failures:
            return "max_failures"
        return None

    @property
    def n_free(self) -> float:
        if self.state != "active" or self.closing:
            return 0
        return math.inf if self.max_parallel is None else max(0, self.max_parallel - len(self.among("running")))

    @property
    def n_left(self) -> float:
        if self.state != "active" or self.closing:
            return 0
        return math.inf if self.max_trials is None else max(0, self.max_trials - self.n_proposed)

    def settle(self) -> None:
        reason = self.closing
        if reason is None and not self.among("queued", "stale") and self.n_proposed >= (self.max_trials or math.inf):
            reason = "max_trials"
        if self.state == "completed" and reason is None:
            self.state, self.stop_reason = "active", None
        elif self.state in ("active", "paused") and reason is not None and not self.among("running"):
            self.state, self.stop_reason = "completed", reason

    # ---- trials ----

    def suggest(self, worker: str | None, count: int) -> list[Trial]:
        held = [one for one in self.among("running") if worker is not None and one.worker == worker][:count]
        for trial in held:
            if trial.lease_end - self.now < LEASE_S / 2:
                trial.lease_end = self.now + LEASE_S
        n_given = min(count - len(held), self.n_free)
        given = [*self.among("stale"), *self.among("queued")][: int(n_given)]
        for _ in range(int(min(n_given - len(given), self.n_left))):
            given.append(self.add())
            self.n_proposed += 1
        for trial in given:
            self.hand_out(trial, worker)
        return [*held, *given]

    def add(self) -> Trial:
        self.trials.append(Trial(len(self.trials)))
        return self.trials[-1]

    def hand_out(self, trial: Trial, worker: str | None) -> None:
        self.take_away(trial)
        trial.state, trial.worker, trial.run, trial.is_to_try_again = "running", worker, None, False
        trial.attempt += 1
        trial.lease_end = self.now + LEASE_S

    def take_away(self, trial: Trial) -> None:
        if trial.run is not None and trial.run.status == "running":
            trial.run.status = "crashed"

    def enqueue(self, count: int) -> None:
        if self.state == "stopped" or (self.max_trials is not None and self.n_proposed + count > self.max_trials):
            raise Refused(TunerStopped)
        for _ in range(count):
            self.add()
            self.n_proposed += 1

    def observe(self, score: float) -> None:
        self.end(self.add(), "completed", score)

    def require_holder(self, trial: Trial, who: Who) -> None:
        is_late = who.attempt not in (None, trial.attempt)
        if is_late or (who.worker is not None and trial.worker not in (None, who.worker)):
            raise Refused(LeaseLost)

    def renew(self, trial: Trial) -> None:
        if trial.state in ("stale", "running"):
            trial.state, trial.lease_end = "running", self.now + LEASE_S

    def hear(self, trial: Trial, who: Who, *, is_goodbye: bool) -> None:
        if trial.has_ended:
            raise Refused(TrialEnded)
        self.require_holder(trial, who)
        if not is_goodbye:
            self.renew(trial)
        elif trial.state != "queued":
            self.give_up(trial, "queued")

    def give_up(self, trial: Trial, state: str) -> None:
        self.take_away(trial)
        trial.state = state
        if state == "queued":
            trial.worker = None

    def report(self, trial: Trial, state: str, score: float | None, who: Who) -> None:
        if trial.has_ended:
            said = ("failed" if score is not None and not math.isfinite(score) else state, repr(score))
            if said != (trial.state, repr(trial.score)):
                raise Refused(TrialEnded)
            return
        self.require_holder(trial, who)
        self.conclude(trial, state, score)

    def conclude(self, trial: Trial, state: str, score: float | None) -> None:
        if state != "failed" or trial.attempt >= self.max_attempts or self.state == "stopped":
            self.end(trial, state, score)
        elif trial.state != "queued":
            self.give_up(trial, "queued")
            trial.is_to_try_again = True

    def end(self, trial: Trial, state: str, score: float | None) -> None:
        is_finite = score is None or math.isfinite(score)
        trial.state, trial.score = state if is_finite else "failed", score
        before = -math.inf if self.best is None else self.best.score or 0.0
        if trial.state in ("completed", "stopped") and score is not None and score > before:
            self.best = trial

    # ---- runs ----

    def start_run(self, trial: Trial, who: Who) -> Run:
        if trial.has_ended:
            raise Refused(TrialEnded)
        self.require_holder(trial, who)
        if trial.state == "queued":
            if self.state == "stopped":
                raise Refused(TunerStopped)
            if not self.n_free:
                raise Refused(LeaseLost)
            self.hand_out(trial, who.worker)
        self.take_away(trial)
        trial.run = Run(trial, self.now + SILENCE_S)
        self.renew(trial)
        self.runs.append(trial.run)
        return trial.run

    def speak(self, run: Run, score: float | None) -> None:
        """An epoch, or a heartbeat."""
        if run.status not in ("running", "crashed"):
            raise Refused(RunEnded)
        if run.trial.run is not run:
            raise Refused(LeaseLost)
        run.status, run.silent_at = "running", self.now + SILENCE_S
        self.renew(run.trial)
        if score is not None:
            run.score = score if run.score is None else max(score, run.score)

    def end_run(self, run: Run, status: str, score: float) -> None:
        if run.status not in ("running", "crashed"):
            if (run.status, run.last_words) != (status, score):
                raise Refused(RunEnded)
            return
        if run.trial.run is not run:
            raise Refused(LeaseLost)
        run.status, run.last_words = status, score
        if not run.trial.has_ended:
            best = max(score, score if run.score is None else run.score)
            achieved: dict[str, Any] = {"finished": ("completed", score), "stopped": ("stopped", best)}
            self.conclude(run.trial, *achieved.get(status, ("failed", None)))

    # ---- people, and time ----

    def steer(self, turn: str) -> None:
        if self.state == "stopped" and turn != "stop":
            raise Refused(TunerStopped)
        if turn == "stop" and self.state != "stopped":
            self.state, self.stop_reason = "stopped", "stopped"
        if (turn, self.state) in (("pause", "active"), ("resume", "paused")):
            self.state = {"pause": "paused", "resume": "active"}[turn]

    def edit_attempts(self, max_attempts: int) -> None:
        is_lower, self.max_attempts = max_attempts < self.max_attempts, max_attempts
        for trial in self.among("stale", "queued") if is_lower else []:
            if (trial.state == "stale" or trial.is_to_try_again) and trial.attempt >= max_attempts:
                self.end(trial, "failed", None)

    def reap(self) -> None:
        for trial in self.among("running"):
            if trial.lease_end <= self.now and trial.attempt >= self.max_attempts:
                self.take_away(trial)
                self.end(trial, "failed", None)
            elif trial.lease_end <= self.now:
                self.give_up(trial, "stale")
        for run in self.runs:
            if run.status == "running" and run.silent_at <= self.now:
                run.status = "crashed"
