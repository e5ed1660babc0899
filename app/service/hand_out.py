"""Trials go to workers: what a worker holds already, then what waits for one, then what was thought of."""

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.domain.errors import DomainError, UnknownTuner
from app.domain.states import TrialState, TunerState
from app.service.lifecycle import OpenTuner, open_tuners, save_tuners
from app.store import trials, tuners
from app.store.locks import Rows, locking
from app.store.transaction import Transaction
from app.store.trials import Trial
from app.store.tuners import Tuner
from app.tuning.strategy import Proposal

_RETRY_AFTER_S = {TunerState.active: 1.0, TunerState.paused: 5.0}
"""Where a trial may come free, or the tuner be resumed; one that has ended hands out nothing more."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The trials handed out; with fewer than asked for, the state tells why and the pause when to ask again."""

    trials: list[Trial]
    tuner_state: TunerState
    retry_after_s: float | None
    tuner: Tuner


@dataclass(frozen=True, slots=True)
class Thoughts:
    """Proposals for the trials from number `first` on, and whether there are no more after them.

    Args:
        create_time: of the tuner that they are for: by now another one may have its id.
    """

    create_time: datetime
    first: int
    proposals: Sequence[Proposal]
    are_the_last: bool


@dataclass(frozen=True, slots=True)
class HandOut:
    """Trials for one ask; all the asks of a step share its thoughts."""

    tuner_id: UUID
    worker: str | None
    count: int
    thoughts: Thoughts


class _Dispenser:
    """Hands one tuner's trials out, ask by ask."""

    def __init__(self, tuner: OpenTuner, ready: list[Trial], thoughts: Thoughts) -> None:
        self.tuner = tuner
        self._waiting = deque(trial for trial in ready if trial.state is not TrialState.running)
        self._held: defaultdict[str | None, list[Trial]] = defaultdict(list)
        for trial in ready:
            if trial.state is TrialState.running:
                self._held[trial.worker].append(trial)
        # Proposals are for certain numbers of one tuner: another replica may have taken those since.
        is_fresh = (thoughts.create_time, thoughts.first) == (tuner.tuner.create_time, tuner.tuner.n_trials)
        self._proposals = deque(thoughts.proposals if is_fresh else [])
        self._are_the_last = is_fresh and thoughts.are_the_last

    def serve(self, worker: str | None, count: int) -> list[Trial] | None:
        """The trials for one ask; None, with nothing done, where more proposals are needed first."""
        held = self._held[worker][:count] if worker is not None else []
        n_missing = min(count - len(held), self.tuner.n_free)
        n_waiting = min(n_missing, len(self._waiting))
        n_new = min(n_missing - n_waiting, self.tuner.n_left)
        if n_new > len(self._proposals) and not self._are_the_last:
            return None
        for trial in held:
            self.tuner.renew_late(trial)
        given = [self._waiting.popleft() for _ in range(n_waiting)]
        for _ in range(min(n_new, len(self._proposals))):
            proposal = self._proposals.popleft()
            given.append(self.tuner.propose(proposal.params, proposal.why))
        for trial in given:
            self.tuner.hand_out(trial, worker)
            self._held[worker].append(trial)
        if self._are_the_last and not self._proposals:
            self.tuner.tuner.is_exhausted = True
        return [*held, *given]


def _rows(connection: Connection, requests: Sequence[HandOut]) -> Rows:
    found = tuners.find_many(connection, {request.tuner_id for request in requests})
    ready = _read_ready(connection, list(found.values()), requests)
    return Rows(set(found), {trial.run_id for trial in ready if trial.run_id is not None})


@locking(_rows)
def hand_out_trials(transaction: Transaction, requests: Sequence[HandOut]) -> list[Suggestion | DomainError | None]:
    """Each ask's trials; None for those that need another step.

    Records `trial_start` for each trial handed out, and `tuner_end` where nothing is left to try.
    """
    opened = open_tuners(transaction, {request.tuner_id for request in requests})
    ready: defaultdict[UUID, list[Trial]] = defaultdict(list)
    for trial in _read_ready(transaction.connection, [one.tuner for one in opened.values()], requests):
        ready[trial.tuner_id].append(trial)
    dispensers: dict[UUID, _Dispenser] = {}
    served: list[list[Trial] | None] = []
    for request in requests:
        tuner = opened.get(request.tuner_id)
        if tuner is None:
            served.append(None)
            continue
        if request.tuner_id not in dispensers:
            dispensers[request.tuner_id] = _Dispenser(tuner, ready[request.tuner_id], request.thoughts)
        served.append(dispensers[request.tuner_id].serve(request.worker, request.count))
    save_tuners(transaction, opened.values())
    return [
        _answer(request, opened.get(request.tuner_id), given) for request, given in zip(requests, served, strict=True)
    ]


def _read_ready(connection: Connection, found: Sequence[Tuner], requests: Sequence[HandOut]) -> list[Trial]:
    """What need not be proposed anew: what these workers hold, and of what waits as much as they may get."""
    workers = {request.worker for request in requests if request.worker is not None}
    ready = trials.list_held(connection, [one.tuner_id for one in found if one.counts[TrialState.running]], workers)
    n_asked = Counter[UUID]()
    for request in requests:
        n_asked[request.tuner_id] += request.count
    for one in found:
        if one.counts[TrialState.stale] or one.counts[TrialState.queued]:
            ready += trials.list_waiting(connection, one.tuner_id, n_asked[one.tuner_id])
    return ready


def _answer(request: HandOut, tuner: OpenTuner | None, given: list[Trial] | None) -> Suggestion | DomainError | None:
    if tuner is None:
        return UnknownTuner(request.tuner_id)
    if given is None:
        return None
    state = tuner.tuner.state
    retry_after_s = _RETRY_AFTER_S.get(state) if len(given) < request.count else None
    return Suggestion(given, state, retry_after_s, tuner.tuner)
