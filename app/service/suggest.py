"""What to try next.

    asks for one tuner ─┐
    (while a step is    ├─> look (read) ─> think (worker thread) ─> hand out (write, compare-and-set) ─> answers
    under way) ─────────┘                                                │ another replica was first: once more

Asks that arrive while a step is under way are answered together by the next one: one model fit for all of them.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from app.domain.errors import DomainError, UnknownTuner
from app.domain.goal import Budget, Objective
from app.domain.space import Space
from app.domain.states import SCORED, TrialState, TunerState
from app.service.lifecycle import OpenTuner, has_ended, n_left, open_tuners, save_tuners
from app.store import trials, tuners
from app.store.database import Database
from app.store.idempotency import Once
from app.store.locks import Rows, locking
from app.store.transaction import Transaction
from app.store.trials import Trial
from app.store.tuners import Tuner
from app.tuning.registry import find
from app.tuning.strategy import Observation, Proposal, generator

_RETRY_AFTER_S = 1.0
_MOST_AHEAD = 64
_MOST_SEEN = 1000


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The trials handed out; with fewer than asked for, the state tells why and the pause when to ask again."""

    trials: list[Trial]
    tuner_state: TunerState
    retry_after_s: float | None
    tuner: Tuner


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One worker's wish for trials."""

    worker: str | None
    count: int
    once: Once | None
    answer: "asyncio.Future[Suggestion]"


@dataclass(frozen=True, slots=True)
class Thoughts:
    """Proposals for the trials from number `first` on, and whether there are no more after them."""

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


class Suggester:
    """Gathers the asks of this process, tuner by tuner."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[UUID, list[Ask]] = {}
        # As the last step left them; a cache, which compare-and-set keeps from doing harm.
        self._seen: dict[UUID, Tuner] = {}
        self._steps: set[asyncio.Task[None]] = set()

    async def suggest(self, tuner_id: UUID, worker: str | None, count: int, once: Once | None = None) -> Suggestion:
        """Up to `count` trials: those that this worker holds, then queued ones, then new ones.

        Raises:
            UnknownTuner: there is no such tuner.
            Replay: the same was asked before, under the same Idempotency-Key.
        """
        ask = Ask(worker, count, once, asyncio.get_running_loop().create_future())
        is_under_way = tuner_id in self._waiting
        self._waiting.setdefault(tuner_id, []).append(ask)
        if not is_under_way:
            steps = asyncio.create_task(self._answer_all(tuner_id))
            self._steps.add(steps)
            steps.add_done_callback(self._steps.discard)
        return await ask.answer

    async def _answer_all(self, tuner_id: UUID) -> None:
        """Step by step, until nobody waits for this tuner."""
        while asks := self._waiting[tuner_id]:
            self._waiting[tuner_id] = []
            answers: Sequence[Suggestion | BaseException | None]
            try:
                answers = await self._step(tuner_id, asks)
            except Exception as error:
                answers = [error] * len(asks)
            for ask, answer in zip(asks, answers, strict=True):
                if answer is None:
                    self._waiting[tuner_id].append(ask)
                elif ask.answer.cancelled():
                    continue  # nobody waits any more; a worker that comes back gets the same trials
                elif isinstance(answer, BaseException):
                    ask.answer.set_exception(answer)
                else:
                    ask.answer.set_result(answer)
        del self._waiting[tuner_id]

    async def _step(self, tuner_id: UUID, asks: list[Ask]) -> list[Suggestion | BaseException | None]:
        thoughts = self._think_ahead(tuner_id, asks)
        if thoughts is None:
            view = await self._database.read(_look, tuner_id, asks)
            thoughts = await asyncio.to_thread(_think, view)
        wanted = [(HandOut(tuner_id, ask.worker, ask.count, thoughts), ask.once) for ask in asks]
        answers = await self._database.write_together(hand_out_trials, wanted)
        self._remember(tuner_id, answers)
        return answers

    def _think_ahead(self, tuner_id: UUID, asks: list[Ask]) -> Thoughts | None:
        """Proposals that need no look at the store, as long as nobody else has added trials since the last step."""
        tuner = self._seen.pop(tuner_id, None)
        n_asked = sum(ask.count for ask in asks)
        if tuner is None or n_asked > _MOST_AHEAD or find(tuner.strategy).needs_history:
            return None
        return _think(_View(tuner, min(n_asked, n_left(tuner, Budget.from_json(tuner.budget))), [], []))

    def _remember(self, tuner_id: UUID, answers: Sequence[Suggestion | BaseException | None]) -> None:
        done = [answer for answer in answers if isinstance(answer, Suggestion)]
        if len(done) == len(answers):
            self._seen[tuner_id] = done[-1].tuner
            if len(self._seen) > _MOST_SEEN:
                self._seen.pop(next(iter(self._seen)))


@dataclass(frozen=True, slots=True)
class _View:
    """What a step sees of a tuner before it thinks."""

    tuner: Tuner
    n_new: int
    history: list[Trial]
    open_trials: list[Trial]


def _look(connection: Connection, tuner_id: UUID, asks: Sequence[Ask]) -> _View:
    tuner = tuners.get(connection, tuner_id)
    workers = {ask.worker for ask in asks if ask.worker is not None}
    n_ready = len(trials.list_ready(connection, [tuner_id], workers))
    n_asked = sum(ask.count for ask in asks)
    n_new = min(max(0, n_asked - n_ready), n_left(tuner, Budget.from_json(tuner.budget)))
    if n_new == 0 or not find(tuner.strategy).needs_history:
        return _View(tuner, n_new, [], [])
    every = trials.list_all(connection, tuner_id)
    return _View(tuner, n_new, [t for t in every if has_ended(t)], [t for t in every if not has_ended(t)])


def _think(view: _View) -> Thoughts:
    tuner = view.tuner
    if view.n_new == 0:
        return Thoughts(tuner.n_trials, [], are_the_last=False)
    objective = Objective.from_json(tuner.objective)
    strategy = find(tuner.strategy)(Space.from_json(tuner.space), tuner.options)
    # A strategy that comes to an end is asked for one more, to see whether there is one.
    n_asked = view.n_new + (1 if strategy.is_finite else 0)
    proposals = strategy.propose(
        [_observation(trial, objective) for trial in view.history],
        [trial.params for trial in view.open_trials],
        [generator(tuner.seed, tuner.n_trials + position) for position in range(n_asked)],
    )
    return Thoughts(tuner.n_trials, proposals[: view.n_new], are_the_last=len(proposals) < n_asked)


def _observation(trial: Trial, objective: Objective) -> Observation:
    has_score = trial.state in SCORED and trial.score is not None
    values = (objective.loss(trial.score),) if has_score and trial.score is not None else None
    return Observation(trial.number, trial.params, trial.state, values)


class _Counter:
    """Hands one tuner's trials out, ask by ask."""

    def __init__(self, tuner: OpenTuner, ready: list[Trial], thoughts: Thoughts) -> None:
        self.tuner = tuner
        self._queue = deque(trial for trial in ready if trial.state is TrialState.queued)
        self._held: defaultdict[str | None, list[Trial]] = defaultdict(list)
        for trial in ready:
            if trial.state is TrialState.running:
                self._held[trial.worker].append(trial)
        # Proposals are for certain numbers: another replica may have taken those since.
        is_fresh = thoughts.first == tuner.tuner.n_trials
        self._proposals = deque(thoughts.proposals if is_fresh else [])
        self._are_the_last = is_fresh and thoughts.are_the_last

    def serve(self, worker: str | None, count: int) -> list[Trial] | None:
        """The trials for one ask; None, with nothing done, where more proposals are needed first."""
        held = self._held[worker][:count] if worker is not None else []
        n_missing = min(count - len(held), self.tuner.n_free)
        n_queued = min(n_missing, len(self._queue))
        n_new = min(n_missing - n_queued, self.tuner.n_left)
        if n_new > len(self._proposals) and not self._are_the_last:
            return None
        given = [self._queue.popleft() for _ in range(n_queued)]
        for _ in range(min(n_new, len(self._proposals))):
            proposal = self._proposals.popleft()
            given.append(self.tuner.propose(proposal.params, proposal.why))
        for trial in given:
            self.tuner.hand_out(trial, worker)
            self._held[worker].append(trial)
        if self._are_the_last and not self._proposals:
            self.tuner.tuner.is_exhausted = True
        return [*held, *given]


