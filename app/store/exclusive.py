"""SQLite is for one process: a second one on the same file is refused."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from sqlalchemy import URL


class InUse(RuntimeError):
    """Another tunetrack process uses this database file; stop it first. Several replicas need PostgreSQL."""


class Exclusive:
    """Holds the database for this process, as long as the context lasts; the system lets go of it if the process dies.

    On PostgreSQL there is nothing to hold.

    A file that was put in place of another one, as a backup is, does not go on with what that one left: SQLite would
    write it into the new one, and ruin that.
    """

    def __init__(self, url: URL) -> None:
        self._database = url.database if url.get_backend_name() == "sqlite" else None
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        """Take hold.

        Raises:
            InUse: another process has it.
            OSError: the folder cannot be written.
        """
        if self._database is not None:
            Path(self._database).parent.mkdir(parents=True, exist_ok=True)
            file = open(f"{self._database}-lock", "a+", encoding="ascii")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip()
                file.close()
                raise InUse(f"{InUse.__doc__} (Its process id is {holder or 'not known'}.)") from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            self._file = file
            if has_alien_log(self._database):
                for left in ("-wal", "-shm"):
                    Path(f"{self._database}{left}").unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


_HEADER_BYTES = 100
_WRITES_WITHOUT_LOG = b"\x01\x01"
"""What a file's header says, at the bytes 18 and 19, that keeps no write-ahead log."""


def has_alien_log(database: str) -> bool:
    """Whether there is a write-ahead log beside a file that keeps none: it is that of another file.

    Our files keep one from when they are first opened; of a backup the header says that it does not.
    """
    try:
        if not Path(f"{database}-wal").exists():
            return False
        with open(database, "rb") as file:
            return file.read(_HEADER_BYTES)[18:20] == _WRITES_WITHOUT_LOG
    except FileNotFoundError:
        return False
