"""HEAD is answered wherever GET is, and says what GET says, without the body."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from app.api.gate import Gate, Rules
from tests.api.endpoints import OPERATIONS, Things, new_things
from tests.calls import answer
from tests.server import Server

READS = [name for name, (method, _) in OPERATIONS.items() if method == "GET"]
OF_THE_BODY = {"content-length", "transfer-encoding"}


@pytest.fixture
def backend() -> str:
    """What is shown here is the same on any database."""
    return "sqlite"


@pytest.fixture
def things(client: httpx.Client) -> Iterator[Things]:
    with new_things(client) as things:
        yield things


@pytest.fixture
def asker(server: Server) -> Iterator[httpx.Client]:
    """Reads no answer but what is told to."""
    with httpx.Client(base_url=server.url, trust_env=False, verify=False, timeout=30) as asker:
        yield asker


def says_the_same(client: httpx.Client, path: str) -> None:
    """HEAD has the status and the headers of GET, and nothing comes after them over the same connection."""
    with client.stream("GET", path) as whole:
        pass  # an endless one, too
    head = client.head(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert set(head.headers) - OF_THE_BODY == set(whole.headers) - OF_THE_BODY
    assert [head.headers.get(name) for name in ("content-type", "etag")] == [
        whole.headers.get(name) for name in ("content-type", "etag")
    ]
    answer(client.get("/healthz"))


@pytest.mark.parametrize("name", READS)
def test_head_says_what_get_says_without_the_body(asker: httpx.Client, things: Things, name: str) -> None:
    says_the_same(asker, things.path(name))


@pytest.mark.parametrize(
    "path", ["/", "/openapi.json", "/nothing", "/v1/runs?typo=1", "/v1/runs/x", "/v1/runs/export?format=ndjson"]
)
def test_head_says_what_get_says_of_other_paths(asker: httpx.Client, path: str) -> None:
    says_the_same(asker, path)


def test_head_tells_how_long_the_body_would_be(client: httpx.Client, things: Things) -> None:
    path = things.path("get_tuner")
    assert client.head(path).headers["content-length"] == str(len(client.get(path).content))


def test_of_a_stream_no_more_is_made_than_its_beginning() -> None:
    made: list[int] = []
    sent: list[Message] = []

    async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in range(3):
            made.append(part)
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    async def take(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nobody listens")

    asked = {"type": "http", "method": "HEAD", "path": "/dashboard/x", "headers": [(b"host", b"localhost")]}
    asyncio.run(Gate(stream, Rules())({**asked, "state": {}}, receive, take))
    assert made == [0]
    assert [(one["type"], one.get("body", b"")) for one in sent] == [
        ("http.response.start", b""),
        ("http.response.body", b""),
    ]


def test_head_is_counted_as_what_it_is(client: httpx.Client) -> None:
    client.head("/v1/strategies")
    assert 'method="HEAD",route="/v1/strategies"' in client.get("/metrics").text


def test_what_is_not_read_has_no_head(client: httpx.Client, things: Things) -> None:
    response = client.head(f"/v1/runs/{things.run['run_id']}/end")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
