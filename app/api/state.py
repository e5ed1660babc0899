"""What the composition root hands to the routes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

from fastapi import Request

from app.api.limits import Streams
from app.service.feed import Feed
from app.service.guard import Guard
from app.service.keys import KeyRing
from app.service.look_back import Importances
from app.service.overview import Lines
from app.service.suggest import Suggester
from app.service.track import Tracker
from app.service.vault import Vault
from app.store.database import Database


@dataclass(slots=True)
class Readiness:
    """Whether the process is about to end; balancers should send nothing more."""

    is_leaving: bool = False


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that live as long as the application does.

    Args:
        look_at_webhooks: to be called when webhooks were changed, or something of theirs is to be sent.
        reached_for_webhook: up to which event this process has looked what concerns it.
    """

    database: Database
    suggester: Suggester
    tracker: Tracker
    importances: Importances
    lines: Lines
    feed: Feed
    key_ring: KeyRing
    readiness: Readiness
    guard: Guard
    vault: Vault
    look_at_webhooks: Callable[[], None]
    reached_for_webhook: Callable[[UUID], int]
    streams: Streams
    keys_under_way: set[str] = field(default_factory=set)


def services(request: Request) -> Services:
    """The services of the application that this request came to."""
    return cast(Services, request.state.services)
