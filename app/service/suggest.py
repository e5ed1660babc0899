"""What to try next.

    asks for one tuner, gathered ─> look (read) ─> think (worker thread) ─> hand out (write, compare-and-set) ─> answers
                                                                               │ another replica was first: once more

One model fit answers all the asks of a step (see `gather`).
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection

from app.domain.errors import DomainError
from app.domain.goal import Budget, Objective
from app.domain.space import Space
from app.domain.states import SCORED, TrialState
from app.domain.values import Params, Scalar, from_json_number
from app.service import metrics
from app.service.aside import contained
from app.service.forecasts import Forecasts
from app.service.gather import Gatherer
from app.service.hand_out import HandOut, Suggestion, Thoughts, hand_out_trials
from app.service.open_tuner import n_left
from app.service.trial import has_ended
from app.store import trials, tuners
from app.store.database import Database
from app.store.idempotency import Once
from app.store.trials import Trial
from app.store.tuners import Tuner
from app.tuning.registry import find
from app.tuning.strategy import Observation, Proposal, Strategy, generator

_MOST_FORESEEN = 64
_MOST_MINDS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One worker's wish for trials."""

    worker: str | None
    count: int
    once: Once | None


@dataclass(slots=True, eq=False)
class _Mind:
    """What this process remembers of a tuner between its steps: a cache, which compare-and-set keeps from doing harm.

    Attributes:
        create_time: of the tuner: one that is deleted may leave its id to another.
        tuner: as the last step left it; None where that is not known.
        observations: the ended trials, by number: those never change.
        forecasts: of those that train still.
    """

    create_time: datetime
    strategy: Strategy
    objectives: Sequence[Objective]
    tuner: Tuner | None = None
    observations: dict[int, Observation] = field(default_factory=dict)
    forecasts: Forecasts = field(default_factory=Forecasts)


