"""What is stored: copied, verified, brought in from elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.failing import fail
from app.cli.options import DATABASE, URL, Database, Url, an_api_key


def backup(
    file: Annotated[Path, typer.Argument(help="The new file; nothing is overwritten.")], database: Database = DATABASE
) -> None:
    """Copy a SQLite database, consistently, also while the service runs."""
    import sqlite3

    from app.cli.database import shown, url_of
    from app.store.backup import NotACopy, back_up

    url = url_of(database)
    try:
        back_up(url, file)
    except (NotACopy, OSError, sqlite3.Error) as error:
        fail(f"no copy was made: {error}")
    typer.echo(f"{shown(url)} was copied to {file.absolute()}")


def check(database: Database = DATABASE) -> None:
    """Verify that the stored data agree with themselves; also while the service runs."""
    from app.cli.database import find_database, reading, shown
    from app.service.invariants import find_violations

    url = find_database(database)
    with reading(url) as connection:
        found = list(find_violations(connection))
    for violation in found:
        typer.echo(violation)
    if found:
        fail(f"{len(found)} things are not as they must be in {shown(url)}", status=1)
    typer.echo(f"all is well in {shown(url)}")


def import_runs(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Files of our own export (CSV or NDJSON, runs and their epochs), or one SQLite file of MLflow, or the "
            "address of an MLflow tracking server."
        ),
    ],
    url: Url = URL,
    key: Annotated[
        str | None,
        typer.Option(envvar="TUNETRACK_KEY", help="An API key; others can read it here, so better set TUNETRACK_KEY."),
    ] = None,
) -> None:
    """Bring runs into a running service. Safe to repeat: what is there already is left as it is."""
    from rich.console import Console

    from app.importing import command as importing

    try:
        tally = importing.import_from(sources, url, an_api_key(key), Console(stderr=True))
    except importing.CannotImport as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted; the same command goes on where it ended", status=130)
    typer.echo(importing.told(tally))
    if tally.bad:
        raise typer.Exit(1)
