"""SIGTERM: streams get a last comment, what is under way is finished, and the process goes."""

import time
from contextlib import ExitStack

from tests.calls import create_tuner, list_events, log_epoch, start_run
from tests.conftest import open_client
from tests.live.load import Load, Store, check_acknowledged, check_invariants
from tests.server import CLEAN_EXITS, Server
from tests.subscriber import Subscriber

DRAIN_S = 15.0


def test_streams_end_with_a_last_comment_and_the_process_goes(fresh_server: Server) -> None:
    with open_client(fresh_server) as client, ExitStack() as exits:
        watchers = [exits.enter_context(Subscriber(fresh_server.url, after=0)) for _ in range(20)]
        last = log_epoch(client, start_run(client), 0, loss=1.0)["event_id"]
        for watcher in watchers:
            watcher.wait_for_id(last)
        start = time.monotonic()
        status = fresh_server.terminate()
        assert time.monotonic() - start < DRAIN_S
        assert status in CLEAN_EXITS
        for watcher in watchers:
            watcher.wait_for_end()
            said = [line for line in watcher.lines if line]
            assert said[-1].startswith(":"), "a stream that ends says so"
    assert "Traceback" not in fresh_server.log


def test_a_stop_in_mid_load_loses_no_acknowledged_write(fresh_server: Server) -> None:
    with open_client(fresh_server) as client:
        tuner = create_tuner(client, seed=3)
        with Load(fresh_server.url, tuner, 6, seed=3) as load, Subscriber(fresh_server.url, after=0) as watcher:
            watcher.wait_for(150)
            assert fresh_server.terminate() in CLEAN_EXITS
            assert "Traceback" not in fresh_server.log
        seen = [event.data for event in watcher.wait_for_end()]
        fresh_server.start()
        store = Store(client, tuner)
        check_acknowledged(store, load.operations)
        check_invariants(store)
        assert seen == store.events[: len(seen)]

        # The subscriber comes back with its last id, and has missed nothing of what came meanwhile.
        last = log_epoch(client, start_run(client), 0, loss=1.0)["event_id"]
        with Subscriber(fresh_server.url, last_event_id=watcher.last_id) as watcher:
            seen += [event.data for event in watcher.wait_for_id(last)]
        assert seen == list_events(client)
