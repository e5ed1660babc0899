"""Readers that never read: they cost little, and slow nobody."""

import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.calls import answer, start_run
from tests.chaos.sizes import size
from tests.conftest import NewDatabase, open_client
from tests.server import Server
from tests.subscriber import Subscriber

N_READERS = 40
N_BATCHES = size(80, 400)
_NOTE = "x" * 150


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_readers_that_never_read_take_no_more_than_their_share_of_memory(new_database: NewDatabase) -> None:
    with Server(new_database()) as server, open_client(server) as client, ExitStack() as exits:
        run = start_run(client)
        path = f"/v1/runs/{run['run_id']}/epochs/batch"

        def log(batch: int) -> int:
            epochs = [{"epoch": 500 * batch + n, "metrics": {f"{_NOTE}{n % 4}": 1.5}} for n in range(500)]
            return int(answer(client.post(path, json={"epochs": epochs}))["event_id"])

        last = log(0)
        watcher = exits.enter_context(Subscriber(server.url, last_event_id=last))
        for number in range(N_READERS):
            reader = exits.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            # Each wants something else: what they are offered is not shared.
            query = f"after={last}&run_id={run['run_id']}&run_id={number:032x}"
            reader.sendall(f"GET /v1/events/stream?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        _wait_until_answered(server)
        before = _resident_bytes(server)
        for batch in range(1, N_BATCHES + 1):
            last = log(batch)
        watcher.wait_for_id(last, timeout_s=120)
        grown = _resident_bytes(server) - before
        sent_to_each = sum(len(line) + 1 for line in watcher.lines)
        assert sent_to_each * N_READERS > 4 * 100 * 2**20, "too little to tell"
        assert grown < 100 * 2**20, f"grown by {grown / 2**20:.0f} MiB"


def _resident_bytes(server: Server) -> int:
    for line in Path(f"/proc/{server.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def _wait_until_answered(server: Server) -> None:
    """The streams were asked for one after the other: one that is asked for last is answered last."""
    with Subscriber(server.url):
        time.sleep(0)