@locking(lambda _, requests: Rows(tuner_ids={request.tuner_id for request in requests}))
def hand_out_trials(transaction: Transaction, requests: Sequence[HandOut]) -> list[Suggestion | DomainError | None]:
    """Each ask's trials; None for those that need another step.

    Records `trial_start` for each trial handed out, and `tuner_end` where nothing is left to try.
    """
    tuner_ids = {request.tuner_id for request in requests}
    opened = open_tuners(transaction, tuner_ids)
    ready: defaultdict[UUID, list[Trial]] = defaultdict(list)
    workers = {request.worker for request in requests if request.worker is not None}
    for trial in trials.list_ready(transaction.connection, tuner_ids, workers):
        ready[trial.tuner_id].append(trial)
    counters: dict[UUID, _Counter] = {}
    served: list[list[Trial] | None] = []
    for request in requests:
        tuner = opened.get(request.tuner_id)
        if tuner is None:
            served.append(None)
            continue
        if request.tuner_id not in counters:
            counters[request.tuner_id] = _Counter(tuner, ready[request.tuner_id], request.thoughts)
        served.append(counters[request.tuner_id].serve(request.worker, request.count))
    save_tuners(transaction, opened.values())
    return [
        _answer(request, opened.get(request.tuner_id), given) for request, given in zip(requests, served, strict=True)
    ]


def _answer(request: HandOut, tuner: OpenTuner | None, given: list[Trial] | None) -> Suggestion | DomainError | None:
    if tuner is None:
        return UnknownTuner(request.tuner_id)
    if given is None:
        return None
    state = tuner.tuner.state
    is_short = len(given) < request.count and state is TunerState.active
    return Suggestion(given, state, _RETRY_AFTER_S if is_short else None, tuner.tuner)
