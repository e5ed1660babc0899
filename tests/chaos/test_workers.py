"""Workers that die, come back too late and speak all at once, to three replicas on one PostgreSQL."""

import random
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta

import httpx
import pytest

from tests.calls import JSON, ask, create_tuner, get_tuner, list_all, list_events, suggest
from tests.chaos.replicas import running_replicas
from tests.chaos.sizes import size
from tests.chaos.stubborn import at_once, together
from tests.conftest import Shared, open_client
from tests.server import Server
from tests.training import Training

N_CLIENTS = size(8, 32)
N_AT_ONCE = size(3, 40)
SOON = timedelta(seconds=size(60, 10))
"""How long after the end of its lease a trial is handed out again, at most."""


@pytest.fixture(scope="module")
def replicas(shared: Shared) -> Iterator[list[Server]]:
    """Three services on one database, shared by this module's tests; at the end without deadlocks or violations."""
    with running_replicas(shared.new_database("postgres")) as servers:
        yield servers


@pytest.fixture
def clients(replicas: list[Server]) -> Iterator[list[httpx.Client]]:
    """A client of each replica."""
    with ExitStack() as exits:
        yield [exits.enter_context(open_client(server)) for server in replicas]


# ---- dead workers ----


def test_a_dead_workers_trial_goes_stale_once_and_to_another_soon_and_no_zombie_is_heard(
    clients: list[httpx.Client],
) -> None:
    n_trials = size(60, 1000)
    tuner = create_tuner(clients[0], lease_s=size(2.0, 10.0), budget={"max_trials": n_trials, "max_attempts": 1000})
    dead = {trial["trial_id"]: trial for trial in suggest(clients[0], tuner, n_trials, worker="dead")}

    def work(number: int) -> list[int]:
        """What the zombies were answered while this worker had their trials."""
        told: list[int] = []
        while (asked := ask(clients[number % 3], tuner, worker=f"w{number}", count=N_AT_ONCE))[
            "tuner_state"
        ] == "active":
            if not asked["trials"]:
                time.sleep(0.1)  # until a lease is over
            for trial in asked["trials"]:
                ghost = {"worker": "dead"} if number % 2 else {"attempt": 1}
                zombie = result(clients[(number + 1) % 3], trial, score=0.1, **ghost)
                told.append(zombie.status_code)
                # This one may be late itself, if the machine is slow: then a third one has ended the trial, or will.
                assert zombie.json().get("code") in ("lease-lost", "trial-ended"), zombie.text
                assert result(clients[number % 3], trial, score=0.5, attempt=trial["attempt"]).status_code in (200, 409)
        return told

    told = [status for of_one in together(N_CLIENTS, work) for status in of_one]
    assert len(told) >= n_trials
    assert set(told) == {409}
    trials = list_all(clients[0], f"/v1/tuners/{tuner['tuner_id']}/trials")
    assert {(trial["state"], trial["score"]) for trial in trials} == {("completed", 0.5)}
    events = list_events(clients[0], tuner_id=tuner["tuner_id"])
    happened = Counter((event["type"], event.get("trial_id"), event.get("attempt")) for event in events)
    assert {n for (kind, *_), n in happened.items() if kind != "trial_end"} == {1}
    assert sum(n for (kind, _, attempt), n in happened.items() if (kind, attempt) == ("trial_stale", 1)) == n_trials
    for event in events:
        if event["type"] == "trial_start" and event["attempt"] == 2:
            late = time_of(event["timestamp"]) - time_of(dead[event["trial_id"]]["lease_expires_at"])
            assert timedelta(0) <= late < SOON


def result(client: httpx.Client, trial: JSON, **body: object) -> httpx.Response:
    path = f"/v1/tuners/{trial['tuner_id']}/result"
    return client.post(path, json={"trial_id": trial["trial_id"]} | body)


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


# ---- stoppers ----


def test_replicas_decide_alike_whoever_was_told_of_an_epoch(clients: list[httpx.Client]) -> None:
    stopper = [{"type": "asha", "reduction_factor": 2}, {"type": "median", "warmup_epochs": 2, "min_trials": 2}]
    levels = [0.9, 0.5, 0.2, 0.7, 0.4, 0.6, 0.8, 0.3]
    training = Training(clients, stopper, n_runs=len(levels))
    for begin in range(0, len(levels), 4):
        training.train(range(5), levels, among=range(begin, begin + 4))
        training.end(begin)
    assert {stop["rule"] for stop in training.stops.values()} >= {"asha"}


# ---- everything at once ----


