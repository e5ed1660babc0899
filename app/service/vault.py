"""Secrets as they are stored: encrypted, with a key that does not lie in the database."""

import os
import secrets
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import URL

from app.domain.errors import CorruptState, NoSecretKey


class BadSecretKey(ValueError):
    """A key is the base64 of 32 random bytes; `tunetrack secret-key` makes one."""


class Vault:
    """Seals texts and opens them again.

    Args:
        keys: as `new_key` makes them. The first seals; all of them open, so that keys can be changed.
        file: where a key lies if there are no keys; made when it is first needed. None: nowhere.
    """

    def __init__(self, keys: Sequence[str] = (), file: Path | None = None) -> None:
        self._file = file
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys]) if keys else None
        except ValueError as error:
            raise BadSecretKey(BadSecretKey.__doc__) from error

    @property
    def can_seal(self) -> bool:
        """Whether there is a key, or will be one."""
        return self._fernet is not None or self._file is not None

    def seal(self, text: str) -> str:
        """The text as it may be stored.

        Raises:
            NoSecretKey: there is no key, and nowhere to keep one.
        """
        return self._open_fernet(is_made=True).encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text that was sealed.

        Raises:
            NoSecretKey: there is no key.
            CorruptState: it was sealed with another one.
        """
        try:
            return self._open_fernet(is_made=False).decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise CorruptState("A stored secret cannot be read with this TUNETRACK_SECRET_KEY.") from error

    def _open_fernet(self, *, is_made: bool) -> MultiFernet:
        if self._fernet is None:
            if self._file is None or not (is_made or self._file.exists()):
                raise NoSecretKey()
            self._fernet = MultiFernet([Fernet(_read_or_make(self._file))])
        return self._fernet


def key_file(url: URL) -> Path | None:
    """Beside a SQLite file lies the key to what it holds encrypted; replicas need one that all of them are given."""
    is_file = url.get_backend_name() == "sqlite" and url.database is not None
    return Path(f"{url.database}-key") if is_file else None


def _read_or_make(file: Path) -> str:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text(encoding="ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        key = new_key()
        opened.write(key + "\n")
        opened.flush()
        os.fsync(opened.fileno())
    return key


def new_key() -> str:
    """A new key for a vault."""
    return Fernet.generate_key().decode()


def new_secret() -> str:
    """A new secret for signing, as Standard Webhooks write it."""
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()
