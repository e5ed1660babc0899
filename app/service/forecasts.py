"""What the trials of a tuner that train still are expected to come to, by the epochs that they have logged."""

import math
from collections.abc import Sequence
from heapq import nlargest
from uuid import UUID

from sqlalchemy import Connection

from app.domain.goal import Objective
from app.domain.states import TrialState
from app.domain.values import from_json_number
from app.service.series import Series, read_many_series
from app.store import runs
from app.store.runs import Run
from app.store.trials import Trial
from app.tuning.forecast import MOST_COURSES, Course, forecast
from app.tuning.strategy import Observation

_MOST_POINTS = 200


class Forecasts:
    """How the newest completed trials of one tuner went: a cache of what does not change."""

    def __init__(self) -> None:
        self._completed: dict[UUID, tuple[int, float]] = {}
        self._courses: dict[UUID, Course | None] = {}

    def note_end(self, trial: Trial) -> None:
        """A trial has ended; where a run of it was completed, it shows how others may go on."""
        if trial.state is TrialState.completed and trial.run_id is not None and trial.score is not None:
            self._completed[trial.run_id] = (trial.number, trial.score)

    def of(self, connection: Connection, pending: Sequence[Trial], objective: Objective) -> dict[int, Observation]:
        """Those of these trials that have one, by number."""
        speaking = {trial.run_id: trial for trial in pending if trial.run_id is not None}
        if not speaking or not self._completed:
            return {}
        newest = nlargest(MOST_COURSES, self._completed, key=self._completed.__getitem__)
        found = runs.find_many(connection, [*speaking, *newest])
        courses = self._go_through(connection, [run_id for run_id in newest if run_id in found], objective)
        expected: dict[int, Observation] = {}
        for run_id, trial in speaking.items():
            now = _last_of(found.get(run_id), objective)
            loss = None if now is None else forecast(*now, courses)
            if loss is not None:
                expected[trial.number] = Observation(trial.number, trial.params, trial.state, (loss,))
        return expected

    def _go_through(self, connection: Connection, run_ids: Sequence[UUID], objective: Objective) -> list[Course]:
        unread = [run_id for run_id in run_ids if run_id not in self._courses]
        curves = read_many_series(connection, unread, [objective.metric], _MOST_POINTS)
        known = {run_id: self._courses[run_id] for run_id in run_ids if run_id in self._courses}
        for run_id, curve in zip(unread, curves, strict=True):
            known[run_id] = _course_of(curve[objective.metric], self._completed[run_id][1], objective)
        self._courses = known
        return [course for course in known.values() if course is not None]


def _last_of(run: Run | None, objective: Objective) -> tuple[int, float] | None:
    """The last epoch of a run that has the objective's metric, and the loss at it; None where there is none."""
    summary = None if run is None else run.summary.get(objective.metric)
    if summary is None:
        return None
    loss = objective.loss(from_json_number(summary.last))
    return (summary.epoch_of_last, loss) if math.isfinite(loss) else None


def _course_of(curve: Series, score: float, objective: Objective) -> Course | None:
    losses = [objective.loss(from_json_number(value)) for value in curve.values]
    points = [(epoch, loss) for epoch, loss in zip(curve.epochs, losses, strict=True) if math.isfinite(loss)]
    if not points or not math.isfinite(score):
        return None
    return Course([epoch for epoch, _ in points], [loss for _, loss in points], objective.loss(score))
