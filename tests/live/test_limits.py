"""What nobody may take too much of: heads, time to arrive, streams, requests, turns of the writer, readers."""

import json
import socket
import sqlite3
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection

import httpx
import psycopg
import pytest

from tests.calls import JSON, answer, problem
from tests.conftest import NewDatabase, Shared
from tests.server import Server
from tests.waiting import eventually

N_STREAMS = 2
LIMITS = {
    "TUNETRACK_STREAM_LIMIT": str(N_STREAMS),
    "TUNETRACK_REQUEST_TIMEOUT_S": "1",
    "TUNETRACK_KEEP_ALIVE_S": "1",
    "TUNETRACK_LONGEST_WAIT_S": "0.5",
}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that has little patience."""
    with Server(f"sqlite:///{tmp_path_factory.mktemp('narrow') / 'tunetrack.db'}", env=LIMITS) as server:
        yield server
        assert "Traceback" not in server.log


def say(server: Server, *parts: bytes) -> bytes:
    """All that is answered on one connection, until it is closed from the other side."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        heard = b""
        try:
            for part in parts:
                connection.sendall(part)
            while chunk := connection.recv(65536):
                heard += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
        return heard


def refusal(heard: bytes) -> JSON:
    """The problem document in an answer, which must be whole."""
    head, _, body = heard.partition(b"\r\n\r\n")
    found: JSON = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % found["status"])
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    assert found["request_id"].encode() in head
    assert found["type"] == f"/problems/{found['code']}"
    return found


HEAD = b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 17_000 + b"\r\n\r\n", "headers-too-large"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: b\r\n" * 101 + b"\r\n", "headers-too-large"),
        (b"GET /?a=" + b"x" * 66_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", "address-too-long"),
        (b"hello\r\n\r\n", "malformed-http"),
        (b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", "malformed-http"),
        (HEAD + b"Content-Length: x\r\n\r\n", "malformed-http"),
        (b"GET /healthz HTTP/1.1\r\nHost: a.example\r\nhost: localhost\r\n\r\n", "malformed-http"),
        (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", "malformed-http"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nno number\r\n", "malformed-http"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Nul: a\0b\r\n\r\n", "malformed-http"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_no_request_or_too_large_a_head_is_a_problem_too(narrow: Server, said: bytes, code: str) -> None:
    assert refusal(say(narrow, said))["code"] == code


def test_a_head_without_an_end_is_not_read_for_ever(narrow: Server) -> None:
    endless = [b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ", *([b"x" * 65_536] * 64)]
    heard = say(narrow, *endless)  # 4 MiB, of which it takes some; then the connection is gone
    assert not heard or refusal(heard)["code"] == "headers-too-large"
    assert answer(httpx.get(f"{narrow.url}/healthz"))


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"


@pytest.mark.parametrize(
    ("begun", "endless"),
    [
        (CHUNKED, b"X-A: b\r\n" * 8_192),
        (CHUNKED + b"X-A: ", b"x" * 65_536),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;x=", b"x" * 65_536),
    ],
    ids=["trailers", "trailer", "extension"],
)
def test_what_is_said_beside_a_body_is_not_read_for_ever(narrow: Server, begun: bytes, endless: bytes) -> None:
    say(narrow, begun, *[endless] * 256)  # 16 MiB, of which it takes some; then the connection is gone
    assert answer(httpx.get(f"{narrow.url}/healthz"))


@pytest.mark.parametrize(
    ("head", "trailer"),
    [
        (b"Host: a.example\r\n", b"Host: localhost\r\n"),
        (b"Host: localhost\r\nOrigin: http://a.example\r\n", b"Origin: http://localhost\r\n"),
    ],
)
def test_what_stands_behind_a_body_is_no_header(narrow: Server, head: bytes, trailer: bytes) -> None:
    said = b"POST /v1/runs HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n" + head
    assert say(narrow, said + b"\r\n0\r\n" + trailer + b"\r\n").startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 14\r\n", b"Transfer-Encoding: chunked\r\n"], ids=["length", "chunked"]
)
@pytest.mark.parametrize("is_in_pieces", [False, True])
def test_whoever_asks_for_another_protocol_too_is_heard_in_this_one(
    narrow: Server, framing: bytes, is_in_pieces: bool
) -> None:
    """Java's client asks for HTTP/2 on each new connection, and sends the body all the same."""
    wish = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    body = b'{"name": "j2"}'
    sent = body if b"Length" in framing else b"e\r\n" + body + b"\r\n0\r\n\r\n"
    asked = HEAD + wish + framing + b"\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n"
    parts = [asked, sent, asked, sent, last]
    heard = say(narrow, *parts) if is_in_pieces else say(narrow, b"".join(parts))
    assert heard.count(b"HTTP/1.1 201 Created") == heard.count(b'"name":"j2"') == 2
    assert heard.endswith(b'{"status":"ok"}')


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"GET /readyz HTTP/1.0\r\n\r\n", 200),
        (b"POST /v1/runs HTTP/1.0\r\nOrigin: http://a.example\r\n\r\n", 403),
        (b"GET /readyz HTTP/1.0\r\nHost: a.example\r\n\r\n", 403),
        (b"GET /readyz HTTP/1.1\r\nConnection: close\r\n\r\n", 403),
    ],
)
def test_before_http_1_1_nobody_names_a_host(narrow: Server, said: bytes, status: int) -> None:
    """As the health checks of HAProxy. A page of others speaks HTTP/1.1, and in it names its host."""
    assert say(narrow, said).startswith(b"HTTP/1.1 %d " % status)


