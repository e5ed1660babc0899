"""What the drivers' errors mean for the caller: which are worth another try, and which are no fault of the request."""

import sqlite3

import psycopg
from sqlalchemy.exc import DBAPIError

from app.domain.errors import CorruptState, DomainError, StorageFull, StoreBusy
from app.store.place import Misplaced

# Serialization failure, deadlock: the database undid the transaction, and a repeat may pass.
_LOST_RACES = frozenset({"40001", "40P01"})
# Another replica stored the same id first: a repeat finds it, and answers what that means.
_UNIQUE_VIOLATION = "23505"
# Lock or statement took too long, too little memory or too many connections, a session or server that is being shut
# down or starts. Or its disk does not answer as it should.
_AWAY = ("55P03", "57", "53", "08", "25P", "58")
# It is a standby now, or whoever runs it lets nobody write for a while: mostly because its disk is nearly full.
_READ_ONLY = "25006"
_NO_ROOM = "53100"


# A page or an index is not what was written.
_DAMAGED = frozenset({"XX001", "XX002"})


def is_lost_race(error: BaseException) -> bool:
    """Whether the transaction was undone for the sake of another one, so that the same again may pass."""
    state = _state(error)
    return state in _LOST_RACES or state == _UNIQUE_VIOLATION


def is_read_only(error: BaseException) -> bool:
    """Whether the database lets nobody write through this connection; it may through a new one."""
    return _state(error) == _READ_ONLY


def _state(error: BaseException) -> str | None:
    return getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None


def is_connection_lost(error: BaseException) -> bool:
    """Whether the database hung up, or was not there: what was not committed is undone."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    return isinstance(error, psycopg.OperationalError) and error.sqlstate is None


def translate(error: BaseException) -> BaseException:
    """The domain's word for an error of the database that is no fault of the request; else the error itself."""
    if isinstance(error, Misplaced):
        return StoreBusy(f"{error} Put it back, or start the service anew; nothing was changed.")
    # What a connection says while it is taken from the pool or given back has not passed through SQLAlchemy.
    return _of_driver(error.orig if isinstance(error, DBAPIError) else error) or error


def _of_driver(error: BaseException | None) -> DomainError | None:
    if isinstance(error, sqlite3.OperationalError):
        code = _primary_code(error)
        if code == sqlite3.SQLITE_FULL:
            return StorageFull()
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            return StoreBusy(f"The store cannot be written now ({error}); nothing was changed; try again later.")
        if code == sqlite3.SQLITE_INTERRUPT:
            return StoreBusy()
        if code == sqlite3.SQLITE_IOERR:
            return StoreBusy("The store's disk does not answer as it should; nothing was changed; try again later.")
    if isinstance(error, sqlite3.DatabaseError) and _primary_code(error) in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    ):
        return _damaged(error)
    if isinstance(error, psycopg.Error):
        state = error.sqlstate
        if state in _DAMAGED:
            return _damaged(error)
        if state == _NO_ROOM:
            return StorageFull()
        if state == _READ_ONLY:
            return StoreBusy("The database is read-only now; nothing was changed; try again later.")
        if is_connection_lost(error) or (state and (state in _LOST_RACES or state.startswith(_AWAY))):
            return StoreBusy()
    return None


def _primary_code(error: sqlite3.DatabaseError) -> int:
    """What SQLite says, without the details; 0 where the driver itself complains."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _damaged(error: Exception) -> CorruptState:
    """It will not pass by itself; but what does not touch the damage goes on."""
    return CorruptState(
        f"The database is damaged ({error}): stop the service, and restore a backup; nothing was changed."
    )
