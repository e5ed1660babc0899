"""What is stored: copied, verified, brought in from elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.failing import fail
from app.cli.options import DATABASE, URL, Database, Url, a_certificate, an_api_key


def backup(
    file: Annotated[Path, typer.Argument(help="The file to create; it must not exist yet.")],
    database: Database = DATABASE,
) -> None:
    """Make a consistent copy of a SQLite database, even while the service runs."""
    import sqlite3

    from app.cli.database import shown, url_of
    from app.store.backup import NotACopy, back_up

    url = url_of(database)
    try:
        back_up(url, file)
    except (NotACopy, OSError, sqlite3.Error) as error:
        fail(f"no copy was made: {error}")
    typer.echo(f"{shown(url)} was copied to {file.absolute()}")


def copy(
    target: Annotated[
        str,
        typer.Argument(
            envvar="TUNETRACK_COPY_TO",
            help="The database to fill: sqlite:///path/to/file.db or postgresql://user@host/name. It must be empty.",
        ),
    ],
    database: Database = DATABASE,
) -> None:
    """Copy all that is stored into an empty database, as from SQLite to PostgreSQL. Stop the service before."""
    from sqlalchemy.exc import SQLAlchemyError

    from app.cli.database import bring_up_to_date, find_database, holding, reading, reason_of, shown, url_of, writing
    from app.store.copy import copy_all, is_empty

    source, goal = find_database(database), url_of(target)
    with holding(source), holding(goal):
        with reading(goal) as there:
            if not is_empty(there):
                fail(f"nothing was copied: {shown(goal)} holds data already, and nothing is overwritten")
        bring_up_to_date(goal)
        with reading(source) as old, writing(goal) as new:
            try:
                n_rows = copy_all(old, new)
            except (SQLAlchemyError, OSError) as error:
                fail(f"nothing was copied: {reason_of(error)}")
    typer.echo(f"{shown(source)} was copied to {shown(goal)}: {n_rows} rows")


def check(database: Database = DATABASE) -> None:
    """Verify that the stored data are consistent, even while the service runs."""
    from app.cli.database import find_database, reading, shown
    from app.service.invariants import find_violations

    url = find_database(database)
    with reading(url) as connection:
        found = list(find_violations(connection))
    for violation in found:
        typer.echo(violation)
    if found:
        fail(f"{len(found)} things are wrong in {shown(url)}", status=1)
    typer.echo(f"all is well in {shown(url)}")


def import_runs(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Files that tunetrack exported (CSV or NDJSON, runs and their epochs), or one SQLite file of MLflow, "
            "or the address of an MLflow tracking server."
        ),
    ],
    url: Url = URL,
    key: Annotated[
        str | None,
        typer.Option(envvar="TUNETRACK_KEY", help="An API key. Others can read it here, so rather set TUNETRACK_KEY."),
    ] = None,
) -> None:
    """Import runs into a running service. Safe to repeat: runs that are there already are left as they are."""
    from rich.console import Console

    from app.importing import command as importing

    try:
        tally = importing.import_from(sources, url, an_api_key(key), Console(stderr=True), a_certificate())
    except importing.CannotImport as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted; the same command goes on where this one stopped", status=130)
    typer.echo(importing.told(tally))
    if tally.bad:
        raise typer.Exit(1)
