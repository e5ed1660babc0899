"""The SQLite file that MLflow keeps its runs in: its tables experiments, runs, params, tags and metrics.

Written for the tables of MLflow 3; those that are read are the same since 1.12.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from app.importing.mlflow_runs import MlflowRun, Point, to_steps, to_value
from app.importing.steps import CannotImport, Step

_MAGIC = b"SQLite format 3\0"

_RUNS = """
    SELECT runs.run_uuid, runs.name, experiments.name AS experiment, runs.status, runs.start_time, runs.end_time
    FROM runs JOIN experiments USING (experiment_id)
    WHERE runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'
    ORDER BY runs.start_time, runs.run_uuid
"""
_TAGS = "SELECT key, coalesce(value, '') FROM tags WHERE run_uuid = ? ORDER BY key"
_POINTS = """
    SELECT key, step, timestamp, value, is_nan FROM metrics WHERE run_uuid = ? ORDER BY timestamp, step, rowid
"""


def is_sqlite(path: Path) -> bool:
    """Whether a file is a SQLite database."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


class MlflowFile:
    """The runs in an MLflow SQLite file that were not deleted. It is only read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size: int | None = None
        self.position = 0

    def steps(self) -> Iterator[Step]:
        try:
            with closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
                connection.row_factory = sqlite3.Row
                runs = connection.execute(_RUNS).fetchall()
                self.size = len(runs)
                for run in runs:
                    yield from to_steps(_read_run(connection, run), _read_points(connection, run["run_uuid"]))
                    self.position += 1
        except sqlite3.Error as error:
            hint = "runs of another tunetrack come as its export"
            raise CannotImport(f"{self._path} cannot be read as an MLflow database: {error}; {hint}") from error


def _read_run(connection: sqlite3.Connection, run: sqlite3.Row) -> MlflowRun:
    run_id = run["run_uuid"]
    tags = dict(connection.execute(_TAGS, (run_id,)))
    return MlflowRun(
        run_id=run_id,
        name=run["name"] or tags.get("mlflow.runName", ""),
        experiment=run["experiment"],
        status=run["status"],
        start_ms=run["start_time"],
        end_ms=run["end_time"],
        params=dict(connection.execute("SELECT key, value FROM params WHERE run_uuid = ? ORDER BY key", (run_id,))),
        tags=tags,
    )


def _read_points(connection: sqlite3.Connection, run_id: str) -> Iterator[Point]:
    for row in connection.execute(_POINTS, (run_id,)):
        yield Point(row["key"], row["step"], row["timestamp"], to_value(row["value"], bool(row["is_nan"])))
