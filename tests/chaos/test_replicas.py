"""Several replicas on one PostgreSQL behave as one service."""

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from tests.calls import JSON, SPACE, answer, create_tuner, get_tuner, list_all, list_events, start_run, suggest
from tests.chaos.replicas import N_REPLICAS, running_replicas
from tests.chaos.search import Search, outcome
from tests.chaos.sizes import size
from tests.chaos.stubborn import Stubborn, at_once, together
from tests.conftest import Shared, open_client
from tests.server import Server
from tests.subscriber import Subscriber

N_CLIENTS = size(8, 64)
LONG_S = size(60.0, 600.0)
GRID = {
    "a": {"type": "int_range", "min": 1, "max": size(4, 20), "step": 1},
    "b": {"type": "choice", "options": ["x", "y", "z"]},
    "c": {"type": "flag"},
}


@pytest.fixture(scope="module")
def replicas(shared: Shared) -> Iterator[list[Server]]:
    """Three services on one database, shared by this module's tests."""
    with running_replicas(shared.new_database("postgres")) as servers:
        yield servers


@pytest.fixture
def urls(replicas: list[Server]) -> list[str]:
    """Where the replicas listen."""
    return [server.url for server in replicas]


@pytest.fixture
def client(replicas: list[Server]) -> Iterator[httpx.Client]:
    """A client of one of the replicas."""
    with open_client(replicas[0]) as client:
        yield client


# ---- suggestions ----


def take_all(urls: list[str], tuner: JSON) -> list[JSON]:
    """All the trials that many clients are given by any replica, until none is left."""

    def take(number: int) -> list[JSON]:
        taken: list[JSON] = []
        with Stubborn(urls, number) as client:
            while trials := client.do("suggest", f"/v1/tuners/{tuner['tuner_id']}/suggest", {})["trials"]:
                taken += trials
        return taken

    return [trial for taken in at_once(N_CLIENTS, take) for trial in taken]


def end_all(urls: list[str], tuner: JSON, trials: list[JSON]) -> list[JSON]:
    """The answers to a result for each of the trials, told by many clients to any replica."""

    def tell(number: int) -> list[JSON]:
        path = f"/v1/tuners/{tuner['tuner_id']}/result"
        with Stubborn(urls, number) as client:
            return [
                client.do("result", path, {"trial_id": trial["trial_id"], "score": float(trial["number"])})
                for trial in trials[number::N_CLIENTS]
            ]

    return [told for answers in at_once(N_CLIENTS, tell) for told in answers]


def ended_everywhere(urls: list[str], tuner: JSON) -> JSON:
    """The tuner, which must be the same at each replica."""
    found = [answer(httpx.get(f"{url}/v1/tuners/{tuner['tuner_id']}", trust_env=False)) for url in urls]
    assert all(one == found[0] for one in found)
    return found[0]


def test_no_trial_is_handed_out_twice_and_the_budget_is_kept(urls: list[str], client: httpx.Client) -> None:
    n_trials = size(90, 500)
    tuner = create_tuner(client, seed=1, budget={"max_trials": n_trials})
    trials = take_all(urls, tuner)
    assert sorted(trial["number"] for trial in trials) == list(range(n_trials))
    assert len({trial["trial_id"] for trial in trials}) == n_trials
    starts = list_events(client, tuner_id=tuner["tuner_id"], type="trial_start")
    assert Counter(event["trial_id"] for event in starts) == Counter(trial["trial_id"] for trial in trials)

    told = end_all(urls, tuner, trials)
    assert "completed" in {one["tuner_state"] for one in told}  # told to all whose results were committed together
    ended = ended_everywhere(urls, tuner)
    assert (ended["state"], ended["stop_reason"]) == ("completed", "max_trials")
    assert (ended["counts"]["completed"], sum(ended["counts"].values())) == (n_trials, n_trials)
    assert ended["best"]["number"] == n_trials - 1
    assert len(list_events(client, tuner_id=tuner["tuner_id"], type="tuner_end")) == 1


def test_replicas_propose_what_one_service_would_have_proposed(urls: list[str], client: httpx.Client) -> None:
    n_trials = size(40, 200)
    alone = suggest(client, create_tuner(client, seed=5), n_trials)
    trials = take_all(urls, create_tuner(client, seed=5, budget={"max_trials": n_trials}))
    assert [trial["params"] for trial in sorted(trials, key=_number)] == [trial["params"] for trial in alone]


