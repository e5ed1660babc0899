"""The command `tunetrack`."""

import asyncio
import gc
import os
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
import uvicorn
from rich.console import Console
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError
from typer.models import OptionInfo

from app.api.gate import Rules
from app.cli_keys import keys_cli, writing
from app.domain.addresses import Network, parse_networks
from app.importing import command as importing
from app.logs import Format, Level, configure
from app.main import Application, Settings
from app.service.invariants import find_violations
from app.service.vault import BadSecretKey, Vault, new_key
from app.store import clock, keys
from app.store.backup import NotACopy, back_up
from app.store.engines import BadDatabaseUrl, open_readers, parse
from app.store.exclusive import Exclusive, InUse
from app.store.migrate import NewerSchema, migrate
from app.watch import terminal

cli = typer.Typer(
    name="tunetrack",
    help="Hyperparameter tuning and experiment tracking as one small HTTP service.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


_DEFAULT = "sqlite:///tunetrack.db"
_REQUESTS_PER_S = 500.0
_DATABASE_OPTION: OptionInfo = typer.Option(
    envvar="TUNETRACK_DATABASE",
    help="Where the data lies: sqlite:///path/to/file.db or postgresql://user@host/name.",
)
_Database = Annotated[str, _DATABASE_OPTION]


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"tunetrack {version('tunetrack')}")
        raise typer.Exit


@cli.callback()
def _tunetrack(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@cli.command()
def serve(
    host: Annotated[
        str, typer.Option(envvar="TUNETRACK_HOST", help="The address to listen on; 127.0.0.1 is this machine only.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="TUNETRACK_PORT", min=0, max=65535, help="The port to listen on; 0 picks a free one.")
    ] = 8000,
    database: _Database = _DEFAULT,
    allowed_hosts: Annotated[
        str,
        typer.Option(
            envvar="TUNETRACK_ALLOWED_HOSTS",
            help="Names that the service goes by, with commas between: tune.example.com,*.example.org. Addresses and "
            "localhost need not be named.",
        ),
    ] = "",
    cors_origins: Annotated[
        str,
        typer.Option(
            envvar="TUNETRACK_CORS_ORIGINS",
            help="Sites whose pages may use the service: https://board.example.com. None by default.",
        ),
    ] = "",
    trusted_proxies: Annotated[
        str,
        typer.Option(
            envvar="TUNETRACK_TRUSTED_PROXIES",
            help="Addresses of proxies that tell whom they ask for (X-Forwarded-For): 10.0.0.7,10.1.0.0/16; * is any.",
        ),
    ] = "",
    drain_s: Annotated[
        float,
        typer.Option(
            envvar="TUNETRACK_DRAIN_S",
            min=0,
            max=60,
            help="How long to go on serving after SIGTERM, while /readyz says no: for balancers that look there.",
        ),
    ] = 0.0,
    log_level: Annotated[
        Level, typer.Option(envvar="TUNETRACK_LOG_LEVEL", help="What is logged; info has each request.")
    ] = Level.warning,
    log_format: Annotated[
        Format, typer.Option(envvar="TUNETRACK_LOG_FORMAT", help="Lines for people, or JSON for machines.")
    ] = Format.console,
    rate_limit: Annotated[
        float | None,
        typer.Option(
            envvar="TUNETRACK_RATE_LIMIT",
            min=0,
            help="Requests a second of each key; 0 is without limit. By default 500, and none on a loopback address.",
        ),
    ] = None,
    webhook_allow: Annotated[
        str,
        typer.Option(
            envvar="TUNETRACK_WEBHOOK_ALLOW",
            help="Networks that webhooks may call though they are not public: 10.0.0.0/8,fd00::/8.",
        ),
    ] = "",
) -> None:
    """Run the service: make or update the database, listen, and say where on one line."""
    configure(log_level, log_format)
    url = _parse(database)
    is_loopback = host == "localhost" or _is_loopback(host)
    most = rate_limit if rate_limit is not None else 0.0 if is_loopback else _REQUESTS_PER_S
    rules = Rules(_split(allowed_hosts), _split(cors_origins), most)
    secret_keys, networks = _for_webhooks(webhook_allow)
    with _holding(url):
        _migrate(url)
        if not is_loopback:
            _require_a_key(url, host)
        listener = _listen(host, port)
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        application = Application(url, Settings(not is_loopback, rules, secret_keys, networks))
        greeting = f"tunetrack is listening on {address}, data in {_shown(url)}"
        server = _Server(application, greeting, trusted_proxies, drain_s)
        _settle()
        server.run(sockets=[listener])
        if not server.started:
            _fail("the service could not start; the lines above say why")


@cli.command(name="import")
def import_runs(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Files of our own export (CSV or NDJSON, runs and their epochs), or one SQLite file of MLflow, or the "
            "address of an MLflow tracking server."
        ),
    ],
    url: Annotated[str, typer.Option(envvar="TUNETRACK_URL", help="Where the service is.")] = "http://127.0.0.1:8000",
    key: Annotated[
        str | None,
        typer.Option(envvar="TUNETRACK_KEY", help="An API key; others can read it here, so better set TUNETRACK_KEY."),
    ] = None,
) -> None:
    """Bring runs into a running service. Safe to repeat: what is there already is left as it is."""
    try:
        tally = importing.import_from(sources, url, key, Console(stderr=True))
    except importing.CannotImport as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("interrupted; the same command goes on where it ended", status=130)
    typer.echo(importing.told(tally))
    if tally.bad:
        raise typer.Exit(1)


