"""A bad network: an HTTP proxy that loses requests and answers, sends requests twice, and holds them back."""

import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHARE = 0.2
LONGEST_DELAY_S = 0.05

_HOP_BY_HOP = frozenset({"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one request; each of it by itself."""

    drops_request: bool
    drops_answer: bool
    is_sent_twice: bool
    is_held_back: bool
    first_delay_s: float
    second_delay_s: float


class FlakyProxy:
    """In front of one service, in threads.

    Args:
        port: of the service, on this machine.
        seed: the n-th request to come has the same fate each time.
    """

    def __init__(self, port: int, seed: int) -> None:
        self.fates: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self._port = port
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._ghosts: list[Future[None]] = []
        self._pool = ThreadPoolExecutor(16)

    def draw(self) -> Fate:
        """What happens to the next request."""
        with self._lock:
            chances = [self._chance.random() < SHARE for _ in range(4)]
            fate = Fate(*chances, *(self._chance.uniform(0.0, LONGEST_DELAY_S) for _ in range(2)))
            self.fates.update(name for name in Fate.__slots__ if getattr(fate, name) is True)
            return fate

    def forward(self, connection: HTTPConnection, request: "_Request") -> tuple[int, list[tuple[str, str]], bytes]:
        """The service's answer: status, headers, body."""
        connection.request(request.method, request.path, request.body, request.headers)
        response: HTTPResponse = connection.getresponse()
        body = response.read()
        code = f" {json.loads(body)['code']}" if response.status >= 400 else ""
        with self._lock:
            self.answers[f"{response.status}{code}"] += 1
        return response.status, response.getheaders(), body

    def send_later(self, request: "_Request", delay_s: float) -> None:
        """The same request once more, later: perhaps before the first, perhaps long after its answer."""

        def send() -> None:
            time.sleep(delay_s)
            with closing(HTTPConnection("127.0.0.1", self._port, timeout=30)) as connection:
                self.forward(connection, request)

        self._ghosts.append(self._pool.submit(send))

    def connect(self) -> HTTPConnection:
        """A connection to the service."""
        return HTTPConnection("127.0.0.1", self._port, timeout=30)

    def finish(self) -> None:
        """Until all that was held back has arrived."""
        for ghost in self._ghosts:
            ghost.result()
        self._pool.shutdown()


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@contextmanager
def flaky_proxy(port: int, seed: int) -> Iterator[tuple[str, FlakyProxy]]:
    """The address of a proxy in front of this service, and what it did; in the end all that it held back arrives."""
    proxy = FlakyProxy(port, seed)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}", proxy
        server.shutdown()
        serving.join()
    proxy.finish()


class _Handler(BaseHTTPRequestHandler):
    """One client's connection."""

    proxy: FlakyProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.upstream = self.proxy.connect()

    def finish(self) -> None:
        self.upstream.close()
        with suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        request = _Request(self.command, self.path, headers, body)
        fate = self.proxy.draw()
        if fate.is_sent_twice:
            self.proxy.send_later(request, fate.second_delay_s)
        if fate.drops_request:
            self._hang_up()
            return
        if fate.is_held_back:
            time.sleep(fate.first_delay_s)
        status, answered, content = self.proxy.forward(self.upstream, request)
        if fate.drops_answer:
            self._hang_up()
            return
        self.send_response_only(status)
        for name, value in answered:
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
