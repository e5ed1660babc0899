"""What somebody who looks wants to know at once: which is best, since when, and is it still getting better?

Each overview begins with the number of the newest event that it surely knows. Whoever follows the stream after that
number misses nothing; what it tells twice is told the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection

from app.domain.filters import Condition
from app.domain.goal import Direction, Objective
from app.domain.states import TRIAL_ENDS
from app.service.pareto import Front, best_few, sum_up_fronts
from app.service.series import Series, read_many_series, read_series
from app.store import events, runs, standing, trials, tuners
from app.store.runs import Run
from app.store.standing import CurveOwner, Improvement
from app.store.trials import Trial
from app.store.tuners import Tuner

_STEPS = 60
"""How many steps a small picture has at most."""

_MOST_TOLD = 1000


@dataclass(frozen=True, slots=True)
class TunerLine:
    """A tuner in a list. `improvements` are thinned: the first, the last, and some between."""

    tuner: Tuner
    best: Trial | None
    front: Front | None
    improvements: list[Improvement]
    last_sign: datetime


_MOST_KEPT = 2000
_Stand = tuple[datetime, int]
"""When a tuner was created (one that is deleted may leave its id to another), and how many of its trials have ended:
those never change."""
_Progress = tuple[Front | None, list[Improvement]]
"""As a line tells it."""


class Lines:
    """Tuners in lists. Safe for threads.

    How far they have come is kept: to find it is to look through all trials, and every open page asks each second.
    """

    def __init__(self) -> None:
        self._known: dict[UUID, tuple[_Stand, _Progress]] = {}

    def list_page(
        self, connection: Connection, after: tuners.Key | None, limit: int, condition: Condition | None = None
    ) -> tuple[int, list[TunerLine]]:
        """Tuners that meet the condition, newest first, each with how it stands."""
        last = events.last_event_id(connection)
        found = tuners.list_page(connection, after, limit, condition)
        best = trials.best_of(connection, found)
        progress = self._progress(connection, found)
        signs = standing.last_signs(connection, progress)
        return last, [
            TunerLine(
                tuner,
                best.get(tuner.tuner_id),
                *progress[tuner.tuner_id],
                signs.get(tuner.tuner_id, tuner.update_time),
            )
            for tuner in found
        ]

    def _progress(self, connection: Connection, found: Sequence[Tuner]) -> dict[UUID, _Progress]:
        stands = {tuner.tuner_id: _stand(tuner) for tuner in found}
        known = {tuner_id: self._known.get(tuner_id) for tuner_id in stands}
        kept = {tuner_id: one[1] for tuner_id, one in known.items() if one is not None and one[0] == stands[tuner_id]}
        changed = [tuner for tuner in found if tuner.tuner_id not in kept]
        improvements: dict[UUID, list[Improvement]] = {tuner.tuner_id: [] for tuner in changed}
        directions = {tuner.tuner_id: _is_upward(tuner) for tuner in changed if not _is_of_many(tuner)}
        for one in standing.list_improvements(connection, directions):
            improvements[one.tuner_id].append(one)
        fronts = sum_up_fronts(connection, changed)
        fresh = {tuner_id: (fronts.get(tuner_id), _some(steps)) for tuner_id, steps in improvements.items()}
        if len(self._known) + len(fresh) > _MOST_KEPT:
            self._known.clear()
        self._known.update({tuner_id: (stands[tuner_id], progress) for tuner_id, progress in fresh.items()})
        return kept | fresh


def _stand(tuner: Tuner) -> _Stand:
    return tuner.create_time, sum(tuner.counts[state] for state in TRIAL_ENDS)


def _is_upward(tuner: Tuner) -> bool:
    return Objective.from_json(tuner.objectives[0]).direction is Direction.maximize


def _is_of_many(tuner: Tuner) -> bool:
    """Whether it has several objectives: then no single trial is best, and there are no improvements to tell."""
    return len(tuner.objectives) > 1


def _some(improvements: list[Improvement]) -> list[Improvement]:
    if len(improvements) <= _STEPS:
        return improvements
    return [improvements[place * (len(improvements) - 1) // (_STEPS - 1)] for place in range(_STEPS)]


@dataclass(frozen=True, slots=True)
class Curve:
    """A run's curve of a metric."""

    owner: CurveOwner
    series: Series


