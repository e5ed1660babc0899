"""Many rows at once, in databases that take only so many values in a statement."""

import sqlite3
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.store import runs
from app.store.engines import open_readers, parse
from app.store.migrate import migrate

_RUN = """
    INSERT INTO runs (run_id, name, params, tags, note, status, start_time, summary, body_digest)
    VALUES (?, '', '{}', '[]', '', 'running', 0, '{}', x'')
"""


def test_more_runs_are_read_than_a_statement_takes_values(tmp_path: Path) -> None:
    path = tmp_path / "tunetrack.db"
    url = parse(f"sqlite:///{path}")
    migrate(url)
    run_ids = [uuid4() for _ in range(40_000)]
    with sqlite3.connect(path) as writer:
        writer.executemany(_RUN, [(run_id.bytes,) for run_id in run_ids])
    writer.close()
    engine = open_readers(url, pool_size=1)
    with engine.begin() as connection:
        raw: Any = connection.connection.driver_connection
        raw.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766)
        assert list(runs.find_many(connection, run_ids)) == sorted(run_ids)
    engine.dispose()
