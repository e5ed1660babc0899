"""Runs and their histories, read for a download: page after page, each in a short transaction of its own.

What is in memory never depends on how many there are. Runs come oldest first. One that goes meanwhile is left out; what
joins a table once its columns are known is left out as well.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import chain
from typing import Any
from uuid import UUID

from app.domain.errors import InvalidRequest
from app.domain.filters import Condition, Field
from app.domain.filters import Kind as FieldKind
from app.domain.order import Order, OrderKey, Place
from app.domain.values import Scalar
from app.store import histories, search
from app.store.database import Database
from app.store.histories import WholeEpoch
from app.store.runs import Run
from app.store.search import Found, Search

OLDEST_FIRST = Order((OrderKey(Field("start_time", FieldKind.time), is_descending=False),))

_RUNS_A_PAGE = 200
_EVENTS_A_PAGE = 5000
"""More than there can be of one epoch: each brings at least one of its 1,000 metrics."""
_MOST_COLUMNS = 10_000
_EXACT = 2**53


class Kind(Enum):
    """What a column holds."""

    text = auto()
    texts = auto()
    time = auto()
    integer = auto()
    number = auto()
    boolean = auto()
    mixed = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: a field, or `params.` or `metrics.` and a name."""

    name: str
    kind: Kind


_RUN_FIELDS = (
    Column("run_id", Kind.text),
    Column("name", Kind.text),
    Column("status", Kind.text),
    Column("tags", Kind.texts),
    Column("note", Kind.text),
    Column("start_time", Kind.time),
    Column("end_time", Kind.time),
    Column("duration_s", Kind.number),
    Column("last_epoch", Kind.integer),
    Column("last_epoch_time", Kind.time),
    Column("tuner_id", Kind.text),
    Column("trial_id", Kind.text),
)
_EPOCH_FIELDS = (Column("run_id", Kind.text), Column("epoch", Kind.integer), Column("timestamp", Kind.time))

Row = dict[str, Any]
"""The values of a table's row by the names of their columns; those of metrics are in their JSON form."""


def run_row(run: Run) -> Row:
    """A run as a row."""
    row: Row = {column.name: getattr(run, column.name) for column in _RUN_FIELDS}
    row |= {f"params.{key}": value for key, value in run.params.items()}
    return row | {f"metrics.{key}": value for key, value in run.metrics.items()}


def epoch_row(epoch: WholeEpoch) -> Row:
    """An epoch as a row."""
    row: Row = {"run_id": epoch.run_id, "epoch": epoch.epoch, "timestamp": epoch.timestamp}
    return row | {f"metrics.{key}": value for key, value in epoch.metrics.items()}


@dataclass(slots=True)
class Names:
    """The params and metrics that some runs have, in the order in which they were met.

    Attributes:
        params: of each the types of its values; integers that no float holds exactly have one of their own.
        last: where the last of the runs stands.
    """

    params: dict[str, set[str]] = field(default_factory=dict)
    metrics: dict[str, None] = field(default_factory=dict)
    logged: dict[str, None] = field(default_factory=dict)
    last: Place | None = None

    def see(self, found: Found) -> None:
        """One more run."""
        run = found.run
        for key, value in run.params.items():
            self.params.setdefault(key, set()).add(_type_of(value))
        self.logged |= dict.fromkeys(run.summary)
        self.metrics |= dict.fromkeys(chain(run.summary, run.final_metrics or ()))
        self.last = found.place
        if len(self.params) + len(self.metrics) > _MOST_COLUMNS:
            raise InvalidRequest(
                f"these runs have more than {_MOST_COLUMNS} different params and metrics, too many for a table;"
                " choose fewer by a filter, or take ndjson",
                "query",
                "filter",
            )

    def run_columns(self) -> list[Column]:
        """The columns of a table of these runs."""
        params = [Column(f"params.{key}", _kind_of(types)) for key, types in self.params.items()]
        return [*_RUN_FIELDS, *params, *_metric_columns(self.metrics)]

    def epoch_columns(self) -> list[Column]:
        """The columns of a table of their epochs."""
        return [*_EPOCH_FIELDS, *_metric_columns(self.logged)]


def _metric_columns(keys: Mapping[str, None]) -> list[Column]:
    return [Column(f"metrics.{key}", Kind.number) for key in keys]


def _type_of(value: Scalar) -> str:
    return "large int" if type(value) is int and abs(value) > _EXACT else type(value).__name__


_KINDS = {
    frozenset({"bool"}): Kind.boolean,
    frozenset({"str"}): Kind.text,
    frozenset({"int"}): Kind.integer,
    frozenset({"large int"}): Kind.integer,
    frozenset({"int", "large int"}): Kind.integer,
    frozenset({"float"}): Kind.number,
    frozenset({"int", "float"}): Kind.number,
}


def _kind_of(types: set[str]) -> Kind:
    return _KINDS.get(frozenset(types), Kind.mixed)


async def read_names(database: Database, condition: Condition | None) -> Names:
    """What the columns of a table of these runs must be.

    Raises:
        InvalidRequest: there would be too many.
    """
    names = Names()
    async for page in _pages(database, condition, None):
        for found in page:
            names.see(found)
    return names


async def iterate_runs(
    database: Database, condition: Condition | None, last: Place | None
) -> AsyncGenerator[list[Run], None]:
    """These runs, up to a place (None: to the end)."""
    async for page in _pages(database, condition, last):
        yield [found.run for found in page]


async def iterate_epochs(
    database: Database, condition: Condition | None, last: Place | None
) -> AsyncGenerator[list[WholeEpoch], None]:
    """The epochs of these runs; those of one run come together, in order."""
    async for page in _pages(database, condition, last):
        lengths = {found.run.run_id: found.run.last_epoch + 1 for found in page if found.run.last_epoch is not None}
        for run_ids in _grouped(lengths):
            async for epochs in _epochs_of(database, run_ids):
                yield epochs


async def _pages(database: Database, condition: Condition | None, last: Place | None) -> AsyncIterator[list[Found]]:
    after: Place | None = None
    while True:
        page = await database.read(search.list_found, Search(condition, OLDEST_FIRST, after), _RUNS_A_PAGE)
        wanted = [one for one in page if last is None or OLDEST_FIRST.compare(one.place, last) <= 0]
        if wanted:
            yield wanted
        if len(page) < _RUNS_A_PAGE or len(wanted) < len(page):
            return
        after = page[-1].place


def _grouped(lengths: Mapping[UUID, int]) -> list[list[UUID]]:
    """The runs, so many together as make a page of epochs; a long one stays alone."""
    groups: list[list[UUID]] = []
    size = _EVENTS_A_PAGE
    for run_id, length in sorted(lengths.items()):
        if size + length > _EVENTS_A_PAGE:
            groups.append([])
            size = 0
        groups[-1].append(run_id)
        size += length
    return groups


async def _epochs_of(database: Database, run_ids: list[UUID]) -> AsyncIterator[list[WholeEpoch]]:
    after_epoch, is_more = -1, True
    while is_more:
        epochs, is_more = await database.read(histories.list_next, run_ids, after_epoch, _EVENTS_A_PAGE)
        if epochs:
            yield epochs
            after_epoch = epochs[-1].epoch
            run_ids = [run_id for run_id in run_ids if run_id >= epochs[-1].run_id]