@dataclass(frozen=True, slots=True)
class TunerOverview:
    """A tuner at a look. `places` are of each trial when it ended, counted from 1; None where it has not."""

    last_event_id: int
    tuner: Tuner
    best: Trial | None
    improvements: list[Improvement]
    n_ended: int
    trials: list[Trial]
    places: list[int | None]
    run_of: dict[UUID, UUID]
    n_runs: int
    curves: list[Curve]


def look_at_tuner(
    connection: Connection, tuner_id: UUID, max_trials: int, max_curves: int, max_points: int, metric: str | None
) -> TunerOverview:
    """How a tuner stands.

    Args:
        metric: of the curves; None means that of the first objective.
    Raises:
        UnknownTuner: there is none with this id.
    """
    last = events.last_event_id(connection)
    tuner = tuners.get(connection, tuner_id)
    is_upward = _is_upward(tuner)
    ended = standing.list_ended(connection, tuner_id)
    place_of = {number: place for place, number in enumerate(ended, 1)}
    best_numbers = best_few(connection, tuner, max(max_trials, max_curves)) if _is_of_many(tuner) else []
    numbers = standing.pick_trials(
        connection, tuner_id, is_upward=is_upward, limit=max_trials, best_numbers=best_numbers[: max_trials // 2]
    )
    shown = trials.list_numbered(connection, tuner_id, numbers)
    return TunerOverview(
        last_event_id=last,
        tuner=tuner,
        best=trials.best_of(connection, [tuner]).get(tuner_id),
        improvements=standing.list_improvements(connection, {} if _is_of_many(tuner) else {tuner_id: is_upward}),
        n_ended=len(ended),
        trials=shown,
        places=[place_of.get(trial.number) for trial in shown],
        run_of=standing.runs_of(connection, [trial.trial_id for trial in shown]),
        n_runs=standing.count_runs(connection, tuner_id),
        curves=_read_curves(connection, tuner, metric, best_numbers, max_curves, max_points),
    )


def _read_curves(
    connection: Connection, tuner: Tuner, wanted: str | None, best_numbers: Sequence[int], limit: int, max_points: int
) -> list[Curve]:
    metric = wanted or tuner.objectives[0]["metric"]
    few = best_numbers[: max(1, limit // 5)]
    owners = standing.pick_runs(connection, tuner.tuner_id, is_upward=_is_upward(tuner), limit=limit, best_numbers=few)
    series = read_many_series(connection, [owner.run_id for owner in owners], [metric], max_points)
    return [Curve(owner, read[metric]) for owner, read in zip(owners, series, strict=True)]


@dataclass(frozen=True, slots=True)
class RunOverview:
    """A run at a look; `told` are the events about it, as they went out, but for its epochs."""

    last_event_id: int
    run: Run
    tuner: Tuner | None
    trial: Trial | None
    series: dict[str, Series]
    told: Sequence[dict[str, Any]]


def look_at_run(connection: Connection, run_id: UUID, max_points: int) -> RunOverview:
    """How a run goes.

    Args:
        max_points: of each curve; fewer than 2 leave all curves out, to read which takes longest.
    Raises:
        UnknownRun: there is none with this id.
    """
    last = events.last_event_id(connection)
    run = runs.get(connection, run_id)
    told = events.list_told(connection, run_id, _MOST_TOLD)
    tuner_ids = [] if run.tuner_id is None else [run.tuner_id]
    trial_ids = [] if run.trial_id is None else [run.trial_id]
    return RunOverview(
        last_event_id=last,
        run=run,
        tuner=next(iter(tuners.find_many(connection, tuner_ids).values()), None),
        trial=next(iter(trials.find_many(connection, trial_ids).values()), None),
        series={} if max_points < 2 else read_series(connection, run_id, None, None, max_points),
        told=[orjson.loads(event.data) for event in told],
    )
