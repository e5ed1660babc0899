"""Events become deliveries of webhooks, and deliveries are sent until their receivers have them.

    the log ─> find_news (reads) ─> take_on: deliveries, and the observer's position, in one transaction
            ─> claim: one process has it ─> (sent) ─> settle: delivered, to be tried again, or given up

The log is the outbox: what is committed will be found there, by whichever process looks first.
"""

import logging
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from app.domain.errors import DomainError
from app.domain.events import ObserverOff
from app.domain.states import DeliveryState, ObserverState
from app.service import condition
from app.service.audience import Encoded, is_wanted
from app.service.condition import Candidate
from app.service.observe import new_delivery
from app.store import deliveries, events, observers
from app.store.deliveries import Delivery
from app.store.events import EventFilter
from app.store.locks import Rows, locking
from app.store.observers import Observer
from app.store.transaction import Transaction

log = logging.getLogger(__name__)

_PAGE = 500
_MAX_PENDING = 1000
_WITHOUT_STORING = 10_000

CLAIMED = timedelta(seconds=20)
DELAYS_S = (5, 60, 600, 3600, 4 * 3600, 12 * 3600, 24 * 3600)
"""Between one try and the next; each is made up to a fifth longer, so that not all come back at once."""
_GIVES_UP_AFTER = timedelta(days=3)
_GONE = 410


@dataclass(frozen=True, slots=True)
class TakeOn:
    """Deliveries to make of events for an observer, which has then come to a position.

    Args:
        before: the position that it has stored; if it has another one by then, somebody else was here.
    """

    observer_id: UUID
    before: int
    position: int
    event_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class News:
    """How far each observer was read for, what is to be stored of it, and whether there may be more at once.

    Args:
        known: all that there are.
    """

    known: Collection[UUID]
    reached: Mapping[UUID, int]
    to_store: Sequence[TakeOn]
    is_behind: bool


def find_news(connection: Connection, reached: Mapping[UUID, int]) -> News:
    """What concerns the observers that are on, a page of the log further.

    Nothing is stored while nothing concerns them: to look again after a restart costs less.

    Args:
        reached: how far each was read for before, where that is further than it has stored.
    """
    known = observers.list_all(connection)
    on = [observer for observer in known if observer.state is ObserverState.on]
    waiting = deliveries.count_pending(connection, [observer.observer_id for observer in on])
    by_position: dict[int, list[Observer]] = {}
    for observer in on:
        if waiting.get(observer.observer_id, 0) <= _MAX_PENDING // 2:  # the rest waits in the log
            start = max(observer.position, reached.get(observer.observer_id, 0))
            by_position.setdefault(start, []).append(observer)
    now_reached: dict[UUID, int] = {}
    to_store: list[TakeOn] = []
    is_behind = False
    for start, group in by_position.items():
        page, end = _read_page(connection, start, group)
        is_behind = is_behind or len(page) == _PAGE
        found = find_concerning(page, group)
        for observer in group:
            room = _MAX_PENDING - waiting.get(observer.observer_id, 0)
            event_ids = found[observer.observer_id]
            position = end if len(event_ids) <= room else event_ids[room - 1]
            now_reached[observer.observer_id] = position
            if event_ids or position > observer.position + _WITHOUT_STORING:
                to_store.append(TakeOn(observer.observer_id, observer.position, position, event_ids[:room]))
    return News({observer.observer_id for observer in known}, now_reached, to_store, is_behind)


def _read_page(connection: Connection, after: int, group: Sequence[Observer]) -> tuple[list[Encoded], int]:
    """The next events of the types that any of the group asks for, and the number up to which these are all."""
    types = set().union(*(observer.types for observer in group)) if all(one.types for one in group) else ()
    page = [Encoded(event, tags, b"") for event, tags in events.list_news(connection, after, _PAGE, types)]
    is_full = len(page) == _PAGE
    return page, page[-1].event.event_id if is_full else max(after, events.last_event_id(connection))


def find_concerning(page: Sequence[Encoded], group: Sequence[Observer]) -> dict[UUID, list[int]]:
    """The numbers of the events that each observer is to be called about. Of the events one at a time is parsed."""
    found: dict[UUID, list[int]] = {observer.observer_id: [] for observer in group}
    filters = [(observer, _filter_of(observer)) for observer in group]
    for event in map(Candidate, page):
        for observer, wanted in filters:
            if is_wanted(event.one, wanted) and condition.is_met(observer.condition, event):
                found[observer.observer_id].append(event.one.event.event_id)
    return found


def _filter_of(observer: Observer) -> EventFilter:
    return EventFilter(
        frozenset(observer.types),
        frozenset() if observer.run_id is None else frozenset({observer.run_id}),
        frozenset() if observer.tuner_id is None else frozenset({observer.tuner_id}),
        frozenset() if observer.tag is None else frozenset({observer.tag}),
    )


def _rows(_: Connection, requests: "Sequence[TakeOn | Claim | Attempted]") -> Rows:
    return Rows(observer_ids={request.observer_id for request in requests})


