"""What trainings could not tell, told later: `tunetrack-client sync`."""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tunetrack_client.backlog import Backlog
from tunetrack_client.connection import Connection
from tunetrack_client.delivery import Delivery
from tunetrack_client.errors import ServiceFailed
from tunetrack_client.kept import Kept
from tunetrack_client.message import Request, fold

log = logging.getLogger("tunetrack_client")

_TAKEN_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Synced:
    """What became of one file."""

    path: Path
    n_delivered: int
    refusals: Counter[str]
    """How many messages the service did not take, by its code."""
    n_kept: int
    kept: Path | None
    """Where those are now that the service failed at, and what was said after them about the same runs and trials."""
    failure: ServiceFailed | None
    """Why, the last time."""
    damaged: Path | None
    """Where the lines are that are no messages."""


def left_behind(folder: Path) -> Iterator[Backlog]:
    """What processes that are gone could not deliver, oldest first. Each is ours until it is closed."""
    for path in sorted(folder.glob("*.jsonl"), key=_age):
        try:
            backlog = Backlog.open(path)
        except FileNotFoundError:
            continue  # its process, or another sync, has delivered it meanwhile
        except (OSError, ValueError) as error:
            log.warning("left out: %s", error)
            continue
        if backlog is not None:
            yield backlog


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def sync(backlog: Backlog, url: str | None = None, key: str | None = None) -> Synced:
    """Deliver it. What was delivered in an earlier try is harmless.

    Args:
        url: another address than the one that it was meant for.
    Raises:
        Unavailable: the service is away; what is left stays.
        OSError: there is no room for what the service fails at; all of it stays.
        ValueError: that is no address, or no key; or another user wrote the address, who might want the key.
    """
    path = backlog.path
    assert path is not None
    try:
        if url is None and key is not None and not backlog.is_own:
            raise ValueError(
                "another user wrote this file: whom to send the key to is for --url to say, and not for it"
            )
        connection = Connection(url or backlog.url, key)
    except ValueError:
        backlog.close()
        raise
    delivery, kept, failure = Delivery(connection), Kept(backlog.beside()), None
    try:
        while messages := backlog.peek(_TAKEN_AT_ONCE):
            for request in fold(message for message in messages if message is not None):
                failure = _pass_on(request, delivery, kept) or failure
            if kept.backlog.n_lost:
                raise OSError("there is no room for what the service fails at")
            backlog.drop(len(messages))
        n_kept = len(kept.backlog)
        return Synced(
            path, delivery.n_delivered, delivery.refusals, n_kept, kept.backlog.close(), failure, backlog.damaged
        )
    except BaseException:
        kept.backlog.drop(len(kept.backlog))  # the file that it came from stays whole
        raise
    finally:
        backlog.close()
        connection.close()


def _pass_on(request: Request, delivery: Delivery, kept: Kept) -> ServiceFailed | None:
    """Deliver it, or keep it where the service fails at it; why, or None.

    Raises:
        Unavailable: the service is away.
    """
    if request.about in kept:
        kept.add(request)
        return None
    try:
        delivery.send(request)
    except ServiceFailed as error:
        if len(request.messages) > 1:
            failures = [_pass_on(part, delivery, kept) for part in request.parts()]
            return next((failure for failure in failures if failure is not None), None)
        kept.add(request)
        return error
    return None
