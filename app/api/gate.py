"""The one gate that every request comes through, whatever it is for: closed unless somebody may pass.

    Host ─> Origin ─> key ─> rate ─> route (its scope: `strict.StrictRoute`)
    answers leave with headers that keep browsers from doing what nobody asked for, and to HEAD without their body

Pure ASGI, and few steps: it stands before each epoch that is logged.
"""

import asyncio
import ipaddress
import logging
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from app.api import telemetry
from app.api.limits import Header, Rate
from app.api.problems import HostNotAllowed, OriginNotAllowed, respond
from app.domain.access import Grant
from app.domain.errors import MAY_BE_DONE, DomainError, RateLimited, StoreBusy, Unavailable
from app.service import metrics
from app.store.database import asker

T = TypeVar("T")

log = logging.getLogger(__name__)

_OPEN = frozenset({"/", "/healthz", "/readyz", "/v1/session"})
_OPEN_BELOW = ("/dashboard/",)
"""What shows nobody's data: the shell of the dashboard, which asks for a key, and the path at which it signs in."""

_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
]
_UNLESS_SAID = [
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator may choose of the gate.

    Args:
        hosts: names that the service goes by, besides addresses and localhost; `*` is any, `*.x` all below x.
        origins: pages of other hosts that may change something.
        requests_per_s: of each key, or each address where there is none; 0 is without limit.
        streams: open at once, of each of these; 0 is without limit.
    """

    hosts: Collection[str] = ()
    origins: Collection[str] = ()
    requests_per_s: float = 0.0
    streams: int = 0

    @property
    def origins_as_sent(self) -> frozenset[str]:
        """The origins as browsers send them: in lower case, and without a slash at the end."""
        return frozenset(origin.lower().rstrip("/") for origin in self.origins)


class Gate:
    """The gate, as ASGI middleware."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._hosts = {host.lower() for host in rules.hosts}
        self._origins = rules.origins_as_sent
        self._rate = Rate(rules.requests_per_s) if rules.requests_per_s > 0 else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if method == "HEAD":
            scope = {**scope, "method": "GET"}
        visit = _Visit(scope, send, method)
        leaving = visit.leave if method != "HEAD" else visit.leave_without_body
        try:
            headers = dict(scope["headers"])
            host = headers.get(b"host", b"").decode("latin-1").lower()
            if b"host" in headers or scope["http_version"] != "1.0":  # before HTTP/1.1 there is none
                self._check_host(host)
            self._check_origin(headers, host, is_harmless=method in _HARMLESS)
            key = scope["state"]["key"] = _key(headers, host)
            if not _is_open(scope["path"]):
                grant: Grant = await scope["state"]["services"].key_ring.admit(key)
                scope["state"]["grant"] = grant
                who = scope["state"]["who"] = str(grant.key_id or (scope["client"] or ("nobody",))[0])
                asker.set(who)
                if self._rate is not None:
                    visit.told, wait_s = self._rate.take(who)
                    if wait_s:
                        raise RateLimited(wait_s)
            # Who is gone needs no answer; what was begun for them is done or undone.
            with suppress(ClientDisconnect):
                await self._app(scope, receive, leaving)
        except DomainError as error:
            await respond(Request(scope), error)(scope, receive, leaving)
        except asyncio.CancelledError:
            # The service ends, and what this request waits for, mostly a silent database, has not come.
            if visit.has_begun:
                raise
            await respond(Request(scope), StoreBusy(f"The service ends while the store is silent: {MAY_BE_DONE}"))(
                scope, receive, leaving
            )
        finally:
            visit.end()

    def _check_host(self, host: str) -> None:
        """A name that somebody else made to point here would let a page of theirs in (DNS rebinding)."""
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        if name != "localhost" and not _is_address(name) and not self._is_known(name):
            raise HostNotAllowed()

    def _is_known(self, name: str) -> bool:
        if name in self._hosts or "*" in self._hosts:
            return True
        return any(known.startswith("*.") and name.endswith(known[1:]) for known in self._hosts)

    def _check_origin(self, headers: dict[bytes, bytes], host: str, *, is_harmless: bool) -> None:
        """Refuse what pages of others send. They may link to here; what they load from here they could not read, but
        they could see how long a search takes, and keep the service busy."""
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if origin in self._origins:
            return
        is_foreign = bool(origin) and origin.partition("://")[2] != host
        is_of_others = headers.get(b"sec-fetch-site") == b"cross-site"
        is_link = is_harmless and headers.get(b"sec-fetch-dest", b"document") == b"document"
        if (is_foreign and not is_harmless) or (is_of_others and not is_link):
            raise OriginNotAllowed()


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith(_OPEN_BELOW)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


async def while_admitted(
    things: AsyncGenerator[T, None], admit: Callable[[], Awaitable[Grant]]
) -> AsyncGenerator[T, None]:
    """What is sent for as long as its reader takes, while whoever asked for it would be let in.

    Raises:
        Unauthorized: that is over.
    """
    async with aclosing(things):
        async for thing in things:
            with suppress(Unavailable):  # nothing is known against them
                await admit()
            yield thing


def cookie_name(host: str) -> str:
    """The cookie of the service at a `Host`, whose cookies a browser sends to all its ports, and services there."""
    _, _, port = host.rpartition(":")
    return f"tunetrack_key_{port}" if port.isascii() and port.isdigit() else "tunetrack_key"


def _key(headers: dict[bytes, bytes], host: str) -> str | None:
    """The key that somebody comes with: a program in a header, a browser in its cookie."""
    kind, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() == "bearer":
        return key.strip()
    if b"cookie" in headers:
        # As browsers read them: what other services on this host have set may be of any form.
        return cookie_parser(headers[b"cookie"].decode("latin-1")).get(cookie_name(host))
    return None


class _Visit:
    """One request, from its coming to its leaving."""

    __slots__ = ("_came", "_method", "_request_id", "_scope", "_send", "_status", "told")

    def __init__(self, scope: Scope, send: Send, method: str) -> None:
        self._scope, self._send, self._method = scope, send, method
        self._status = 0
        self.told: Sequence[Header] = ()
        self._came = time.perf_counter()
        self._request_id = scope["state"]["request_id"] = str(uuid7())

    @property
    def has_begun(self) -> bool:
        """Whether something of the answer was sent."""
        return bool(self._status)

    async def leave(self, message: Message) -> None:
        """Send a part of the answer; the first has the headers."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            said = {name for name, _ in message["headers"]}
            unless_said = [header for header in _UNLESS_SAID if header[0] not in said]
            own = (b"x-request-id", self._request_id.encode())
            message = {**message, "headers": [*message["headers"], own, *self.told, *_HEADERS, *unless_said]}
        await self._send(message)

    async def leave_without_body(self, message: Message) -> None:
        """Send a part of the answer to HEAD: the head of what GET is answered; a stream ends where it would begin."""
        if message["type"] == "http.response.start":
            await self.leave(message)
            return
        await self._send({"type": "http.response.body"})
        if message.get("more_body"):
            raise ClientDisconnect

    def end(self) -> None:
        """Count it, and log one line: no body, no query, no key."""
        duration_s = time.perf_counter() - self._came
        if not self._status and isinstance(sys.exception(), Exception):
            self._status = 500  # answered by the server itself, outside of this gate
        route = getattr(self._scope.get("route"), "path", None) or "none"
        metrics.count_request(self._method, route, self._status, duration_s)
        level = logging.WARNING if self._status >= 500 else logging.INFO
        if log.isEnabledFor(level):
            facts = {
                "request_id": self._request_id,
                "method": self._method,
                "route": route,
                "status": self._status,
                "duration_ms": round(1000 * duration_s, 3),
            }
            if (traced := telemetry.trace_id()) is not None:
                facts["trace_id"] = traced
            log.log(level, "request", extra=facts)