@cli.command()
def watch(
    run: Annotated[str | None, typer.Option(help="A run, from its beginning to its end.")] = None,
    tuner: Annotated[str | None, typer.Option(help="A tuner, from its beginning to its end.")] = None,
    url: Annotated[str, typer.Option(envvar="TUNETRACK_URL", help="Where the service is.")] = "http://127.0.0.1:8000",
    after: Annotated[
        int | None, typer.Option(min=0, help="Begin after this event; 0 is the first. Without --run and --tuner: now.")
    ] = None,
) -> None:
    """Follow what happens in the terminal: a line a run, with its curve. Comes back by itself after an interruption."""
    try:
        key = os.environ.get("TUNETRACK_KEY")  # on the command line everybody could read it
        terminal.watch(url.rstrip("/"), run_id=run, tuner_id=tuner, after=after, key=key, console=Console())
    except terminal.CannotWatch as error:
        _fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@cli.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The new file; nothing is overwritten.")], database: _Database = _DEFAULT
) -> None:
    """Copy a SQLite database, consistently, also while the service runs."""
    url = _parse(database)
    try:
        back_up(url, file)
    except (NotACopy, OSError, sqlite3.Error) as error:
        _fail(f"no copy was made: {error}")
    typer.echo(f"{_shown(url)} was copied to {file.absolute()}")


@cli.command()
def check(database: _Database = _DEFAULT) -> None:
    """Verify that the stored data agree with themselves; also while the service runs."""
    url = _parse(database)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        _fail(f"there is no database at {url.database}")
    engine = open_readers(url, pool_size=1)
    try:
        with engine.begin() as connection:
            found = list(find_violations(connection))
    except SQLAlchemyError as error:
        _fail_to_open(url, error)
    finally:
        engine.dispose()
    for violation in found:
        typer.echo(violation)
    if found:
        _fail(f"{len(found)} things are not as they must be in {_shown(url)}", status=1)
    typer.echo(f"all is well in {_shown(url)}")


def _split(listed: str) -> list[str]:
    return [one.strip() for one in listed.split(",") if one.strip()]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _require_a_key(url: URL, host: str) -> None:
    """Whoever can be reached by others does not start before there is a key."""
    with writing(url) as connection:
        if not keys.is_any_good(connection, clock.now(connection)):
            _fail(
                f"others can reach {host}, and there is no key yet. Make one with: "
                f"tunetrack keys create --name me --scope admin --database {_shown(url)}"
            )


def _open(database: str) -> URL:
    """The database that a command works on, at the schema of this release."""
    url = _parse(database)
    try:
        _migrate(url)
    except OSError as error:
        _fail_to_open(url, error)
    return url


cli.add_typer(keys_cli(_DATABASE_OPTION, _DEFAULT, _open))


