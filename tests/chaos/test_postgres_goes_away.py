"""PostgreSQL that hangs up, restarts or crashes in mid-load costs delay, never data, and never a 500."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Literal

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.calls import JSON, SPACE, create_tuner, list_events, log_epoch, problem, start_run
from tests.chaos.load import SteadyLoad
from tests.chaos.search import Search, check_database, check_search
from tests.chaos.sizes import size
from tests.chaos.wire import Wire
from tests.conftest import Shared
from tests.databases import OwnPostgres, running_own_postgres
from tests.server import Server
from tests.subscriber import Subscriber

N_CLIENTS = size(6, 32)
BACK_WITHIN_S = size(60.0, 5.0)
"""From the return of the database to that of the service."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    """A PostgreSQL server that this module's tests may stop."""
    with running_own_postgres() as found:
        yield found


def open_client(server: Server) -> httpx.Client:
    """A client that takes any answer."""
    return httpx.Client(base_url=server.url, timeout=30.0, trust_env=False)


def await_ready(client: httpx.Client) -> None:
    """The service is ready, and writes, soon: how soon is promised of a machine that is not busy with other tests."""
    deadline = time.monotonic() + BACK_WITHIN_S
    while (response := client.get("/readyz")).status_code != 200:
        problem(response, 503, "not-ready")
        assert time.monotonic() < deadline, "the service is not back"
    while (response := client.post("/v1/runs", json={"tags": ["back"]})).status_code != 201:
        problem(response, 503, "store-busy")
        assert time.monotonic() < deadline, "the service does not write"


def survives(server: Server, fault: Callable[[], None], n_faults: int) -> None:
    """Faults in mid-load: nothing that was acknowledged is lost, nothing is in half, and no subscriber misses any."""
    with open_client(server) as client:
        search = Search(create_tuner(client, seed=1))
        seen: list[JSON] = []
        with SteadyLoad([server.url], search, N_CLIENTS) as load:
            for _ in range(n_faults):
                last = seen[-1]["event_id"] if seen else 0
                with Subscriber(server.url, after=last) as reader:
                    load.wait_for_more(30)
                    fault()
                    await_ready(client)
                    load.wait_for_more(10)
                    reader.wait_for_id(list_events(client)[-1]["event_id"])
                seen += [event.data for event in reader.events]
        assert load.refusals.keys() <= {"503 store-busy"}, load.refusals
        expected = list_events(client)
        assert seen == expected[: len(seen)]
        assert len(seen) > 20 * n_faults
        check_search(client, search, load.operations)
    check_database(server.database)
    assert "Traceback" not in server.log, server.log


def test_connections_that_are_cut_in_mid_load(shared: Shared) -> None:
    with Server(shared.new_database("postgres")) as server:
        name = conninfo_to_dict(server.database)["dbname"]

        def cut_all() -> None:
            query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"
            with psycopg.connect(shared.postgres().url, autocommit=True) as connection:
                row = connection.execute(query, [name]).fetchone()
            assert row is not None
            assert row[0] > 0

        survives(server, cut_all, n_faults=size(4, 50))


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_in_mid_load(postgres: OwnPostgres, mode: Literal["fast", "immediate"]) -> None:
    with Server(postgres.create_database()) as server:

        def restart() -> None:
            postgres.stop(mode)
            postgres.start()

        survives(server, restart, n_faults=size(1, 20))


def test_while_the_database_is_away_the_service_says_so(postgres: OwnPostgres) -> None:
    with Server(postgres.create_database()) as server, open_client(server) as client:
        run = start_run(client)
        logged = log_epoch(client, run, 0, loss=1.0)
        postgres.stop("immediate")
        try:
            assert client.get("/healthz").status_code == 200
            checks = problem(client.get("/readyz"), 503, "not-ready")["checks"]
            assert {check["name"]: check["ok"] for check in checks} == {"process": True, "writer": True, "store": False}
            for response in (
                client.get("/v1/runs"),
                client.get(f"/v1/runs/{run['run_id']}"),
                client.get("/v1/events/stream", params={"after": 0}),
                client.post("/v1/runs", json={}),
                client.post(f"/v1/runs/{run['run_id']}/epochs", json={"epoch": 1, "metrics": {"loss": 1.0}}),
                client.post("/v1/tuners", json={"space": SPACE}, headers={"Idempotency-Key": "k"}),
            ):
                problem(response, 503, "store-busy")
                assert int(response.headers["Retry-After"]) >= 1
        finally:
            postgres.start()
        await_ready(client)
        assert log_epoch(client, run, 0, loss=1.0)["event_id"] == logged["event_id"]
        log_epoch(client, run, 1, loss=1.0)
        assert "Traceback" not in server.log, server.log


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a socket fall silent")
def test_a_database_that_says_nothing_more_is_given_up_and_asked_again(shared: Shared) -> None:
    with Wire(shared.new_database("postgres")) as wire, Server(wire.url) as server, open_client(server) as client:
        start_run(client)
        wire.fall_silent()
        for response in (client.post("/v1/runs", json={}), client.get("/v1/runs")):
            problem(response, 503, "store-busy")
        wire.speak_again()
        await_ready(client)
