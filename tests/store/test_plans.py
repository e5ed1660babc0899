"""What runs all the time finds its few rows by an index, however many others there are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, event

from app.domain.filters import Compare, Field, Kind
from app.store import curve_pieces, events, facts, leavings, runs, search, standing, trials, tuners
from app.store.engines import open_readers, open_writer, parse
from app.store.events import EventFilter
from app.store.migrate import migrate
from app.store.search import Search
from tests.conftest import Shared

_NOW = datetime(2026, 11, 24, tzinfo=UTC)

Query = Callable[[Connection], Any]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """Of SQLite, whose planner counts nothing; an empty file, as it sees it, is as good as a full one."""
    url = parse(f"sqlite:///{tmp_path_factory.mktemp('plans') / 'tunetrack.db'}")
    migrate(url)
    engine = open_readers(url, pool_size=1)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Connection]:
    """Of SQLite, to be filled."""
    url = parse(f"sqlite:///{tmp_path / 'tunetrack.db'}")
    migrate(url)
    engine = open_writer(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize(
    "query",
    [
        lambda connection: facts.list_changed(connection, 10),
        lambda connection: runs.list_silent(connection, _NOW),
        lambda connection: trials.list_expired(connection, _NOW),
        lambda connection: tuners.list_overdue(connection, _NOW),
        lambda connection: trials.list_held_too_long(connection, _NOW),
        lambda connection: runs.list_awaited_too_long(connection, _NOW),
        lambda connection: leavings.list_left(connection, [uuid4()]),
    ],
    ids=["changed", "silent", "expired", "overdue", "held", "awaited", "left"],
)
def test_nothing_is_walked_through(connection: Connection, query: Query) -> None:
    asked: list[tuple[str, Any]] = []

    @event.listens_for(connection, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, sql: str, parameters: Any, *_: Any) -> None:
        asked.append((sql, parameters))

    query(connection)
    event.remove(connection, "before_cursor_execute", note)
    assert asked
    for sql, parameters in asked:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)]
        assert not [step for step in plan if step.startswith("SCAN")], plan


_TUNER = """
    INSERT INTO tuners (tuner_id, name, strategy, space, objectives, seed, options, budget, stopper, lease_s, tags,
                        state, n_trials, n_proposed, is_exhausted, counts, body_digest, create_time, update_time)
    VALUES (?, '', 'random', '{}', '[]', 0, '{}', '{}', '{}', 1, '[]', 'active', 0, 0, 0, '{}', x'', 0, 0)
"""
_EPOCHS = """
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 20000)
    INSERT INTO events (type, timestamp, run_id, tuner_id, epoch, body) SELECT 2, n, ?, ?, n, '{}' FROM number
"""


_QUEUED = """
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 5000)
    INSERT INTO trials (trial_id, tuner_id, number, params, params_digest, state, attempt, why, create_time)
    SELECT randomblob(16), ?, n, '{}', x'', 'queued', 0, '{}', 0 FROM number
"""

_RUNS = """
    INSERT INTO runs (run_id, tuner_id, trial_id, name, params, tags, note, status, start_time, summary, body_digest)
    SELECT randomblob(16), tuner_id, trial_id, '', '{}', '[]', '', 'finished', number, '{}', x'' FROM trials
"""


_RUN = """
    INSERT INTO runs (run_id, name, params, tags, note, status, start_time, last_epoch, summary, body_digest)
    VALUES (?, '', '{}', '[]', '', 'running', 0, 20000, '{}', x'')
"""


_PIECES = """
    WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < 20000)
    INSERT INTO curve_pieces (run_id, start, stop, curves) SELECT ?, n, n + 1, '{}' FROM number
"""


@contextmanager
def counted_steps(connection: Connection) -> Iterator[list[int]]:
    """How many steps SQLite's machine takes meanwhile, in hundreds."""
    hundreds = [0]

    def count() -> None:
        hundreds[0] += 1

    raw: Any = connection.connection.driver_connection
    raw.set_progress_handler(count, 100)
    yield hundreds
    raw.set_progress_handler(None, 0)


