"""What to try next.

    asks for one tuner ─┐
    (while a step is    ├─> look (read) ─> think (worker thread) ─> hand out (write, compare-and-set) ─> answers
    under way) ─────────┘                                                │ another replica was first: once more

Asks that arrive while a step is under way are answered together by the next one: one model fit for all of them.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from app.domain.goal import Budget, Objective
from app.domain.space import Space
from app.domain.states import SCORED, TrialState
from app.service.hand_out import HandOut, Suggestion, Thoughts, hand_out_trials
from app.service.lifecycle import has_ended, n_left
from app.store import trials, tuners
from app.store.database import Database
from app.store.idempotency import Once
from app.store.trials import Trial
from app.store.tuners import Tuner
from app.tuning.registry import find
from app.tuning.strategy import Observation, generator

_MOST_AHEAD = 64
_MOST_SEEN = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One worker's wish for trials."""

    worker: str | None
    count: int
    once: Once | None
    answer: "asyncio.Future[Suggestion]"


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
    n_ready = tuner.counts[TrialState.queued] + len(trials.list_held(connection, [tuner_id], workers))
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
