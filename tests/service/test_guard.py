"""No webhook reaches a private address, however it is spelled."""

import asyncio
import socket
from collections.abc import Sequence

import pytest

from app.domain.addresses import parse_networks
from app.domain.errors import WebhookUrlNotAllowed
from app.service.guard import Guard

LOOPBACK = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "localhost",
    "LocalHost",
    "localhost.",
    "0.0.0.0",
    "0",
    "127。0。0。1",
    "１２７.0.0.1",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "%31%32%37.0.0.1",
]
PRIVATE = [
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "[fc00::1]",
    "[fd12:3456:789a::1]",
    "[fec0::1]",
    "[::ffff:10.0.0.1]",
    "3232235521",
]
LINK_LOCAL_AND_METADATA = [
    "169.254.0.1",
    "168.63.129.16",
    "169.254.169.254",
    "2852039166",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]",
    "100.100.100.200",
    "192.0.0.192",
]
CARRIER_AND_RESERVED = [
    "100.64.0.1",
    "100.127.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "240.0.0.1",
    "255.255.255.255",
    "[2001:db8::1]",
    "[3fff::1]",
    "[100::1]",
]
MULTICAST = ["224.0.0.1", "239.255.255.255", "[ff02::1]", "[ff0e::1]"]
IPV4_INSIDE = [
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a00:1]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "[2001::1]",
    "[::ffff:0:127.0.0.1]",
    "192.88.99.1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "192.169.0.1", "[2606:4700::1111]"]


def check(url: str, guard: Guard | None = None) -> None:
    """What registration asks."""
    asyncio.run((guard or Guard()).check(url))


def answering(*answers: Sequence[str]) -> Guard:
    """A guard whose resolver says these things one after the other, and the last of them for ever."""
    left = [list(answer) for answer in answers]

    async def resolve(host: str, port: int) -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return Guard(resolver=resolve)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "host", [*LOOPBACK, *PRIVATE, *LINK_LOCAL_AND_METADATA, *CARRIER_AND_RESERVED, *MULTICAST, *IPV4_INSIDE]
)
def test_no_spelling_of_an_address_that_is_not_public_is_allowed(scheme: str, host: str) -> None:
    for place in ("", ":80", ":8443"):
        with pytest.raises(WebhookUrlNotAllowed):
            check(f"{scheme}://{host}{place}/hook")


@pytest.mark.parametrize("host", PUBLIC)
def test_public_addresses_are_allowed(host: str) -> None:
    check(f"https://{host}/hook?token=1")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://8.8.8.8/",
        "file:///etc/passwd",
        "gopher://8.8.8.8/",
        "unix:///run/docker.sock",
        "//8.8.8.8/",
        "8.8.8.8",
        "http:///hook",
        "http://",
        "",
        "http://user@8.8.8.8/",
        "http://user:secret@8.8.8.8/",
        "http://8.8.8.8\\@127.0.0.1/",
        "http://8.8.8.8:0/",
        "http://8.8.8.8:99999/",
        "http://8.8.8.8/#127.0.0.1",
        "http://8.8.8.8\r\nhost: x/",
        "http://8.8.8.8/" + "x" * 2000,
        "http://nowhere.invalid/",
        "http://" + "a" * 64 + ".com/",
        "http://xn--a/",
    ],
)
def test_what_is_no_url_of_a_webhook_is_refused(url: str) -> None:
    with pytest.raises(WebhookUrlNotAllowed):
        check(url)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:10.0.0.1", "fe80::1%2", "169.254.169.254"])
def test_a_name_is_refused_where_one_of_its_addresses_is_private(address: str) -> None:
    with pytest.raises(WebhookUrlNotAllowed, match="not a public one"):
        check("https://hook.example/", answering(["8.8.8.8", address]))
    check("https://hook.example/", answering(["8.8.8.8", "2606:4700::1111"]))
    with pytest.raises(WebhookUrlNotAllowed):
        check("https://hook.example/", answering([]))


@pytest.mark.parametrize(
    ("allowed", "host", "is_allowed"),
    [
        ("127.0.0.0/8", "127.0.0.1", True),
        ("127.0.0.0/8", "localhost", socket.has_ipv6 is False),
        ("127.0.0.0/8,::1/128", "localhost", True),
        ("127.0.0.0/8", "[::ffff:127.0.0.1]", True),
        ("127.0.0.0/8", "10.0.0.1", False),
        ("10.1.0.0/16, fd00::/8", "10.1.2.3", True),
        ("10.1.0.0/16, fd00::/8", "10.2.0.1", False),
        ("10.1.0.0/16, fd00::/8", "[fd00::1]", True),
        ("64:ff9b::/96", "[64:ff9b::808:808]", True),
    ],
)
def test_an_operator_may_allow_networks(allowed: str, host: str, is_allowed: bool) -> None:
    guard = Guard(parse_networks(allowed))
    if is_allowed:
        check(f"http://{host}/", guard)
    elif host != "localhost":  # whether that has an IPv6 address too is the machine's business
        with pytest.raises(WebhookUrlNotAllowed):
            check(f"http://{host}/", guard)
