"""What is not well with the store and how it was set up, and what to do about it: for `tunetrack doctor` and `/readyz`.

Each finding is one line. Nothing is changed, and nothing is migrated.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice

from sqlalchemy import Connection

from app.domain.errors import CorruptState, NoSecretKey
from app.service.invariants import find_violations
from app.service.keys import is_good
from app.service.vault import Vault
from app.store import clock, keys, migrate, observers, sessions
from app.store.durability import doubts

_CLOCKS_APART = timedelta(seconds=5)
_KEYS_END_SOON = timedelta(days=7)
_MOST_SHOWN = 10
_PAGE = 500


class Grade(StrEnum):
    """How bad it is."""

    ok = "ok"
    warning = "warning"
    problem = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and, unless all is well, what to do."""

    subject: str
    grade: Grade
    text: str


def schema(connection: Connection, *, is_served: bool = False) -> Finding:
    """Whether the schema is the one that this release needs.

    Args:
        is_served: by this process, which began with the right one. If it is ahead since, other replicas are upgraded,
            and it was left such that this one can go on.
    """
    present, needed = migrate.current_revision(connection), migrate.head_revision()
    if present == needed:
        return Finding("schema", Grade.ok, f"{present}, as this release needs it")
    if present is None and (taken := migrate.names_taken(connection)):
        text = f"none of ours, and tables of another program have our names ({', '.join(taken)}): use another database"
        return Finding("schema", Grade.problem, text)
    if present is None:
        return Finding("schema", Grade.warning, "empty; `tunetrack serve` makes it")
    if migrate.is_known(present):
        text = f"{present}, and this release needs {needed}: make a backup, then `tunetrack serve` brings it up to date"
        return Finding("schema", Grade.warning, text)
    if is_served:
        return Finding("schema", Grade.ok, f"{present}, of the next release")
    text = f"{present}, of a newer release than this one: start that one, or restore a backup"
    return Finding("schema", Grade.problem, text)


def examine(connection: Connection, vault: Vault, *, is_thorough: bool) -> Iterator[Finding]:
    """All that there is to know of a store whose schema is right.

    Args:
        vault: with the keys of the settings.
        is_thorough: all that is stored is looked at, which takes long where much is.
    """
    now = clock.now(connection)
    yield from _of_clock(connection, now)
    for doubt in doubts(connection):
        yield Finding("durability", Grade.warning, f"{doubt}; switch it on")
    for lack in sessions.shortage(connection):
        yield Finding("database", Grade.problem, lack)
    yield from _of_keys(connection, now)
    yield _of_secrets(connection, vault)
    if is_thorough:
        yield from _of_data(connection)


def _of_clock(connection: Connection, now: datetime) -> Iterator[Finding]:
    apart = now - datetime.now(UTC)
    latest = clock.latest_noted(connection)
    if abs(apart) > _CLOCKS_APART:
        text = f"the database's is {apart.total_seconds():+.0f} s from this machine's: synchronise both (NTP)"
        yield Finding("clock", Grade.warning, text)
    if latest is not None and latest > now + _CLOCKS_APART:
        text = (
            f"the database's went backwards: it says {now:%Y-%m-%d %H:%M:%S}, and things were stored at "
            f"{latest:%Y-%m-%d %H:%M:%S}; set it right (UTC), or leases run out late"
        )
        yield Finding("clock", Grade.problem, text)
    elif abs(apart) <= _CLOCKS_APART:
        yield Finding("clock", Grade.ok, "the database and this machine agree")


def _of_keys(connection: Connection, now: datetime) -> Iterator[Finding]:
    good = [key for key in keys.list_all(connection) if is_good(key, now)]
    ends = [key.expire_time for key in good if key.expire_time is not None]
    if not good:
        yield Finding("keys", Grade.ok, "there are none: whoever reaches the service may do everything")
    elif len(ends) == len(good) and max(ends) < now + _KEYS_END_SOON:
        text = f"the last one ends at {max(ends):%Y-%m-%d %H:%M}: `tunetrack keys create --name me --scope admin`"
        yield Finding("keys", Grade.warning, text)
    else:
        yield Finding("keys", Grade.ok, f"{len(good)} are good")


def _of_secrets(connection: Connection, vault: Vault) -> Finding:
    n_sealed = 0
    after: observers.Key | None = None
    try:
        vault.check()
        while page := observers.list_page(connection, after, _PAGE):
            for observer in page:
                vault.open(observer.sealed_secrets)
                n_sealed += 1
            after = (page[-1].create_time, page[-1].observer_id)
    except NoSecretKey:
        text = "webhooks have secrets, and TUNETRACK_SECRET_KEY is not set: give it the key that they were stored with"
        return Finding("secrets", Grade.problem, text)
    except CorruptState as error:
        return Finding("secrets", Grade.problem, error.detail)
    if not n_sealed and not vault.can_seal:
        text = "there are no webhooks, and they would need TUNETRACK_SECRET_KEY: `tunetrack secret-key`"
        return Finding("secrets", Grade.ok, text)
    return Finding("secrets", Grade.ok, f"those of {n_sealed} webhooks can be read")


def _of_data(connection: Connection) -> Iterator[Finding]:
    found = find_violations(connection)
    shown = list(islice(found, _MOST_SHOWN))
    if not shown:
        yield Finding("data", Grade.ok, "all that is stored agrees with itself")
    for violation in shown:
        yield Finding("data", Grade.problem, f"{violation}: restore a backup, and tell us how it came to be")
    n_more = sum(1 for _ in found)
    if n_more:
        yield Finding("data", Grade.problem, f"and {n_more} more of that kind: `tunetrack check` has them all")
