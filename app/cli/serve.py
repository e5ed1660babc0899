"""`tunetrack serve`, and what has to be made before."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.failing import fail, warn
from app.cli.options import DATABASE, HOST, Database, Host, TrustedProxies, WebhookAllow, is_loopback, split
from app.logs import Format, Level
from app.store.line import LONGEST_WAIT_S

if TYPE_CHECKING:
    from sqlalchemy import URL

    from app.domain.addresses import Network

_REQUESTS_PER_S = 500.0
_STREAMS = 200


Port = Annotated[
    int, typer.Option(envvar="TUNETRACK_PORT", min=0, max=65535, help="The port to listen on; 0 picks a free one.")
]
AllowedHosts = Annotated[
    str,
    typer.Option(
        envvar="TUNETRACK_ALLOWED_HOSTS",
        help="Host names of the service, with commas between: tune.example.com,*.example.org. Addresses and localhost "
        "need not be listed.",
    ),
]
CorsOrigins = Annotated[
    str,
    typer.Option(
        envvar="TUNETRACK_CORS_ORIGINS",
        help="Sites whose pages may call the API: https://board.example.com. None by default.",
    ),
]
Drain = Annotated[
    float,
    typer.Option(
        envvar="TUNETRACK_DRAIN_S",
        min=0,
        max=60,
        help="Seconds to go on serving after SIGTERM while /readyz already says no, so that load balancers notice.",
    ),
]
LogLevel = Annotated[
    Level,
    typer.Option(envvar="TUNETRACK_LOG_LEVEL", help="The least level that is logged; info includes each request."),
]
LogFormat = Annotated[
    Format, typer.Option(envvar="TUNETRACK_LOG_FORMAT", help="Lines for people, or JSON for machines.")
]
RateLimit = Annotated[
    float | None,
    typer.Option(
        envvar="TUNETRACK_RATE_LIMIT",
        min=0,
        help="Requests per second and key; 0 means no limit. By default 500, and no limit on a loopback address.",
    ),
]
StreamLimit = Annotated[
    int | None,
    typer.Option(
        envvar="TUNETRACK_STREAM_LIMIT",
        min=0,
        help="Open event streams per key; 0 means no limit. By default 200, and no limit on a loopback address.",
    ),
]
RequestTimeout = Annotated[
    float,
    typer.Option(
        envvar="TUNETRACK_REQUEST_TIMEOUT_S",
        min=1,
        help="Seconds that a request may take to arrive; a large one gets a second more for each 1000 bytes.",
    ),
]
KeepAlive = Annotated[
    int,
    typer.Option(
        envvar="TUNETRACK_KEEP_ALIVE_S",
        min=1,
        help="Seconds that an idle connection is kept; more than a load balancer before it keeps one.",
    ),
]
LongestWait = Annotated[
    float,
    typer.Option(
        envvar="TUNETRACK_LONGEST_WAIT_S",
        min=0.01,
        help="Seconds that a write may wait for its turn; one that would wait longer is answered 503 at once.",
    ),
]


def serve(
    host: Host = HOST,
    port: Port = 8000,
    database: Database = DATABASE,
    allowed_hosts: AllowedHosts = "",
    cors_origins: CorsOrigins = "",
    trusted_proxies: TrustedProxies = "",
    drain_s: Drain = 0.0,
    log_level: LogLevel = Level.warning,
    log_format: LogFormat = Format.console,
    rate_limit: RateLimit = None,
    stream_limit: StreamLimit = None,
    request_timeout_s: RequestTimeout = 20.0,
    keep_alive_s: KeepAlive = 75,
    longest_wait_s: LongestWait = LONGEST_WAIT_S,
    webhook_allow: WebhookAllow = "",
) -> None:
    """Run the service: create or upgrade the database, listen, and print the address on one line."""
    from app.api import telemetry
    from app.api.gate import Rules
    from app.cli.database import bring_up_to_date, holding, shown, url_of
    from app.cli.server import Server, listen, settle
    from app.logs import configure
    from app.main import Application, Settings

    configure(log_level, log_format)
    if telemetry.is_wanted() and not telemetry.is_installed():
        warn(f"nothing is traced: {telemetry.NOT_INSTALLED}")
    url = url_of(database)
    is_private = is_loopback(host)
    most = rate_limit if rate_limit is not None else 0.0 if is_private else _REQUESTS_PER_S
    streams = stream_limit if stream_limit is not None else 0 if is_private else _STREAMS
    rules = Rules(split(allowed_hosts), split(cors_origins), most, streams)
    secret_keys, networks = _for_webhooks(webhook_allow)
    with holding(url):
        bring_up_to_date(url)
        if not is_private:
            _require_a_key(url, host)
        listener = listen(host, port)
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        application = Application(url, Settings(not is_private, rules, secret_keys, networks, longest_wait_s))
        greeting = f"tunetrack is listening on {address}, data in {shown(url)}"
        server = Server(application, greeting, trusted_proxies, drain_s, request_timeout_s, keep_alive_s)
        settle()
        server.run(sockets=[listener])
        if not server.started:
            fail("the service could not start; the lines above say why")
        if server.is_set_back:
            fail("the database was set back, to a backup or to a standby that lacked something: begin anew", status=1)


def secret_key() -> None:
    """Make a key for TUNETRACK_SECRET_KEY, which encrypts the secrets of webhooks."""
    from app.service.vault import new_key

    typer.echo(new_key())


def _require_a_key(url: "URL", host: str) -> None:
    """Whoever can be reached by others does not start before there is a key."""
    from app.cli.database import reading, shown
    from app.store import keys

    with reading(url) as connection:
        if not keys.is_any_good(connection):
            fail(
                f"others can reach {host}, and there is no key yet. Make one with: "
                f"tunetrack keys create --name me --scope admin --database {shown(url)}"
            )


def _for_webhooks(allowed: str) -> "tuple[list[str], list[Network]]":
    """The keys are not said on the command line, where everybody could read them, but in the environment."""
    from app.domain.addresses import parse_networks
    from app.service.vault import BadSecretKey, Vault

    secret_keys = split(os.environ.get("TUNETRACK_SECRET_KEY", ""))
    try:
        Vault(secret_keys)
        return secret_keys, parse_networks(allowed)
    except BadSecretKey as error:
        fail(f"TUNETRACK_SECRET_KEY: {error}")
    except ValueError as error:
        fail(f"--webhook-allow {allowed!r}: {error}")
