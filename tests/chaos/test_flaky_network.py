"""A request that is repeated, by its client or by the network, changes nothing twice."""

import httpx

from tests.calls import create_tuner, get_tuner, list_all, list_events
from tests.chaos.proxy import SHARE, flaky_proxy
from tests.chaos.search import SPACE, Search, check_database, check_search, outcome
from tests.chaos.sizes import size
from tests.chaos.stubborn import Stubborn, together
from tests.conftest import open_client
from tests.server import Server

N_CLIENTS = size(8, 32)
N_TRIALS = size(30, 1_000)
N_EPOCHS = size(4, 10)
SEED = 17


def search_with(urls: list[str], client: httpx.Client) -> tuple[Search, list[Stubborn]]:
    """A whole search, by clients of which half go by natural keys, and half by an Idempotency-Key for each request."""
    search = Search(create_tuner(client, space=SPACE, seed=SEED, budget={"max_trials": N_TRIALS}), N_EPOCHS)

    def work(number: int) -> Stubborn:
        with Stubborn(urls, number) as own:
            search.work_off(own, f"w{number}" if number % 2 else None)
        return own

    return search, together(N_CLIENTS, work)


def test_a_search_over_a_bad_network_ends_in_the_state_of_one_clean_pass(
    fresh_server: Server, fresh_client: httpx.Client, server: Server
) -> None:
    with flaky_proxy(fresh_server.port, SEED) as (url, proxy):
        search, clients = search_with([url], fresh_client)
    with open_client(server) as client:
        clean, _ = search_with([server.url], client)
        expected = outcome(client, clean.tuner)

    found = outcome(fresh_client, search.tuner)
    for part in expected:
        assert found[part] == expected[part], part
    # Nothing is there that the tuner does not know of: no ghost of a run, no trial of nobody.
    assert len(list_all(fresh_client, "/v1/runs")) == len(expected["runs"])
    assert len(list_events(fresh_client)) == len(expected["events"])
    assert get_tuner(fresh_client, search.tuner)["counts"]["running"] == 0

    check_search(fresh_client, search, [one for own in clients for one in own.operations])
    check_database(fresh_server.database)
    assert "Traceback" not in fresh_server.log
    assert proxy.answers.keys() <= {"200", "201", "409 idempotency-in-progress"}
    n_sent = sum(proxy.answers.values())
    for name in ("drops_request", "drops_answer", "is_sent_twice", "is_held_back"):
        assert proxy.fates[name] > n_sent * SHARE / 2, proxy.fates
