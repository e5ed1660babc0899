"""Random workers ask, die, repeat themselves and speak too late; the service does what the model does, step by step.

Time is moved by hand and silence is looked for by hand, so that every run of a case is the same.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection

from app.domain.goal import Budget, Outcome
from app.domain.states import RunStatus, TrialState
from app.service.add_trials import AddTrials, NewTrial, add_trials
from app.service.create import create_tuners
from app.service.end import EndRun, end_runs
from app.service.invariants import find_violations
from app.service.lease import Word, hear
from app.service.log_epochs import Epoch, LogEpochs
from app.service.reap import Reap, look, reap
from app.service.report import Result, report
from app.service.start import StartRun, start_runs
from app.service.steer import EditTuner, Steer, Turn, edit_tuners, steer
from app.service.stop_early import EarlyStopping
from app.service.suggest import Suggester
from app.service.track import Tracker
from app.store import clock, runs, trials, tuners
from app.store.database import Database
from app.store.engines import parse
from app.store.trials import Trial
from tests.chaos.sizes import size
from tests.conftest import NewDatabase
from tests.service import model
from tests.service.model import LEASE_S, SILENCE_S, WAIT_S, Refused, Who
from tests.service.tuner import of_one_number

T = TypeVar("T")

TICK_S = WAIT_S / 2  # so many seconds divide all times of the model; a case takes less
SCORES = [0.1, 0.5, 0.97]
some = st.sampled_from
recent = st.integers(0, 1) | st.integers(0, 7)
maybe = st.one_of(st.none(), st.integers(1, 3))


class Service:
    """The service without its edges: no HTTP, and nothing happens by itself."""

    def __init__(self, url: str) -> None:
        self.passed = timedelta()
        self._runner = asyncio.Runner()
        self.database = self.run(_open(url))
        self.suggester = Suggester(self.database)
        self.tracker = Tracker(self.database, EarlyStopping(self.database))

    def run(self, asked: Coroutine[Any, Any, T]) -> T:
        """What it answers."""
        return self._runner.run(asked)

    def close(self) -> None:
        """Let go of everything."""
        self.run(self.database.close())
        self._runner.close()


async def _open(url: str) -> Database:
    return Database(parse(url))


@pytest.fixture
def service(new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """One on an empty database, which must agree with itself at the end."""
    url = new_database()
    service = Service(url)
    now = clock.now

    def moved_now(connection: Connection) -> datetime:
        return now(connection) + service.passed

    monkeypatch.setattr(clock, "now", moved_now)
    yield service
    assert service.run(service.database.read(_list_violations)) == []
    service.close()


def _list_violations(connection: Connection) -> list[str]:
    return list(find_violations(connection))


class Workers(RuleBasedStateMachine):
    """One tuner, and whoever works for it.

    A ticket is a trial's number with the worker and the attempt that it was handed out to. None is ever thrown away,
    but mostly the last ones are used: otherwise few words would be about one thing.
    """

    def __init__(self, service: Service) -> None:
        super().__init__()
        self.service = service
        self.trial_ids: list[UUID] = []
        self.run_ids: list[UUID] = []
        self.tickets: list[tuple[int, Who]] = []
        self.n_epochs = self.n_observed = 0

    @initialize(limits=st.tuples(maybe, maybe, maybe, st.integers(1, 3)), goal=some([None, None, 0.9]))
    def create(self, limits: tuple[int | None, int | None, int | None, int], goal: float | None) -> None:
        n_trials, max_parallel, max_failures, max_attempts = limits
        max_trials = None if n_trials is None else 3 * n_trials
        self.expected = model.Tuner(max_trials, max_parallel, max_failures, max_attempts, goal)
        budget = Budget(max_trials, max_parallel, max_failures, max_attempts, goal)
        tuner = self.write(create_tuners, of_one_number(budget, LEASE_S)).tuner
        self.tuner_id, self.begin = tuner.tuner_id, tuner.create_time

    # ---- what workers do ----

    @rule(worker=some(["ada", "bob", None]), n=st.integers(1, 3))
    def ask(self, worker: str | None, n: int) -> None:
        given = self.service.run(self.service.suggester.suggest(self.tuner_id, worker, n)).trials
        self.given([self.expected.suggest(worker, n)], [given])

    @rule(n=st.integers(2, 4))
    def ask_at_once(self, n: int) -> None:
        async def ask_all() -> list[list[Trial]]:
            asked = [self.service.suggester.suggest(self.tuner_id, None, 1) for _ in range(n)]
            return [suggestion.trials for suggestion in await asyncio.gather(*asked)]

        self.given([self.expected.suggest(None, 1) for _ in range(n)], self.service.run(ask_all()))

    def given(self, expected: Sequence[Sequence[model.Trial]], given: Sequence[Sequence[Trial]]) -> None:
        self.look_at_trials()
        numbers = [[trial.number for trial in of_one] for of_one in given]
        assert numbers == [[trial.number for trial in of_one] for of_one in expected]
        out = [trial for of_one in given for trial in of_one]
        self.tickets += [(trial.number, Who(trial.worker, trial.attempt)) for trial in out]

    @precondition(lambda self: self.tickets)
    @rule(back=recent, says=some(["all", "worker", "attempt", "nothing"]), is_goodbye=st.booleans())
    def hold_or_release(self, back: int, says: str, is_goodbye: bool) -> None:
        trial, who = self.claim(back, says)
        word = Word(self.trial_ids[trial.number], who.worker, who.attempt, is_goodbye)
        self.both(partial(self.expected.hear, trial, who, is_goodbye=is_goodbye), lambda: self.write(hear, word))

    @precondition(lambda self: self.tickets)
    @rule(
        back=recent,
        says=some(["all", "worker", "attempt", "nothing"]),
        outcome=some(
            [*(("completed", score) for score in (*SCORES, math.nan)), ("failed", None), ("infeasible", None)]
        ),
    )
    def tell(self, back: int, says: str, outcome: tuple[str, float | None]) -> None:
        trial, who = self.claim(back, says)
        told = Outcome(TrialState(outcome[0]), outcome[1])
        result = Result(self.tuner_id, self.trial_ids[trial.number], None, told, who.worker, who.attempt)
        self.both(partial(self.expected.report, trial, *outcome, who), lambda: self.write(report, result))

    @precondition(lambda self: self.tickets)
    @rule(back=recent, says=some(["all", "worker", "attempt", "nothing"]))
    def start(self, back: int, says: str) -> None:
        trial, who = self.claim(back, says)
        asked = StartRun(
            None, "", None, [], "", self.trial_ids[trial.number], who.worker, who.attempt, SILENCE_S, body_digest=b""
        )
        self.both(
            partial(self.expected.start_run, trial, who),
            lambda: self.run_ids.append(self.write(start_runs, asked).run.run_id),
        )

    @precondition(lambda self: self.run_ids)
    @rule(back=recent, score=some([None, *SCORES]))
    def speak(self, back: int, score: float | None) -> None:
        number, tracker = back % len(self.run_ids), self.service.tracker
        run_id, run = self.run_ids[-1 - number], self.expected.runs[-1 - number]
        self.n_epochs += 1
        epochs = LogEpochs(run_id, [Epoch(self.n_epochs, {"score": score or 0.0})])

        def say() -> None:
            words = tracker.heartbeat(run_id) if score is None else self.log(epochs)
            alive = self.service.run(words)
            assert alive is not None
            assert (alive.stop is not None) == (self.expected.state == "stopped" or run.trial.has_ended)

        self.both(partial(self.expected.speak, run, score), say)

    async def log(self, epochs: LogEpochs) -> Any:
        return (await self.service.tracker.log(epochs)).alive

    @precondition(lambda self: self.run_ids)
    @rule(back=recent, status=some(["finished", "failed", "stopped"]), score=some(SCORES))
    def end(self, back: int, status: str, score: float) -> None:
        number = -1 - back % len(self.run_ids)
        asked, run = EndRun(self.run_ids[number], RunStatus(status), {"score": score}), self.expected.runs[number]
        self.both(partial(self.expected.end_run, run, status, score), lambda: self.write(end_runs, asked))

    # ---- what people do, and time ----

    @rule(n=st.integers(1, 2))
    def enqueue(self, n: int) -> None:
        asked = AddTrials(self.tuner_id, [NewTrial({"x": 0.5}, None)] * n)
        self.both(partial(self.expected.enqueue, n), lambda: self.write(add_trials, asked))

    @rule(score=some(SCORES))
    def observe(self, score: float) -> None:
        self.n_observed += 1
        params: Any = {"x": self.n_observed / 1000}
        asked = AddTrials(self.tuner_id, [NewTrial(params, Outcome(TrialState.completed, score))])
        self.both(partial(self.expected.observe, score), lambda: self.write(add_trials, asked))

    @rule(turn=some(["pause", *["resume"] * 4, "stop"]))
    def steer(self, turn: str) -> None:
        asked = Steer(self.tuner_id, Turn[turn])
        self.both(partial(self.expected.steer, turn), lambda: self.write(steer, asked))

    @rule(max_trials=st.integers(1, 12))
    def edit(self, max_trials: int) -> None:
        self.expected.max_trials = max_trials
        self.write(edit_tuners, EditTuner(self.tuner_id, None, None, {"max_trials": max_trials}))

    @rule(max_attempts=st.integers(1, 3))
    def edit_attempts(self, max_attempts: int) -> None:
        self.expected.edit_attempts(max_attempts)
        self.write(edit_tuners, EditTuner(self.tuner_id, None, None, {"max_attempts": max_attempts}))

    @rule(times=st.integers(1, 3))
    def wait(self, times: int) -> None:
        self.expected.now += times * WAIT_S
        self.service.passed += timedelta(seconds=times * WAIT_S)

    @rule()
    def look_for_silence(self) -> None:
        self.expected.reap()
        due = self.service.run(self.service.database.read(look))
        self.write(reap, Reap(due))

    # ---- what is always true ----

    @invariant()
    def is_as_expected(self) -> None:
        self.expected.settle()
        self.look_at_trials()

    def look_at_trials(self) -> None:
        """The store is as the model is."""
        self.expected.settle()
        tuner, stored, of_runs = self.service.run(self.service.database.read(self.read))
        assert (tuner.state, tuner.stop_reason) == (self.expected.state, self.expected.stop_reason)
        assert tuner.n_proposed == self.expected.n_proposed
        assert [self.shown(trial) for trial in stored] == [_shown(trial) for trial in self.expected.trials]
        self.trial_ids = [trial.trial_id for trial in stored]
        best = None if self.expected.best is None else self.trial_ids[self.expected.best.number]
        assert tuner.best_trial_id == best
        assert [of_runs[run_id].status for run_id in self.run_ids] == [run.status for run in self.expected.runs]

    def shown(self, trial: Trial) -> tuple[Any, ...]:
        end = trial.lease_expires_at
        lease = None if end is None else (end - self.begin) // timedelta(seconds=TICK_S)
        return trial.number, trial.state.value, repr(trial.score), trial.worker, trial.attempt, lease

    def read(self, connection: Connection) -> Any:
        tuner = tuners.get(connection, self.tuner_id)
        return tuner, trials.list_all(connection, self.tuner_id), runs.find_many(connection, self.run_ids)

    # ---- how ----

    def write(self, operation: Any, request: Any) -> Any:
        return self.service.run(self.service.database.write(operation, request))

    def claim(self, back: int, says: str) -> tuple[model.Trial, Who]:
        number, who = self.tickets[-1 - back % len(self.tickets)]
        worker = who.worker if says in ("all", "worker") else None
        attempt = who.attempt if says in ("all", "attempt") else None
        return self.expected.trials[number], Who(worker, attempt)

    def both(self, expected: Callable[[], Any], do: Callable[[], Any]) -> None:
        """Do what is done to the model; what that refuses must be refused, and for the same reason."""
        try:
            expected()
        except Refused as refused:
            with pytest.raises(refused.kind):
                do()
        else:
            do()


def _shown(trial: model.Trial) -> tuple[Any, ...]:
    lease = trial.lease_end // TICK_S if trial.state == "running" else None
    return trial.number, trial.state, repr(trial.score), trial.worker, trial.attempt, lease


def test_the_service_does_what_the_model_does_whatever_the_workers_do(service: Service) -> None:
    run_state_machine_as_test(
        partial(Workers, service),  # type: ignore[arg-type]  # it makes machines, as the type would
        settings=settings(
            max_examples=size(15, 500),
            stateful_step_count=30,
            deadline=None,
            phases=[Phase.generate],  # to shrink a case takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
