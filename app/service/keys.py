"""Keys are made, listed, revoked; and whoever comes with one is let in."""

import hmac
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from app.domain.access import OPEN, Grant, Scope, digest, hint, is_well_formed, new_key
from app.domain.errors import Unauthorized
from app.store import clock, keys
from app.store.database import Database
from app.store.keys import Key

_TRUSTED_S = 3.0
"""For how long what was read of a key is taken for true: so long may a key live on after it was revoked."""
_MOST_REMEMBERED = 10_000


def make_key(connection: Connection, name: str, scope: Scope, good_for: timedelta | None) -> tuple[Key, str]:
    """A new key, and the key itself, which is never seen again."""
    now, key = clock.now(connection), new_key()
    expire_time = None if good_for is None else now + good_for
    row = Key(uuid7(), name, scope, hint(key), digest(key), now, expire_time, None)
    keys.add(connection, row)
    return row, key


@dataclass(frozen=True, slots=True)
class _Known:
    grant: Grant | None
    until: float


class KeyRing:
    """Lets in who has a key; while none was ever made, and none is required, everybody.

    The last one that expires or is revoked opens nothing: who made keys wants to have them asked for.

    Args:
        is_required: nobody comes in without a key, though there were none yet.
    """

    def __init__(self, database: Database, *, is_required: bool) -> None:
        self._database = database
        self._is_required = is_required
        self._known: dict[bytes, _Known] = {}
        self._is_open: bool | None = None
        self._is_open_until = 0.0

    async def admit(self, key: str | None) -> Grant:
        """What somebody may do who comes with this key, or without any.

        Raises:
            Unauthorized: nothing.
            Unavailable: the store, which knows the keys, is away.
        """
        if key is None:
            if await self._is_open_to_all():
                return OPEN
            raise Unauthorized()
        if not is_well_formed(key):
            raise Unauthorized(
                "This is not a tunetrack key: a character is missing or wrong. Send it as it was printed."
            )
        grant = await self._find(digest(key))
        if grant is None:
            raise Unauthorized("This key is not known here, has expired, or was revoked. Ask for a new one.")
        return grant

    async def _is_open_to_all(self) -> bool:
        if self._is_required:
            return False
        now = time.monotonic()
        if self._is_open is None or now >= self._is_open_until:
            self._is_open_until = now + _TRUSTED_S  # one asks; the others go by what was true until now
            self._is_open = not await self._database.read(keys.is_any)
        return self._is_open

    async def _find(self, wanted: bytes) -> Grant | None:
        known = self._known.get(wanted)
        now = time.monotonic()
        if known is None or known.until < now:
            if known is not None:
                # One asks; the others, of whom many may have this key, go by what was true until now.
                self._known[wanted] = replace(known, until=now + _TRUSTED_S)
            found = await self._database.read(keys.find_good, wanted)
            # An index is not promised to compare in constant time.
            is_it = found is not None and hmac.compare_digest(found.digest, wanted)
            grant = Grant(found.scope, found.name, found.key_id) if found is not None and is_it else None
            known = self._known[wanted] = _Known(grant, now + _TRUSTED_S)
            if len(self._known) > _MOST_REMEMBERED:
                self._known.pop(next(iter(self._known)))
        return known.grant


def is_good(key: Key, now: datetime) -> bool:
    """Whether a key is good for something at a time."""
    return key.revoke_time is None and (key.expire_time is None or key.expire_time > now)