def test_a_grid_is_handed_out_point_by_point_and_each_once(urls: list[str], client: httpx.Client) -> None:
    tuner = create_tuner(client, strategy="grid", space=GRID)
    trials = take_all(urls, tuner)
    n_points = size(4, 20) * 3 * 2
    assert len({repr(sorted(trial["params"].items())) for trial in trials}) == len(trials) == n_points
    end_all(urls, tuner, trials)
    ended = ended_everywhere(urls, tuner)
    assert (ended["state"], ended["stop_reason"]) == ("completed", "exhausted")


def test_never_more_trials_run_than_max_parallel_allows(urls: list[str], client: httpx.Client) -> None:
    n_trials, limit = size(40, 300), 3
    tuner = create_tuner(client, budget={"max_trials": n_trials, "max_parallel": limit})

    path = f"/v1/tuners/{tuner['tuner_id']}"

    def work(number: int) -> None:
        with Stubborn(urls, number) as own:
            while (asked := own.do("suggest", f"{path}/suggest", {}))["tuner_state"] == "active":
                for trial in asked["trials"]:
                    own.do("result", f"{path}/result", {"trial_id": trial["trial_id"], "score": 0.5})

    at_once(N_CLIENTS, work)
    running, most = 0, 0
    for event in list_events(client, tuner_id=tuner["tuner_id"], type=["trial_start", "trial_end"]):
        running += 1 if event["type"] == "trial_start" else -1
        most = max(most, running)
    assert (running, most) == (0, limit)
    assert get_tuner(client, tuner)["counts"]["completed"] == n_trials


def _number(trial: JSON) -> int:
    number: int = trial["number"]
    return number


# ---- streams ----