def test_of_the_trials_that_wait_no_more_are_read_than_are_wanted(empty: Connection) -> None:
    tuner_id = uuid4()
    empty.exec_driver_sql(_TUNER, (tuner_id.bytes,))
    empty.exec_driver_sql(_QUEUED, (tuner_id.bytes,))
    with counted_steps(empty) as hundreds:
        assert [trial.number for trial in trials.list_waiting(empty, tuner_id, 2)] == [1, 2]
    assert hundreds[0] < 10


def test_of_the_runs_of_a_tuner_those_of_the_trials_that_are_shown_are_read(empty: Connection) -> None:
    tuner_id = uuid4()
    empty.exec_driver_sql(_TUNER, (tuner_id.bytes,))
    empty.exec_driver_sql(_QUEUED, (tuner_id.bytes,))
    empty.exec_driver_sql(_RUNS)
    shown = [trial.trial_id for trial in trials.list_numbered(empty, tuner_id, [7, 8])]
    with counted_steps(empty) as hundreds:
        assert list(standing.runs_of(empty, shown)) == shown
    assert hundreds[0] < 10


def test_some_of_a_long_history_are_deleted_without_a_look_at_the_others(empty: Connection) -> None:
    run_id = uuid4()
    empty.exec_driver_sql(_EPOCHS, (run_id.bytes, None))
    with counted_steps(empty) as hundreds:
        assert leavings.delete_some(empty, run_id, 0, 20_000, 10) == 10
    assert hundreds[0] < 10


def test_the_last_sign_of_a_tuner_takes_one_look_however_long_its_log(empty: Connection) -> None:
    tuner_id = uuid4()
    empty.exec_driver_sql(_TUNER, (tuner_id.bytes,))
    empty.exec_driver_sql(_EPOCHS, (uuid4().bytes, tuner_id.bytes))
    with counted_steps(empty) as hundreds:
        assert standing.last_signs(empty, [tuner_id]) == {tuner_id: datetime.fromtimestamp(0.02, UTC)}
    assert hundreds[0] < 10


def test_trials_with_some_parameters_are_found_however_many_others_there_are(empty: Connection) -> None:
    tuner_id = uuid4()
    empty.exec_driver_sql(_TUNER, (tuner_id.bytes,))
    empty.exec_driver_sql(_QUEUED, (tuner_id.bytes,))
    with counted_steps(empty) as hundreds:
        assert trials.find_equal(empty, [(tuner_id, b"one"), (tuner_id, b"other")]) == []
    assert hundreds[0] < 10


def test_the_time_of_the_last_epoch_of_a_run_takes_one_look_however_long_that_is(empty: Connection) -> None:
    run_id = uuid4()
    empty.exec_driver_sql(_EPOCHS, (run_id.bytes, None))
    empty.exec_driver_sql(_RUN, (run_id.bytes,))
    condition = Compare(Field("last_epoch_time", Kind.time), "<", "1970-01-02T00:00:00Z")
    with counted_steps(empty) as hundreds:
        assert runs.get(empty, run_id).last_epoch_time == datetime.fromtimestamp(0.02, UTC)
        (found,) = search.list_found(empty, Search(condition), 10)
    assert found.run.run_id == run_id
    assert hundreds[0] < 10


def test_the_pieces_of_a_run_are_found_however_many_there_are(empty: Connection) -> None:
    run_id = uuid4()
    empty.exec_driver_sql(_EPOCHS, (run_id.bytes, None))
    empty.exec_driver_sql(_RUN, (run_id.bytes,))
    empty.exec_driver_sql(_PIECES, (run_id.bytes,))
    with counted_steps(empty) as hundreds:
        assert curve_pieces.stop_of(empty, run_id) == 20001
        assert not curve_pieces.has_waiting(empty, run_id)
        curve_pieces.forget(empty, run_id, [20000, 19999, 20001])
    assert curve_pieces.stop_of(empty, run_id) == 19999
    assert hundreds[0] < 10


