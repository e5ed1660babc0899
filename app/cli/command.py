"""The command as a whole."""

import os
import sys
from typing import Annotated

import typer

from app.cli import data, doctor, environment, keys, serve, watch
from app.cli.failing import warn

cli = typer.Typer(
    name="tunetrack",
    help="Hyperparameter tuning and experiment tracking as one small HTTP service.",
    epilog="An option with an env var can be set there, or in a file that the variable with _FILE added names.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        typer.echo(f"tunetrack {version('tunetrack')}")
        raise typer.Exit


@cli.callback()
def _tunetrack(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    known = environment.settings_of(context.command)  # type: ignore[arg-type]  # the group that this is the callback of
    environment.read_files(known)
    environment.forget_links()
    if context.invoked_subcommand != doctor.NAME:  # which tells of them itself
        for stranger in environment.find_strangers(os.environ, known):
            warn(stranger)
    context.obj = known


cli.command()(serve.serve)
cli.command(name=doctor.NAME)(doctor.doctor)
cli.add_typer(keys.cli)
cli.command()(serve.secret_key)
cli.command()(data.backup)
cli.command()(data.copy)
cli.command()(data.check)
cli.command(name="import")(data.import_runs)
cli.command()(watch.watch)


def main() -> None:
    """Entry point of the command."""
    sys.exit(cli())
