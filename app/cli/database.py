"""The database that a command works on; where there is none to be had, one line says why and the command ends."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from app.cli.failing import fail, warn
from app.store.engines import BadDatabaseUrl, open_writer, parse
from app.store.exclusive import Exclusive, InUse
from app.store.migrate import NewerSchema, migrate


def url_of(database: str) -> URL:
    """The URL that was given."""
    try:
        return parse(database)
    except BadDatabaseUrl as error:
        fail(f"--database {database!r}: {error}")


def open_database(database: str, *, must_exist: bool = False) -> URL:
    """The database, at the schema of this release. A SQLite file that is not there is made, unless it must exist."""
    url = find_database(database) if must_exist else url_of(database)
    bring_up_to_date(url)
    return url


def find_database(database: str) -> URL:
    """The URL of a database that is there already: under a mistyped name no new one is made."""
    url = url_of(database)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        fail(f"there is no database at {url.database}")
    return url


@contextmanager
def holding(url: URL) -> Iterator[None]:
    """Nobody else has the file meanwhile."""
    with ExitStack() as held:
        try:
            held.enter_context(Exclusive(url))
        except InUse as error:
            fail(f"{error} ({shown(url)})")
        except OSError as error:
            fail(f"the database cannot be opened: {error.strerror} ({shown(url)})")
        yield


def bring_up_to_date(url: URL) -> None:
    """Bring the schema up to date, and warn of settings that lose data."""
    try:
        for doubt in migrate(url):
            warn(doubt)
    except NewerSchema as error:
        fail(f"{error} ({shown(url)})")
    except (SQLAlchemyError, OSError) as error:
        fail_to_open(url, error)


@contextmanager
def writing(url: URL) -> Iterator[Connection]:
    """A transaction of the command's own: short, beside a service that may be running."""
    engine = open_writer(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def shown(url: URL) -> str:
    """The URL without its password."""
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


def fail_to_open(url: URL, error: Exception) -> NoReturn:
    """End, with what the database says."""
    fail(f"the database cannot be opened: {reason_of(error)} ({shown(url)})")


def reason_of(error: Exception) -> str:
    """What a driver says, in its first line."""
    said = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return said.splitlines()[0]
