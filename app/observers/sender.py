"""One call of a webhook: signed, to an address that was checked, bounded in time and size."""

import asyncio
import ssl
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpcore
import httpx
from standardwebhooks import Webhook

from app.domain.errors import WebhookUrlNotAllowed
from app.service.guard import Guard, parse_url

_TOTAL_S = 15.0
_READ_BYTES = 2**16
_PIECE_BYTES = 2**12
_ERROR_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Message:
    """What a receiver gets; `message_id` is the same on each attempt."""

    message_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call went: `error` is None where the receiver has taken it."""

    status: int | None
    error: str | None


class Sender:
    """Calls webhooks. No redirects are followed, no proxies of the environment used, no answers unpacked."""

    def __init__(self, guard: Guard, version: str) -> None:
        self._agent = f"tunetrack/{version}"
        self._network = _GuardedNetwork(guard)
        self._pool: httpcore.AsyncConnectionPool | None = None
        self._opening = asyncio.Lock()

    async def send(self, url: str, message: Message, secrets: Sequence[str]) -> Answer:
        """Call the webhook, signed with each of the secrets."""
        headers = self._headers(message, secrets)
        try:
            async with asyncio.timeout(_TOTAL_S):
                return await self._post(url, headers, message.body)
        except WebhookUrlNotAllowed as error:
            return Answer(None, error.detail[:_ERROR_CHARACTERS])
        except TimeoutError:
            return Answer(None, f"no answer within {_TOTAL_S:g} s")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            reason = str(error).strip() or type(error).__name__
            return Answer(None, f"the connection failed: {reason}"[:_ERROR_CHARACTERS])

    async def close(self) -> None:
        """Let go of all connections."""
        if self._pool is not None:
            await self._pool.aclose()

    async def _opened(self) -> httpcore.AsyncConnectionPool:
        """Made for the first call: to read whom this machine trusts takes time, and most services call nobody."""
        async with self._opening:
            if self._pool is None:
                try:
                    context = await asyncio.to_thread(httpx.create_ssl_context)
                except OSError as error:
                    raise OSError(f"SSL_CERT_FILE names no certificates ({error.strerror})") from error
                self._pool = httpcore.AsyncConnectionPool(
                    ssl_context=context,
                    max_connections=None,
                    max_keepalive_connections=20,
                    keepalive_expiry=10.0,
                    network_backend=self._network,
                )
        return self._pool

    def _headers(self, message: Message, secrets: Sequence[str]) -> list[tuple[str, str]]:
        now = datetime.now(UTC)
        body = message.body.decode()
        signatures = [Webhook(secret).sign(message.message_id, now, body) for secret in secrets]
        return [
            ("content-type", "application/json"),
            ("user-agent", self._agent),
            ("accept-encoding", "identity"),
            ("webhook-id", message.message_id),
            ("webhook-timestamp", str(int(now.timestamp()))),
            ("webhook-signature", " ".join(signatures)),
            ("content-length", str(len(message.body))),
        ]

    async def _post(self, url: str, headers: list[tuple[str, str]], body: bytes) -> Answer:
        parsed = parse_url(url)
        target = httpcore.URL(scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path)
        sent = [("host", parsed.netloc.decode("ascii")), *headers]
        pool = await self._opened()
        while True:
            happened: set[str] = set()

            async def note(event: str, _: Mapping[str, Any], happened: set[str] = happened) -> None:
                happened.add(event)

            try:
                async with pool.stream(
                    "POST", target, headers=sent, content=body, extensions={"trace": note}
                ) as response:
                    if response.extensions["network_stream"].get_extra_info(_HAS_HEARD):
                        with suppress(_SaidTooMuch):  # it has said what counts
                            async for _ in response.aiter_stream():
                                pass
                        return _meaning(response.status)
            except (httpcore.NetworkError, httpcore.ProtocolError):
                if not happened.isdisjoint(_TELLING):
                    raise
            # A connection that was kept is at its end, which tells nothing about the receiver: ask on another one.


_TELLING = {"connection.connect_tcp.started", "http11.receive_response_headers.complete"}
"""After these a failure is one of the receiver: its connection was a new one, or it had begun to answer."""


def _meaning(status: int) -> Answer:
    if 200 <= status < 300:
        return Answer(status, None)
    if 300 <= status < 400:
        return Answer(status, f"the receiver answered {status}: redirects are not followed, register the new address")
    return Answer(status, f"the receiver answered {status}")


class _GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked, and to nothing else: a name is resolved here, once, and not again."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address of the host that takes it.

        Raises:
            WebhookUrlNotAllowed: one of its addresses is not allowed.
        """
        addresses = await self._guard.addresses(host, port)
        for address in addresses[:-1]:
            try:
                return _Stream(await self._network.connect_tcp(address, port, timeout, local_address, socket_options))
            except httpcore.ConnectError:
                continue
        return _Stream(await self._network.connect_tcp(addresses[-1], port, timeout, local_address, socket_options))

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


_HAS_HEARD = "has_heard"


class _SaidTooMuch(httpcore.ReadError):
    """More than is listened to."""


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that knows how much has come since it was written to, and takes no more than enough.

    Where nothing has, and there is an answer all the same, that is no answer to what was written: it came together
    with the one before.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._n_bytes = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 -- httpcore's
        """What comes next, a little at a time: each piece is parsed while the others wait.

        Raises:
            _SaidTooMuch: it is too much, heads and preliminary answers included.
        """
        if self._n_bytes >= _READ_BYTES:
            raise _SaidTooMuch(f"it says more than {_READ_BYTES} bytes")
        received = await self._stream.read(min(max_bytes, _PIECE_BYTES), timeout)
        self._n_bytes += len(received)
        return received

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send."""
        self._n_bytes = 0
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Hang up."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> "_Stream":
        """The same connection, with TLS."""
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """What is known of it; of one that was cut before anybody asked, that there is nothing more to wait for."""
        if info == _HAS_HEARD:
            return self._n_bytes > 0
        try:
            return self._stream.get_extra_info(info)
        except AttributeError:  # uvloop has no socket of it any more, which anyio expects
            return True if info == "is_readable" else None
