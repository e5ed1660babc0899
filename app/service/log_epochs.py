"""A run tells how its training goes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.errors import DomainError, DuplicateMetricKey, InvalidRequest, RunEnded, UnknownRun
from app.domain.events import EpochEnd
from app.domain.states import RunStatus
from app.domain.summary import fold
from app.domain.values import MAX_NAMES, Number
from app.service.each import each, get_known
from app.service.keep_alive import Alive, GivenUp, keep_alive
from app.store import curve_pieces, events, runs
from app.store.events import StoredEpoch
from app.store.locks import Rows, locking
from app.store.log import Record
from app.store.runs import Progress
from app.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Epoch:
    """What was measured at one epoch; `timestamp` is when, if not now."""

    number: int
    metrics: Mapping[str, Number]
    timestamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogEpochs:
    """Epochs of one run: all of them are stored, or none."""

    run_id: UUID
    epochs: Sequence[Epoch]


@dataclass(frozen=True, slots=True)
class Logged:
    """How many metric values were new and how many known; `last` tells of the last epoch of the request.

    Args:
        alive: what the run is told; None where it has ended, and this was a repeat.
    """

    accepted: int
    duplicates: int
    last: StoredEpoch | Record
    alive: Alive | None


@dataclass(slots=True)
class _Known:
    """What is stored of one epoch of a run: each key's value, and the event that holds the newest of them."""

    metrics: dict[str, Number]
    event: StoredEpoch | Record


_History = defaultdict[UUID, dict[int, _Known]]


@locking(lambda _, requests: Rows(run_ids={request.run_id for request in requests}))
def log_epochs(transaction: Transaction, requests: Sequence[LogEpochs]) -> list[Logged | DomainError]:
    """Store what is new of these epochs. Records `epoch_end` for each epoch that brings something new."""
    locked = runs.lock_progress(transaction.connection, {request.run_id for request in requests})
    history = _read_history(transaction, requests, locked)
    told = keep_alive(transaction, locked.values())
    changed: dict[UUID, Progress] = {}

    def log(request: LogEpochs) -> Logged:
        run = get_known(locked, request.run_id, UnknownRun)
        if run.status is RunStatus.crashed:
            raise GivenUp()
        news = _news(run, request, history[run.run_id])
        if news:
            changed[run.run_id] = run
        return _store(transaction, run, request, news, history[run.run_id], told.get(run.run_id))

    answers = each(requests, log)
    runs.save_progress(transaction.connection, changed.values())
    return answers


def _read_history(transaction: Transaction, requests: Sequence[LogEpochs], locked: Mapping[UUID, Progress]) -> _History:
    """What is stored of the epochs asked about. Those beyond a run's last one need no look: nearly all."""
    wanted: set[tuple[UUID, int]] = set()
    for request in requests:
        run = locked.get(request.run_id)
        if run is not None and run.last_epoch is not None:
            wanted.update((run.run_id, epoch.number) for epoch in request.epochs if epoch.number <= run.last_epoch)
    history: _History = defaultdict(dict)
    for stored in events.find_epochs(transaction.connection, wanted):
        _remember(history[stored.run_id], stored.epoch, stored.metrics, stored)
    return history


def _remember(known: dict[int, _Known], epoch: int, metrics: Mapping[str, Number], event: StoredEpoch | Record) -> None:
    if epoch in known:
        known[epoch].metrics.update(metrics)
        known[epoch].event = event
    else:
        known[epoch] = _Known(dict(metrics), event)


def _news(run: Progress, request: LogEpochs, known: Mapping[int, _Known]) -> dict[int, dict[str, Number]]:
    """What the request says that is not stored yet, by epoch. Changes nothing.

    Raises:
        DuplicateMetricKey: something is stored with another value, or said twice with two.
        RunEnded: there is news, but the run is over.
        InvalidRequest: the run would have too many metrics.
    """
    news: dict[int, dict[str, Number]] = {}
    for epoch in request.epochs:
        stored = known[epoch.number].metrics if epoch.number in known else {}
        if epoch.number not in known:
            news.setdefault(epoch.number, {})
        for key, value in epoch.metrics.items():
            before = stored[key] if key in stored else news.get(epoch.number, {}).get(key)
            if before is None:
                news.setdefault(epoch.number, {})[key] = value
            elif before != value:
                raise DuplicateMetricKey(epoch.number, key, stored=before, sent=value)
    if news and run.status is not RunStatus.running:
        raise RunEnded(f"Run {run.run_id} has ended as {run.status}: nothing new can be logged to it.")
    added = {key for metrics in news.values() for key in metrics if key not in run.summary}
    if added and len(run.summary) + len(added) > MAX_NAMES:
        raise InvalidRequest(f"a run has at most {MAX_NAMES} metrics, by name, in all its epochs", "body", "metrics")
    return news


def _store(
    transaction: Transaction,
    run: Progress,
    request: LogEpochs,
    news: Mapping[int, dict[str, Number]],
    known: dict[int, _Known],
    alive: Alive | None,
) -> Logged:
    times = {epoch.number: epoch.timestamp for epoch in request.epochs}
    last = run.last_epoch or 0
    if last >= curve_pieces.SHORTEST and (late := [number for number in news if number <= last]):
        curve_pieces.forget(transaction.connection, run.run_id, late)
    for number, metrics in news.items():
        event = EpochEnd(run.run_id, number, metrics)
        record = transaction.record(event, tuner_id=run.tuner_id, timestamp=times[number])
        _remember(known, number, metrics, record)
        fold(run.summary, number, metrics)
        run.last_epoch = number if run.last_epoch is None else max(run.last_epoch, number)
    n_sent = sum(len(epoch.metrics) for epoch in request.epochs)
    accepted = sum(len(metrics) for metrics in news.values())
    return Logged(accepted, n_sent - accepted, known[request.epochs[-1].number].event, alive)
