"""A receiver of webhooks, as somebody outside would write it; and bad ones of every kind.

It verifies with the library, from the secret that the service showed. It listens on an address that the services of
the tests are allowed to call (`HOST`), where 127.0.0.1 is refused.
"""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from standardwebhooks import Webhook

HOST = "127.0.0.2"
ALLOW = f"{HOST}/32"
DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """What came in, and what was answered."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int

    @property
    def message_id(self) -> str:
        """The same on each attempt."""
        return self.headers["webhook-id"]

    @property
    def message(self) -> dict[str, Any]:
        """The body, read."""
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    def verify(self, secret: str) -> None:
        """Nothing, where it is signed with this secret.

        Raises:
            standardwebhooks.WebhookVerificationError: it is not.
        """
        Webhook(secret).verify(self.body, dict(self.headers))


@dataclass(slots=True)
class Receiver:
    """Answers POST /<n> with that status; /hang, /drip, /endless, /redirect, /cut as badly as they sound.

    `statuses` changes what a path answers.
    """

    calls: list[Call] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    sent_bytes: dict[str, int] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _is_over: threading.Event = field(default_factory=threading.Event)
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver._answer(self)

            def do_GET(self) -> None:
                receiver._answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # the service hung up, as it should

        self._server = Quiet((HOST, 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._is_over.set()
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str) -> str:
        """The URL of a path here."""
        assert self._server is not None
        return f"http://{HOST}:{self._server.server_port}/{path}"

    def at(self, path: str) -> list[Call]:
        """The calls of a path so far."""
        with self._changed:
            return [call for call in self.calls if call.path == f"/{path}"]

    def wait_for(self, path: str, count: int, timeout_s: float = DEADLINE_S) -> list[Call]:
        """The calls of a path, once there are that many."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while len(found := [call for call in self.calls if call.path == f"/{path}"]) < count:
                left = deadline - time.monotonic()
                assert left > 0, f"{len(found)} calls of {path} within {timeout_s} s, and not {count}"
                self._changed.wait(left)
            return found

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("content-length", 0))
        body = handler.rfile.read(length)
        if len(body) < length:
            return  # whoever sent it was killed in the middle
        kind = handler.path.strip("/").partition("-")[0]
        status = self.statuses.get(handler.path.strip("/"), int(kind) if kind.isdecimal() else 200)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._changed:
            self.calls.append(Call(handler.path, headers, body, status))
            self._changed.notify_all()
        with contextlib.suppress(OSError):
            if kind == "hang":
                self._is_over.wait(60)
                handler.close_connection = True
            elif kind == "cut":
                handler.connection.shutdown(socket.SHUT_RDWR)
                handler.close_connection = True
            elif kind in ("drip", "endless"):
                self._pour(handler, kind)
            else:
                handler.send_response(302 if kind == "redirect" else status)
                handler.send_header("location", self.url("redirected"))
                handler.send_header("content-length", "0")
                handler.end_headers()

    def _pour(self, handler: BaseHTTPRequestHandler, kind: str) -> None:
        handler.send_response(200)
        handler.send_header("content-length", str(10**12))
        handler.end_headers()
        chunk = b"x" * (1 if kind == "drip" else 2**14)
        handler.close_connection = True
        while not self._is_over.wait(0.5 if kind == "drip" else 0):
            self.sent_bytes[kind] = self.sent_bytes.get(kind, 0) + handler.connection.send(chunk)
