"""A run of MLflow, in our words: what its file and its server have in common.

Its run id becomes ours. Its params are texts, and become what they look like: numbers, booleans, or texts. Its tags
become `key=value`, `mlflow.note.content` the note, the experiment's name a tag; other tags of its own are left out.
A metric of ours has one value an epoch: of several at one step the last one stays, unless all of them have one and the
same step (nobody told any): then they are numbered in the order of their time.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from app.domain.csv_cells import guess_scalar
from app.domain.values import Scalar, to_json_number, to_rfc3339
from app.importing.steps import Bad, Body, End, Remark, Start, Step, log

_ENDS = {"FINISHED": "finished", "FAILED": "failed", "KILLED": "stopped"}
_BOOLEANS = {"True": True, "False": False}
_LONGEST_TAG = 250
_LONGEST_NOTE = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Point(NamedTuple):
    """A logged value."""

    key: str
    step: int
    timestamp_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class MlflowRun:
    """A run as MLflow keeps it; times are in milliseconds since 1970."""

    run_id: str
    name: str
    experiment: str
    status: str
    start_ms: int | None
    end_ms: int | None
    params: Mapping[str, str]
    tags: Mapping[str, str]


def to_value(value: float, is_nan: bool = False) -> float:
    """A metric as it was logged: MLflow keeps NaN as a flag, and infinity as the largest float."""
    if is_nan:
        return float("nan")
    if abs(value) == sys.float_info.max:
        return float("inf") if value > 0 else float("-inf")
    return value


def to_steps(run: MlflowRun, points: Iterable[Point]) -> Iterator[Step]:
    """All that is to be done for a run."""
    place = f"MLflow run {run.run_id}"
    run_id = to_id(run.run_id)
    tags, note, lost = _tags_and_note(run)
    if lost:
        yield Remark(place, f"tags that are too long for tags and note were left out: {', '.join(lost)}")
    body: Body = {
        "run_id": str(run_id),
        "name": run.name[:250],
        "params": {key: to_scalar(text) for key, text in run.params.items()},
        "tags": tags,
        "note": note,
    }
    if any(_time(ms) is None for ms in (run.start_ms, run.end_ms) if ms is not None):
        yield Remark(place, "its times lie beyond the calendar, as if they were no milliseconds: they were left out")
    yield Start(place, run_id, body | _at("start_time", run.start_ms))
    by_step: defaultdict[int, Body] = defaultdict(lambda: {"metrics": {}, "timestamp_ms": 0})
    by_key: defaultdict[str, list[Point]] = defaultdict(list)
    for point in points:
        by_key[point.key].append(point)
    for key, of_key in by_key.items():
        yield from _arrange(place, key, of_key, by_step)
    n_odd = sum(_time(said["timestamp_ms"]) is None for said in by_step.values())
    if n_odd:
        yield Remark(place, f"the times of {n_odd} steps lie beyond the calendar: they were left out")
    epochs = (
        (
            f"{place} step {step}",
            {"epoch": step, "metrics": said["metrics"]} | _at("timestamp", said["timestamp_ms"]),
        )
        for step, said in sorted(by_step.items())
    )
    yield from log(run_id, epochs)
    if run.status in _ENDS:
        ended = max(run.end_ms or 0, run.start_ms or 0)
        yield End(place, run_id, {"status": _ENDS[run.status]} | _at("end_time", ended or None))


def to_id(run_id: str) -> UUID:
    """MLflow's id, which is a UUID without hyphens; where it is something else, always the same id made from it."""
    try:
        return UUID(run_id)
    except ValueError:
        return uuid5(NAMESPACE_URL, f"mlflow:{run_id}")


def to_scalar(text: str) -> Scalar:
    """What a param looks like."""
    return _BOOLEANS.get(text, guess_scalar(text))


def _arrange(place: str, key: str, points: list[Point], by_step: defaultdict[int, Body]) -> Iterator[Step]:
    """Put one metric's values where they belong, and tell of those that have no place of their own."""
    steps = {point.step for point in points}
    points = sorted(points, key=lambda point: point.timestamp_ms)
    if len(steps) == 1 and len(points) > 1:
        (step,) = steps
        text = f"the {len(points)} values of {key} were all logged at step {step}: numbered in the order of their time"
        yield Remark(place, text)
        points = [point._replace(step=number) for number, point in enumerate(points)]
    elif len(steps) < len(points):
        text = f"{key} has {len(points)} values at {len(steps)} steps: the last one of each step was taken"
        yield Remark(place, text)
    for point in points:
        if point.step < 0:
            yield Bad(place, f"{key} = {point.value} is left out: its step is {point.step}, and epochs begin at 0")
            continue
        said = by_step[point.step]
        said["metrics"][key] = to_json_number(point.value)
        said["timestamp_ms"] = max(said["timestamp_ms"], point.timestamp_ms)


def _tags_and_note(run: MlflowRun) -> tuple[list[str], str, list[str]]:
    """The tags, the note, and the keys of what fits into neither."""
    tags, lost = [f"experiment={run.experiment}"[:_LONGEST_TAG]], list[str]()
    note = run.tags.get("mlflow.note.content", "")[:_LONGEST_NOTE]
    for key, value in run.tags.items():
        if key.startswith("mlflow."):
            continue
        tag = f"{key}={value}"
        more = f"{note}\n{tag}".strip()
        if len(tag) <= _LONGEST_TAG:
            tags.append(tag)
        elif len(more) <= _LONGEST_NOTE:
            note = more
        else:
            lost.append(key)
    return tags, note, lost


def _at(name: str, milliseconds: int | None) -> Body:
    """A time under its name; nothing where it is none."""
    time = None if milliseconds is None else _time(milliseconds)
    return {} if time is None else {name: time}


def _time(milliseconds: int) -> str | None:
    """None: beyond the years 1 to 9999, where whoever logged it thought of other units."""
    try:
        return to_rfc3339(_EPOCH + timedelta(milliseconds=milliseconds))
    except OverflowError:
        return None