def test_every_replica_streams_all_events_in_one_order(
    replicas: list[Server], urls: list[str], client: httpx.Client
) -> None:
    n_events, n_writers, n_wanderers = size(1_200, 100_000), size(6, 20), size(3, 50)
    batch, n_kills = size(5, 50), size(0, 10)  # without: tests/live/test_restart.py has it
    start = _marker(client)

    def write(number: int) -> None:
        with Stubborn(urls, f"writer {number}") as own:
            run = own.do("start", "/v1/runs", {"tags": ["stream"]}, key=f"stream {start} {number}")
            path = f"/v1/runs/{run['run_id']}/epochs/batch"
            for first in range(0, n_events // n_writers, batch):
                epochs = [{"epoch": first + position, "metrics": {"loss": 0.5}} for position in range(batch)]
                own.do("batch", path, {"epochs": epochs})

    def read_on(url: str) -> list[JSON]:
        with Subscriber(url, last_event_id=start) as reader:
            return [one.data for one in reader.wait_for(n_events + n_writers + 2, LONG_S)]

    def wander(number: int) -> list[int]:
        """The ids that a reader sees which is cut again and again, and comes back to any replica."""
        chance = random.Random(f"reader {number}")
        seen = [start]
        with httpx.Client(timeout=httpx.Timeout(30.0, read=1.0), trust_env=False, verify=False) as own:
            while not has_ended.is_set() or seen[-1] != last:
                seen += _ids_for(own, chance.choice(urls), seen[-1], chance.uniform(*size((0.0, 0.2), (0.2, 2.0))))
        return seen[1:]

    def kill() -> None:
        """The last replica, again and again, while there is something to do."""
        chance = random.Random("kills")
        for _ in range(n_kills):
            time.sleep(chance.uniform(0.2, 2.0))
            replicas[-1].kill()
            replicas[-1].start()

    has_ended = threading.Event()
    last = start
    with ThreadPoolExecutor(N_REPLICAS + n_wanderers + 1) as pool:
        reading = [pool.submit(read_on, url) for url in (urls[:-1] if n_kills else urls)]
        killing = pool.submit(kill)
        wandering = [pool.submit(wander, number) for number in range(n_wanderers)]
        together(n_writers, write)
        killing.result()
        last = _marker(client)
        has_ended.set()
        expected = list_events(client, after=start)
        for stream in reading:
            assert stream.result() == expected
        for reader in wandering:
            assert reader.result() == [event["event_id"] for event in expected]
    assert (len(expected), expected[-1]["event_id"]) == (n_events + n_writers + 2, last)
    for url in urls:
        assert _page_by_page(url, start) == expected


def _marker(client: httpx.Client) -> int:
    """The id of an event that was just recorded."""
    run = answer(client.post("/v1/runs", json={"tags": ["marker"]}), 201)
    body = {"epoch": 0, "metrics": {"marker": 1.0}}
    event_id: int = answer(client.post(f"/v1/runs/{run['run_id']}/epochs", json=body))["event_id"]
    return event_id


def _ids_for(client: httpx.Client, url: str, after: int, duration_s: float) -> list[int]:
    """The ids that a stream brings until it is cut: in the middle of whatever it brings, or when it is quiet."""
    ids: list[int] = []
    rest = b""
    cut_at = time.monotonic() + duration_s
    with (
        suppress(size(httpx.ReadTimeout, httpx.TransportError)),  # the second: where servers are killed
        client.stream("GET", f"{url}/v1/events/stream", params={"after": after}) as got,
    ):
        for chunk in got.iter_raw():
            *messages, rest = (rest + chunk).split(b"\n\n")
            ids += [int(one[4 : one.index(b"\n")]) for one in messages if one.startswith(b"id: ")]
            if time.monotonic() > cut_at:
                break
    return ids


def _page_by_page(url: str, after: int) -> list[JSON]:
    with httpx.Client(base_url=url, trust_env=False, verify=False, timeout=30.0) as client:
        return list_events(client, after=after)


# ---- equal requests at once ----


def ask_at_once(urls: list[str], n: int, path: str, body: JSON, key: str | None) -> list[httpx.Response]:
    """The answers to n equal requests, sent at once to all replicas; those told to wait ask again."""
    headers = {} if key is None else {"Idempotency-Key": key}

    def ask(number: int) -> httpx.Response:
        with httpx.Client(base_url=urls[number % len(urls)], trust_env=False, verify=False, timeout=30.0) as own:
            for _ in range(1000):
                response = own.post(path, json=body, headers=headers)
                if response.status_code != 409 or response.json()["code"] != "idempotency-in-progress":
                    return response
        raise AssertionError("always in progress")

    return at_once(n, ask)


def test_equal_requests_with_one_key_at_once_have_one_effect(urls: list[str], client: httpx.Client) -> None:
    n = size(12, 64)
    tuner = create_tuner(client)
    tag = f"once-{uuid.uuid4()}"
    run = answer(client.post("/v1/runs", json={"tags": [tag]}), 201)
    requests: list[tuple[str, JSON]] = [
        ("/v1/runs", {"tags": [tag]}),
        ("/v1/tuners", {"space": SPACE, "name": tag}),
        (f"/v1/tuners/{tuner['tuner_id']}/suggest", {"count": 2}),
        (f"/v1/tuners/{tuner['tuner_id']}/result", {"params": {"x": 0.5}, "score": 1.0}),
        (f"/v1/runs/{run['run_id']}/epochs", {"epoch": 0, "metrics": {"loss": 1.0}}),
        (f"/v1/runs/{run['run_id']}/end", {}),
    ]
    for path, body in requests:
        answers = ask_at_once(urls, n, path, body, key=str(uuid.uuid4()))
        assert {one.status_code for one in answers} <= {200, 201}, [one.text for one in answers]
        assert len({one.content for one in answers}) == 1
        assert sum("Idempotent-Replayed" not in one.headers for one in answers) == 1
    assert len([one for one in list_all(client, "/v1/runs") if one["tags"] == [tag]]) == 2
    assert len([one for one in list_all(client, "/v1/tuners") if one["name"] == tag]) == 1
    assert sum(get_tuner(client, tuner)["counts"].values()) == 3
    assert len(list_events(client, run_id=run["run_id"])) == 3


@pytest.mark.parametrize("path", ["/v1/tuners", "/v1/runs"])
def test_equal_creations_with_one_id_at_once_make_one_thing(urls: list[str], client: httpx.Client, path: str) -> None:
    tag = f"one-{uuid.uuid4()}"
    for _ in range(size(6, 50)):
        chosen = str(uuid.uuid4())
        body = {"tuner_id": chosen, "space": SPACE} if path == "/v1/tuners" else {"run_id": chosen}
        answers = ask_at_once(urls, 2 * len(urls), path, body | {"tags": [tag]}, key=None)
        statuses = Counter(one.status_code for one in answers)
        assert statuses == {201: 1, 200: len(answers) - 1}, [one.text for one in answers]
        assert len({one.content for one in answers}) == 1
    assert len([one for one in list_all(client, path) if one["tags"] == [tag]]) == size(6, 50)


def test_equal_requests_with_natural_keys_at_once_have_one_effect(urls: list[str], client: httpx.Client) -> None:
    for _ in range(size(6, 50)):
        tuner, run = create_tuner(client), start_run(client)
        requests: list[tuple[str, JSON]] = [
            (f"/v1/tuners/{tuner['tuner_id']}/suggest", {"worker": "w", "count": 3}),
            (f"/v1/runs/{run['run_id']}/epochs", {"epoch": 0, "metrics": {"loss": 1.0, "odd": "NaN"}}),
            (f"/v1/runs/{run['run_id']}/end", {"final_metrics": {"loss": 0.5}}),
        ]
        for path, body in requests:
            answers = ask_at_once(urls, 2 * len(urls), path, body, key=None)
            assert {one.status_code for one in answers} == {200}, [one.text for one in answers]
        trials = list_all(client, f"/v1/tuners/{tuner['tuner_id']}/trials")
        assert [trial["number"] for trial in trials] == [0, 1, 2]
        types = [event["type"] for event in list_events(client, run_id=run["run_id"])]
        assert types == ["run_start", "epoch_end", "training_end"]


def test_of_two_results_for_one_trial_told_at_once_one_stands(urls: list[str], client: httpx.Client) -> None:
    tuner = create_tuner(client)
    for trial in suggest(client, tuner, size(10, 100)):
        path = f"/v1/tuners/{tuner['tuner_id']}/result"

        def tell(number: int, path: str = path, trial: JSON = trial) -> httpx.Response:
            body = {"trial_id": trial["trial_id"], "score": float(number)}
            return httpx.post(urls[number % len(urls)] + path, json=body, trust_env=False, timeout=30.0)

        answers = at_once(N_REPLICAS, tell)
        assert sorted(one.status_code for one in answers) == [200, 409, 409]
        (stands,) = [one.json()["trial"] for one in answers if one.status_code == 200]
        assert answer(client.get(f"/v1/trials/{trial['trial_id']}")) == stands
    ends = Counter(event["trial_id"] for event in list_events(client, tuner_id=tuner["tuner_id"], type="trial_end"))
    assert set(ends.values()) == {1}


# ---- everything at once ----


def test_writers_of_the_same_rows_wait_for_each_other_but_in_no_circle(urls: list[str], client: httpx.Client) -> None:
    # Deadlocks are counted when the replicas have ended, see `running_replicas`.
    tuners = [create_tuner(client) for _ in range(2)]
    runs = [start_run(client) for _ in range(4)]
    n_epochs = size(20, 60)

    def work(number: int) -> None:
        chance = random.Random(number)
        with Stubborn(urls, number) as own:
            for epoch in range(n_epochs):
                for run in chance.sample(runs, 2):
                    body = {"epoch": epoch, "metrics": {f"of {number}": chance.random()}}
                    own.do("epoch", f"/v1/runs/{run['run_id']}/epochs", body)
                path = f"/v1/tuners/{chance.choice(tuners)['tuner_id']}"
                (trial,) = own.do("suggest", f"{path}/suggest", {"worker": f"w{number}"})["trials"]
                own.do("result", f"{path}/result", {"trial_id": trial["trial_id"], "score": 0.5})

    at_once(N_CLIENTS, work)
    counts = [get_tuner(client, tuner)["counts"]["completed"] for tuner in tuners]
    assert sum(counts) == N_CLIENTS * n_epochs
    logged = [event for run in runs for event in list_events(client, run_id=run["run_id"], type="epoch_end")]
    assert len(logged) == 2 * N_CLIENTS * n_epochs


def test_a_mixed_load_is_answered_without_errors_or_deadlocks(urls: list[str], client: httpx.Client) -> None:
    # Deadlocks are counted when the replicas have ended, see `running_replicas`.
    searches = [
        Search(create_tuner(client, seed=seed, budget={"max_trials": size(12, 100)}), n_epochs=size(3, 10))
        for seed in range(size(3, 8))
    ]

    def work(number: int) -> Counter[str]:
        first = number % len(searches)
        with Stubborn(urls, number) as own:
            for search in searches[first:] + searches[:first]:
                search.work_off(own, f"w{number}" if number % 2 else None)
            return own.refusals

    refusals = sum(at_once(N_CLIENTS, work), Counter())
    assert refusals.keys() <= {"503 store-busy"}
    for search in searches:
        tuner = outcome(client, search.tuner)["tuner"]
        assert (tuner["state"], tuner["stop_reason"]) == ("completed", "max_trials")
