"""MLflow as an import meets it: a SQLite file with the tables of MLflow 3.17, and a server that answers as its does."""

import json
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

_TABLES = """
CREATE TABLE experiments (
    experiment_id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(256) NOT NULL, artifact_location VARCHAR(256),
    lifecycle_stage VARCHAR(32), creation_time BIGINT, last_update_time BIGINT,
    workspace VARCHAR(63) DEFAULT 'default' NOT NULL
);
CREATE TABLE runs (
    run_uuid VARCHAR(32) NOT NULL PRIMARY KEY, name VARCHAR(250), source_type VARCHAR(20), source_name VARCHAR(500),
    entry_point_name VARCHAR(50), user_id VARCHAR(256), status VARCHAR(9), start_time BIGINT, end_time BIGINT,
    source_version VARCHAR(50), lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200), experiment_id INTEGER,
    deleted_time BIGINT
);
CREATE TABLE params (
    key VARCHAR(250) NOT NULL, value VARCHAR(8000) NOT NULL, run_uuid VARCHAR(32) NOT NULL, PRIMARY KEY (key, run_uuid)
);
CREATE TABLE tags (
    key VARCHAR(250) NOT NULL, value VARCHAR(8000), run_uuid VARCHAR(32) NOT NULL, PRIMARY KEY (key, run_uuid)
);
CREATE TABLE metrics (
    key VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL, run_uuid VARCHAR(32) NOT NULL,
    step BIGINT DEFAULT '0' NOT NULL, is_nan BOOLEAN DEFAULT '0' NOT NULL,
    PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan)
);
"""
START_MS = 1_700_000_000_123
LARGEST = sys.float_info.max

Point = tuple[str, float, int, int, bool]
"""Metric, value, milliseconds after the start, step, whether it is NaN."""

POINTS: list[Point] = [
    *[("loss", 1 / (step + 1), step, step, False) for step in range(1200)],
    ("odd", 0.0, 1, 0, True),
    ("odd", LARGEST, 2, 1, False),
    ("odd", -LARGEST, 3, 2, False),
    ("unnumbered", 5.0, 10, 0, False),
    ("unnumbered", 6.0, 20, 0, False),
    ("unnumbered", 4.0, 30, 0, False),
    ("twice", 1.0, 1, 3, False),
    ("twice", 2.0, 2, 3, False),
    ("twice", 3.0, 3, 4, False),
    ("early", 1.0, 1, -1, False),
    ("early", 2.0, 2, 5, False),
]
PARAMS = {"lr": "0.01", "layers": "3", "opt": "adam", "flag": "True", "none": "None"}
TAGS = {
    "mlflow.runName": "first",
    "mlflow.note.content": "a note",
    "mlflow.user": "ada",
    "team": "vision",
    "long": "x" * 300,
}


def run_ids(start: int) -> list[str]:
    """The ids of the four runs: one with everything, a failed one, one that runs, one that was deleted."""
    return [f"{start + number:032x}" for number in range(4)]


def write_file(path: Path, start: int) -> Path:
    """A database with four runs, whose ids count from `start`."""
    first, failed, running, deleted = run_ids(start)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(_TABLES)
        connection.execute(
            "INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (1, 'digits', 'active')"
        )
        for run_id, status, stage in (
            (first, "FINISHED", "active"),
            (failed, "FAILED", "active"),
            (running, "RUNNING", "active"),
            (deleted, "FINISHED", "deleted"),
        ):
            end_ms = None if status == "RUNNING" else START_MS + 5_000
            connection.execute(
                "INSERT INTO runs (run_uuid, name, status, start_time, end_time, lifecycle_stage, experiment_id)"
                " VALUES (?, ?, ?, ?, ?, ?, 1)",
                (run_id, "first" if run_id == first else "", status, START_MS, end_ms, stage),
            )
        connection.executemany("INSERT INTO params VALUES (?, ?, ?)", [(*pair, first) for pair in PARAMS.items()])
        connection.executemany("INSERT INTO tags VALUES (?, ?, ?)", [(*pair, first) for pair in TAGS.items()])
        connection.execute("INSERT INTO tags VALUES ('mlflow.note.content', NULL, ?)", (failed,))
        rows = [(key, value, START_MS + ms, first, step, is_nan) for key, value, ms, step, is_nan in POINTS]
        connection.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
    return path


class _Answers(BaseHTTPRequestHandler):
    """The three calls, in pages of two (of 500 points)."""

    start = 0

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/2.0/mlflow/experiments/search":
            experiments = [{"experiment_id": str(n), "name": "digits" if n == 1 else f"empty {n}"} for n in (0, 1, 2)]
            self._page("experiments", experiments, asked.get("page_token"), 2)
        else:
            runs = self._runs() if asked["experiment_ids"] == ["1"] else []
            assert asked["run_view_type"] == "ACTIVE_ONLY"
            self._page("runs", runs, asked.get("page_token"), 2)

    def do_GET(self) -> None:
        asked = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        points = [
            {"key": key, "value": "NaN" if is_nan else value, "timestamp": START_MS + ms, "step": step}
            for key, value, ms, step, is_nan in POINTS
            if key == asked["metric_key"]
        ]
        self._page("metrics", points, asked.get("page_token"), 500)

    def _runs(self) -> list[dict[str, Any]]:
        first, failed, running, _ = run_ids(self.start)
        keys = list(dict.fromkeys(point[0] for point in POINTS))
        data = {
            "params": [{"key": key, "value": value} for key, value in PARAMS.items()],
            "tags": [{"key": key, "value": value} for key, value in TAGS.items()],
            "metrics": [{"key": key, "value": 0.0, "timestamp": 0, "step": 0} for key in keys],
        }
        nothing = {"tags": [{"key": "mlflow.note.content", "value": None}]}
        end_ms = START_MS + 5_000
        info: dict[str, Any] = {"experiment_id": "1", "start_time": START_MS}
        return [
            {
                "info": {**info, "run_id": first, "run_name": "first", "status": "FINISHED", "end_time": end_ms},
                "data": data,
            },
            {"info": {**info, "run_id": failed, "status": "FAILED", "end_time": str(end_ms)}, "data": nothing},
            {"info": {**info, "run_id": running, "status": "RUNNING"}, "data": {}},
        ]

    def _page(self, name: str, items: list[Any], token: str | None, size: int) -> None:
        begin = int(token or 0)
        page: dict[str, Any] = {name: items[begin : begin + size]}
        if begin + size < len(items):
            page["next_page_token"] = str(begin + size)
        content = json.dumps(page).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(start: int) -> Iterator[str]:
    """The address of a server with the same runs."""
    answers = type("Answers", (_Answers,), {"start": start})
    with ThreadingHTTPServer(("127.0.0.1", 0), answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