class Suggester:
    """Thinks for the tuners of this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._gatherer = Gatherer[UUID, Ask, Suggestion](self._step)
        self._minds: dict[UUID, _Mind] = {}

    async def suggest(self, tuner_id: UUID, worker: str | None, count: int, once: Once | None = None) -> Suggestion:
        """Up to `count` trials: those that this worker holds, then those that wait for a worker, then new ones.

        Raises:
            UnknownTuner: there is no such tuner.
            Replay: the same was asked before, under the same Idempotency-Key.
        """
        return await self._gatherer.ask(tuner_id, Ask(worker, count, once))

    async def _step(self, tuner_id: UUID, asks: Sequence[Ask]) -> Sequence[Suggestion | BaseException | None]:
        known = self._minds.pop(tuner_id, None)
        foreseen = None if known is None else _foresee(known, asks)
        if known is not None and foreseen is not None:
            mind, view = known, foreseen
        else:
            mind, view = await self._database.read(_look, tuner_id, known, asks)
        thoughts = await asyncio.to_thread(_think, mind, view)
        wanted = [(HandOut(tuner_id, ask.worker, ask.count, thoughts), ask.once) for ask in asks]
        answers = await self._database.write_together(hand_out_trials, wanted)
        done = [answer for answer in answers if isinstance(answer, Suggestion)]
        mind.tuner = done[-1].tuner if len(done) == len(answers) else None
        self._minds[tuner_id] = mind
        if len(self._minds) > _MOST_MINDS:
            self._minds.pop(next(iter(self._minds)))
        return answers


@dataclass(frozen=True, slots=True)
class _View:
    """What a step sees of a tuner before it thinks.

    Args:
        n_forecasts: trials of the history that train still.
    """

    tuner: Tuner
    n_new: int
    history: Sequence[Observation] = ()
    pending: Sequence[Params] = ()
    n_forecasts: int = 0


def _foresee(mind: _Mind, asks: Sequence[Ask]) -> _View | None:
    """What a look at the store would show, as long as nobody else has added trials since the last step."""
    n_asked = sum(ask.count for ask in asks)
    if mind.tuner is None or n_asked > _MOST_FORESEEN or mind.strategy.needs_history:
        return None
    if mind.tuner.create_time != mind.create_time:
        return None
    return _View(mind.tuner, min(n_asked, n_left(mind.tuner, Budget.from_json(mind.tuner.budget))))


def _look(connection: Connection, tuner_id: UUID, mind: _Mind | None, asks: Sequence[Ask]) -> tuple[_Mind, _View]:
    tuner = tuners.get(connection, tuner_id)
    if mind is None or mind.create_time != tuner.create_time:
        strategy = find(tuner.strategy)(Space.from_json(tuner.space), tuner.options)
        mind = _Mind(tuner.create_time, strategy, [Objective.from_json(objective) for objective in tuner.objectives])
    workers = {ask.worker for ask in asks if ask.worker is not None}
    n_waiting = tuner.counts[TrialState.queued] + tuner.counts[TrialState.stale]
    n_ready = n_waiting + len(trials.list_held(connection, [tuner_id], workers))
    n_asked = sum(ask.count for ask in asks)
    n_new = min(max(0, n_asked - n_ready), n_left(tuner, Budget.from_json(tuner.budget)))
    if n_new == 0 or not mind.strategy.needs_history:
        return mind, _View(tuner, n_new)
    unknown = trials.list_others(connection, tuner_id, tuner.n_trials, mind.observations)
    for trial in unknown:
        if has_ended(trial):
            mind.observations[trial.number] = observation_of(trial, mind.objectives)
            mind.forecasts.note_end(trial)
    pending = [trial for trial in unknown if not has_ended(trial)]
    expected: dict[int, Observation] = {}
    if mind.strategy.takes_forecasts and len(mind.objectives) == 1:
        expected = mind.forecasts.of(connection, pending, mind.objectives[0])
    known = mind.observations | expected
    history = [known[number] for number in sorted(known)]
    rest = [trial.params for trial in pending if trial.number not in expected]
    return mind, _View(tuner, n_new, history, rest, len(expected))


@contained
def _think(mind: _Mind, view: _View) -> Thoughts:
    tuner = view.tuner
    if view.n_new == 0:
        return Thoughts(tuner.create_time, tuner.n_trials, [], are_the_last=False)
    # A strategy that comes to an end is asked for one more, to see whether there is one.
    n_asked = view.n_new + (1 if mind.strategy.is_finite else 0)
    rngs = [generator(tuner.seed, tuner.n_trials + position) for position in range(n_asked)]
    began = time.perf_counter()
    proposals = mind.strategy.propose(view.history, view.pending, rngs)
    metrics.count_thinking(mind.strategy.key, time.perf_counter() - began)
    told = [
        Proposal(_in_space(mind.strategy, one.params), _plain(mind.strategy, _for_people(one.why, mind, view)))
        for one in proposals
    ]
    return Thoughts(tuner.create_time, tuner.n_trials, told[: view.n_new], are_the_last=len(proposals) < n_asked)


def _for_people(why: Mapping[str, Any], mind: _Mind, view: _View) -> dict[str, Any]:
    """Strategies see losses; people, the score as they know it. The strategy's own words stay: it may keep them."""
    told = dict(why)
    if "mean" in why:
        told["mean"] = mind.objectives[0].loss(why["mean"])
    if "means" in why:
        told["means"] = {one.metric: one.loss(mean) for one, mean in zip(mind.objectives, why["means"], strict=True)}
        told["stds"] = dict(zip((one.metric for one in mind.objectives), why["stds"], strict=True))
    if view.n_forecasts:
        told["forecasts"] = view.n_forecasts
    return told


def _in_space(strategy: Strategy, params: Params) -> dict[str, Scalar]:
    """The parameters as the space has them. A plug-in may be wrong about it; the store must not."""
    try:
        return strategy.space.coerce(_plain(strategy, params))
    except DomainError as error:
        raise RuntimeError(f"strategy {strategy.key} proposes what is not in the space: {error.detail}") from error


def _plain(strategy: Strategy, said: Mapping[str, Any]) -> dict[str, Any]:
    """The same as it can be kept: the numbers of a plug-in may be numpy's."""
    try:
        kept: dict[str, Any] = orjson.loads(orjson.dumps(said, option=orjson.OPT_SERIALIZE_NUMPY))
    except TypeError as error:
        raise RuntimeError(f"strategy {strategy.key} says what no JSON holds: {error}") from error
    return kept


def observation_of(trial: Trial, objectives: Sequence[Objective]) -> Observation:
    """An ended trial as strategies see it."""
    values: tuple[float, ...] | None = None
    if trial.state in SCORED and trial.scores is not None:
        values = tuple(one.loss(from_json_number(trial.scores[one.metric])) for one in objectives)
    elif trial.state in SCORED and trial.score is not None:
        values = (objectives[0].loss(trial.score),)
    return Observation(trial.number, trial.params, trial.state, values)