def test_who_has_said_all_may_listen_to_the_end(narrow: Server) -> None:
    """As netcat does behind a pipe: it closes its half of the connection, and waits for what is answered."""
    asked = HEAD + b"Content-Length: 14\r\n\r\n" + b'{"name": "nc"}'
    with socket.create_connection(("127.0.0.1", narrow.port), timeout=30) as connection:
        connection.sendall(asked + asked)
        connection.shutdown(socket.SHUT_WR)
        heard = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert heard.count(b"HTTP/1.1 201 ") == heard.count(b'"name":"nc"') == 2


def test_who_is_refused_before_they_have_said_all_hears_why(server: Server) -> None:
    """Hung up on at once, urllib would find the connection broken, and nginx as it comes would make that a 502."""
    head = {"Content-Type": "application/json", "Connection": "close"}
    for _ in range(3):
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
            connection.request("POST", "/v1/runs", body=b" " * 2**24, headers=head)
            assert connection.getresponse().status == 413


@pytest.mark.parametrize("more", [b"", b"{"])
def test_who_was_refused_and_says_no_more_is_hung_up_on(narrow: Server, more: bytes) -> None:
    said = HEAD + b"Connection: close\r\nContent-Length: 99999999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", narrow.port), timeout=30) as connection:
        connection.sendall(said + more)
        heard = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert heard.startswith(b"HTTP/1.1 413 ")
        assert heard.count(b"HTTP/1.1 ") == 1

        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            eventually(lambda: connection.sendall(b" "))


def test_a_head_in_two_parts_may_have_a_large_body_behind_it(server: Server) -> None:
    content = b'{"note": ""}'.ljust(200_000)
    head = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(content)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head[:20])
        assert answer(httpx.get(f"{server.url}/healthz"))  # by then that part has come
        connection.sendall(head[20:] + content)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize(
    ("said", "rest"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\r\n"),
        (b"POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n", b"too late,"),
    ],
)
def test_a_connection_that_is_kept_is_not_kept_longer_for_what_is_no_request(
    narrow: Server, said: bytes, rest: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", narrow.port), timeout=30) as connection:
        connection.sendall(said)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 ")
        connection.sendall(rest)
        while connection.recv(65_536):
            pass


def test_an_idle_connection_is_kept_for_longer_than_clients_keep_one(server: Server) -> None:
    with closing(HTTPConnection("127.0.0.1", server.port)) as connection:
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        connection.sock.settimeout(6)  # httpx gives one up after five seconds, and asks on it until then
        with pytest.raises(TimeoutError):
            connection.sock.recv(1)


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: loc",
        HEAD + b'Content-Length: 100\r\n\r\n{"name": ',
        HEAD + b'Transfer-Encoding: chunked\r\n\r\n9\r\n{"name": \r\n',
    ],
)
def test_a_request_that_does_not_arrive_is_hung_up_on(narrow: Server, said: bytes) -> None:
    assert refusal(say(narrow, said))["code"] == "request-timeout"


