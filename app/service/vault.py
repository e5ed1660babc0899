"""Secrets as they are stored: encrypted, with a key that does not lie in the database."""

import errno
import os
import secrets
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import URL

from app.domain.errors import CorruptState, NoSecretKey, StorageFull, StoreBusy


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
            Unavailable: the file of the key cannot be written.
            CorruptState: the file of the key holds none.
        """
        return self._open_fernet(may_be_made=True).encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text that was sealed.

        Raises:
            NoSecretKey: there is no key.
            CorruptState: it was sealed with another one, or the file of the key holds none.
        """
        try:
            return self._open_fernet(may_be_made=False).decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise CorruptState(
                "A webhook's secret cannot be read with this TUNETRACK_SECRET_KEY: add the one that it was stored "
                "with, after a comma, or remove the webhook."
            ) from error

    def check(self) -> None:
        """Refuse a file that should hold the key, and does not; there need be none.

        Raises:
            CorruptState: it is damaged.
        """
        with suppress(NoSecretKey):
            self._open_fernet(may_be_made=False)

    def _open_fernet(self, *, may_be_made: bool) -> MultiFernet:
        if self._fernet is None:
            if self._file is None or not (may_be_made or self._file.exists()):
                raise NoSecretKey()
            self._fernet = MultiFernet([_read_or_make(self._file)])
        return self._fernet


def key_file(url: URL) -> Path | None:
    """Beside a SQLite file lies the key to what it holds encrypted; replicas need one that all of them are given."""
    is_file = url.get_backend_name() == "sqlite" and url.database is not None
    return Path(f"{url.database}-key") if is_file else None


def _read_or_make(file: Path) -> Fernet:
    if not file.exists():
        try:
            _make(file)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise StorageFull() from error
            raise StoreBusy(
                f"The key to webhooks' secrets cannot be stored in {file.name} beside the database ({error.strerror}): "
                "nothing was changed; try again later, or set TUNETRACK_SECRET_KEY."
            ) from error
    try:
        return Fernet(file.read_text(encoding="ascii").strip())
    except ValueError as error:
        raise CorruptState(
            f"The file {file.name} beside the database is empty or damaged, and should hold the key to the webhooks' "
            "secrets: put it back from a backup; if there is none, remove it, and give each webhook a new secret."
        ) from error


def _make(file: Path) -> None:
    """The file with a new key: whole, or not at all, and in the place of no other."""
    with NamedTemporaryFile("w", dir=file.parent, prefix=f"{file.name}-", encoding="ascii") as made:
        made.write(new_key() + "\n")
        made.flush()
        os.fsync(made.fileno())
        with suppress(FileExistsError):  # somebody was quicker
            os.link(made.name, file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # before a secret is sealed with it
    finally:
        os.close(folder)


def new_key() -> str:
    """A new key for a vault."""
    return Fernet.generate_key().decode()


def new_secret() -> str:
    """A new secret for signing, as Standard Webhooks write it."""
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()
