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
    """

    def __init__(self, url: URL) -> None:
        self._path = None if url.database is None or url.get_backend_name() != "sqlite" else f"{url.database}-lock"
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        """Take hold.

        Raises:
            InUse: another process has it.
            OSError: the folder cannot be written.
        """
        if self._path is not None:
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            file = open(self._path, "a+", encoding="ascii")
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
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
