"""Writers that keep a history of what they were told, and the check of a store against such histories.

A history says of each operation whether it was acknowledged; one that was not may have happened or not,
but never in half.
"""

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from tests.calls import JSON, get_tuner, list_all, list_events


@dataclass(slots=True)
class Operation:
    """A request, and the answer if there was one."""

    kind: str
    path: str
    body: JSON
    answer: JSON | None = None

    @property
    def is_acknowledged(self) -> bool:
        """Whether the service said that it was done."""
        return self.answer is not None


@dataclass(slots=True)
class History:
    """What one writer sent, in order."""

    operations: list[Operation] = field(default_factory=list)

    def acknowledged(self, *kinds: str) -> list[Operation]:
        """The operations of these kinds that were answered."""
        return [one for one in self.operations if one.is_acknowledged and one.kind in kinds]


class Load(AbstractContextManager["Load"]):
    """Writers in threads, working on one tuner and their own runs until they are told to stop."""

    def __init__(self, url: str, tuner: JSON, n_writers: int, seed: int) -> None:
        self.histories = [History() for _ in range(n_writers)]
        self._url = url
        self._tuner = tuner
        self._seed = seed
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(n_writers)
        self._work: list[Future[None]] = []

    def __enter__(self) -> Self:
        self._work = [
            self._pool.submit(self._write, history, random.Random(self._seed * 1000 + number), f"w{number}")
            for number, history in enumerate(self.histories)
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._pool.shutdown()
        if error is None:
            for work in self._work:
                work.result()

    @property
    def operations(self) -> list[Operation]:
        """All that was sent by all."""
        return [one for history in self.histories for one in history.operations]

    @property
    def n_acknowledged(self) -> int:
        """How many operations were answered so far."""
        return sum(one.is_acknowledged for one in self.operations)

    def wait_for_more(self, count: int, timeout_s: float = 120.0) -> None:
        """Until so many more operations were answered."""
        goal = self.n_acknowledged + count
        deadline = time.monotonic() + timeout_s
        while self.n_acknowledged < goal:
            for work in self._work:
                if work.done():
                    work.result()
            assert time.monotonic() < deadline, f"{self.n_acknowledged} of {goal} operations were answered"
            time.sleep(0.01)

    def _write(self, history: History, chance: random.Random, worker: str) -> None:
        with httpx.Client(base_url=self._url, timeout=30.0, trust_env=False, verify=False) as client:
            writer = _Writer(client, history, chance, self._stop)
            while not self._stop.is_set():
                if chance.random() < 0.5:
                    writer.train(None)
                else:
                    writer.tune(self._tuner["tuner_id"], worker)


class _Writer:
    """One client, which repeats a request that was not answered, or gives up on it and does something else."""

    def __init__(self, client: httpx.Client, history: History, chance: random.Random, stop: threading.Event) -> None:
        self._client = client
        self._history = history
        self._chance = chance
        self._stop = stop

    def tune(self, tuner_id: str, worker: str) -> None:
        asked = self._do("suggest", f"/v1/tuners/{tuner_id}/suggest", {"count": 1, "worker": worker})
        if asked is None:
            return
        trial = asked["trials"][0]
        if self._chance.random() < 0.5:
            self.train(trial["trial_id"])
            return
        body = {"trial_id": trial["trial_id"], "score": self._chance.random()}
        self._do("result", f"/v1/tuners/{tuner_id}/result", body)

    def train(self, trial_id: str | None) -> None:
        run_id = str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
        path = f"/v1/runs/{run_id}"
        body: JSON = {"run_id": run_id, "tags": ["load"], "trial_id": trial_id}
        if self._do("start", "/v1/runs", body) is None:
            return
        epoch = 0
        for _ in range(self._chance.randint(1, 6)):
            if self._chance.random() < 0.7:
                done = self._do("epoch", f"{path}/epochs", self._epoch(epoch))
                epoch += 1
            else:
                n_epochs = self._chance.randint(2, 6)
                epochs = [self._epoch(epoch + number) for number in range(n_epochs)]
                done = self._do("batch", f"{path}/epochs/batch", {"epochs": epochs})
                epoch += n_epochs
            if done is None:
                return
        if trial_id is not None or self._chance.random() < 0.7:
            self._do("end", f"{path}/end", {"final_metrics": {"score": self._chance.random()}})

    def _epoch(self, epoch: int) -> JSON:
        values = [self._chance.random(), self._chance.choice(["NaN", "Infinity", -0.0, 1e308, self._chance.random()])]
        return {"epoch": epoch, "metrics": dict(zip(("loss", "odd"), values, strict=True))}

    def _do(self, kind: str, path: str, body: JSON) -> JSON | None:
        """The answer; None if it was given up."""
        operation = Operation(kind, path, body)
        self._history.operations.append(operation)
        while True:
            try:
                response = self._client.post(path, json=body)
            except httpx.TransportError:
                # A trial must not be left with a writer that will never end it: those are always repeated.
                gives_up = kind in ("epoch", "batch") and self._chance.random() < 0.3
                if gives_up or self._stop.wait(0.02):
                    return None
                continue
            assert response.status_code in (200, 201), f"{kind} {body} -> {response.status_code} {response.text}"
            operation.answer = response.json()
            return operation.answer


class Store:
    """All that a store holds, read over HTTP."""

    def __init__(self, client: httpx.Client, tuner: JSON) -> None:
        self.events = list_events(client)
        self.runs = {run["run_id"]: run for run in list_all(client, "/v1/runs")}
        trials = list_all(client, f"/v1/tuners/{tuner['tuner_id']}/trials")
        self.trials = {trial["trial_id"]: trial for trial in trials}
        self.tuner = get_tuner(client, tuner)
        self._of_runs = _group(self.events, "run_id")
        self._of_trials = _group([event for event in self.events if "number" in event], "trial_id")

    def events_of_run(self, run_id: str) -> dict[str, list[JSON]]:
        """The events of a run, by type."""
        return _group(self._of_runs.get(run_id, []), "type")

    def events_of_trial(self, trial_id: str) -> dict[str, list[JSON]]:
        """The events of a trial, by type."""
        return _group(self._of_trials.get(trial_id, []), "type")


def _group(events: Iterable[JSON], field_name: str) -> dict[str, list[JSON]]:
    """The events that have this field, by its value."""
    groups: dict[str, list[JSON]] = {}
    for event in events:
        if event.get(field_name) is not None:
            groups.setdefault(event[field_name], []).append(event)
    return groups


def check_acknowledged(store: Store, operations: Iterable[Operation]) -> None:
    """Every operation that was answered is there, exactly as it was answered; a batch is there or not."""
    checks: dict[str, Callable[[Store, Operation], None]] = {
        "start": _check_start,
        "epoch": _check_epochs,
        "batch": _check_epochs,
        "end": _check_end,
        "suggest": _check_suggest,
        "result": _check_result,
    }
    for one in operations:
        if one.is_acknowledged:
            checks[one.kind](store, one)
        elif one.kind == "batch":
            values = _stored(store, one.path.split("/")[3])
            there = [(epoch["epoch"], key) in values for epoch in one.body["epochs"] for key in epoch["metrics"]]
            assert all(there) or not any(there), f"half of a batch: {one}"


def _stored(store: Store, run_id: str) -> dict[tuple[int, str], tuple[Any, int]]:
    """Each value of a run's history by (epoch, key), with the id of its event; none of them is there twice."""
    values: dict[tuple[int, str], tuple[Any, int]] = {}
    for event in store.events_of_run(run_id).get("epoch_end", []):
        for key, value in event["metrics"].items():
            assert (event["epoch"], key) not in values, f"{key} of epoch {event['epoch']} is there twice: {run_id}"
            values[event["epoch"], key] = (value, event["event_id"])
    return values


def _check_start(store: Store, one: Operation) -> None:
    assert one.answer is not None
    run = store.runs[one.body["run_id"]]
    for name in ("run_id", "params", "tags", "tuner_id", "trial_id", "start_time"):
        assert run[name] == one.answer[name], (name, one)


def _check_epochs(store: Store, one: Operation) -> None:
    assert one.answer is not None
    values = _stored(store, one.path.split("/")[3])
    epochs = one.body.get("epochs", [one.body])
    for epoch in epochs:
        for key, value in epoch["metrics"].items():
            assert repr(values[epoch["epoch"], key][0]) == repr(value), one
    ids = [values[epochs[-1]["epoch"], key][1] for key in epochs[-1]["metrics"]]
    assert ids == [one.answer["event_id"]] * len(ids), one
    assert one.answer["accepted"] + one.answer["duplicates"] == 2 * len(epochs)


def _check_end(store: Store, one: Operation) -> None:
    assert one.answer is not None
    assert store.runs[one.answer["run_id"]] == one.answer


def _check_suggest(store: Store, one: Operation) -> None:
    assert one.answer is not None
    for trial in one.answer["trials"]:
        found = store.trials[trial["trial_id"]]
        for name in ("trial_id", "number", "params", "worker", "create_time"):
            assert found[name] == trial[name], (name, one)


def _check_result(store: Store, one: Operation) -> None:
    assert one.answer is not None
    assert store.trials[one.body["trial_id"]] == one.answer["trial"]
    assert one.answer["trial"]["score"] == one.body["score"]


def check_invariants(store: Store) -> None:
    """Nothing is half-written: an event for each change, a change for each event, summaries as the log folds to."""
    ids = [event["event_id"] for event in store.events]
    assert ids == sorted(set(ids))
    assert {event["run_id"] for event in store.events if event.get("run_id")} <= store.runs.keys()
    for run in store.runs.values():
        _check_run(store, run)
    for trial in store.trials.values():
        _check_trial(store, trial)
    numbers = [trial["number"] for trial in store.trials.values()]
    assert numbers == list(range(len(numbers)))
    states = [trial["state"] for trial in store.trials.values()]
    assert store.tuner["counts"] == {state: states.count(state) for state in store.tuner["counts"]}
    scores = [trial["score"] for trial in store.trials.values() if trial["state"] == "completed"]
    assert (store.tuner["best"] or {"score": None})["score"] == max(scores, default=None)


def _check_run(store: Store, run: JSON) -> None:
    events = store.events_of_run(run["run_id"])
    (start,) = events["run_start"]
    assert (start["params"], start["tags"], start["trial_id"]) == (run["params"], run["tags"], run["trial_id"])
    values = {place: value for place, (value, _) in _stored(store, run["run_id"]).items()}
    assert run["last_epoch"] == max((epoch for epoch, _ in values), default=None)
    assert run["summary"].keys() == {key for _, key in values}
    for key, summary in run["summary"].items():
        curve = {epoch: value for (epoch, one), value in values.items() if one == key}
        finite = {epoch: value for epoch, value in curve.items() if not isinstance(value, str)}
        assert summary["last"] == curve[max(curve)]
        assert summary["count"] == len(curve)
        for name, pick in (("min", min), ("max", max)):
            extreme = pick(finite.values(), default=None)
            assert summary[name] == extreme
            at = min((epoch for epoch, value in finite.items() if value == extreme), default=None)
            assert summary[f"epoch_of_{name}"] == at
    ends = events.get("training_end", [])
    assert len(ends) == (run["status"] not in ("running", "crashed"))
    latest = {key: summary["last"] for key, summary in run["summary"].items()}
    assert run["metrics"] == latest | (run["final_metrics"] or {})
    for end in ends:
        for name in ("status", "final_metrics", "duration_s"):
            assert end[name] == run[name]
        if run["trial_id"] is not None:
            assert store.trials[run["trial_id"]]["score"] == run["final_metrics"]["score"]


def _check_trial(store: Store, trial: JSON) -> None:
    events = store.events_of_trial(trial["trial_id"])
    assert len(events["trial_start"]) == trial["attempt"]
    for name in ("number", "params", "worker", "attempt"):
        assert events["trial_start"][-1][name] == trial[name]
    ends = events.get("trial_end", [])
    assert len(ends) == (trial["state"] != "running")
    for end in ends:
        assert (end["state"], end["score"]) == (trial["state"], trial["score"])
