"""The database that a command works on; where there is none to be had, one line says why and the command ends."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

import psycopg
from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.cli.failing import fail, warn
from app.service.diagnose import Grade, schema
from app.store.engines import BadDatabaseUrl, open_readers, open_writer, parse
from app.store.exclusive import Exclusive, InUse
from app.store.migrate import NewerSchema, migrate
from app.store.sessions import NoSession


def url_of(database: str) -> URL:
    """The URL that was given."""
    try:
        return parse(database)
    except BadDatabaseUrl as error:
        fail(f"--database {database!r}: {error}")


def make_database(database: str) -> URL:
    """The database, made where there is none, and brought to the schema of this release."""
    url = url_of(database)
    bring_up_to_date(url)
    return url


def find_database(database: str) -> URL:
    """A database that is there, at the schema of this release: under a mistyped name none is made, and one of another
    release is left as it is."""
    url = url_of(database)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        fail(f"there is no database at {url.database}")
    with reading(url) as connection:
        found = schema(connection)
    if found.grade is not Grade.ok:
        fail(f"the schema of {shown(url)} is {found.text}")
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
    except (NewerSchema, NoSession) as error:
        fail(f"{error} ({shown(url)})")
    except (SQLAlchemyError, psycopg.Error, OSError) as error:
        _fail_to_open(url, error)


def reading(url: URL) -> AbstractContextManager[Connection]:
    """A look of the command's own, which changes nothing and waits for nobody who writes."""
    return _transaction(url, open_readers(url, pool_size=1))


def writing(url: URL) -> AbstractContextManager[Connection]:
    """A transaction of the command's own: short, beside a service that may be running."""
    return _transaction(url, open_writer(url))


@contextmanager
def _transaction(url: URL, engine: Engine) -> Iterator[Connection]:
    try:
        with engine.begin() as connection:
            yield connection
    except (SQLAlchemyError, OSError) as error:
        _fail_to_open(url, error)
    finally:
        engine.dispose()


def shown(url: URL) -> str:
    """The URL without its password."""
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


def _fail_to_open(url: URL, error: Exception) -> NoReturn:
    """End, with what the database says."""
    fail(f"the database cannot be opened: {reason_of(error)} ({shown(url)})")


def reason_of(error: Exception) -> str:
    """What a driver says, in its first line."""
    said = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return said.splitlines()[0]
