"""How much a request may bring: as much as is promised, and nothing more; too much is refused before it is read."""

import json
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.api.endpoints import Things, new_things
from tests.calls import JSON, SPACE, answer, create_tuner, end_run, get_run, log_epoch, problem, start_run
from tests.server import Server

MIB = 2**20
FLAG: JSON = {"type": "flag"}


@pytest.fixture
def things(client: httpx.Client) -> Iterator[Things]:
    with new_things(client) as found:
        yield found


def padded(body: JSON, size_bytes: int) -> bytes:
    """The body with so much blank behind it."""
    return json.dumps(body).encode().ljust(size_bytes)


@pytest.mark.parametrize("is_declared", [True, False], ids=["declared", "chunked"])
@pytest.mark.parametrize(
    ("endpoint", "most"), [("start_run", MIB), ("suggest", MIB), ("log_epoch_batch", 4 * MIB), ("edit_run", MIB)]
)
def test_a_body_may_be_so_large_and_no_larger(things: Things, endpoint: str, most: int, is_declared: bool) -> None:
    def send(size_bytes: int) -> httpx.Response:
        content = padded(things.body(endpoint), size_bytes)
        return things.send(endpoint, content if is_declared else iter([content[:MIB], content[MIB:]]))

    answer(send(most), 200, 201)
    problem(send(most + 1), 413, "too-large")


def test_an_endless_body_is_refused_having_read_no_more_than_the_limit(server: Server) -> None:
    head = b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        piece = b"%x\r\n%s\r\n" % (2**16, b" " * 2**16)
        for _ in range(MIB // 2**16 + 1):
            connection.sendall(piece)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")  # though the body goes on and on


def nested(depth: int) -> JSON:
    """An object that is so deep."""
    return {"options": {} if depth == 2 else {"a": nested(depth - 1)["options"]}}


def text(length: int) -> str:
    return "x" * length


def names(count: int) -> list[str]:
    return [f"n{number}" for number in range(count)]


@pytest.mark.parametrize(
    ("endpoint", "most", "make"),
    [
        ("create_tuner", 1_000, lambda n: {"space": dict.fromkeys(names(n), FLAG)}),
        ("create_tuner", 250, lambda n: {"space": {text(n): FLAG}}),
        ("create_tuner", 250, lambda n: {"space": SPACE, "name": text(n)}),
        ("create_tuner", 1_000, lambda n: {"space": SPACE, "tags": names(n)}),
        ("start_run", 1_000, lambda n: {"params": dict.fromkeys(names(n), 1)}),
        ("start_run", 250, lambda n: {"params": {text(n): 1}}),
        ("start_run", 10_000, lambda n: {"params": {"x": text(n)}}),
        ("start_run", 10_000, lambda n: {"note": text(n)}),
        ("start_run", 250, lambda n: {"tags": [text(n)]}),
        ("log_epoch", 1_000, lambda n: {"epoch": 0, "metrics": dict.fromkeys(names(n), 0.5)}),
        ("log_epoch", 250, lambda n: {"epoch": 0, "metrics": {text(n): 0.5}}),
        ("log_epoch_batch", 1_000, lambda n: {"epochs": [{"epoch": epoch, "metrics": {}} for epoch in range(n)]}),
        ("add_trial", 1_000, lambda n: {"trials": [{"params": {"x": 0.5}}] * n}),
        ("suggest", 250, lambda n: {"worker": text(n)}),
        ("end_run", 1_000, lambda n: {"final_metrics": dict.fromkeys(names(n), 0.5)}),
        ("register_observer", 100, lambda n: {"url": "http://127.0.0.2:9/", "types": ["tuner_end"] * n}),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_there_may_be_so_many_or_so_long_and_no_more(
    things: Things, endpoint: str, most: int, make: Callable[[int], JSON]
) -> None:
    problem(things.send(endpoint, make(most + 1)), 422)
    answer(things.send(endpoint, make(most)), 200, 201)


def test_json_may_be_nested_so_deep_and_no_deeper(client: httpx.Client) -> None:
    def send(depth: int) -> httpx.Response:
        return client.post("/v1/tuners", json={"space": SPACE, "strategy": "random"} | nested(depth))

    found = problem(send(33), 422, "invalid-request")
    assert "nested" in found["detail"]
    assert "nested" not in send(32).text  # it is refused for what it says, if at all


def test_an_object_has_so_many_members_and_no_more(client: httpx.Client) -> None:
    def send(count: int) -> JSON:
        return problem(client.post("/v1/runs", json={"params": dict.fromkeys(names(count), 1)}), 422, "invalid-request")

    assert "members" in send(10_001)["detail"]
    assert "members" not in send(10_000)["detail"]  # they are too many for params


@pytest.mark.parametrize(
    ("endpoint", "body", "n_first"),
    [
        ("log_epoch_batch", {"epochs": [{"epoch": "x", "typo": 1}] * 100}, 3),
        ("add_trial", {"trials": [{"params": 1, "typo": 1}] * 100}, 2),
        ("create_tuner", {"space": {"x": {"type": "choice", "options": [None] * 100}}}, 1),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_of_many_the_first_that_is_wrong_is_told_and_the_others_not_gone_into(
    things: Things, endpoint: str, body: JSON, n_first: int
) -> None:
    assert len(problem(things.send(endpoint, body), 422, "invalid-request")["errors"]) == n_first


def test_an_answer_has_so_many_values_and_no_more(client: httpx.Client) -> None:
    run = start_run(client)
    path, values = f"/v1/runs/{run['run_id']}", dict.fromkeys(names(200), 0.5)
    body = {"epochs": [{"epoch": epoch, "metrics": values} for epoch in range(251)]}
    answer(client.post(f"{path}/epochs/batch", json=body))
    often = [("run_id", run["run_id"])] * 100  # 5.02 million
    found = problem(client.get("/v1/metrics", params=often), 422, "invalid-request")
    assert "at most 5000000" in found["detail"]
    for fewer in (("keys", "n1"), ("max_points", "2")):
        answer(client.get("/v1/metrics", params=[*often, fewer]))
    answer(client.get(f"{path}/metrics"))


def test_a_run_has_so_many_metrics_in_all_its_life(client: httpx.Client) -> None:
    run = start_run(client)
    log_epoch(client, run, 0, **dict.fromkeys(names(999), 0.5))
    path = f"/v1/runs/{run['run_id']}"
    problem(client.post(f"{path}/epochs", json={"epoch": 1, "metrics": {"a": 1, "b": 2}}), 422, "invalid-request")
    log_epoch(client, run, 1, a=1.0, n1=0.5)
    problem(client.post(f"{path}/end", json={"final_metrics": {"b": 2}}), 422, "invalid-request")
    assert len(get_run(client, run)["metrics"]) == 1_000
    end_run(client, run, final_metrics={"a": 2.0})


def test_a_run_has_so_many_params_in_all_its_life(client: httpx.Client) -> None:
    run = start_run(client, params=dict.fromkeys(names(999), 1))
    path = f"/v1/runs/{run['run_id']}"
    problem(client.patch(path, json={"params": {"a": 1, "b": 2}}), 422, "invalid-request")
    assert len(answer(client.patch(path, json={"params": {"a": 1}}))["params"]) == 1_000


def test_a_call_without_a_body_takes_none(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    path = f"/v1/tuners/{tuner['tuner_id']}/pause"
    answer(client.post(path, json={}))
    problem(client.post(path, json={"typo": 1}), 422, "invalid-request")
    problem(client.post(path, content=padded({}, MIB + 1)), 413, "too-large")
