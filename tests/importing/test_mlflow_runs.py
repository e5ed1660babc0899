"""What a run of MLflow comes to, where its words are odd."""

from typing import Any

import pytest

from app.importing.mlflow_runs import MlflowRun, Point, to_steps
from app.importing.steps import End, Log, Remark, Start

NANOSECONDS = 1_700_000_000_000_000_000
RUN = MlflowRun("a" * 32, "one", "digits", "FINISHED", 1_700_000_000_000, 1_700_000_005_000, {}, {})


def read(run: MlflowRun, *points: Point) -> dict[type, list[Any]]:
    """The steps by their kinds."""
    found: dict[type, list[Any]] = {Start: [], Log: [], End: [], Remark: []}
    for step in to_steps(run, points):
        found[type(step)].append(step)
    return found


@pytest.mark.parametrize("time", [NANOSECONDS, 10**15])
def test_a_point_whose_time_was_told_in_other_units_comes_in_without_one(time: int) -> None:
    steps = read(RUN, Point("loss", 0, time, 0.5), Point("loss", 1, 1_700_000_001_000, 0.25))
    first, second = (body for _, body in steps[Log][0].epochs)
    assert "timestamp" not in first
    assert first["metrics"] == {"loss": 0.5}
    assert second["timestamp"] == "2023-11-14T22:13:21.000000Z"
    assert len(steps[Remark]) == 1


def test_a_run_whose_times_were_told_in_other_units_comes_in_without_them() -> None:
    odd = MlflowRun("a" * 32, "one", "digits", "FINISHED", NANOSECONDS, NANOSECONDS, {}, {})
    steps = read(odd)
    assert "start_time" not in steps[Start][0].body
    assert steps[End][0].body == {"status": "finished"}
    assert len(steps[Remark]) == 1
