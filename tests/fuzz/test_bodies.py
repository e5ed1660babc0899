"""Broken bodies by the thousand, to all that take one: no 5xx, proper problems, the same process, little memory."""

import random
from pathlib import Path

import httpx
import pytest

from tests import documented
from tests.api.endpoints import OPERATIONS, WRITES, Things, new_things
from tests.calls import answer, problem
from tests.chaos.search import check_database
from tests.chaos.sizes import size
from tests.chaos.stubborn import together
from tests.fuzz.mutations import mutate
from tests.server import Server

N_BODIES = size(400, 100_000)
N_THREADS = size(2, 4)
_NEW_THINGS_EVERY = 40
_MOST_GROWTH_MIB = 100


def rss_mib(pid: int) -> float:
    """The memory that a process has."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("a process without memory")


def send_broken(client: httpx.Client, things: Things, chance: random.Random) -> int:
    """One broken body to some endpoint, whose answer must be one of the document's; its status."""
    name = chance.choice(WRITES)
    path = things.path(name)
    content, headers = mutate(chance, things.body(name))
    chunks = iter([content]) if chance.random() < 0.1 else content  # chunked, where the length is not known
    response = client.request(OPERATIONS[name][0], path, content=chunks, headers=headers)
    said = f"{name} {headers} {content[:500]!r} -> {response.status_code} {response.text[:500]}"
    if response.status_code == 503:
        assert problem(response, 503, "store-busy"), said
        assert "retry-after" in response.headers, said
    else:
        assert response.status_code < 500, said
        if response.status_code >= 400:
            problem(response, response.status_code)
        elif name == "register_observer":
            client.delete(f"/v1/observers/{response.json()['observer_id']}")
    documented.check(response)
    return response.status_code


def attack(server: Server, n_bodies: int, seed: int) -> dict[int, int]:
    """So many broken bodies, and how often each status came."""
    chance = random.Random(seed)
    statuses: dict[int, int] = {}
    with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
        for begin in range(0, n_bodies, _NEW_THINGS_EVERY):
            with new_things(client) as things:
                for _ in range(min(_NEW_THINGS_EVERY, n_bodies - begin)):
                    status = send_broken(client, things, chance)
                    statuses[status] = statuses.get(status, 0) + 1
    return statuses


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_no_body_breaks_anything(server: Server) -> None:
    pid = server.pid
    share = N_BODIES // N_THREADS
    together(N_THREADS, lambda number: attack(server, share // 10, 1_000 + number))  # whatever is loaded once, is now
    before = rss_mib(pid)
    found = together(N_THREADS, lambda number: attack(server, share, number))
    statuses = {status: sum(one.get(status, 0) for one in found) for one in found for status in one}
    assert sum(statuses.values()) == share * N_THREADS
    assert statuses.keys() >= {200, 400, 409, 413, 415, 422}, statuses
    assert server.pid == pid
    assert rss_mib(pid) - before < _MOST_GROWTH_MIB
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        answer(client.get("/readyz"))
    check_database(server.database)
    assert "Traceback" not in server.log
