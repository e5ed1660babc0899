"""The command `tunetrack`."""

import asyncio
import socket
import sys
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
import uvicorn
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from app.main import Application
from app.store.engines import BadDatabaseUrl, parse
from app.store.migrate import NewerSchema, migrate

cli = typer.Typer(
    name="tunetrack",
    help="Hyperparameter tuning and experiment tracking as one small HTTP service.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


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
    database: Annotated[
        str,
        typer.Option(
            envvar="TUNETRACK_DATABASE",
            help="Where the data lies: sqlite:///path/to/file.db or postgresql://user@host/name.",
        ),
    ] = "sqlite:///tunetrack.db",
) -> None:
    """Run the service: make or update the database, listen, and say where on one line."""
    url = _prepare(database)
    listener = _listen(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    application = Application(url)
    server = _Server(application, f"tunetrack is listening on {address}, data in {_shown(url)}")
    server.run(sockets=[listener])
    if not server.started:
        _fail("the service could not start; the lines above say why")


class _Server(uvicorn.Server):
    """Uvicorn that says when it listens, and ends the streams as soon as it is asked to go."""

    def __init__(self, application: Application, greeting: str) -> None:
        super().__init__(
            uvicorn.Config(
                application.asgi,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=10,
                loop="uvloop",
                http="httptools",
            )
        )
        self._application = application
        self._greeting = greeting

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            typer.echo(self._greeting)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Open streams would keep the server waiting for them.
        self._loop.call_soon_threadsafe(self._application.end_streams)
        super().handle_exit(sig, frame)


def _prepare(database: str) -> URL:
    """The database's URL, once its schema is up to date."""
    try:
        url = parse(database)
    except BadDatabaseUrl as error:
        _fail(f"--database {database!r}: {error}")
    try:
        if url.get_backend_name() == "sqlite" and url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        migrate(url)
    except NewerSchema as error:
        _fail(f"{error} ({_shown(url)})")
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        _fail(f"the database cannot be opened: {reason} ({_shown(url)})")
    return url


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048
        )
    except OSError as error:
        _fail(f"cannot listen on {host}:{port}: {error.strerror or error}. Choose another --port; 0 picks a free one.")


def _shown(url: URL) -> str:
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


def _fail(message: str) -> NoReturn:
    typer.echo(f"tunetrack: {message}", err=True)
    raise typer.Exit(2)


def main() -> None:
    """Entry point of the command."""
    sys.exit(cli())
