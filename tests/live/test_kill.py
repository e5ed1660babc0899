"""An acknowledged write survives `kill -9` at any instant, and nothing is ever half-written.

With TUNETRACK_TEST_CHAOS=1 as many kills and writers as the promises say.
"""

import random
import time

import pytest

from tests.calls import create_tuner
from tests.chaos.sizes import size
from tests.conftest import open_client
from tests.live.load import Load, Store, check_acknowledged, check_invariants
from tests.server import Server

N_KILLS = size(3, 100)
N_WRITERS = size(8, 32)


@pytest.mark.slow
def test_every_acknowledged_write_is_found_again_after_kills_in_mid_load(fresh_server: Server) -> None:
    chance = random.Random(7)
    with open_client(fresh_server) as client:
        tuner = create_tuner(client, seed=1)
        with Load(fresh_server.url, tuner, N_WRITERS, seed=7) as load:
            for _ in range(N_KILLS):
                load.wait_for_more(40)
                time.sleep(chance.uniform(0.0, 0.4))
                fresh_server.kill()
                fresh_server.start()
            load.wait_for_more(40)
        # Once, at the end: what a kill took is never sent again, and stays away.
        store = Store(client, tuner)
        check_acknowledged(store, load.operations)
        check_invariants(store)
        kinds = {one.kind for one in load.operations if one.is_acknowledged}
        assert kinds == {"start", "epoch", "batch", "end", "suggest", "result"}


@pytest.mark.slow
def test_a_store_is_consistent_the_moment_it_comes_back(fresh_server: Server) -> None:
    chance = random.Random(11)
    with open_client(fresh_server) as client:
        tuner = create_tuner(client, seed=2)
        for kill in range(max(1, N_KILLS // 3)):
            load = Load(fresh_server.url, tuner, N_WRITERS, seed=100 + kill)
            with load:
                load.wait_for_more(60)
                time.sleep(chance.uniform(0.0, 0.3))
                fresh_server.kill()
            # The writers are gone: nothing is repeated, nothing comes after.
            fresh_server.start()
            store = Store(client, tuner)
            check_acknowledged(store, load.operations)
            check_invariants(store)
