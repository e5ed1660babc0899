"""A SQLite file that is removed or replaced while it is served: nobody would find again what is written to it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.calls import get_run, list_all, problem, start_run
from tests.server import Server
from tests.test_cli import tunetrack


def refuses(server: Server) -> None:
    """Nothing is acknowledged, and it is said why."""
    for response in (
        httpx.post(f"{server.url}/v1/runs", json={}, trust_env=False),
        httpx.get(f"{server.url}/v1/runs", trust_env=False),
    ):
        assert "removed or replaced" in problem(response, 503, "store-busy")["detail"]
    problem(httpx.get(f"{server.url}/readyz", trust_env=False), 503, "not-ready")


def test_a_file_that_was_removed_takes_nothing_more_until_it_is_put_back(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "x.db", tmp_path / "elsewhere.db"
    with Server(f"sqlite:///{path}") as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        run = start_run(client)
        path.rename(elsewhere)
        refuses(server)
        assert not path.exists(), "an empty one in its place would be taken for the data"
        elsewhere.rename(path)
        assert get_run(client, run)["status"] == "running"
        start_run(client)
        assert "Traceback" not in server.log, server.log


@pytest.mark.parametrize("what_is_left", ["stays", "is removed"])
def test_a_backup_put_in_place_of_a_file_that_is_served_is_not_ruined(tmp_path: Path, what_is_left: str) -> None:
    path, copy = tmp_path / "x.db", tmp_path / "copy.db"
    with Server(f"sqlite:///{path}") as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        kept = start_run(client)
        assert tunetrack("backup", str(copy), "--database", server.database).returncode == 0
        start_run(client)
        if what_is_left == "is removed":
            for left in tmp_path.glob("x.db-*"):
                left.unlink()
        copy.replace(path)
        refuses(server)
        server.terminate()
        server.start()
        assert [run["run_id"] for run in list_all(client, "/v1/runs")] == [kept["run_id"]]
        assert "all is well" in tunetrack("check", "--database", server.database).stdout


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with Server(f"sqlite:///{path}") as server:
        server.terminate()
        with closing(sqlite3.connect(path)) as connection:
            pages = dict(connection.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'table'").fetchall())
            (size,) = connection.execute("PRAGMA page_size").fetchone()
        _overwrite(path, pages["events"] - 1, size)
        server.start()
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            for response in (client.post("/v1/runs", json={}), client.get("/v1/events")):
                assert "restore a backup" in problem(response, 500, "corrupt-state")["detail"]
            assert client.get("/v1/runs").status_code == 200, "what is not touched by it can be read"
            _overwrite(path, pages["alembic_version"] - 1, size)
            assert "restore a backup" in problem(client.get("/readyz"), 503, "not-ready")["detail"]


def _overwrite(path: Path, page: int, size: int) -> None:
    """As a copy over a file that is served does: the rest of its log is written into it."""
    with path.open("r+b") as file:
        file.seek(page * size)
        file.write(bytes(size))