@cli.command()
def secret_key() -> None:
    """Make a key for TUNETRACK_SECRET_KEY, which encrypts the secrets of webhooks."""
    typer.echo(new_key())


def _settle() -> None:
    """Make this process one that runs for long: what is loaded stays, and threads take turns quickly."""
    gc.collect()
    gc.freeze()  # never looked at again: by default each tenth collection walks through all that was imported
    gc.set_threshold(100_000, 50, 100)
    # The writer waits for its turn after each statement; by default that is up to 5 ms each time.
    sys.setswitchinterval(0.001)


class _Server(uvicorn.Server):
    """Uvicorn that says when it listens. Asked to go, it is first no longer ready, then ends the streams, then goes.

    Who asks twice does not want to wait.
    """

    def __init__(self, application: Application, greeting: str, trusted_proxies: str, drain_s: float) -> None:
        super().__init__(
            uvicorn.Config(
                application.asgi,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=trusted_proxies,
                timeout_graceful_shutdown=10,
                loop="uvloop",
                http="httptools",
            )
        )
        self._application = application
        self._greeting = greeting
        self._drain_s = drain_s
        self._is_leaving = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            typer.echo(self._greeting)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        is_first, self._is_leaving = not self._is_leaving, True
        self._application.leave()
        drain_s = self._drain_s if is_first else 0.0
        self._loop.call_soon_threadsafe(self._loop.call_later, drain_s, self._go, sig, frame)

    def _go(self, sig: int, frame: FrameType | None) -> None:
        # Open streams would keep the server waiting for them.
        self._application.end_streams()
        super().handle_exit(sig, frame)


def _for_webhooks(allowed: str) -> tuple[list[str], list[Network]]:
    """The keys are not said on the command line, where everybody could read them, but in the environment."""
    keys = _split(os.environ.get("TUNETRACK_SECRET_KEY", ""))
    try:
        Vault(keys)
        return keys, parse_networks(allowed)
    except BadSecretKey as error:
        _fail(f"TUNETRACK_SECRET_KEY: {error}")
    except ValueError as error:
        _fail(f"--webhook-allow {allowed!r}: {error}")


def _parse(database: str) -> URL:
    try:
        return parse(database)
    except BadDatabaseUrl as error:
        _fail(f"--database {database!r}: {error}")


@contextmanager
def _holding(url: URL) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(Exclusive(url))
        except InUse as error:
            _fail(f"{error} ({_shown(url)})")
        except OSError as error:
            _fail(f"the database cannot be opened: {error.strerror} ({_shown(url)})")
        yield


def _migrate(url: URL) -> None:
    """Bring the schema up to date, and warn of settings that lose data."""
    try:
        for doubt in migrate(url):
            typer.echo(f"tunetrack: warning: {doubt}", err=True)
    except NewerSchema as error:
        _fail(f"{error} ({_shown(url)})")
    except (SQLAlchemyError, OSError) as error:
        _fail_to_open(url, error)


def _listen(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048
        )
    except OSError as error:
        _fail(f"cannot listen on {host}:{port}: {error.strerror or error}. Choose another --port; 0 picks a free one.")
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # A client that takes nothing for so long is cut off by the system, with all that waits for it.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)
    return listener


def _shown(url: URL) -> str:
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


def _fail_to_open(url: URL, error: Exception) -> NoReturn:
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    _fail(f"the database cannot be opened: {reason} ({_shown(url)})")


def _fail(message: str, status: int = 2) -> NoReturn:
    typer.echo(f"tunetrack: {message}", err=True)
    raise typer.Exit(status)


_FILE = "_FILE"


def _read_settings_from_files() -> None:
    """TUNETRACK_X_FILE names a file that holds TUNETRACK_X: how secrets come into containers."""
    for name, path in list(os.environ.items()):
        if name.startswith("TUNETRACK_") and name.endswith(_FILE) and name.removesuffix(_FILE) not in os.environ:
            try:
                os.environ[name.removesuffix(_FILE)] = Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                sys.exit(f"tunetrack: {name}: {path} cannot be read: {error.strerror}")


def main() -> None:
    """Entry point of the command."""
    _read_settings_from_files()
    sys.exit(cli())
