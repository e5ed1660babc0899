"""SQLite goes on with the file that it has open, also where that is not the one in its place any more."""

import os


class Misplaced(OSError):
    """The database's file was removed or replaced while it was in use: what is written now would be lost."""


class Place:
    """Where the file of an engine lies, and which one it is.

    Args:
        database: its path. Where there is none yet, it is the one that is found first.
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self._first = self._look()

    def require_file(self) -> None:
        """It is the one that was found first.

        Raises:
            Misplaced: it is another one, or none.
        """
        found = self._look()
        if self._first is None:
            self._first = found
        elif found != self._first:
            raise Misplaced(Misplaced.__doc__)

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._database)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino
