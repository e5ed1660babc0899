"""The schema is brought up to date at start, from empty or from any older release."""

import importlib.resources
import logging
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, inspect, text

from app.store import sessions
from app.store.durability import doubts
from app.store.engines import open_writer
from app.store.tables import metadata

log = logging.getLogger(__name__)

_MIGRATION_LOCK = 7_236_741_002


class NewerSchema(RuntimeError):
    """The database was made by a newer release of tunetrack; start that one, or restore a backup."""


def scripts() -> Path:
    """Where the migrations lie: inside the installed package, or beside it in a checkout."""
    package = Path(str(importlib.resources.files("app")))
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def configuration(connection: Connection) -> Config:
    """Alembic's configuration, bound to a connection."""
    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(url: URL) -> list[str]:
    """Bring the schema up to date. Of several replicas that start at once, one does it and the others wait.

    Returns:
        What an operator should know of the database, see `durability.doubts` and `sessions.shortage`.

    Raises:
        NewerSchema: the database is ahead of this code; nothing was written.
        NoSession: it cannot be worked with through this pooler; nothing was written.
    """
    if url.get_backend_name() == "postgresql":
        sessions.require_own(url)
    engine = open_writer(url)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                # A migration of much data takes as long as it takes, and so does waiting for another replica's.
                sessions.take_time(connection)
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            present = current_revision(connection)
            if present is not None and not is_known(present):
                raise NewerSchema(NewerSchema.__doc__)
            if present != head_revision():
                if present is not None:
                    log.warning("schema %s becomes %s, which takes long where much is stored", present, head_revision())
                command.upgrade(configuration(connection), "head")
            return [*doubts(connection), *sessions.shortage(connection)]
    finally:
        engine.dispose()


@cache
def _revisions() -> tuple[str, ...]:
    """Those of this code, the newest first. Read once: while a process runs, the next release may take their place."""
    walked = ScriptDirectory(str(scripts())).walk_revisions()
    return tuple(script.revision for script in walked)


def is_known(revision: str) -> bool:
    """Whether this code has such a revision; else the database is ahead of it."""
    return revision in _revisions()


def current_revision(connection: Connection) -> str | None:
    """The revision that the database is at, None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def names_taken(connection: Connection) -> list[str]:
    """Tables that are there under names of ours."""
    return sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))


def head_revision() -> str:
    """The revision that this code needs."""
    return _revisions()[0]
