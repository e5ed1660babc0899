"""Sessions with a PostgreSQL that somebody has set up to their own liking, or stands behind a pooler."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier
from sqlalchemy import URL
from typer.testing import CliRunner

from app.cli import cli
from app.store import sessions
from app.store.engines import parse
from app.store.migrate import migrate
from tests.calls import JSON, answer, create_tuner, end_run, get_run, log_epoch, start_run, suggest
from tests.chaos.wire import Wire
from tests.conftest import Shared, open_client
from tests.ports import reserve
from tests.server import Server
from tests.waiting import eventually


@pytest.fixture
def database(shared: Shared) -> str:
    return shared.empty_database("postgres")


def test_what_a_database_sets_for_its_sessions_changes_nothing(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        name = Identifier(connection.info.dbname)
        for setting, value in (
            ("datestyle", "German, DMY"),
            ("default_transaction_isolation", "serializable"),
            ("timezone", "Asia/Kathmandu"),
        ):
            connection.execute(SQL("ALTER DATABASE {} SET {} = {}").format(name, Identifier(setting), value))
    with Server(database) as server, open_client(server) as client:
        (trial,) = suggest(client, create_tuner(client))
        run = start_run(client, trial_id=trial["trial_id"])
        log_epoch(client, run, 0, score=1.0)
        end_run(client, run)
        assert get_run(client, run)["status"] == "finished"


def test_a_check_of_all_that_is_stored_may_take_long(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(parse(database))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE events RENAME TO many")
        connection.execute("CREATE VIEW events AS SELECT many.* FROM many, pg_sleep(0.4)")
    monkeypatch.setattr(sessions, "_SET", "SELECT set_config('statement_timeout', '200ms', false)")
    found = CliRunner().invoke(cli, ["check", "--database", database])
    assert (found.exit_code, found.output[:11]) == (0, "all is well")


def test_the_schema_that_a_url_names_is_the_one_that_is_used(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA tuning")
        with Server(f"{database}{'&' if '?' in database else '?'}options=-csearch_path%3Dtuning") as server:
            with open_client(server) as client:
                start_run(client)
            found = connection.execute("SELECT count(*) FROM tuning.runs").fetchone()
    assert found == (1,)


def test_a_listener_lives_longer_than_idle_sessions_may(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        name = Identifier(connection.info.dbname)
        connection.execute(SQL("ALTER DATABASE {} SET idle_session_timeout = '1s'").format(name))
    with closing(sessions.connect(parse(database))) as connection:
        found = connection.execute("SHOW idle_session_timeout").fetchone()
    assert found == ("0",)


# ---- a pooler between ----


@pytest.fixture
def pooler(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The database's URL behind PgBouncer."""
    command = shutil.which("pgbouncer")
    if command is None:
        pytest.skip("there is no PgBouncer here")
    for path in (tmp_path, *list(tmp_path.parents)[:2]):
        path.chmod(0o755)  # it runs as nobody, and for that one the server's own socket may not be there
    with Wire(database) as wire, reserve() as place:
        port, behind = place.getsockname()[1], conninfo_to_dict(wire.url)
        (tmp_path / "users").write_text(f'"{behind["user"]}" "{behind.get("password") or ""}"\n')
        (tmp_path / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={behind['port']}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {tmp_path / 'users'}\npool_mode = {request.param}\n"
        )
        url = f"postgresql://{behind['user']}@127.0.0.1:{port}/{behind['dbname']}"
        with subprocess.Popen([command, "-q", "-u", "nobody", tmp_path / "pgbouncer.ini"]) as run:
            try:
                eventually(lambda: _answers(url))
                yield url
            finally:
                run.terminate()


def _answers(url: str) -> bool | None:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError as error:
        if "refused" not in str(error):
            raise
        return None
    return True


@pytest.mark.parametrize("pooler", ["session"], indirect=True)
def test_a_pooler_of_sessions_may_be_between(pooler: str) -> None:
    with Server(pooler) as server, open_client(server) as client:
        assert get_run(client, start_run(client))["status"] == "running"


@pytest.mark.parametrize("pooler", ["transaction", "transaction\nserver_round_robin = 1"], indirect=True)
def test_a_pooler_of_transactions_is_told_at_start(pooler: str) -> None:
    for _ in range(3):  # each leaves it more sessions to choose from
        with pytest.raises(sessions.NoSession, match="session mode"):
            migrate(parse(pooler))
    done = CliRunner().invoke(cli, ["doctor", "--database", pooler])
    assert done.exit_code == 1
    assert "problem  database   A pooler before the database" in done.stdout


# ---- few sessions ----


@pytest.fixture
def limited(database: str) -> Iterator[Callable[[int], URL]]:
    """The database's URL as of a user who may have so many sessions; all databases of a server share its users."""
    name = f"limited_{uuid4().hex}"
    role = Identifier(name)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SQL("CREATE ROLE {} LOGIN PASSWORD 'limited'").format(role))
        connection.execute(SQL("GRANT ALL ON SCHEMA public TO {}").format(role))

        def limit(n: int) -> URL:
            connection.execute(SQL("ALTER ROLE {} CONNECTION LIMIT {}").format(role, n))
            return parse(database).set(username=name, password="limited")

        yield limit
        connection.execute(SQL("DROP OWNED BY {} CASCADE").format(role))
        connection.execute(SQL("DROP ROLE {}").format(role))


def plain(url: URL) -> str:
    """As an operator writes it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def test_a_user_with_fewer_sessions_than_a_replica_takes_is_told(limited: Callable[[int], URL]) -> None:
    url = limited(5)
    told = f"PostgreSQL gives {url.username} at most 5"
    assert f"{told} connections, and each replica takes 6" in migrate(url)[-1]
    done = CliRunner().invoke(cli, ["doctor", "--database", plain(url)])
    assert (done.exit_code, f"problem  database   {told}" in done.stdout) == (1, True)


def started(server: Server) -> JSON | None:
    """A new run, unless the store is busy."""
    told = httpx.post(f"{server.url}/v1/runs", json={})
    return None if told.status_code == 503 else answer(told, 201)


def test_a_replica_takes_no_more_sessions_than_it_says(limited: Callable[[int], URL]) -> None:
    url = plain(limited(6))
    with Server(url) as server, open_client(server) as client, ThreadPoolExecutor(16) as pool:
        # The session that migrated is counted until PostgreSQL has seen it go.
        run = eventually(lambda: started(server))
        before = server.log
        for reading in [pool.submit(get_run, client, run) for _ in range(200)]:
            assert reading.result()["status"] == "running"
        assert "connections" not in server.log.removeprefix(before)