@pytest.mark.parametrize("types", [{"tuner_end"}, {"tuner_end", "run_start"}])
def test_events_of_some_types_are_found_however_many_epochs_lie_between(empty: Connection, types: set[str]) -> None:
    empty.exec_driver_sql(_EPOCHS, (uuid4().bytes, None))
    with counted_steps(empty) as hundreds:
        assert events.list_next(empty, 0, EventFilter(types=frozenset(types)), 10) == []
        assert events.list_news(empty, 0, 10, types) == []
    assert hundreds[0] < 10


def test_what_is_told_of_a_run_is_found_however_many_epochs_it_has(empty: Connection) -> None:
    run_id = uuid4()
    empty.exec_driver_sql(_EPOCHS, (run_id.bytes, None))
    start = "INSERT INTO events (type, timestamp, run_id, body) VALUES (1, 0, ?, '{\"params\":{}}')"
    empty.exec_driver_sql(start, (run_id.bytes,))
    with counted_steps(empty) as hundreds:
        assert [one.type for one in events.list_told(empty, run_id)] == ["run_start"]
    assert hundreds[0] < 10


def test_what_has_a_rare_tag_is_found_however_many_others_lie_between(empty: Connection) -> None:
    tagged = uuid4().bytes

    def find() -> int:
        with counted_steps(empty) as hundreds:
            found = events.list_next(empty, 0, EventFilter(tags=frozenset({"rare"})), 10)
            assert [event.run_id and event.run_id.bytes for event in found] == [tagged]
            return hundreds[0]

    empty.exec_driver_sql(_EPOCHS, (uuid4().bytes, None))
    empty.exec_driver_sql("INSERT INTO tags (owner_id, tag) VALUES (?, 'rare')", (tagged,))
    empty.exec_driver_sql("INSERT INTO events (type, timestamp, run_id, body) VALUES (1, 0, ?, '{}')", (tagged,))
    n_steps = find()
    empty.exec_driver_sql("DELETE FROM events WHERE run_id = ?", (tagged,))
    empty.exec_driver_sql(_EPOCHS, (uuid4().bytes, None))
    empty.exec_driver_sql("INSERT INTO events (type, timestamp, run_id, body) VALUES (1, 0, ?, '{}')", (tagged,))
    assert find() < n_steps + 10


def test_postgresql_finds_the_events_of_a_run_that_has_much_of_the_log_by_their_index(shared: Shared) -> None:
    url, run_id, tuner_id = parse(shared.new_database("postgres")), uuid4(), uuid4()
    engine = open_writer(url)
    insert = (
        "INSERT INTO events (type, timestamp, run_id, tuner_id, epoch, body) SELECT 2, now(), {}, {}, '{{}}' FROM {}"
    )
    other, own = "md5((n / 100)::text)::uuid, md5((n / 100)::text)::uuid", f"'{run_id}', '{tuner_id}'"
    queries: list[Query] = [
        lambda connection: events.list_next(connection, 0, EventFilter(run_ids=frozenset({run_id})), 10),
        lambda connection: events.list_next(connection, 0, EventFilter(tuner_ids=frozenset({tuner_id})), 10),
        lambda connection: events.list_told(connection, run_id, 1000),
    ]
    asked: list[tuple[str, Any]] = []
    with engine.begin() as connection:
        connection.exec_driver_sql(insert.format(other, "nullif(mod(n, 2), 0)", "generate_series(1, 20000) AS n"))
        connection.exec_driver_sql(insert.format(own, "n", "generate_series(1, 10000) AS n"))
        connection.exec_driver_sql("ANALYZE events")

        @event.listens_for(connection, "before_cursor_execute")
        def note(_connection: Any, _cursor: Any, sql: str, parameters: Any, *_: Any) -> None:
            asked.append((sql, parameters))

        assert [len(query(connection)) for query in queries] == [10, 10, 0]
        for sql, parameters in list(asked):
            plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN (ANALYZE) {sql}", parameters))
            assert "Rows Removed by Filter" not in plan, plan
    engine.dispose()
