"""What clients do with one tuner until nothing is left to try, and what must have come of it.

All that a trial's worker says follows from the trial's number: whoever trains it, and however often, says the same.
"""

import random
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

import httpx

from tests import nursery
from tests.calls import JSON, get_series, list_all, list_events
from tests.chaos.stubborn import Stubborn
from tests.live.load import Operation, Store, check_acknowledged, check_invariants

SPACE: JSON = {
    "lr": {"type": "float_range", "min": 1e-5, "max": 1e-1, "log": True},
    "layers": {"type": "int_range", "min": 1, "max": 6},
    "optimizer": {"type": "choice", "options": ["adam", "sgd"]},
}


@dataclass(slots=True)
class Search:
    """A tuner and its clients' rules.

    Args:
        n_epochs: of each run.
        namespace: of the run ids that clients choose.
    """

    tuner: JSON
    n_epochs: int = 4
    namespace: UUID = field(default_factory=uuid.uuid4)

    def work_off(self, client: Stubborn, worker: str | None) -> None:
        """Ask and train until nothing is left; without a name, with an Idempotency-Key for each request."""
        while trials := self.ask(client, worker)["trials"]:
            for trial in trials:
                self.train(client, trial, worker)

    def ask(self, client: Stubborn, worker: str | None) -> JSON:
        """The answer to one suggest."""
        path = f"/v1/tuners/{self.tuner['tuner_id']}/suggest"
        if worker is None:
            return client.do("suggest", path, {}, key=f'"{uuid.uuid4()}"')
        return client.do("suggest", path, {"worker": worker})

    def train(self, client: Stubborn, trial: JSON, worker: str | None) -> None:
        """One trial, to its end: most of them by a run, each fifth by a bare result."""
        number, trial_id = trial["number"], trial["trial_id"]
        chance = random.Random(number)
        keyed = worker is None
        if number % 5 == 4:
            body = {"trial_id": trial_id, "score": chance.random()}
            path = f"/v1/tuners/{self.tuner['tuner_id']}/result"
            client.do("result", path, body, key=_key(keyed))
            return
        run: JSON = {"name": f"run {number}", "tags": ["chaos", f"n{number}"], "trial_id": trial_id}
        if not keyed:
            run["run_id"] = str(uuid.uuid5(self.namespace, str(number)))
        run_id = client.do("start" if not keyed else "start-keyed", "/v1/runs", run, key=_key(keyed))["run_id"]
        epoch = 0
        while epoch < self.n_epochs:
            count = min(chance.choice([1, 1, 1, 3]), self.n_epochs - epoch)
            epochs = [_epoch(chance, epoch + position) for position in range(count)]
            if count == 1:
                client.do("epoch", f"/v1/runs/{run_id}/epochs", epochs[0], key=_key(keyed))
            else:
                client.do("batch", f"/v1/runs/{run_id}/epochs/batch", {"epochs": epochs}, key=_key(keyed))
            epoch += count
        client.do("end", f"/v1/runs/{run_id}/end", {"final_metrics": {"score": chance.random()}}, key=_key(keyed))


def _key(is_wanted: bool) -> str | None:
    return str(uuid.uuid4()) if is_wanted else None


def _epoch(chance: random.Random, epoch: int) -> JSON:
    odd = chance.choice(["NaN", "-Infinity", -0.0, 1e308, chance.random()])
    return {"epoch": epoch, "metrics": {"loss": chance.random(), "odd": odd}}


def check_search(client: httpx.Client, search: Search, operations: Iterable[Operation]) -> None:
    """The store, of which this search is all, holds what was acknowledged, and nothing in half."""
    store = Store(client, search.tuner)
    check_acknowledged(store, [one for one in operations if one.kind != "start-keyed"])
    check_invariants(store)


def check_database(database: str) -> None:
    """Nothing, where `tunetrack check` finds nothing."""
    done = nursery.run("check", "--database", database)
    assert done.returncode == 0, done.stdout + done.stderr


_OF_TUNER = ("space", "strategy", "objective", "seed", "budget", "state", "stop_reason", "counts")
_OF_TRIAL = ("number", "params", "state", "score", "reason", "attempt", "why")
_OF_RUN = ("name", "params", "tags", "note", "status", "metrics", "summary", "final_metrics", "last_epoch")
_SERVER_CHOSEN = ("event_id", "timestamp", "run_id", "trial_id", "tuner_id", "worker", "duration_s", "best")


def outcome(client: httpx.Client, tuner: JSON) -> JSON:
    """All that a search has left behind, but for ids and times that the service chose, and for who held what."""
    tuner_id = tuner["tuner_id"]
    found = client.get(f"/v1/tuners/{tuner_id}").json()
    trials = list_all(client, f"/v1/tuners/{tuner_id}/trials")
    numbers = {trial["trial_id"]: trial["number"] for trial in trials}
    runs = sorted((run for run in list_all(client, "/v1/runs") if run["tuner_id"] == tuner_id), key=_name)
    events = [_bare(event) for event in list_events(client, tuner_id=tuner_id)]
    return {
        "tuner": {name: found[name] for name in _OF_TUNER} | {"best": found["best"] and found["best"]["number"]},
        "trials": [{name: trial[name] for name in _OF_TRIAL} for trial in trials],
        "runs": [{name: run[name] for name in _OF_RUN} | {"trial": numbers[run["trial_id"]]} for run in runs],
        "series": [get_series(client, run) for run in runs],
        # They come in the order of their commits, which is another one in each pass.
        "events": sorted(events, key=repr),
    }


def _name(run: JSON) -> str:
    name: str = run["name"]
    return name


def _bare(event: JSON) -> JSON:
    return {name: value for name, value in event.items() if name not in _SERVER_CHOSEN}
