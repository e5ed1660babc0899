"""One call of a webhook: where it connects to, what it sends, how much it takes back."""

import asyncio
import socketserver
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import httpcore
import pytest
import uvloop

from app.domain.addresses import parse_networks
from app.observers import sender as sender_module
from app.observers.sender import Answer, Message, Sender
from app.service.guard import Guard
from app.service.vault import new_secret
from tests.certificate import make_certificate
from tests.receiver import ALLOW, HOST, Receiver

MESSAGE = Message("17", b'{"type":"epoch_end"}')


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody to call."""
    with Receiver() as receiver:
        yield receiver


def send(guard: Guard, *urls: str) -> list[Answer]:
    """What calls of these URLs come to, one after the other."""

    async def body() -> list[Answer]:
        sender = Sender(guard, "1")
        try:
            return [await sender.send(url, MESSAGE, [new_secret()]) for url in urls]
        finally:
            await sender.close()

    return uvloop.run(body())  # as the service does


def resolving(*answers: Sequence[str], allowed: str = ALLOW) -> Guard:
    """A guard whose resolver says these things one after the other, and the last of them for ever."""
    left = [list(answer) for answer in answers]

    async def resolve(host: str, port: int) -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return Guard(parse_networks(allowed), resolve)


def test_a_name_that_was_rebound_since_it_was_registered_is_not_connected_to(receiver: Receiver) -> None:
    guard = resolving(["8.8.8.8"], ["127.0.0.1"])
    url = receiver.url("200").replace(HOST, "rebinding.example")
    asyncio.run(guard.check(url))
    (answer,) = send(guard, url)
    assert answer.status is None
    assert "127.0.0.1, which is not a public one" in (answer.error or "")


def test_the_address_that_was_checked_is_the_one_connected_to(receiver: Receiver) -> None:
    """A resolver that lies only when it is asked again is not asked again."""
    guard = resolving([HOST], ["127.0.0.1"])
    (answer,) = send(guard, receiver.url("200").replace(HOST, "once.example"))
    assert answer == Answer(200, None)
    (call,) = receiver.at("200")
    assert call.headers["host"].startswith("once.example:")


def test_one_bad_address_among_good_ones_is_enough_to_be_refused(receiver: Receiver) -> None:
    (answer,) = send(resolving([HOST, "10.0.0.1"]), receiver.url("200").replace(HOST, "both.example"))
    assert answer.status is None
    assert not receiver.at("200")


def test_the_next_address_is_tried_where_one_does_not_answer(receiver: Receiver) -> None:
    guard = resolving(["127.0.0.3", HOST], allowed="127.0.0.0/8")
    assert send(guard, receiver.url("200").replace(HOST, "two.example")) == [Answer(200, None)]


def test_no_proxy_of_the_environment_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert send(resolving([HOST]), receiver.url("200")) == [Answer(200, None)]


def test_no_redirect_is_followed(receiver: Receiver) -> None:
    (answer,) = send(resolving([HOST]), receiver.url("redirect"))
    assert answer.status == 302
    assert "not followed" in (answer.error or "")
    assert not receiver.at("redirected")


def test_no_more_of_an_answer_is_read_than_64_kb(receiver: Receiver) -> None:
    assert send(resolving([HOST]), receiver.url("endless")) == [Answer(200, None)]
    # What the system's buffers took before it was hung up on, not what was read.
    assert receiver.sent_bytes.get("endless", 0) < 10 * 2**20


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_an_answer_that_takes_too_long_is_no_answer(
    receiver: Receiver, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> list[Answer]:
        sender = Sender(resolving([HOST]), "1")
        answers = []
        for path, patience_s in ((kind, 0.3), ("200", 15.0)):
            monkeypatch.setattr(sender_module, "_TOTAL_S", patience_s)
            answers.append(await sender.send(receiver.url(path), MESSAGE, [new_secret()]))
        await sender.close()
        return answers

    assert uvloop.run(body()) == [Answer(None, "no answer within 0.3 s"), Answer(200, None)]


def test_a_receiver_that_is_not_there_is_told_in_words() -> None:
    (answer,) = send(resolving([HOST]), f"http://{HOST}:9/")
    assert answer.status is None
    assert (answer.error or "").startswith("the connection failed: ")


def test_certificates_that_are_not_there_are_told_to_who_is_called(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    (answer,) = send(resolving([HOST]), receiver.url("200"))
    assert "SSL_CERT_FILE names no certificates" in (answer.error or "")


def test_a_connection_that_is_cut_as_soon_as_it_is_there_has_failed(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = httpcore.AnyIOBackend.connect_tcp

    async def cut(*args: Any) -> Any:
        stream: Any = await connect(*args)
        stream._stream._transport.abort()  # what the loop does when a reset comes
        await asyncio.sleep(0)
        return stream

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", cut)
    (answer,) = send(resolving([HOST]), receiver.url("200"))
    assert (answer.error or "").startswith("the connection failed: ")


# ---- connections that are kept ----

TAKEN = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
GONE = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n"


@contextmanager
def answering(*said: bytes) -> Iterator[tuple[str, list[str]]]:
    """The URL of a receiver that says these things in turn on each connection, and then hangs up when asked again.

    And the connections that it was asked on, by the letters `abc...`.
    """
    asked: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            name = ascii_lowercase[len(set(asked))]
            for answer in (*said, b""):
                length = 0
                while (line := self.rfile.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                if not line:
                    return
                self.rfile.read(length)
                asked.append(name)
                self.wfile.write(answer)

    with socketserver.ThreadingTCPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://{HOST}:{server.server_address[1]}/", asked
        server.shutdown()


def test_a_receiver_that_closes_what_was_kept_is_asked_again_at_once() -> None:
    with answering(TAKEN, TAKEN) as (url, asked):
        assert send(resolving([HOST]), *[url] * 4) == [Answer(200, None)] * 4
    assert asked == list("aaabb")


def test_no_more_is_read_of_what_comes_before_an_answer_either() -> None:
    with answering(b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000 + TAKEN) as (url, _):
        (answer,) = send(resolving([HOST]), url)
    assert answer == Answer(None, "the connection failed: it says more than 65536 bytes")


def test_one_that_closes_a_new_connection_has_failed() -> None:
    with answering() as (url, asked):
        (answer,) = send(resolving([HOST]), url)
    assert (answer.error or "").startswith("the connection failed: ")
    assert asked == ["a"]


def test_what_a_receiver_says_beyond_its_answer_is_not_its_next_answer() -> None:
    with answering(TAKEN + GONE, TAKEN) as (url, asked):
        assert send(resolving([HOST]), *[url] * 3) == [Answer(200, None)] * 3
    assert sorted(asked) == list("aabbc")  # each connection has a thread, which may notice later than the next one


# ---- TLS ----


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, list[str | None]]]:
    """The port of a receiver with a certificate for hook.example, trusted here, and the names it was asked for."""
    certificate = make_certificate(tmp_path, "hook.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    names: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Quiet(HTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a handshake that the sender broke off

    server = Quiet((HOST, 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_port, names
    server.shutdown()
    server.server_close()


def test_the_certificate_is_checked_against_the_name_and_not_the_address(secure: tuple[int, list[str | None]]) -> None:
    port, names = secure
    good, bad, address = send(
        resolving([HOST]),
        f"https://hook.example:{port}/",
        f"https://other.example:{port}/",
        f"https://{HOST}:{port}/",
    )
    assert good == Answer(200, None)
    assert names[:2] == ["hook.example", "other.example"]
    assert bad.status is None
    assert "certificate" in (bad.error or "").lower()
    assert address.status is None
    assert ip_address(HOST).is_loopback
