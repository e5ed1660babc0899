"""A consistent copy of a SQLite database, also while a service writes to it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from stat import S_IMODE

from sqlalchemy import URL


class NotACopy(RuntimeError):
    """There is no copy to be made like this."""


def back_up(url: URL, target: Path) -> None:
    """Copy the database into a new file, for those who may read the database.

    Raises:
        NotACopy: it is no SQLite file, or it does not exist, or the target does; the message says what to do.
        sqlite3.Error, OSError: the copy failed, and there is none.
    """
    if url.get_backend_name() != "sqlite" or url.database is None:
        raise NotACopy("this copies SQLite files; for PostgreSQL use pg_dump, or the backups of your provider")
    if not Path(url.database).exists():
        raise NotACopy(f"there is no database at {url.database}")
    if not target.parent.is_dir():
        raise NotACopy(f"there is no folder {target.parent}")
    if target.exists():
        raise NotACopy(f"{target} exists already; nothing is overwritten, so choose another name")
    partial = target.with_name(f"{target.name}-partial")
    try:
        os.close(os.open(partial, os.O_CREAT, 0o600 | S_IMODE(Path(url.database).stat().st_mode)))
        with (
            closing(sqlite3.connect(f"{Path(url.database).absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(partial)) as copy,
        ):
            source.backup(copy)  # in one step: between two of them a write would make it begin anew, without end
            # A file of its own: put in place of another one, it does not take what that left for its own (`exclusive`).
            copy.execute("PRAGMA journal_mode = delete")
        partial.rename(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