class Rough:
    """Somebody who does anything that anybody may do, with everything there is, and is refused now and then."""

    def __init__(self, urls: list[str], seed: int, tuners: list[str], trials: list[JSON], runs: list[str]) -> None:
        self.refusals: Counter[str] = Counter()
        self._urls = urls
        self._chance = random.Random(seed)
        self._name = f"w{seed}"
        # All share these, and none is taken out: what is gone is refused.
        self._tuners, self._trials, self._runs = tuners, trials, runs
        self._epoch = 0

    def work(self, n_requests: int) -> Counter[str]:
        """So many requests; what was refused, by code."""
        with httpx.Client(trust_env=False, verify=False, timeout=60.0) as client:
            for _ in range(n_requests):
                method, path, body = self._chance.choice(
                    [*[self._suggest] * 3, *[self._of_trial] * 4, *[self._of_run] * 6, self._steer]
                )()
                response = client.request(method, self._chance.choice(self._urls) + path, json=body)
                if response.status_code in (200, 201):
                    self._note(path, response.json())
                elif response.status_code != 204:
                    assert response.status_code in (404, 409, 503), f"{method} {path} {body} -> {response.text}"
                    self.refusals[response.json()["code"]] += 1
        return self.refusals

    def _note(self, path: str, answered: JSON) -> None:
        if path.endswith("/suggest"):
            self._trials += answered["trials"]
        elif path == "/v1/runs":
            self._runs.append(answered["run_id"])

    def _recent(self, things: list[str]) -> str:
        return self._chance.choice(things[-24:] or [str(uuid.uuid4())])

    def _suggest(self) -> tuple[str, str, JSON]:
        asked = {"count": self._chance.choice([1, 1, 4]), "worker": self._chance.choice([self._name, "shared"])}
        return "POST", f"/v1/tuners/{self._chance.choice(self._tuners)}/suggest", asked

    def _of_trial(self) -> tuple[str, str, JSON]:
        if not self._trials:
            return self._suggest()
        trial = self._chance.choice(self._trials[-24:])
        path, who = f"/v1/trials/{trial['trial_id']}", {"attempt": trial["attempt"]}
        of_tuner = f"/v1/tuners/{trial['tuner_id']}/result"
        score = self._chance.random()
        words: list[tuple[str, str, JSON]] = [
            ("POST", "/v1/runs", {"trial_id": trial["trial_id"], "stale_after_s": self._chance.choice([0.3, 60])}),
            ("POST", "/v1/runs", {"trial_id": trial["trial_id"], **who}),
            ("POST", f"{path}/heartbeat", who),
            ("POST", f"{path}/release", who),
            ("POST", of_tuner, {"trial_id": trial["trial_id"], "score": score, **who}),
            ("POST", of_tuner, {"trial_id": trial["trial_id"], "state": "failed"}),
            ("POST", of_tuner, {"params": trial["params"], "score": score}),
        ]
        return self._chance.choice(words)

    def _of_run(self) -> tuple[str, str, JSON]:
        path = f"/v1/runs/{self._recent(self._runs)}"
        self._epoch += 1
        epoch = {"epoch": self._epoch, "metrics": {f"{self._name}-loss": 0.5, "score": self._chance.random()}}
        words: list[tuple[str, str, JSON]] = [
            *[("POST", f"{path}/epochs", epoch)] * 6,
            *[("POST", f"{path}/heartbeat", {})] * 3,
            ("POST", f"{path}/end", {"final_metrics": {"score": 0.5}}),
            ("POST", f"{path}/end", {"status": "failed"}),
            ("POST", f"{path}/stop", {"reason": "rough"}),
            ("PATCH", path, {"note": "rough"}),
        ]
        if self._chance.random() < 0.1:
            words = [("DELETE", path, {})]
        method, path, body = self._chance.choice(words)
        return method, path, body

    def _steer(self) -> tuple[str, str, JSON]:
        path = f"/v1/tuners/{self._chance.choice(self._tuners)}"
        enqueued = [{"params": {"x": self._chance.random()}} for _ in range(3)]
        words: list[tuple[str, str, JSON]] = [
            ("POST", f"{path}/pause", {}),
            *[("POST", f"{path}/resume", dict[str, object]())] * 4,
            ("POST", f"{path}/trials", {"trials": enqueued}),
            ("PATCH", path, {"budget": {"max_trials": self._chance.randint(50, 5000)}}),
        ]
        return self._chance.choice(words)


def test_everything_at_once_ends_in_no_circle_of_waiting_and_no_contradiction(
    replicas: list[Server], clients: list[httpx.Client]
) -> None:
    # Deadlocks are counted, and the store is checked, when the replicas have ended, see `running_replicas`.
    n_tuners, n_requests = 4, size(40, 600)
    made = [
        create_tuner(
            clients[0],
            lease_s=0.3,
            budget={"max_attempts": 4, "max_parallel": 16},
            stopper={"type": "asha", "reduction_factor": 4},
        )
        for _ in range(n_tuners)
    ]
    tuners, trials, runs = [str(tuner["tuner_id"]) for tuner in made], list[JSON](), list[str]()
    urls = [server.url for server in replicas]

    def work(number: int) -> Counter[str]:
        return Rough(urls, number, tuners, trials, runs).work(n_requests)

    def end(number: int) -> None:
        """Stop and delete, in the middle of it."""
        for tuner in made[number::2][:1]:
            path = f"/v1/tuners/{tuner['tuner_id']}"
            assert clients[number].post(f"{path}/stop").status_code == 200
            if number:
                assert clients[number].delete(path).status_code == 204

    refusals = sum(at_once(N_CLIENTS, work), Counter())
    at_once(
        N_CLIENTS, lambda number: end(number) if number < 2 else Rough(urls, -number, tuners, trials, runs).work(20)
    )
    known = {"lease-lost", "trial-ended", "run-ended", "tuner-stopped", "unknown-run", "duplicate-metric-key"}
    assert refusals.keys() <= known | {"store-busy"}
    assert len(trials) > N_CLIENTS
    assert get_tuner(clients[0], made[0])["state"] == "stopped"
