"""A restart changes nothing for anybody: all is read, repeated and continued as if there had been none."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import httpx
import pytest

from tests.calls import (
    JSON,
    answer,
    create_tuner,
    end_run,
    get_run,
    get_trial,
    list_all,
    list_events,
    log_epoch,
    problem,
    report,
    start_run,
    suggest,
)
from tests.conftest import Shared, open_client
from tests.server import CLEAN_EXITS, Server

TUNER: JSON = {
    "strategy": "random",
    "tuner_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "space": {"x": {"type": "float_range", "min": 0.0, "max": 1.0}},
    "objective": {"metric": "loss", "direction": "minimize"},
    "tags": ["über"],
    "seed": 6,
    "lease_s": 3600.0,
}
RUN: JSON = {"run_id": "01890a5d-ac96-774b-bcce-b302099a8058", "params": {"x": 3.0}}


@dataclass(slots=True)
class Before:
    """What was there, and was answered, before the service was stopped, started, killed and started again."""

    client: httpx.Client
    expected: list[JSON]
    tuner: JSON = field(default_factory=dict)
    held: list[JSON] = field(default_factory=list)
    run: JSON = field(default_factory=dict)
    logged: JSON = field(default_factory=dict)
    page: JSON = field(default_factory=dict)
    runs: list[JSON] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)


def prepare(client: httpx.Client) -> Before:
    """Something of everything."""
    twin = create_tuner(client, **{name: value for name, value in TUNER.items() if name != "tuner_id"})
    before = Before(client, expected=[trial["params"] for trial in suggest(client, twin, 6)])
    before.tuner = create_tuner(client, **TUNER)
    done, failed, *before.held = suggest(client, before.tuner, 4, worker="w")
    of_trial = start_run(client, trial_id=done["trial_id"])
    log_epoch(client, of_trial, 0, loss="NaN")
    log_epoch(client, of_trial, 1, loss=-0.0)
    end_run(client, of_trial)
    report(client, before.tuner, trial_id=failed["trial_id"], score="Infinity")
    before.run = start_run(client, **RUN)
    before.logged = log_epoch(client, before.run, 0, loss=1.0)
    before.run = end_run(client, before.run, final_metrics={"a": "NaN"})
    for _ in range(4):
        start_run(client)
    before.runs = list_all(client, "/v1/runs")
    before.page = answer(client.get("/v1/runs", params={"page_size": 2}))
    paths = ["/v1/tuners", "/v1/runs", "/v1/events", f"/v1/runs/{of_trial['run_id']}/metrics"]
    paths += [f"/v1/tuners/{before.tuner['tuner_id']}{path}" for path in ("", "/trials", "/best", "/snapshot")]
    before.texts = {path: client.get(path).text for path in paths}
    return before


_prepared: dict[str, Before] = {}


@pytest.fixture(scope="module")
def exits() -> Iterator[ExitStack]:
    """What ends with this module's tests: their services and clients."""
    with ExitStack() as stack:
        yield stack
    _prepared.clear()


@pytest.fixture
def before(shared: Shared, backend: str, exits: ExitStack) -> Before:
    """A service that was prepared and then restarted both ways; the tests share it, and change only what is theirs."""
    if backend not in _prepared:
        server = exits.enter_context(Server(shared.new_database(backend)))
        prepared = prepare(exits.enter_context(open_client(server)))
        assert server.terminate() in CLEAN_EXITS
        server.start()
        server.kill()
        server.start()
        texts = {path: prepared.client.get(path).text for path in prepared.texts}
        assert texts == prepared.texts, "everything reads the same after a restart"
        _prepared[backend] = prepared
    return _prepared[backend]


def test_everything_reads_the_same(before: Before) -> None:
    assert get_run(before.client, before.run) == before.run
    assert [get_trial(before.client, trial) for trial in before.held] == before.held


def test_a_worker_still_holds_its_trials_and_the_next_proposals_are_the_same(before: Before) -> None:
    assert suggest(before.client, before.tuner, 2, worker="w") == before.held
    more = suggest(before.client, before.tuner, 2, worker="v")
    trials = list_all(before.client, f"/v1/tuners/{before.tuner['tuner_id']}/trials")
    assert [trial["params"] for trial in trials] == before.expected
    assert [trial["number"] for trial in more] == [4, 5]


def test_repeats_are_recognised(before: Before) -> None:
    client = before.client
    answer(client.post("/v1/tuners", json=TUNER), 200)
    problem(client.post("/v1/tuners", json=TUNER | {"seed": 7}), 409, "id-conflict")
    assert answer(client.post("/v1/runs", json=RUN), 200) == before.run
    problem(client.post("/v1/runs", json=RUN | {"params": {"x": 3}}), 409, "id-conflict")
    again = log_epoch(client, before.run, 0, loss=1.0)
    assert (again["event_id"], again["duplicates"]) == (before.logged["event_id"], 1)
    assert end_run(client, before.run, final_metrics={"a": "NaN"}) == before.run


def test_a_page_token_still_holds(before: Before) -> None:
    start_run(before.client)
    token = before.page["next_page_token"]
    rest = answer(before.client.get("/v1/runs", params={"page_size": 1000, "page_token": token}))
    assert before.page["items"] + rest["items"] == before.runs


def test_event_ids_are_never_used_again(before: Before) -> None:
    old = [event["event_id"] for event in list_events(before.client)]
    assert old == sorted(set(old))
    new = log_epoch(before.client, start_run(before.client), 0, loss=1.0)["event_id"]
    assert new > old[-1]
