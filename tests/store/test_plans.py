"""What runs all the time finds its few rows by an index, however many others there are."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, event

from app.store import facts, runs, standing, trials, tuners
from app.store.engines import open_readers, open_writer, parse
from app.store.migrate import migrate

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


@pytest.mark.parametrize(
    "query",
    [
        lambda connection: facts.list_changed(connection, 10),
        lambda connection: runs.list_silent(connection, _NOW),
        lambda connection: trials.list_expired(connection, _NOW),
        lambda connection: tuners.list_overdue(connection, _NOW),
    ],
    ids=["changed", "silent", "expired", "overdue"],
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


def test_the_last_sign_of_a_tuner_takes_one_look_however_long_its_log(tmp_path: Path) -> None:
    url = parse(f"sqlite:///{tmp_path / 'tunetrack.db'}")
    migrate(url)
    engine = open_writer(url)
    tuner_id = uuid4()
    n_steps = 0

    def count() -> None:
        nonlocal n_steps
        n_steps += 100

    with engine.begin() as connection:
        connection.exec_driver_sql(_TUNER, (tuner_id.bytes,))
        connection.exec_driver_sql(_EPOCHS, (uuid4().bytes, tuner_id.bytes))
        raw: Any = connection.connection.driver_connection
        raw.set_progress_handler(count, 100)
        assert standing.last_signs(connection, [tuner_id]) == {tuner_id: datetime.fromtimestamp(0.02, UTC)}
        raw.set_progress_handler(None, 0)
    engine.dispose()
    assert n_steps < 1000
