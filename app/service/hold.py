"""An in-process observer runs in one process at a time, and goes on where the last one was."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.domain.errors import DomainError
from app.store import events, plugins
from app.store.plugins import Plugin
from app.store.transaction import Transaction

HELD = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Hold:
    """That a process runs an observer from now on, or still does.

    Args:
        position: the last event that the observer has seen here; None: it is not known to this process.
        is_last: it lets go of it.
    """

    name: str
    holder: UUID
    position: int | None = None
    is_last: bool = False


def hold(transaction: Transaction, requests: Sequence[Hold]) -> list[int | DomainError | None]:
    """The event after which an observer goes on here; None where another process runs it.

    A new observer begins with what happens from now on.
    """
    return [_hold(transaction, request) for request in requests]


def _hold(transaction: Transaction, request: Hold) -> int | None:
    connection, now = transaction.connection, transaction.now
    until = None if request.is_last else now + HELD
    plugin = plugins.lock(connection, request.name)
    if plugin is None:
        plugin = Plugin(request.name, events.last_event_id(connection), request.holder, until)
        plugins.add(connection, plugin)
        return plugin.position
    is_ours = plugin.holder == request.holder
    # A SQLite file has one process: whoever held it before is no more.
    is_alone = connection.dialect.name == "sqlite"
    if not is_ours and not is_alone and plugin.held_until is not None and plugin.held_until > now:
        return None
    if request.position is not None:
        if not is_ours:
            return None  # it was held elsewhere meanwhile, and came from an earlier event to a later one there
        plugin.position = request.position
    plugin.holder, plugin.held_until = request.holder, until
    plugins.save(connection, plugin)
    return plugin.position
