"""Webhooks are registered, changed, tested, and removed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from app.domain.errors import DomainError, UnknownDelivery, UnknownObserver
from app.domain.states import DeliveryState, ObserverState
from app.domain.values import to_rfc3339
from app.service import condition
from app.service.each import each, get_known
from app.service.vault import Vault
from app.store import deliveries, events, observers
from app.store.deliveries import Delivery
from app.store.observers import Observer
from app.store.transaction import Transaction

T = TypeVar("T")
A = TypeVar("A")

_OLD_SECRET_SIGNS = timedelta(hours=24)


def seal_secret(vault: Vault, secret: str) -> str:
    """A secret as an observer keeps it.

    Raises:
        NoSecretKey: the service has no key to seal it with.
    """
    return vault.seal(orjson.dumps([[secret, None]]).decode())


def signing_secrets(vault: Vault, sealed: str, now: datetime) -> list[str]:
    """The secrets that sign at this time, the newest first.

    Raises:
        NoSecretKey, CorruptState: they cannot be read.
    """
    kept = orjson.loads(vault.open(sealed))
    return [secret for secret, until in kept if until is None or to_rfc3339(now) < until]


@dataclass(frozen=True, slots=True)
class Register:
    """A webhook to register. Empty `types` means all."""

    url: str
    types: list[str]
    tuner_id: UUID | None
    run_id: UUID | None
    tag: str | None
    condition: str | None
    sealed_secrets: str


def register(transaction: Transaction, requests: Sequence[Register]) -> list[Observer | DomainError]:
    """Register webhooks: each is called about what happens from now on."""
    answers: list[Observer | DomainError] = []
    for request in requests:
        observer = Observer(
            observer_id=uuid7(),
            url=request.url,
            types=request.types,
            tuner_id=request.tuner_id,
            run_id=request.run_id,
            tag=request.tag,
            condition=request.condition,
            sealed_secrets=request.sealed_secrets,
            state=ObserverState.on,
            off_reason=None,
            failing_since=None,
            position=events.last_event_id(transaction.connection),
            create_time=transaction.now,
        )
        observers.add(transaction.connection, observer)
        answers.append(observer)
    return answers


@dataclass(frozen=True, slots=True)
class Change:
    """New values for some fields of an observer.

    Args:
        reached: how far the log was read for it by this process, and all that concerned it stored.
    """

    observer_id: UUID
    fields: Mapping[str, Any] = field(default_factory=dict)
    reached: int = 0


def change(transaction: Transaction, requests: Sequence[Change]) -> list[Observer | DomainError]:
    """Change observers. One that is switched on again goes on where it was, and misses nothing."""

    def apply(observer: Observer, request: Change) -> Observer:
        for name, value in request.fields.items():
            setattr(observer, name, value)
        if not request.fields.keys().isdisjoint({"condition", "types"}):
            condition.check(observer.condition, observer.types)
        if observer.state is ObserverState.on:
            observer.off_reason = None
        elif "state" in request.fields:
            observer.off_reason = "switched off by request"
        if "state" in request.fields:
            observer.failing_since = None
        # What was looked at is not looked at again by new filters, not after a restart either.
        observer.position = max(observer.position, request.reached)
        observers.save(transaction.connection, observer)
        return observer

    return _each(transaction, requests, apply)


@dataclass(frozen=True, slots=True)
class Rotate:
    """A new secret for an observer."""

    observer_id: UUID
    vault: Vault
    secret: str


def rotate(transaction: Transaction, requests: Sequence[Rotate]) -> list[Observer | DomainError]:
    """Give observers new secrets. For a day the one before signs too, so that no receiver must change at once."""

    def apply(observer: Observer, request: Rotate) -> Observer:
        before = signing_secrets(request.vault, observer.sealed_secrets, transaction.now)[0]
        until = to_rfc3339(transaction.now + _OLD_SECRET_SIGNS)
        kept = [[request.secret, None], *([[before, until]] if before != request.secret else [])]
        observer.sealed_secrets = request.vault.seal(orjson.dumps(kept).decode())
        observers.save(transaction.connection, observer)
        return observer

    return _each(transaction, requests, apply)


@dataclass(frozen=True, slots=True)
class OfObserver:
    """Something that concerns an observer and nothing else."""

    observer_id: UUID


_AT_ONCE = 1000
"""Deliveries of an observer in one transaction: what waits for the writer meanwhile waits a hundredth of a second."""


def remove(transaction: Transaction, requests: Sequence[OfObserver]) -> list[bool | DomainError]:
    """Remove observers with their deliveries, or first some of those, where they are many; whether there is more."""

    def answer(request: OfObserver) -> bool:
        if deliveries.forget_of(transaction.connection, request.observer_id, _AT_ONCE) == _AT_ONCE:
            return True
        if not observers.remove(transaction.connection, request.observer_id):
            raise UnknownObserver(request.observer_id)
        return False

    return each(requests, answer)


def add_test(transaction: Transaction, requests: Sequence[OfObserver]) -> list[Delivery | DomainError]:
    """Have a test sent to observers."""

    def apply(observer: Observer, request: OfObserver) -> Delivery:
        delivery = new_delivery(observer.observer_id, None, transaction.now)
        deliveries.add(transaction.connection, [delivery])
        return delivery

    return _each(transaction, requests, apply)


@dataclass(frozen=True, slots=True)
class Redeliver:
    """A delivery to be sent again."""

    observer_id: UUID
    delivery_id: UUID


def redeliver(transaction: Transaction, requests: Sequence[Redeliver]) -> list[Delivery | DomainError]:
    """Have deliveries sent again now, with all their tries before them."""

    def apply(observer: Observer, request: Redeliver) -> Delivery:
        locked = deliveries.lock(transaction.connection, [request.delivery_id])
        delivery = get_known(locked, request.delivery_id, UnknownDelivery)
        if delivery.observer_id != observer.observer_id:
            raise UnknownDelivery(request.delivery_id)
        delivery.state, delivery.attempts = DeliveryState.pending, 0
        delivery.next_attempt_time, delivery.is_under_way = transaction.now, False
        deliveries.save(transaction.connection, [delivery])
        return delivery

    return _each(transaction, requests, apply)


def new_delivery(observer_id: UUID, event_id: int | None, now: datetime) -> Delivery:
    """A delivery to be sent now; without an event, a test."""
    return Delivery(
        delivery_id=uuid7(),
        observer_id=observer_id,
        event_id=event_id,
        state=DeliveryState.pending,
        attempts=0,
        is_under_way=False,
        last_status=None,
        last_error=None,
        next_attempt_time=now,
        create_time=now,
    )


def _each(
    transaction: Transaction, requests: Sequence[Any], apply: Callable[[Observer, Any], A]
) -> list[A | DomainError]:
    """What comes of each request, one after the other: these are rare."""

    def answer(request: Any) -> A:
        locked = observers.lock(transaction.connection, [request.observer_id])
        return apply(get_known(locked, request.observer_id, UnknownObserver), request)

    return each(requests, answer)
