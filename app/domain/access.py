"""Who may do what: scopes, each of which includes those before it, and the keys that carry them.

    read     look at everything but webhooks, whose addresses may be secrets
    train    and suggest, report results, log runs
    tune     and make, edit, steer and delete tuners, edit and delete runs
    admin    and all the rest: webhooks

A key is `tunetrack_`, 256 random bits, and a checksum over both, so that scanners find leaked ones and a mistyped one
is told from an unknown one. What is stored is its SHA-256: nobody can make the key of that, and with so much chance
in it nobody can guess.
"""

import secrets
import zlib
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

_PREFIX = "tunetrack_"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH, _CHECKSUM_LENGTH = 43, 6  # 62^43 > 2^256, 62^6 > 2^32


class Scope(StrEnum):
    """What a key allows."""

    read = "read"
    train = "train"
    tune = "tune"
    admin = "admin"

    def allows(self, needed: "Scope") -> bool:
        """Whether it includes another one."""
        return _RANK[self] >= _RANK[needed]


_RANK = {scope: rank for rank, scope in enumerate(Scope)}


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody may do.

    Args:
        key_id: of the key that says so; None where the service is open to this machine.
    """

    scope: Scope
    name: str
    key_id: UUID | None = None


OPEN = Grant(Scope.admin, "this machine")
"""What everybody may who reaches a service that has no keys."""


def new_key() -> str:
    """A key that nobody has."""
    start = _PREFIX + _in_digits(secrets.randbits(256), _SECRET_LENGTH)
    return start + _checksum(start)


def is_well_formed(key: str) -> bool:
    """Whether this could be a key, as far as it shows."""
    start, checksum = key[:-_CHECKSUM_LENGTH], key[-_CHECKSUM_LENGTH:]
    return key.startswith(_PREFIX) and key.isascii() and checksum == _checksum(start)


def digest(key: str) -> bytes:
    """What is stored of a key."""
    return sha256(key.encode()).digest()


def hint(key: str) -> str:
    """What may be shown of a key, for people to tell it from others."""
    return f"{key[: len(_PREFIX) + 4]}…"


def _checksum(text: str) -> str:
    return _in_digits(zlib.crc32(text.encode()), _CHECKSUM_LENGTH)


def _in_digits(number: int, length: int) -> str:
    found = ""
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        found = _DIGITS[digit] + found
    return found
