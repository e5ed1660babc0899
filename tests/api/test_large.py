"""Large bodies and answers hold up nobody else: the event loop does other things meanwhile."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
import uvicorn
from fastapi import Response
from sqlalchemy import make_url

from app.api import docs, large, once, strict, tuners
from app.main import Application
from app.service import snapshot
from tests.calls import JSON, SPACE, answer, create_tuner, log_epoch, problem, report, start_run, suggest
from tests.conftest import Shared
from tests.waiting import eventually

PATIENCE_S = 60.0
"""How long something large waits in vain for others to be answered, where it holds them up."""


@pytest.fixture(scope="module")
def inside(shared: Shared) -> Iterator[httpx.Client]:
    """A client of a service in this process, whose insides can be seen."""
    database = make_url(shared.new_database("sqlite"))
    server = uvicorn.Server(uvicorn.Config(Application(database).asgi, port=0, log_config=None))
    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(server.run)
        try:
            eventually(lambda: server.started or None)
            (listening,) = server.servers[0].sockets
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            with httpx.Client(base_url=url, timeout=2 * PATIENCE_S) as client:
                yield client
        finally:
            server.should_exit = True
            serving.result()


def padded(body: JSON) -> bytes:
    """The body with so much blank behind it that it is large."""
    return orjson.dumps(body).ljust(large._LARGE_BYTES + 1)


def post(client: httpx.Client, path: str, content: bytes, key: str | None = None) -> httpx.Response:
    headers = {"Content-Type": "application/json", "Idempotency-Key": key or uuid4().hex}
    return client.post(path, content=content, headers=headers)


def sent_beside_others(
    client: httpx.Client, path: str, content: bytes, module: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> httpx.Response:
    """What a body is answered, where the way waits as `asked_beside_others` says."""
    return asked_beside_others(lambda: post(client, path, content), client, module, name, monkeypatch)


def asked_beside_others(
    ask: Callable[[], httpx.Response],
    client: httpx.Client,
    module: object,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> httpx.Response:
    """What is answered, where a function of the way waits until another request, sent meanwhile, was answered."""
    is_begun, are_others_answered = threading.Event(), threading.Event()
    function = getattr(module, name)

    def patient(*args: Any) -> Any:
        is_begun.set()
        assert are_others_answered.wait(PATIENCE_S), "nobody else was answered meanwhile"
        return function(*args)

    monkeypatch.setattr(module, name, patient)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(ask)
        assert is_begun.wait(PATIENCE_S)
        answer(client.get("/healthz"))
        are_others_answered.set()
        return sending.result()


def restoration(client: httpx.Client) -> JSON:
    """The body that brings a snapshot."""
    tuner = create_tuner(client, space=SPACE)
    return {"snapshot": answer(client.get(f"/v1/tuners/{tuner['tuner_id']}/snapshot"))}


@pytest.mark.parametrize(
    ("module", "name"), [(strict, "read_json"), (once, "_digest"), (snapshot, "checksum"), (tuners, "body_digest")]
)
def test_others_are_answered_while_a_snapshot_is_read(
    inside: httpx.Client, module: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = padded(restoration(inside))
    answer(sent_beside_others(inside, "/v1/tuners", content, module, name, monkeypatch), 201)


@pytest.mark.parametrize("path", ["/v1/runs", "/v1/runs/{run_id}/heartbeat"])
def test_others_are_answered_while_any_large_body_is_read(
    inside: httpx.Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = path.format(**start_run(inside))
    answer(sent_beside_others(inside, path, padded({}), strict, "read_json", monkeypatch), 200, 201)


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_others_are_answered_while_the_document_is_made(
    inside: httpx.Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked_beside_others(lambda: inside.get(path), inside, docs, "_document", monkeypatch).status_code == 200


def test_a_snapshot_is_parsed_once(inside: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    content = padded(restoration(inside))
    monkeypatch.setattr("starlette.requests.json", None)
    answer(post(inside, "/v1/tuners", content), 201)


def test_a_small_body_is_read_without_a_thread(inside: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start_run(inside)
    monkeypatch.setattr("asyncio.to_thread", None)
    log_epoch(inside, run, 0, loss=0.5)


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b'{"name": 1}', 422, "invalid-request"),
        (b'{"name": "\\u0000"}', 422, "invalid-request"),
        (b'{"name":', 400, "malformed-json"),
    ],
)
def test_a_large_body_is_refused_as_a_small_one(client: httpx.Client, content: bytes, status: int, code: str) -> None:
    small, larger = (post(client, "/v1/runs", one) for one in (content, b" " * large._LARGE_BYTES + content))
    assert problem(larger, status, code).get("errors") == problem(small, status, code).get("errors")


def test_one_key_is_under_way_once_also_while_its_large_body_is_read(
    inside: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = once._digest
    others: list[httpx.Response] = []

    def again(*args: Any) -> bytes:
        if not others:
            others.append(post(inside, "/v1/runs", padded({}), "the same"))
        return function(*args)

    monkeypatch.setattr(once, "_digest", again)
    answer(post(inside, "/v1/runs", padded({}), "the same"), 201)
    problem(others[0], 409, "idempotency-in-progress")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/tuners",
        "/v1/tuners/{tuner_id}/snapshot",
        "/v1/tuners/{tuner_id}/trials",
        "/v1/tuners/{tuner_id}/pareto",
        "/v1/tuners/{tuner_id}/overview",
        "/v1/overview",
        "/v1/runs",
        "/v1/runs/{run_id}/overview",
        "/v1/runs/{run_id}/metrics",
        "/v1/metrics?run_id={run_id}",
        "/v1/runs/compare?run_id={run_id}",
    ],
)
def test_what_may_be_a_large_answer_is_made_where_it_was_read(
    inside: httpx.Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuner, run = create_tuner(inside), start_run(inside)
    report(inside, tuner, trial_id=suggest(inside, tuner)[0]["trial_id"], score=1.0)
    log_epoch(inside, run, 0, loss=0.5)
    makers: list[str] = []
    render = Response.render

    def seen(self: Response, content: Any) -> bytes | memoryview:
        if content is not None:  # the framework makes an empty one, too
            makers.append(threading.current_thread().name)
        return render(self, content)

    monkeypatch.setattr(Response, "render", seen)
    answer(inside.get(path.format(tuner_id=tuner["tuner_id"], run_id=run["run_id"])))
    assert [name.rpartition("_")[0] for name in makers] == ["tunetrack-reader"]
