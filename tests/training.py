"""Runs of one tuner that train in turn: every answer is held against what the stopper says in this process."""

import random
from collections.abc import Sequence
from itertools import cycle
from typing import Any
from uuid import UUID

import httpx

from app.domain.goal import Direction
from app.tuning.stopping.registry import build
from app.tuning.stopping.stopper import Run
from tests.calls import JSON, create_tuner, end_run, log_epoch, start_run, suggest


class Training:
    """Some runs of a tuner of their own; its objective is to maximize `score`.

    Args:
        clients: of one service, or of several replicas, which are asked by turns.
        stopper: the tuner's.

    Attributes:
        stops: what the runs were told that were told to stop, by number.
    """

    def __init__(self, clients: Sequence[httpx.Client], stopper: Any, n_runs: int) -> None:
        self.tuner = create_tuner(clients[0], stopper=stopper)
        self.runs = [start_run(clients[0], trial_id=one["trial_id"]) for one in suggest(clients[0], self.tuner, n_runs)]
        self.stops: dict[int, JSON] = {}
        self._clients = cycle(clients)
        self._stopper = build(stopper, Direction.maximize)

    def log(self, number: int, epoch: int, score: float) -> JSON:
        """What a run is told at an epoch, which is what its stopper says of all that was logged, and stays so."""
        told = log_epoch(next(self._clients), self.runs[number], epoch, score=score)
        run = Run(UUID(self.runs[number]["run_id"]), number)
        self._stopper.add(run, epoch, score)
        decision = self._stopper.decide(run)
        if decision is not None:
            said = {"rule": decision.rule, "reason": decision.reason, "epoch": decision.epoch}
            self.stops.setdefault(number, said)
        assert told["stop"] == self.stops.get(number)
        assert told["should_stop"] == (number in self.stops)
        return told

    def end(self, number: int) -> JSON:
        """The run ends as it was told to: stopped, or finished."""
        status = "stopped" if number in self.stops else "finished"
        ended = end_run(next(self._clients), self.runs[number], status=status)
        self._stopper.end(UUID(self.runs[number]["run_id"]))
        return ended

    def train(self, epochs: range, levels: Sequence[float], among: range | None = None) -> None:
        """Runs that were not told to stop (all, or some), epoch by epoch, each near its level and in changing order."""
        numbers = range(len(self.runs)) if among is None else among
        for epoch in epochs:
            chance = random.Random(epoch)
            for number in chance.sample(numbers, len(numbers)):
                if number not in self.stops:
                    self.log(number, epoch, levels[number] + chance.uniform(-0.05, 0.05))
