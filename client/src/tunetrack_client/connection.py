"""The way to the service: one request, sent once or until it is answered."""

import codecs
import json
import logging
import os
import random
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from tunetrack_client.errors import TEMPORARY, Unavailable, refused

log = logging.getLogger("tunetrack_client")

JSON = dict[str, Any]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 15.0
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_AWAY = frozenset({408, 425, 429, 502, 503, 504, 507})

# A socket loads it with the first address that it looks up, in whatever thread. If the process forks meanwhile, the
# child has half of it, and can never look up any.
codecs.lookup("idna")


class _Unlogged(logging.Filter, threading.local):
    """httpx logs a line for each request, which would drown those of the training: not for what is sent within this."""

    is_on = False

    def __enter__(self) -> None:
        self.is_on = True

    def __exit__(self, *_: object) -> None:
        self.is_on = False

    def filter(self, record: logging.LogRecord) -> bool:
        return not self.is_on or record.levelno > logging.INFO


_unlogged = _Unlogged()
logging.getLogger("httpx").addFilter(_unlogged)


class Connection:
    """Connections to one service, opened when they are needed. May be shared by threads.

    Args:
        url: where the service listens.
        key: its API key, if it wants one.
        ssl_context: how to trust it, and who to be to it; by default as the environment says.
    Raises:
        ValueError: that is no address, or no key, or the environment names a certificate that is none.
    """

    def __init__(self, url: str, key: str | None = None, ssl_context: ssl.SSLContext | None = None) -> None:
        self.url = url.strip().rstrip("/")
        if not _is_address(self.url):
            raise ValueError(
                f"{_after_password(url)!r} is no address of a service, which begins with http:// or https://"
            )
        self.shown_url = shown(self.url)
        self.key = (key or "").strip() or None  # of a file that ends with a line break
        if self.key and not (self.key.isascii() and self.key.isprintable()):
            raise ValueError("a key has no line breaks and nothing beyond ASCII, and this one has")
        self._ssl = ssl_context or _trusted(self.url)
        self._open()

    @property
    def http(self) -> httpx.Client:
        """What sends. A forked process opens its own, without a word to the other side: the others are its parent's."""
        if os.getpid() != self._pid:
            self._open()
        return self._http

    def _open(self) -> None:
        headers = {"User-Agent": "tunetrack-client"} | (
            {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        )
        # A proxy that the environment names is for elsewhere: it cannot reach this machine's own addresses.
        host = httpx.URL(self.url).host
        is_here = host in ("localhost", "::1") or host.startswith("127.")
        around = {"all://": None, "http://": None, "https://": None} if is_here else None
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT, mounts=around, verify=self._ssl)
        self._pid = os.getpid()

    def send(
        self,
        method: str,
        path: str,
        body: JSON | None = None,
        query: Mapping[str, Any] | None = None,
        *,
        once: str | None = None,
    ) -> Any:
        """The answer to one request, sent once.

        Args:
            once: the Idempotency-Key.
        Raises:
            Unavailable: no answer, or "not now".
            Refused: the service says no.
        """
        try:
            headers = {} if once is None else {"Idempotency-Key": once}
            content = None
            if body is not None:
                # As in a spool file: what JSON lacks, such as half of a character, is for the service to refuse.
                content = json.dumps(body, separators=(",", ":"))
                headers["Content-Type"] = "application/json"
            with _unlogged:
                response = self.http.request(method, path, content=content, params=query, headers=headers)
        except httpx.RequestError as error:
            raise Unavailable(f"{self.shown_url} does not answer: {_why(error)}") from error
        return read(response)

    def ask(
        self,
        method: str,
        path: str,
        body: JSON | None = None,
        query: Mapping[str, Any] | None = None,
        *,
        once: str | None = None,
        patience_s: float,
    ) -> Any:
        """The answer to a request that may be repeated, sent until there is one.

        Raises:
            Unavailable: there was none for so long.
            Refused: the service says no.
        """
        deadline = time.monotonic() + patience_s
        for number, pause_s in enumerate(pauses()):
            try:
                return self.send(method, path, body, query, once=once)
            except Unavailable as error:
                pause_s = max(pause_s, error.retry_after_s or 0.0)
                if time.monotonic() + pause_s > deadline:
                    raise
                if number == 0:
                    log.warning("%s; trying again for %.0f s", error, patience_s)
            time.sleep(pause_s)
        raise AssertionError("pauses never end")

    def close(self) -> None:
        """Let go of the connections."""
        self.http.close()


def _trusted(url: str) -> ssl.SSLContext | bool:
    """What httpx trusts, and the certificate that `TUNETRACK_CLIENT_CERT` names, for a service that asks for one."""
    if not (path := os.environ.get("TUNETRACK_CLIENT_CERT")):
        # To read whom this machine trusts takes longer than all else here: where there is no TLS, that is nobody.
        return httpx.URL(url).scheme == "https" or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = httpx.create_ssl_context()
    try:
        # Whoever trains is not there to be asked for a password.
        context.load_cert_chain(path, os.environ.get("TUNETRACK_CLIENT_CERT_KEY") or None, password=lambda: "")
    except OSError as error:
        raise ValueError(f"TUNETRACK_CLIENT_CERT: {path} and its key cannot be used: {error}") from error
    return context


def shown(url: str) -> str:
    """An address without the name and password that it may hold: what a training says is logged for others to read."""
    try:
        return str(httpx.URL(url).copy_with(userinfo=b""))
    except httpx.InvalidURL:
        return _after_password(url)


def _why(error: httpx.RequestError) -> str:
    said = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" not in said:
        return said
    return f"{said}; a certificate that is not known everywhere, or that of its issuer, is named by SSL_CERT_FILE"


def _after_password(text: str) -> str:
    return text.rpartition("@")[2]


def _place(response: httpx.Response) -> str:
    return shown(str(response.request.url.copy_with(query=None)))


def _is_address(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and bool(parsed.host)


def read(response: httpx.Response) -> Any:
    """The object of an answer; None where the service has nothing to say (204).

    Anything else, and a refusal that is no problem document, comes from something between: it is no answer.

    Raises:
        Unavailable, Refused
    """
    if response.status_code == 204:
        return None
    if response.is_success:
        if (found := _object(response)) is None:
            raise Unavailable(f"{_place(response)} answers something that is not the service's: is there a proxy?")
        return found
    problem = _problem(response)
    if problem is None or response.status_code in _AWAY or problem["code"] in TEMPORARY:
        said = f"{response.status_code}" if problem is None else f"{response.status_code} {problem['code']}"
        raise Unavailable(f"{_place(response)} answers {said}", _retry_after(response))
    raise refused(problem)


def _problem(response: httpx.Response) -> JSON | None:
    if response.headers.get("content-type", "").partition(";")[0] != "application/problem+json":
        return None
    found = _object(response) or {}
    return found if {"code", "status", "detail"} <= found.keys() else None


def _object(response: httpx.Response) -> JSON | None:
    try:
        found = response.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return min(float(response.headers["retry-after"]), 300.0)
    except (KeyError, ValueError):
        return None


def pauses() -> Iterator[float]:
    """How long to wait before each next try, endlessly: longer each time, up to a limit, and never quite the same."""
    pause_s = FIRST_PAUSE_S
    while True:
        yield pause_s * random.uniform(0.5, 1.0)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
