"""`tunetrack watch`: what happens, in the terminal."""

import os
from typing import Annotated

import typer

from app.cli.failing import fail
from app.cli.options import URL, Url, a_certificate, an_api_key


def watch(
    run: Annotated[str | None, typer.Option(help="A run, from its beginning to its end.")] = None,
    tuner: Annotated[str | None, typer.Option(help="A tuner, from its beginning to its end.")] = None,
    url: Url = URL,
    after: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Begin after the event of this number; 0 is the first. By default now, or where run or tuner began.",
        ),
    ] = None,
) -> None:
    """Follow what happens in the terminal: one line per run, with its curve. Reconnects by itself.

    If the service requires a key, set TUNETRACK_KEY.
    """
    from rich.console import Console

    from app.watch import terminal

    try:
        key = an_api_key(os.environ.get("TUNETRACK_KEY"))  # on the command line everybody could read it
        terminal.watch(
            url.rstrip("/"), run_id=run, tuner_id=tuner, after=after, key=key, verify=a_certificate(), console=Console()
        )
    except terminal.CannotWatch as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