def test_who_says_nothing_is_hung_up_on_without_a_word(narrow: Server) -> None:
    assert say(narrow) == b""
    asked = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert say(narrow, asked).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_goes_in_the_middle_of_its_body_leaves_no_trace(narrow: Server) -> None:
    with socket.create_connection(("127.0.0.1", narrow.port)) as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
    assert answer(httpx.get(f"{narrow.url}/healthz"))  # the log is looked at when the service ends


def test_a_client_that_goes_with_several_requests_under_way_leaves_no_trace(narrow: Server) -> None:
    """The fixture looks for one in the log."""
    asked = HEAD + b"Content-Length: 14\r\n\r\n" + b'{"name": "go"}'
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", narrow.port), timeout=30) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # at once
            connection.sendall(asked * 3)
    assert answer(httpx.get(f"{narrow.url}/healthz"))


def test_each_key_has_so_many_streams_and_no_more(narrow: Server) -> None:
    with httpx.Client(base_url=narrow.url, trust_env=False) as client:

        def is_open() -> bool:
            with client.stream("GET", "/v1/events/stream") as stream:
                return stream.status_code == 200

        with client.stream("GET", "/v1/events/stream") as first:
            assert first.status_code == 200
            with client.stream("GET", "/v1/events/stream") as second:
                assert second.status_code == 200
                refused = client.get("/v1/events/stream")
                found = problem(refused, 429, "rate-limited")
                assert f"{N_STREAMS} event streams" in found["detail"]
                assert int(refused.headers["retry-after"]) == found["retry_after_s"] > 0
                problem(client.get("/v1/events/stream", params={"type": "x"}), 422)  # which opens none
            eventually(lambda: is_open() or None)


# -------------------------------------------------------------------------------------------------- the writer


@contextmanager
def nobody_writes(database: str) -> Iterator[None]:
    """A database that makes all writes wait."""
    if database.startswith("sqlite"):
        with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
    else:
        with psycopg.connect(database) as locking:
            locking.execute("LOCK TABLE runs IN SHARE MODE")
            yield


def test_writes_that_would_wait_too_long_are_sent_away_at_once(new_database: NewDatabase) -> None:
    with Server(new_database(), env=LIMITS) as server, httpx.Client(base_url=server.url, trust_env=False) as client:

        def sent_away() -> httpx.Response | None:
            try:
                response = client.post("/v1/runs", timeout=1)
            except httpx.ReadTimeout:
                return None  # this one waits, as long as it takes
            return response if response.status_code == 503 else None

        with nobody_writes(server.database):
            refused = eventually(sent_away)
            found = problem(refused, 503, "store-busy")
            assert "wait already" in found["detail"]
            assert int(refused.headers["retry-after"]) == found["retry_after_s"] >= 1
            answer(client.get("/v1/runs"))
        eventually(lambda: client.post("/v1/runs").status_code == 201 or None)
        assert "Traceback" not in server.log


# ------------------------------------------------------------------------------------------------- the readers


def test_whoever_asks_for_much_at_once_leaves_a_reader_to_the_others(shared: Shared) -> None:
    database = shared.new_database("postgres")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with Server(database) as server, psycopg.connect(database) as locking, ThreadPoolExecutor(12) as threads:
        one, another = (
            httpx.Client(base_url=server.url, transport=httpx.HTTPTransport(local_address=address), timeout=60)
            for address in ("127.0.0.1", "127.0.0.2")
        )
        with one, another:
            locking.execute("LOCK TABLE tags")  # searches by tag wait, and nothing else does
            asked = [threads.submit(one.get, "/v1/runs", params={"filter": '"a" in tags'}) for _ in range(12)]
            eventually(lambda: locking.execute(waiting).fetchone() == (3,) or None)
            answer(another.get("/v1/tuners"))
            assert not all(search.done() for search in asked)  # each waits for five seconds at most
            locking.rollback()
