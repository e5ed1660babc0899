"""Hopeless runs are told to stop, while they train.

    an epoch is committed ─> catch up with the tuner's log ─> the stopper decides ─> the verdict is stored ─> answer

A decision uses only what is committed, and all that is: the curves of a tuner's runs are kept in memory, and before a
decision what has come since is read from the log, whichever replica wrote it. Any process can rebuild them from there:
an epoch waits for a part of a long log at most, and nobody is stopped before all of it is known.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection

from app.domain.errors import NotFound, RunEnded
from app.domain.events import EpochEnd, RunDelete, RunStart, TrainingEnd, TrialStart
from app.domain.goal import Objective
from app.domain.states import RunStatus
from app.domain.values import from_json_number
from app.service.aside import contained
from app.service.gather import Gatherer
from app.service.keep_alive import Alive
from app.service.stop import TellToStop, tell_to_stop
from app.store import events, tuners
from app.store.database import Database
from app.store.events import EventFilter
from app.store.runs import Stop
from app.tuning.stopping.registry import CompositeStopper, build
from app.tuning.stopping.stopper import Decision, Run

_PAGE = 1000
_MOST_PAGES = 10
"""Of the log, for which one answer waits; those after it read on."""
_MOST_WATCHED = 1000
_IDLE_S = 2.0
"""For how long a tuner is known to have no stopper: then its id may be that of another one."""
_TOLD_ALL = (RunStatus.finished, RunStatus.stopped)
_TELLING = frozenset(event.type for event in (TrialStart, RunStart, EpochEnd, TrainingEnd, RunDelete))


@dataclass(slots=True, eq=False)
class _Watched:
    """The curves of one tuner's runs, up to an event. One step at a time changes it.

    Attributes:
        create_time: of the tuner: what is older is of one that was deleted, and had its id.
        numbers: of the trials.
        runs: those that speak for them, as the stopper knows them.
    """

    create_time: datetime
    stopper: CompositeStopper
    metric: str
    position: int = 0
    numbers: dict[UUID, int] = field(default_factory=dict)
    runs: dict[UUID, Run] = field(default_factory=dict)


class EarlyStopping:
    """Decides for the runs that log to this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._gatherer = Gatherer[UUID, UUID, "_Verdict"](self._step)
        self._watched: dict[UUID, _Watched] = {}
        self._idle_until: dict[UUID, float] = {}

    async def judge(self, alive: Alive) -> Stop | None:
        """Why a run that has just said something should stop; None: it may go on."""
        if alive.stop is not None or alive.tuner_id is None:
            return alive.stop
        if time.monotonic() < self._idle_until.get(alive.tuner_id, 0.0):
            return None  # its tuner has no stopper
        decision = (await self._gatherer.ask(alive.tuner_id, alive.run_id)).decision
        if decision is None:
            return None
        verdict = TellToStop(alive.run_id, decision.rule, decision.reason, decision.epoch)
        try:
            return (await self._database.write(tell_to_stop, verdict)).stop
        except (RunEnded, NotFound):
            return None  # it has ended meanwhile: there is nothing to stop

    async def _step(self, tuner_id: UUID, run_ids: Sequence[UUID]) -> Sequence["_Verdict"]:
        # Taken out while it is worked on: what fails half-way is built anew from the log.
        watched = self._watched.pop(tuner_id, None)
        self._idle_until.pop(tuner_id, None)
        watched, verdicts = await self._database.read(_judge, tuner_id, watched, run_ids)
        if watched is None:
            self._idle_until[tuner_id] = time.monotonic() + _IDLE_S
        else:
            self._watched[tuner_id] = watched
        for known in (self._watched, self._idle_until):
            if len(known) > _MOST_WATCHED:
                known.pop(next(iter(known)))
        return verdicts


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What the stopper says; no decision lets the run go on."""

    decision: Decision | None


@contained
def _judge(
    connection: Connection, tuner_id: UUID, watched: _Watched | None, run_ids: Sequence[UUID]
) -> tuple[_Watched | None, list[_Verdict]]:
    if watched is None or watched.create_time != tuners.find_create_time(connection, tuner_id):
        watched = _watch(connection, tuner_id)
    if watched is None:
        return None, [_Verdict(None)] * len(run_ids)
    if not _catch_up(connection, tuner_id, watched):
        return watched, [_Verdict(None)] * len(run_ids)
    asked = [watched.runs.get(run_id) for run_id in run_ids]
    return watched, [_Verdict(None if run is None else watched.stopper.decide(run)) for run in asked]


def _watch(connection: Connection, tuner_id: UUID) -> _Watched | None:
    """The tuner's stopper, knowing nothing yet; None where it has none."""
    tuner = tuners.find_many(connection, [tuner_id]).get(tuner_id)
    if tuner is None or len(tuner.objectives) > 1:
        return None
    objective = Objective.from_json(tuner.objectives[0])
    stopper = build(tuner.stopper, objective.direction)
    return None if stopper.is_idle else _Watched(tuner.create_time, stopper, objective.metric)


def _catch_up(connection: Connection, tuner_id: UUID, watched: _Watched) -> bool:
    """Whether all of the log is known now."""
    wanted = EventFilter(types=_TELLING, tuner_ids=frozenset({tuner_id}))
    for _ in range(_MOST_PAGES):
        found = events.list_next(connection, watched.position, wanted, _PAGE)
        for event in found:
            _hear(watched, orjson.loads(event.data))
            watched.position = event.event_id
        if len(found) < _PAGE:
            return True
    return False


def _hear(watched: _Watched, event: dict[str, Any]) -> None:
    kind = event["type"]
    if kind == TrialStart.type:
        if datetime.fromisoformat(event["timestamp"]) >= watched.create_time:
            watched.numbers[UUID(event["trial_id"])] = event["number"]
        return
    run_id = UUID(event["run_id"])
    if kind == RunStart.type and event["trial_id"] is not None:
        number = watched.numbers.get(UUID(event["trial_id"]))
        if number is not None:
            watched.runs[run_id] = Run(run_id, number)
    elif kind == RunDelete.type:
        watched.stopper.remove(run_id)
        watched.runs.pop(run_id, None)
    elif kind == EpochEnd.type and watched.metric in event["metrics"] and run_id in watched.runs:
        value = from_json_number(event["metrics"][watched.metric])
        watched.stopper.add(watched.runs[run_id], event["epoch"], value)
    elif kind == TrainingEnd.type and run_id in watched.runs and event["status"] in _TOLD_ALL:
        watched.stopper.end(run_id)
