"""What is written some time after runs changed: their facts, and the pieces of long histories. No answer shows when."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

import pytest
from sqlalchemy import Connection, func, select

from app.domain.curve import Logged
from app.domain.filters import Compare, Condition, Field, Kind
from app.domain.states import RunStatus
from app.domain.values import Number, Scalar
from app.service import condense
from app.service.edit_run import EditRun, delete_runs, edit_runs
from app.service.end import EndRun, end_runs
from app.service.index_runs import condense_long, index_quiet
from app.service.log_epochs import Epoch, LogEpochs, log_epochs
from app.service.series import Series, read_series
from app.service.start import StartRun, start_runs
from app.store import events, facts, search
from app.store.curve_pieces import SHORTEST
from app.store.database import Database
from app.store.engines import parse
from app.store.facts import Mark
from app.store.search import Search
from app.store.tables import curve_pieces as piece_table
from app.store.tables import facts as fact_table
from tests.conftest import NewDatabase

T = TypeVar("T")

LOSS = Field("metrics", Kind.metrics, "loss")
LAYERS = Field("params", Kind.params, "layers")


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """An empty store."""
    database = Database(parse(url))
    try:
        yield database
    finally:
        await database.close()


def within(new_database: NewDatabase, story: Callable[[Database], Awaitable[None]]) -> None:
    """Tell a story on an empty store."""

    async def tell() -> None:
        async with opened(new_database()) as database:
            await story(database)

    asyncio.run(tell())


async def start(database: Database, **params: Scalar) -> UUID:
    """A new run."""
    wanted = StartRun(None, "", dict(params), [], "", None, None, None, None, b"")
    return (await database.write(start_runs, wanted)).run.run_id


async def log(database: Database, run_id: UUID, values: Sequence[tuple[int, Number]]) -> None:
    """Epochs of one metric, a thousand at a time."""
    for begin in range(0, len(values), 1000):
        epochs = [Epoch(epoch, {"loss": value}) for epoch, value in values[begin : begin + 1000]]
        await database.write(log_epochs, LogEpochs(run_id, epochs))


async def index(database: Database) -> None:
    """Two looks, between which nothing happens: then every run is quiet."""
    await look(database, await look(database, {}))


async def look(database: Database, before: dict[UUID, Mark]) -> dict[UUID, Mark]:
    """What the service does every two seconds."""
    return await index_quiet(database, await database.read(facts.list_changed, 1000), before)


async def condense_all(database: Database) -> None:
    """What the service does every two seconds for long histories."""
    await condense_long(database, await database.read(facts.list_changed, 1000))


def states(connection: Connection) -> dict[UUID, int]:
    """Which runs are found by their facts."""
    return {found.run.run_id: found.run.indexed for found in search.list_found(connection, Search(), 1000)}


def find(connection: Connection, condition: Condition) -> list[UUID]:
    """Runs, as a search finds them."""
    return [found.run.run_id for found in search.list_found(connection, Search(condition), 1000)]


def count_facts(connection: Connection) -> int:
    """How many facts there are."""
    return connection.execute(select(func.count()).select_from(fact_table)).scalar_one()


def pieces(connection: Connection) -> list[tuple[int, int]]:
    """The pieces there are, by start."""
    query = select(piece_table.c.start, piece_table.c.stop).order_by(piece_table.c.start)
    return [(row.start, row.stop) for row in connection.execute(query)]


# ---- facts ----


def test_a_run_that_ended_is_indexed_at_once_and_one_that_goes_on_when_it_is_silent(
    new_database: NewDatabase,
) -> None:
    async def story(database: Database) -> None:
        ended, silent = await start(database), await start(database)
        await database.write(end_runs, EndRun(ended, RunStatus.finished, {}))
        seen = await look(database, {})
        assert await database.read(states) == {ended: facts.INDEXED, silent: facts.CHANGED}
        await log(database, silent, [(0, 0.5)])
        seen = await look(database, seen)
        assert (await database.read(states))[silent] == facts.CHANGED
        await look(database, seen)
        assert (await database.read(states))[silent] == facts.INDEXED

    within(new_database, story)


def test_whatever_changes_an_indexed_run_is_found_at_once(new_database: NewDatabase) -> None:
    async def story(database: Database) -> None:
        run = await start(database, layers=3)
        await log(database, run, [(0, 0.5)])
        await index(database)
        assert await database.read(find, Compare(LOSS, "=", 0.5)) == [run]

        await log(database, run, [(1, 0.25)])
        assert await database.read(find, Compare(LOSS, "=", 0.25)) == [run]
        assert await database.read(find, Compare(LOSS, "=", 0.5)) == []
        await index(database)

        await database.write(edit_runs, EditRun(run, None, None, None, {"width": 8}, frozenset()))
        assert await database.read(find, Compare(Field("params", Kind.params, "width"), "=", 8)) == [run]
        await index(database)

        await database.write(end_runs, EndRun(run, RunStatus.finished, {"loss": 0.125}))
        assert await database.read(find, Compare(LOSS, "=", 0.125)) == [run]
        await index(database)
        assert await database.read(find, Compare(LOSS, "=", 0.125)) == [run]
        assert await database.read(count_facts) == 3

    within(new_database, story)


def test_a_deleted_run_leaves_no_fact_and_no_piece(new_database: NewDatabase) -> None:
    async def story(database: Database) -> None:
        run = await start(database, layers=3)
        await log(database, run, [(epoch, 0.5) for epoch in range(2 * SHORTEST)])
        await condense_all(database)
        await index(database)
        assert await database.read(count_facts) == 2
        assert await database.read(pieces)
        await database.write(delete_runs, run)
        assert await database.read(count_facts) == 0
        assert await database.read(pieces) == []

    within(new_database, story)


def test_the_longest_names_and_texts_are_indexed_or_read_plainly(new_database: NewDatabase) -> None:
    async def story(database: Database) -> None:
        # Of letters that no compression makes shorter, in the most bytes a letter can take.
        letters = random.Random(7)
        name, text = ("".join(chr(letters.randrange(0x1F300, 0x1F5FF)) for _ in range(250)) for _ in range(2))
        made = {text[:length]: await start(database, **{name: text[:length]}) for length in (249, 250)}
        await index(database)
        states_now = await database.read(states)
        assert [states_now[run] for run in made.values()] == [facts.INDEXED, facts.TOO_LONG]
        for value, run in made.items():
            assert await database.read(find, Compare(Field("params", Kind.params, name), "=", value)) == [run]

    within(new_database, story)


# ---- pieces ----


def _curve(n: int) -> list[Number]:
    values: list[Number] = [float(random.Random(epoch).randrange(1000)) for epoch in range(n)]
    values[70] = values[n // 2] = "NaN"
    return values


async def _thinned(database: Database, run_id: UUID, after_epoch: int | None, max_points: int) -> Series:
    return (await database.read(read_series, run_id, None, after_epoch, max_points))["loss"]


def test_a_curve_keeps_its_ends_and_extremes_whatever_has_been_condensed(new_database: NewDatabase) -> None:
    async def story(database: Database) -> None:
        values = _curve(5000)
        run = await start(database)
        await log(database, run, list(enumerate(values[:3000])))
        await condense_all(database)
        await log(database, run, list(enumerate(values[3000:], 3000)))  # the rest is read from the log
        assert len(await database.read(pieces)) > 30
        for after in (None, 100, 2998, 2999, 4000):
            start_epoch = 0 if after is None else after + 1
            rest = [(epoch, value) for epoch, value in enumerate(values) if epoch >= start_epoch]
            numbers = [value for _, value in rest if not isinstance(value, str)]
            for max_points in (4, 20, 200, 5000):
                curve = await _thinned(database, run, after, max_points)
                assert len(curve.epochs) <= max_points
                assert (curve.epochs[0], curve.epochs[-1]) == (start_epoch, 4999)
                assert curve.epochs == sorted(set(curve.epochs))
                assert curve.values == [values[epoch] for epoch in curve.epochs]
                kept = [value for value in curve.values if not isinstance(value, str)]
                assert (min(kept), max(kept)) == (min(numbers), max(numbers))

    within(new_database, story)


def test_a_curve_that_fits_stays_as_it_is_whatever_has_been_condensed(new_database: NewDatabase) -> None:
    async def story(database: Database) -> None:
        uneven, mixed = await start(database), await start(database)
        await log(database, uneven, [*enumerate(_curve(600)), (1_000_000, 0.5)])
        await log(database, mixed, list(enumerate(_curve(6000))))
        rare = [Epoch(epoch, {"val": float(epoch)}) for epoch in range(300)]
        await database.write(log_epochs, LogEpochs(mixed, rare))
        await condense_all(database)
        assert len(await database.read(pieces)) > 30
        for after, n_left in ((None, 601), (100, 500)):
            assert len((await _thinned(database, uneven, after, 601)).epochs) == n_left
        curves = await database.read(read_series, mixed, None, None, 400)
        assert curves["val"].epochs == list(range(300))
        assert len(curves["loss"].epochs) <= 400

    within(new_database, story)


def test_a_metric_that_few_epochs_have_is_read_whole_without_the_others(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_read = 0
    iterate_logged = events.iterate_logged

    def counted(*args: Any) -> Iterator[Logged]:
        nonlocal n_read
        for part in iterate_logged(*args):
            n_read += len(part.epochs)
            yield part

    async def story(database: Database) -> None:
        run = await start(database)
        seldom: list[tuple[int, Number]] = [(epoch, float(epoch)) for epoch in range(999, 12_000, 1000)]
        seldom = sorted([*seldom, (2, "NaN"), *((epoch, 0.1) for epoch in range(5000, 5030)), (9000, "Infinity")])
        await log(database, run, list(enumerate(_curve(12_000))))
        await database.write(log_epochs, LogEpochs(run, [Epoch(epoch, {"val": value}) for epoch, value in seldom]))
        await condense_all(database)
        late: list[tuple[int, Number]] = [(7100, 0.25), (11_999, 0.5)]
        await database.write(log_epochs, LogEpochs(run, [Epoch(epoch, {"best": value}) for epoch, value in late]))
        for after in (None, 2, 999, 4998, 5010, 11_998):
            found = await database.read(read_series, run, ["val", "never", "best"], after, None)
            for name, logged in (("val", seldom), ("never", []), ("best", late)):
                left = [point for point in logged if after is None or point[0] > after]
                assert list(zip(found[name].epochs, found[name].values, strict=True)) == left
        monkeypatch.setattr(events, "iterate_logged", counted)
        await database.read(read_series, run, ["val"], None, None)
        assert n_read < 1000

    within(new_database, story)


def test_pieces_cover_the_history_without_gap_or_double_and_go_on_where_they_ended(new_database: NewDatabase) -> None:
    async def story(database: Database) -> None:
        run = await start(database)
        await log(database, run, [(epoch * 3, 0.5) for epoch in range(SHORTEST - 1)])
        await condense_all(database)
        assert await database.read(pieces) == []  # too short
        for part in range(1, 4):
            await log(database, run, [(epoch * 3, 0.5) for epoch in range(part * 2000, part * 2000 + 2000)])
            await condense_all(database)
            found = await database.read(pieces)
            assert found[0][0] == 0
            assert [stop for _, stop in found[:-1]] == [begin for begin, _ in found[1:]]
        n = await database.read(lambda connection: len(pieces(connection)))
        await condense_all(database)
        assert await database.read(lambda connection: len(pieces(connection))) == n  # nothing is written twice

    within(new_database, story)


def test_an_epoch_that_comes_late_is_in_the_curve(new_database: NewDatabase) -> None:
    async def story(database: Database) -> None:
        run = await start(database)
        await log(database, run, [(epoch, 0.5) for epoch in range(0, 6000, 2)])
        await condense_all(database)
        before = await database.read(pieces)
        await log(database, run, [(2001, 9.0)])  # a piece is forgotten
        after = await database.read(pieces)
        assert [piece for piece in before if piece not in after] == [
            piece for piece in before if piece[0] <= 2001 < piece[1]
        ]
        curve = await _thinned(database, run, None, 20)
        assert (2001, 9.0) in list(zip(curve.epochs, curve.values, strict=True))

    within(new_database, story)


def test_a_piece_holds_a_number_as_the_log_does(new_database: NewDatabase) -> None:
    async def story(database: Database) -> None:
        run = await start(database)
        values: list[Number] = ["NaN", 1e-320, 1.7976931348623157e308, "-Infinity", 0.1, "Infinity"]
        await log(database, run, [(epoch, values[epoch % 6]) for epoch in range(2 * SHORTEST)])
        plain = await _thinned(database, run, None, 12)
        await condense_all(database)
        assert await database.read(pieces)
        condensed = await _thinned(database, run, None, 12)
        assert sorted(map(str, condensed.values)) == sorted(map(str, plain.values))

    within(new_database, story)


def test_condensing_goes_in_parts_that_hold_nobody_up(new_database: NewDatabase) -> None:
    async def story(database: Database) -> None:
        run = await start(database)
        await log(database, run, [(epoch, 0.5) for epoch in range(5000)])
        assert await database.write(condense.condense_runs, run)  # there is more
        assert (await database.read(pieces))[-1][1] < 5000 // 2
        seen = [Mark(run, "running", 4999)]
        await condense_long(database, seen)
        assert (await database.read(pieces))[-1][1] > 4900

    within(new_database, story)
