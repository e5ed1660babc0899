"""How a command ends that cannot do what it was asked: one line, and an exit status."""

from typing import NoReturn

import typer


def fail(message: str, status: int = 2) -> NoReturn:
    """End with one line on the standard error."""
    typer.echo(f"tunetrack: {message}", err=True)
    raise typer.Exit(status)


def warn(message: str) -> None:
    """One line on the standard error, and on it goes."""
    typer.echo(f"tunetrack: warning: {message}", err=True)
