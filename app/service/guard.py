"""No webhook reaches a private address: its host is resolved, every address checked, and one of those connected to."""

import socket
from collections.abc import Awaitable, Callable, Collection

import httpx

from app.domain.addresses import Network, is_allowed, parse_address
from app.domain.errors import WebhookUrlNotAllowed
from app.service.aside import aside

Resolver = Callable[[str, int], Awaitable[list[str]]]
"""From a host and a port to the addresses that the system would connect to."""

_MAX_URL = 2000
_PORTS = {"http": 80, "https": 443}


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, as the system finds them, in all the spellings that it understands.

    Raises:
        OSError: there are none.
    """
    # Not in the threads that the event loop shares: a name server that does not answer would take them all.
    found = await aside(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Guard:
    """What a webhook may connect to.

    Args:
        allowed: networks that the operator permits though they are not public.
        resolver: another one than the system's, for tests.
    """

    def __init__(self, allowed: Collection[Network] = (), resolver: Resolver = resolve) -> None:
        self._allowed = allowed
        self._resolve = resolver

    async def check(self, url: str) -> None:
        """Refuse a URL that no webhook may be registered for.

        Raises:
            WebhookUrlNotAllowed: the message says why.
        """
        parsed = parse_url(url)
        port = _PORTS[parsed.scheme] if parsed.port is None else parsed.port
        await self.addresses(parsed.raw_host.decode("ascii"), port)

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses to connect to, of which each is allowed.

        Raises:
            WebhookUrlNotAllowed: one of them is not, or there are none.
        """
        try:
            found = await self._resolve(host, port)
            addresses = [parse_address(text) for text in found]
        except (OSError, ValueError) as error:
            raise WebhookUrlNotAllowed(f"The host of this URL cannot be resolved: {host[:250]}.") from error
        for address in addresses:
            if not is_allowed(address, self._allowed):
                raise WebhookUrlNotAllowed(
                    f"The host of this URL has the address {address}, which is not a public one. The operator may "
                    "allow networks with TUNETRACK_WEBHOOK_ALLOW."
                )
        if not addresses:
            raise WebhookUrlNotAllowed(f"The host of this URL has no address: {host[:250]}.")
        return [str(address) for address in addresses]


def parse_url(url: str) -> httpx.URL:
    """The URL, as it is read here and when it is called.

    Raises:
        WebhookUrlNotAllowed: it is none that a webhook could have.
    """
    try:
        parsed = httpx.URL(url)
        host = parsed.host  # a ValueError where it is written in the letters of no name
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise WebhookUrlNotAllowed("This is not a URL.") from error
    if parsed.scheme not in _PORTS or not host:
        raise WebhookUrlNotAllowed("A webhook's URL begins with https:// or http:// and a host.")
    if parsed.userinfo:
        raise WebhookUrlNotAllowed("A webhook's URL may not hold a user or password: the signature proves who calls.")
    if parsed.port is not None and not 1 <= parsed.port <= 65535:
        raise WebhookUrlNotAllowed("A port is a number from 1 to 65535.")
    if len(url) > _MAX_URL or parsed.fragment:
        raise WebhookUrlNotAllowed(f"A webhook's URL may have at most {_MAX_URL} characters, and no fragment.")
    return parsed
