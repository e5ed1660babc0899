"""`tunetrack keys`: keys are made, listed and revoked where the database is, not over HTTP."""

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from app.cli.failing import fail
from app.cli.options import DATABASE, Database
from app.domain.access import Scope

if TYPE_CHECKING:
    from app.store.keys import Key

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

cli = typer.Typer(name="keys", help="Make, list and revoke API keys.", no_args_is_help=True)


@cli.command()
def create(
    name: Annotated[str, typer.Option(help="Who or what will use it: ci, gpu-7, ana.")],
    scope: Annotated[
        Scope,
        typer.Option(
            help="What it allows; each scope includes those before it: read; train (suggest, results, runs); tune "
            "(tuners); admin."
        ),
    ],
    expires: Annotated[
        str | None, typer.Option(help="How long it is valid: 12h, 90d, 4w. By default, for ever.")
    ] = None,
    if_none: Annotated[bool, typer.Option("--if-none", help="Do nothing if there is a valid key already.")] = False,
    database: Database = DATABASE,
) -> None:
    """Make a key and print it. It is not shown again."""
    from app.cli.database import make_database, writing
    from app.service.keys import make_key
    from app.store import keys

    if not name.strip():
        raise typer.BadParameter("a key needs a name that says who uses it", param_hint="--name")
    good_for = _length(expires)
    with writing(make_database(database)) as connection:
        if if_none and keys.is_any_good(connection):
            typer.echo("there is a key already; nothing was made", err=True)
            return
        _, key = make_key(connection, name.strip(), scope, good_for)
    typer.echo(key)


@cli.command("list")
def list_keys(database: Database = DATABASE) -> None:
    """List the keys by name, with scope and state. The keys themselves are not stored."""
    from app.cli.database import find_database, reading
    from app.store import clock, keys

    with reading(find_database(database)) as connection:
        found, now = keys.list_all(connection), clock.now(connection)
    for key in found:
        made = f"{key.create_time:%Y-%m-%d %H:%M}"
        typer.echo(f"{key.key_id}  {key.hint}  {key.scope:<5}  made {made}  {_state(key, now)}  {key.name}")
    if not found:
        typer.echo("there are no keys: tunetrack keys create --name me --scope admin", err=True)


@cli.command()
def revoke(
    key_id: Annotated[UUID, typer.Argument(help="As `tunetrack keys list` shows it.")],
    database: Database = DATABASE,
) -> None:
    """Revoke a key. It stops working within seconds, on all replicas."""
    from app.cli.database import find_database, writing
    from app.store import keys

    with writing(find_database(database)) as connection:
        was_good = keys.revoke(connection, key_id)
    if not was_good:
        fail(f"there is no valid key {key_id}; see `tunetrack keys list`")
    typer.echo(f"key {key_id} was revoked")


def _state(key: "Key", now: datetime) -> str:
    from app.service.keys import is_good

    if key.revoke_time is not None:
        return f"revoked {key.revoke_time:%Y-%m-%d}"
    if key.expire_time is None:
        return "good"
    return f"{'good until' if is_good(key, now) else 'expired'} {key.expire_time:%Y-%m-%d %H:%M}"


def _length(text: str | None) -> timedelta | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,5})([hdw])", text.strip())
    if found is None or int(found[1]) == 0:
        raise typer.BadParameter("a number of hours, days or weeks is expected: 12h, 90d, 4w")
    return int(found[1]) * _UNITS[found[2]]