@locking(_rows)
def take_on(transaction: Transaction, requests: Sequence[TakeOn]) -> list[bool | DomainError]:
    """Make deliveries of events; whether it was done, or another process had done it."""
    locked = observers.lock(transaction.connection, {request.observer_id for request in requests})
    added: list[Delivery] = []
    answers: list[bool | DomainError] = []
    for request in requests:
        observer = locked.get(request.observer_id)
        is_next = observer is not None and observer.position == request.before and observer.state is ObserverState.on
        if observer is not None and is_next:
            added += [new_delivery(observer.observer_id, event_id, transaction.now) for event_id in request.event_ids]
            observer.position = request.position
            observers.save(transaction.connection, observer)
        answers.append(is_next)
    deliveries.add(transaction.connection, added)
    return answers


@dataclass(frozen=True, slots=True)
class Claim:
    """Up to so many deliveries of an observer, to be sent by this process."""

    observer_id: UUID
    limit: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """Deliveries that nobody else sends until their `next_attempt_time`, and whom to send them to."""

    observer: Observer
    deliveries: Sequence[Delivery]
    now: datetime


@locking(_rows)
def claim(transaction: Transaction, requests: Sequence[Claim]) -> list[Claimed | DomainError | None]:
    """Claim deliveries that are due; None where the observer was removed."""
    answers: list[Claimed | DomainError | None] = []
    now = transaction.now
    locked = observers.lock(transaction.connection, {request.observer_id for request in requests})
    for request in requests:
        observer = locked.get(request.observer_id)
        if observer is None:
            answers.append(None)
            continue
        found = deliveries.claim_due(transaction.connection, observer, now, now + CLAIMED, request.limit)
        answers.append(Claimed(observer, found, now))
    return answers


@dataclass(frozen=True, slots=True)
class Attempted:
    """What came of sending a delivery.

    Args:
        attempt: the number of the attempt; if it is another one by now, this came too late.
        status: the receiver's answer, if there was one.
        error: why it is not delivered; None where it is.
        is_final: the receiver was not called, and never will be.
    """

    observer_id: UUID
    delivery_id: UUID
    attempt: int
    status: int | None
    error: str | None
    is_final: bool = False


@locking(_rows)
def settle(transaction: Transaction, requests: Sequence[Attempted]) -> list[DomainError | None]:
    """Note what came of attempts. Records `observer_off` where a receiver is not there any more."""
    connection = transaction.connection
    locked = observers.lock(connection, {request.observer_id for request in requests})
    sent = deliveries.lock(connection, {request.delivery_id for request in requests})
    settled: list[Delivery] = []
    for request in requests:
        observer, delivery = locked.get(request.observer_id), sent.get(request.delivery_id)
        if observer is None or delivery is None:
            continue  # removed meanwhile
        if delivery.attempts == request.attempt and delivery.is_under_way:
            _settle(transaction.now, delivery, request)
            settled.append(delivery)
        if delivery.event_id is not None and not request.is_final:
            _note_receiver(transaction, observer, request, is_last=delivery.state is DeliveryState.failed)
    deliveries.save(connection, settled)
    return [None] * len(requests)


def _settle(now: datetime, delivery: Delivery, outcome: Attempted) -> None:
    delivery.is_under_way = False
    delivery.last_status, delivery.last_error = outcome.status, outcome.error
    delivery.next_attempt_time = None
    if outcome.error is None:
        delivery.state = DeliveryState.delivered
    elif outcome.is_final or outcome.status == _GONE or delivery.attempts > len(DELAYS_S):
        delivery.state = DeliveryState.failed
    else:
        delay_s = DELAYS_S[delivery.attempts - 1] * random.uniform(1.0, 1.2)
        delivery.next_attempt_time = now + timedelta(seconds=delay_s)


def _note_receiver(transaction: Transaction, observer: Observer, outcome: Attempted, *, is_last: bool) -> None:
    """Switch the observer off where its receiver is gone, or was not there for days; hurry where it is back.

    Args:
        is_last: the delivery has no more tries. That days have passed since a failure says nothing by itself: there may
            have been nothing to send, or nobody to send it.
    """
    before = (observer.state, observer.failing_since)
    if outcome.error is None:
        if observer.failing_since is not None:
            observer.failing_since = None
            deliveries.hasten(transaction.connection, observer.observer_id, transaction.now)
    elif outcome.status == _GONE:
        _switch_off(transaction, observer, "the receiver answered 410: it does not want to be called any more")
    elif observer.failing_since is None:
        observer.failing_since = transaction.now
    elif is_last and transaction.now - observer.failing_since >= _GIVES_UP_AFTER:
        _switch_off(transaction, observer, f"nothing could be delivered for three days; at last: {outcome.error}")
    if before != (observer.state, observer.failing_since):
        observers.save(transaction.connection, observer)


def _switch_off(transaction: Transaction, observer: Observer, reason: str) -> None:
    if observer.state is ObserverState.on:
        observer.state, observer.off_reason = ObserverState.off, reason
        transaction.record(ObserverOff(observer.observer_id, reason))
        log.warning("the webhook %s is switched off: %s", observer.observer_id, reason)
