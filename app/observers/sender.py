"""One call of a webhook: signed, to an address that was checked, bounded in time and size."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpcore
import httpx
from standardwebhooks import Webhook

from app.domain.errors import WebhookUrlNotAllowed
from app.service.guard import Guard, parse_url

_TOTAL_S = 15.0
_READ_BYTES = 2**16
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
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=None,
            max_keepalive_connections=20,
            keepalive_expiry=10.0,
            network_backend=_GuardedNetwork(guard),
        )

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
        await self._pool.aclose()

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
        async with self._pool.stream("POST", target, headers=sent, content=body) as response:
            n_bytes = 0
            async for chunk in response.aiter_stream():
                n_bytes += len(chunk)
                if n_bytes >= _READ_BYTES:
                    break  # what it says more is not waited for
            return _meaning(response.status)


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
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError:
                continue
        return await self._network.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
