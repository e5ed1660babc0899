"""Rows are locked in one order by everybody, so that replicas wait for each other but never in a circle.

An operation locks the rows it changes itself, tuners before runs before observers and each in the order of their ids.
Where several operations share a transaction, that would not be one order any more: then all their rows are locked
beforehand.

A trial's row is not locked. It is changed by whoever holds its tuner's row, and the row of the run that speaks for it,
if there is one; by that run's own words, with the row of the run alone. Which run that is changes with the tuner's row
held only.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from app.store import observers, runs, tuners

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Rows:
    """What an operation is going to lock."""

    tuner_ids: set[UUID] = field(default_factory=set)
    run_ids: set[UUID] = field(default_factory=set)
    observer_ids: set[UUID] = field(default_factory=set)


Which = Callable[[Connection, Sequence[Any]], Rows]

_WHICH: dict[Callable[..., Any], Which] = {}
_FIRST: set[Callable[..., Any]] = set()


def locking(which: Which, *, goes_first: bool = False) -> Callable[[F], F]:
    """Declares which rows a write operation locks for its requests.

    Args:
        goes_first: before the other operations of a transaction. One that deletes has to: what the others record of
            the same thing is stored at the end, and would be left behind.
    """

    def declare(operation: F) -> F:
        _WHICH[operation] = which
        if goes_first:
            _FIRST.add(operation)
        return operation

    return declare


def in_order(operations: Iterable[Callable[..., Any]]) -> list[Callable[..., Any]]:
    """The operations of a transaction as they are to be done. Their requests came together: any order is right."""
    return sorted(operations, key=lambda operation: operation not in _FIRST)


def lock_beforehand(connection: Connection, requests: Mapping[Callable[..., Any], Sequence[Any]]) -> None:
    """Lock the rows of several operations that share a transaction."""
    if connection.dialect.name != "postgresql" or len(requests) < 2:
        return  # SQLite has one writer; and one operation keeps the order by itself
    wanted = _wanted(connection, requests)
    if wanted.tuner_ids:
        tuners.lock(connection, wanted.tuner_ids)
        wanted = _wanted(connection, requests)  # now that no trial gets another run any more
    runs.lock(connection, wanted.run_ids)
    observers.lock(connection, wanted.observer_ids)


def _wanted(connection: Connection, requests: Mapping[Callable[..., Any], Sequence[Any]]) -> Rows:
    each = [_WHICH[operation](connection, asked) for operation, asked in requests.items() if operation in _WHICH]
    return Rows(
        set().union(*(rows.tuner_ids for rows in each)),
        set().union(*(rows.run_ids for rows in each)),
        set().union(*(rows.observer_ids for rows in each)),
    )
