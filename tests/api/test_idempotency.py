"""Idempotency-Key: however often a request is sent with one key, it is done once."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from tests.api.endpoints import BODILESS, ONCE, OPERATIONS, new_things
from tests.calls import answer, list_events, log_epoch, problem, start_run
from tests.conftest import open_client
from tests.server import Server

SPACE = {"x": {"type": "float_range", "min": 0.0, "max": 1.0}}


def keyed(key: str | None = None) -> dict[str, str]:
    """A header with a key, a new one by default."""
    return {"Idempotency-Key": key or str(uuid4())}


def test_a_repeated_request_is_answered_the_same_and_not_done_again(client: httpx.Client) -> None:
    headers = keyed()
    first = client.post("/v1/runs", json={"name": "once"}, headers=headers)
    second = client.post("/v1/runs", json={"name": "once"}, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["ETag"] == first.headers["ETag"]
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("endpoint", ONCE)
def test_every_post_is_done_once_under_one_key(client: httpx.Client, endpoint: str) -> None:
    with new_things(client) as things:
        path, headers = things.path(endpoint), keyed()
        body = None if endpoint in BODILESS else things.body(endpoint)
        start = log_epoch(client, start_run(client), 0, loss=1.0)["event_id"]
        first = client.post(path, json=body, headers=headers)
        events = list_events(client, after=start)
        second = client.post(path, json=body, headers=headers)
        shown = answer(first, 200, 201, 202)
        assert "Idempotent-Replayed" not in first.headers
        # A secret is shown once.
        expected = shown | {"secret": None} if "secret" in shown else shown
        assert (second.status_code, second.json()) == (first.status_code, expected)
        assert second.headers["Idempotent-Replayed"] == "true"
        assert list_events(client, after=start) == events


def test_every_post_that_makes_something_may_be_sent_under_a_key() -> None:
    # A key could not be in a browser's hand any safer than in its cookie.
    assert {name for name, (method, _) in OPERATIONS.items() if method == "POST"} - set(ONCE) == {"sign_in"}


def test_a_quoted_key_is_the_same_as_a_bare_one(client: httpx.Client) -> None:
    key = str(uuid4())
    first = answer(client.post("/v1/runs", headers=keyed(key)), 201)
    assert answer(client.post("/v1/runs", headers=keyed(f'"{key}"')), 201) == first


def test_another_body_under_the_same_key_is_refused(client: httpx.Client) -> None:
    headers = keyed()
    answer(client.post("/v1/runs", json={"name": "a"}, headers=headers), 201)
    problem(client.post("/v1/runs", json={"name": "b"}, headers=headers), 422, "idempotency-key-reused")


@pytest.mark.parametrize(
    ("path", "first", "again"),
    [
        ("/v1/runs", '{"name": "x", "params": {"a": 3, "b": 3.0}}', '{"params":{"b":3.0,"a":3},"name":"x"}'),
        ("/v1/runs", "", " { } "),
        ("/v1/tuners", '{"space": {"x": {"type": "flag"}}, "seed": 1}', '{"seed":1,"space":{"x":{"type":"flag"}}}'),
    ],
)
def test_the_same_body_in_another_order_is_the_same_request(
    client: httpx.Client, path: str, first: str, again: str
) -> None:
    headers = keyed() | {"Content-Type": "application/json"}
    shown = answer(client.post(path, content=first, headers=headers), 201)
    assert answer(client.post(path, content=again, headers=headers), 201) == shown


def test_a_value_of_another_type_is_another_body(client: httpx.Client) -> None:
    headers = keyed()
    answer(client.post("/v1/runs", json={"params": {"a": 3}}, headers=headers), 201)
    for value in (3.0, "3", True):
        refused = client.post("/v1/runs", json={"params": {"a": value}}, headers=headers)
        problem(refused, 422, "idempotency-key-reused")


def test_the_same_body_to_another_path_is_another_request(client: httpx.Client) -> None:
    headers = keyed()
    runs = [answer(client.post("/v1/runs"), 201)["run_id"] for _ in range(2)]
    answer(client.post(f"/v1/runs/{runs[0]}/end", json={}, headers=headers))
    problem(client.post(f"/v1/runs/{runs[1]}/end", json={}, headers=headers), 422, "idempotency-key-reused")


def test_every_post_can_be_repeated(client: httpx.Client) -> None:
    def twice(path: str, body: object) -> dict[str, object]:
        headers = keyed()
        first = client.post(path, json=body, headers=headers)
        second = client.post(path, json=body, headers=headers)
        assert second.content == first.content
        assert second.headers["Idempotent-Replayed"] == "true"
        return dict(answer(first, 200, 201))

    tuner = twice("/v1/tuners", {"space": SPACE})["tuner_id"]
    suggested = twice(f"/v1/tuners/{tuner}/suggest", {"count": 2})
    assert len(suggested["trials"]) == 2  # type: ignore[arg-type]
    twice(f"/v1/tuners/{tuner}/result", {"params": {"x": 0.123}, "score": 1.0})
    run = twice("/v1/runs", {})["run_id"]
    twice(f"/v1/runs/{run}/epochs", {"epoch": 0, "metrics": {"loss": 1.0}})
    twice(f"/v1/runs/{run}/epochs/batch", {"epochs": [{"epoch": 1, "metrics": {"loss": 0.5}}]})
    twice(f"/v1/runs/{run}/end", {})
    assert answer(client.get(f"/v1/tuners/{tuner}"))["counts"]["running"] == 2


def test_what_was_refused_is_not_remembered(client: httpx.Client) -> None:
    headers = keyed()
    run_id = str(uuid4())
    body = {"epoch": 0, "metrics": {"loss": 1.0}}
    problem(client.post(f"/v1/runs/{run_id}/epochs", json=body, headers=headers), 404, "unknown-run")
    answer(client.post("/v1/runs", json={"run_id": run_id}), 201)
    assert answer(client.post(f"/v1/runs/{run_id}/epochs", json=body, headers=headers))["accepted"] == 1


@pytest.mark.parametrize("key", ["", '""', "x" * 251])
def test_a_key_that_is_none_is_refused(client: httpx.Client, key: str) -> None:
    problem(client.post("/v1/runs", headers={"Idempotency-Key": key}), 422, "invalid-request")


def test_of_many_equal_requests_at_once_one_is_done(client: httpx.Client, server: Server) -> None:
    tuner = answer(client.post("/v1/tuners", json={"space": SPACE}), 201)["tuner_id"]
    headers = keyed()

    def ask(_: int) -> httpx.Response:
        with open_client(server) as own:
            return own.post(f"/v1/tuners/{tuner}/suggest", json={}, headers=headers)

    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(ask, range(64)))
    done = [one for one in answers if one.status_code == 200]
    assert done
    assert len({one.content for one in done}) == 1
    for one in answers:
        if one.status_code != 200:
            problem(one, 409, "idempotency-in-progress")
    assert answer(client.get(f"/v1/tuners/{tuner}"))["counts"]["running"] == 1


def test_a_key_outlives_a_restart(fresh_server: Server, fresh_client: httpx.Client) -> None:
    headers = keyed()
    first = answer(fresh_client.post("/v1/runs", headers=headers), 201)
    fresh_server.kill()
    fresh_server.start()
    assert answer(fresh_client.post("/v1/runs", headers=headers), 201) == first
    assert len(answer(fresh_client.get("/v1/runs"))["items"]) == 1
