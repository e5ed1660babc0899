"""Options that several commands take."""

import os
import ssl
from typing import Annotated

import typer

from app.cli.failing import fail

DATABASE = "sqlite:///tunetrack.db"
Database = Annotated[
    str,
    typer.Option(
        envvar="TUNETRACK_DATABASE",
        help="Where the data is stored: sqlite:///path/to/file.db or postgresql://user@host/name.",
    ),
]

HOST = "127.0.0.1"
Host = Annotated[
    str, typer.Option(envvar="TUNETRACK_HOST", help="The address to listen on; 127.0.0.1 is this machine only.")
]
TrustedProxies = Annotated[
    str,
    typer.Option(
        envvar="TUNETRACK_TRUSTED_PROXIES",
        help="Proxies whose X-Forwarded-For is believed: 10.0.0.7,10.1.0.0/16; * believes anybody's.",
    ),
]
WebhookAllow = Annotated[
    str,
    typer.Option(
        envvar="TUNETRACK_WEBHOOK_ALLOW",
        help="Private networks that webhooks may call: 10.0.0.0/8,fd00::/8.",
    ),
]

URL = "http://127.0.0.1:8000"
Url = Annotated[str, typer.Option(envvar="TUNETRACK_URL", help="Where the service is.")]


def split(listed: str) -> list[str]:
    """What stands there with commas between."""
    return [one.strip() for one in listed.split(",") if one.strip()]


def an_api_key(given: str | None) -> str | None:
    """One that a header can hold, without the line break of the file that it may come from. It is shown to nobody."""
    key = given and given.strip()
    if key and not (key.isascii() and key.isprintable()):
        fail("the API key has a line break or non-ASCII character in it; set TUNETRACK_KEY to what was printed")
    return key or None


def a_certificate() -> ssl.SSLContext | bool:
    """What httpx trusts, and the certificate that TUNETRACK_CLIENT_CERT names, for a service that asks for one."""
    if not (path := os.environ.get("TUNETRACK_CLIENT_CERT")):
        return True
    import httpx

    context = httpx.create_ssl_context()
    try:
        context.load_cert_chain(path, os.environ.get("TUNETRACK_CLIENT_CERT_KEY") or None, password=lambda: "")
    except OSError as error:
        fail(f"TUNETRACK_CLIENT_CERT: {path} and its key cannot be used: {error}")
    return context


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    from ipaddress import ip_address

    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
