"""`tunetrack doctor`: what is not well, and what to do about it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.environment import find_strangers
from app.cli.options import DATABASE, HOST, Database, Host, TrustedProxies, WebhookAllow, is_loopback, split

if TYPE_CHECKING:
    from sqlalchemy import URL

    from app.service.diagnose import Finding
    from app.service.vault import Vault

NAME = "doctor"

_FULL_BYTES, _NEARLY_FULL_BYTES = 64 * 2**20, 2**30
_NETWORK = frozenset({"9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "lustre", "nfs", "nfs4", "smb3"})


def doctor(
    context: typer.Context,
    database: Database = DATABASE,
    host: Host = HOST,
    trusted_proxies: TrustedProxies = "",
    webhook_allow: WebhookAllow = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="Skip the check of all stored data (`tunetrack check`).")
    ] = False,
) -> None:
    """Check settings, database, clock, disk, keys and data, and say what to do about each, even while the service runs.

    Takes the settings of `tunetrack serve`, and changes nothing. Exit status 1: there is a problem.
    """
    from app.service.diagnose import Grade

    counts = dict.fromkeys(Grade, 0)
    for finding in _look(context.obj, database, host, trusted_proxies, webhook_allow, is_thorough=not quick):
        counts[finding.grade] += 1
        typer.echo(f"{finding.grade:<8} {finding.subject:<10} {finding.text}")
    typer.echo(f"{counts[Grade.problem]} problems, {counts[Grade.warning]} warnings")
    if counts[Grade.problem]:
        raise typer.Exit(1)


def _look(
    known: frozenset[str], database: str, host: str, trusted_proxies: str, webhook_allow: str, *, is_thorough: bool
) -> "Iterator[Finding]":
    from app.service.diagnose import Finding, Grade
    from app.service.vault import Vault, key_file
    from app.store.engines import BadDatabaseUrl, parse

    yield from _of_settings(known, host, trusted_proxies, webhook_allow)
    try:
        url = parse(database)
        vault = Vault(split(os.environ.get("TUNETRACK_SECRET_KEY", "")), key_file(url))
    except BadDatabaseUrl as error:
        yield Finding("database", Grade.problem, f"--database {database!r}: {error}")
    except ValueError as error:
        yield Finding("secrets", Grade.problem, f"TUNETRACK_SECRET_KEY: {error}")
    else:
        yield from _of_file(url)
        yield from _of_store(url, vault, host, is_thorough=is_thorough)


def _of_settings(known: frozenset[str], host: str, trusted_proxies: str, webhook_allow: str) -> "Iterator[Finding]":
    from app.api import telemetry
    from app.domain.addresses import parse_networks
    from app.service.diagnose import Finding, Grade

    found = [Finding("settings", Grade.warning, stranger) for stranger in find_strangers(os.environ, known)]
    try:
        parse_networks(webhook_allow)
    except ValueError as error:
        found.append(Finding("settings", Grade.problem, f"--webhook-allow {webhook_allow!r}: {error}"))
    if "*" in split(trusted_proxies) and not is_loopback(host):
        text = "--trusted-proxies *: whoever reaches the service can pretend to be another; name the proxies, unless "
        found.append(Finding("settings", Grade.warning, text + "only they reach it"))
    if telemetry.is_wanted() and not telemetry.is_installed():
        found.append(Finding("telemetry", Grade.problem, telemetry.NOT_INSTALLED))
    yield from found or [Finding("settings", Grade.ok, "every variable is known and makes sense")]


def _of_file(url: "URL") -> "Iterator[Finding]":
    """What SQLite stands on."""
    import shutil

    from app.service.diagnose import Finding, Grade
    from app.service.vault import key_file

    if url.get_backend_name() != "sqlite" or url.database is None:
        return
    folder = next(parent for parent in Path(url.database).parents if parent.exists())
    kind = file_system(folder)
    if kind in _NETWORK:
        text = f"{folder} is on {kind}, where SQLite's locks do not hold: use a local disk, or PostgreSQL"
        yield Finding("disk", Grade.problem, text)
    free = shutil.disk_usage(folder).free
    room = f"{free / 2**30:.1f} GiB are free at {folder}"
    if free < _FULL_BYTES:
        yield Finding("disk", Grade.problem, f"{room}: make room, or before long nothing can be written")
    elif free < _NEARLY_FULL_BYTES:
        yield Finding("disk", Grade.warning, f"{room}: make room")
    else:
        yield Finding("disk", Grade.ok, room)
    secret = key_file(url)
    if secret is not None and secret.exists() and secret.stat().st_mode & 0o077:
        yield Finding("secrets", Grade.warning, f"others can read {secret}: chmod 600")


def file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The kind of file system that a path is on, as the kernel calls it; empty where that is not known."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return ""
    kinds = {Path(words[1].replace("\\040", " ")): words[2] for words in map(str.split, lines)}
    return next((kinds[place] for place in (path, *path.parents) if place in kinds), "")


def _of_store(url: "URL", vault: "Vault", host: str, *, is_thorough: bool) -> "Iterator[Finding]":
    import psycopg
    from sqlalchemy.exc import SQLAlchemyError

    from app.cli.database import reason_of, shown
    from app.service import diagnose
    from app.service.diagnose import Finding, Grade
    from app.store import keys, sessions
    from app.store.engines import open_readers

    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        yield Finding("database", Grade.warning, f"there is none at {url.database}; `tunetrack serve` makes it")
        if not is_loopback(host):
            yield _no_key(host)
        return
    engine = open_readers(url, pool_size=1)
    try:
        if url.get_backend_name() == "postgresql":
            sessions.require_own(url)
        with engine.begin() as connection:
            yield Finding("database", Grade.ok, shown(url))
            schema = diagnose.schema(connection)
            yield schema
            if schema.grade is not Grade.ok:
                return
            if not is_loopback(host) and not keys.is_any_good(connection):
                yield _no_key(host)
            if url.get_backend_name() == "sqlite" and keys.is_any(connection) and _is_for_all(Path(url.database or "")):
                text = f"others can read {url.database} without one: chmod 600, also what is beside it"
                yield Finding("keys", Grade.warning, text)
            yield from diagnose.examine(connection, vault, is_thorough=is_thorough)
    except sessions.NoSession as error:
        yield Finding("database", Grade.problem, f"{error} ({shown(url)})")
    except (SQLAlchemyError, psycopg.Error, OSError) as error:
        reason = reason_of(error)
        is_full = "too many" in reason or "connection slots" in reason
        remedy = (
            "replicas have them all, and a command takes two" if is_full else "is it there, and is the password right?"
        )
        yield Finding("database", Grade.problem, f"cannot be read: {reason} ({shown(url)}); {remedy}")
    finally:
        engine.dispose()


def _is_for_all(file: Path) -> bool:
    return bool(file.stat().st_mode & 0o004)


def _no_key(host: str) -> "Finding":
    from app.service.diagnose import Finding, Grade

    text = f"others can reach {host}, and without one nothing starts: `tunetrack keys create --name me --scope admin`"
    return Finding("keys", Grade.problem, text)
