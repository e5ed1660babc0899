"""Runs side by side."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.domain.errors import UnknownRun
from app.domain.goal import Direction, Objective
from app.domain.summary import MetricSummary
from app.domain.values import Scalar, same_scalar
from app.service.each import get_known
from app.store import runs, trials, tuners
from app.store.runs import Run


@dataclass(frozen=True, slots=True)
class Compared:
    """Runs in the order asked, the number of each one's trial, and the objectives of each one's tuner."""

    runs: Sequence[Run]
    trial_numbers: Sequence[int | None]
    objectives: Sequence[Sequence[Objective]]

    def params(self) -> dict[str, dict[str, Any]]:
        """Each param of any of them: its values, and whether they differ (one that is missing does)."""
        return {key: _row([run.params.get(key) for run in self.runs]) for key in _keys(run.params for run in self.runs)}

    def metrics(self) -> dict[str, dict[str, Any]]:
        """Each metric of any of them: its latest, last, lowest, highest and best values."""
        return {key: self._metric(key) for key in _keys(run.metrics for run in self.runs)}

    def _metric(self, key: str) -> dict[str, Any]:
        latest = [run.metrics.get(key) for run in self.runs]
        summaries = [run.summary.get(key) for run in self.runs]

        def each(get: Callable[[MetricSummary], Any]) -> list[Any]:
            return [None if summary is None else get(summary) for summary in summaries]

        return {
            "latest": latest,
            "last": each(lambda summary: summary.last),
            "min": each(lambda summary: summary.min),
            "max": each(lambda summary: summary.max),
            "epoch_of_min": each(lambda summary: summary.epoch_of_min),
            "epoch_of_max": each(lambda summary: summary.epoch_of_max),
            "best": [
                _best(key, summary, objectives) for summary, objectives in zip(summaries, self.objectives, strict=True)
            ],
            "differs": _row(latest)["differs"],
        }


def _best(key: str, summary: MetricSummary | None, objectives: Sequence[Objective]) -> float | None:
    objective = next((objective for objective in objectives if objective.metric == key), None)
    if summary is None or objective is None:
        return None
    return summary.max if objective.direction is Direction.maximize else summary.min


def _keys(maps: Iterable[Iterable[str]]) -> list[str]:
    """All keys, in the order in which they are met."""
    return list(dict.fromkeys(key for one in maps for key in one))


def _row(values: Sequence[Scalar | None]) -> dict[str, Any]:
    first = values[0]
    are_same = all(
        value is first or (value is not None and first is not None and same_scalar(value, first)) for value in values
    )
    return {"values": list(values), "differs": not are_same}


def compare(connection: Connection, run_ids: Sequence[UUID]) -> Compared:
    """These runs, in this order.

    Raises:
        UnknownRun: there is no such run.
    """
    found = runs.find_many(connection, set(run_ids))
    in_order = [get_known(found, run_id, UnknownRun) for run_id in run_ids]
    of_runs = tuners.find_many(connection, {run.tuner_id for run in in_order if run.tuner_id is not None})
    objectives = {
        tuner_id: [Objective.from_json(objective) for objective in tuner.objectives]
        for tuner_id, tuner in of_runs.items()
    }
    numbers = trials.numbers_of(connection, {run.trial_id for run in in_order if run.trial_id is not None})
    return Compared(
        in_order,
        [numbers[run.trial_id] if run.trial_id else None for run in in_order],
        [objectives[run.tuner_id] if run.tuner_id else [] for run in in_order],
    )
