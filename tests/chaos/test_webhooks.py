"""Every event arrives, whoever is killed while it is sent; and of several replicas one sends it.

With TUNETRACK_TEST_CHAOS=1 as many kills as the promises say.
"""

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.service.deliver import CLAIMED
from tests.calls import answer, list_events, log_epoch, start_run
from tests.chaos.replicas import running_replicas
from tests.chaos.sizes import size
from tests.conftest import WEBHOOKS, NewDatabase, open_client
from tests.receiver import Receiver
from tests.server import Server

N_KILLS = size(3, 50)
N_EPOCHS = size(100, 1000)


@pytest.mark.slow
def test_every_event_arrives_however_often_the_sender_is_killed(new_database: NewDatabase) -> None:
    chance = random.Random(3)
    with Receiver() as receiver, Server(new_database(), env=WEBHOOKS) as server, open_client(server) as client:
        run = start_run(client)
        body = {"url": receiver.url("200-kill"), "run_id": run["run_id"]}
        observer = answer(client.post("/v1/observers", json=body), 201)
        epoch = 0
        for _ in range(N_KILLS):
            for _ in range(20):
                log_epoch(client, run, epoch, loss=0.5)
                epoch += 1
            time.sleep(chance.uniform(0.0, 0.1))
            server.kill()
            server.start()
        expected = {str(event["event_id"]): event for event in list_events(client, run_id=run["run_id"])[1:]}
        wait_for_all(receiver, "200-kill", set(expected), CLAIMED.total_seconds() + 30)
        for call in receiver.at("200-kill"):
            call.verify(observer["secret"])
            assert call.message["data"] == expected[call.message_id]
        assert len(expected) == epoch


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_of_several_replicas_one_sends_each_event(new_database: NewDatabase) -> None:
    with Receiver() as receiver, running_replicas(new_database(), WEBHOOKS) as replicas:
        clients = [open_client(replica) for replica in replicas]
        runs = [start_run(client) for client in clients]
        body = {"url": receiver.url("200-once"), "types": ["epoch_end"]}
        answer(clients[0].post("/v1/observers", json=body), 201)

        def write(place: int) -> None:
            for epoch in range(N_EPOCHS):
                log_epoch(clients[place], runs[place], epoch, loss=0.5)

        with ThreadPoolExecutor(len(clients)) as pool:
            list(pool.map(write, range(len(clients))))
        expected = {str(event["event_id"]) for event in list_events(clients[0], type="epoch_end")}
        assert len(expected) == N_EPOCHS * len(clients)
        wait_for_all(receiver, "200-once", expected, 60)
        counts = Counter(call.message_id for call in receiver.at("200-once"))
        assert {message_id: n for message_id, n in counts.items() if n > 1} == {}
        for client in clients:
            client.close()


def wait_for_all(receiver: Receiver, path: str, expected: set[str], timeout_s: float) -> None:
    """Nothing, once each of these messages has come, at least once."""
    deadline = time.monotonic() + timeout_s
    while missing := expected - {call.message_id for call in receiver.at(path)}:
        assert time.monotonic() < deadline, f"{len(missing)} of {len(expected)} did not come: {sorted(missing)[:10]}"
        time.sleep(0.05)
