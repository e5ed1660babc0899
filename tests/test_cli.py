"""The command, as an operator meets it."""

import json
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import typer.main
from alembic.command import upgrade
from sqlalchemy import URL, text
from typer.testing import CliRunner, Result

from app.cli import cli
from app.service.invariants import find_violations
from app.store.backup import back_up
from app.store.engines import open_writer, parse
from app.store.migrate import configuration, current_revision
from tests import nursery, receiver
from tests.calls import answer, create_tuner, log_epoch, report, start_run, suggest
from tests.certificate import make_certificate, tls_before
from tests.conftest import WEBHOOKS, NewDatabase, Shared, open_client
from tests.server import Server


def tunetrack(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """One run of the command to its end."""
    return nursery.run(*arguments, env=env)


def refused(done: subprocess.CompletedProcess[str], says: str, status: int = 2) -> None:
    """One clear line, the right exit status, no trace."""
    assert done.returncode == status, done
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def fill(client: httpx.Client) -> dict[str, object]:
    """A tuner with a trial of each fate, and a run with a history."""
    tuner = create_tuner(client, budget={"max_trials": 3})
    trials = suggest(client, tuner, 3)
    run = start_run(client, trial_id=trials[0]["trial_id"])
    for epoch in (0, 2, 1):
        log_epoch(client, run, epoch, score=epoch / 10, loss="NaN")
    answer(client.post(f"/v1/runs/{run['run_id']}/end", json={}))
    report(client, tuner, trial_id=trials[1]["trial_id"], state="failed", reason="OOM")
    report(client, tuner, params={"x": 0.5}, score=0.1)
    return run


def say(*arguments: str, **env: str) -> Result:
    """What the command says, where it need not be a process of its own."""
    return CliRunner().invoke(cli, arguments, prog_name="tunetrack", env={"COLUMNS": "200", **env})


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command, and how it is called."""
    command = command or typer.main.get_command(cli)
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


def test_help_says_what_each_command_and_each_option_is_for() -> None:
    for path, command in commands():
        told = say(*path, "--help")
        assert told.exit_code == 0
        assert f"Usage: {' '.join(['tunetrack', *path])}" in told.stdout
        assert command.help, path
        for parameter in command.params:
            assert getattr(parameter, "help", None), (path, parameter.name)
            assert parameter.opts[0] in told.stdout or parameter.param_type_name == "argument"


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (("serv",), "Did you mean 'serve'?"),
        (("key",), "Did you mean 'keys'?"),
        (("keys", "creat"), "Did you mean 'create'?"),
        (("serve", "--prot", "1"), "--port"),
        (("check", "--databse", "x"), "--database"),
        (("serve", "--log-level", "warn"), "'warning'"),
        (("keys", "create", "--name", "x", "--scope", "write"), "'read', 'train', 'tune', 'admin'"),
        (("keys", "create", "--name", " ", "--scope", "read"), "who uses it"),
    ],
)
def test_a_mistake_gets_a_suggestion(wrong: tuple[str, ...], hint: str) -> None:
    told = say(*wrong)
    assert told.exit_code == 2
    assert hint in told.stderr


def test_a_variable_that_is_no_setting_is_told_with_the_one_that_was_meant() -> None:
    told = say("secret-key", TUNETRACK_DATABSE="x", TUNETRACK_SECRET_KEYS_FILE="/dev/null", TUNETRACK_FOO="1")
    assert told.exit_code == 0
    assert told.stderr.splitlines() == [
        "tunetrack: warning: TUNETRACK_DATABSE is not a setting; did you mean TUNETRACK_DATABASE?",
        "tunetrack: warning: TUNETRACK_FOO is not a setting; nothing reads it",
        "tunetrack: warning: TUNETRACK_SECRET_KEYS_FILE is not a setting; did you mean TUNETRACK_SECRET_KEY_FILE?",
    ]


def test_what_kubernetes_sets_for_a_service_of_our_name_is_no_setting_of_ours(tmp_path: Path) -> None:
    links = {
        "TUNETRACK_SERVICE_HOST": "10.0.0.1",
        "TUNETRACK_SERVICE_PORT_HTTP": "80",
        "TUNETRACK_PORT_80_TCP": "tcp://10.0.0.1:80",
    }
    told = say("serve", "--database", "nonsense", TUNETRACK_PORT="tcp://10.0.0.1:80", **links)
    assert told.stderr.startswith("tunetrack: --database 'nonsense'"), told.stderr


def test_a_file_that_holds_a_setting_must_be_there(tmp_path: Path) -> None:
    told = say("secret-key", TUNETRACK_DATABASE_FILE=str(tmp_path / "none"))
    assert (told.exit_code, told.stdout) == (1, "")
    assert "TUNETRACK_DATABASE_FILE" in told.stderr


def test_the_shell_completes_commands_options_and_their_values() -> None:
    def completed(words: str) -> list[str]:
        count = len(words.split(" ")) - 1
        asked = {"_TUNETRACK_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(count)}
        return say(**asked).stdout.split()

    assert completed("tunetrack s") == ["serve", "secret-key"]
    assert completed("tunetrack keys ") == ["create", "list", "revoke"]
    assert completed("tunetrack serve --po") == ["--port"]
    assert completed("tunetrack keys create --scope t") == ["train", "tune"]


def test_help_and_completion_wait_for_nothing_that_only_a_command_needs() -> None:
    heavy = "alembic fastapi httpx numpy prometheus_client pydantic scipy sqlalchemy structlog uvicorn"
    code = f"import sys, app.cli; print(*set({heavy.split()!r}) & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == ""


def test_the_version_is_told() -> None:
    assert tunetrack("--version").stdout.startswith("tunetrack 0.")


@pytest.mark.parametrize(
    "url", ["mysql://somewhere/x", "nonsense", "sqlite://", "sqlite:///:memory:", "sqlite:///a?b.db"]
)
def test_a_database_that_we_do_not_know_is_refused(url: str) -> None:
    refused(tunetrack("serve", "--port", "0", "--database", url), "sqlite:///path/to/file.db or postgresql://")


def test_a_database_that_does_not_answer_is_told_at_start() -> None:
    refused(tunetrack("serve", "--port", "0", "--database", "postgresql://a:secret@127.0.0.1:1/x"), "cannot be opened")


def test_a_password_is_never_shown() -> None:
    done = tunetrack("serve", "--port", "0", "--database", "postgresql://a:secret@127.0.0.1:1/x")
    assert "secret" not in done.stderr + done.stdout


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"this is no database, but long enough to be looked at" * 100)
    refused(tunetrack("serve", "--port", "0", "--database", f"sqlite:///{path}"), "not a database")
    assert path.read_bytes().startswith(b"this is no database")


def test_a_folder_that_cannot_be_made_is_told() -> None:
    refused(tunetrack("serve", "--port", "0", "--database", "sqlite:////proc/none/x.db"), "cannot be opened")


def test_a_port_that_is_taken_is_told(server: Server, tmp_path: Path) -> None:
    done = tunetrack("serve", "--port", str(server.port), "--database", f"sqlite:///{tmp_path / 'x.db'}")
    refused(done, f"cannot listen on 127.0.0.1:{server.port}: Address already in use. Choose another --port")


def test_a_second_process_on_the_same_file_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with Server(url) as first:
        refused(tunetrack("serve", "--port", "0", "--database", url), f"Its process id is {first.pid}")
        first.kill()
        first.start()
        assert answer(httpx.get(f"{first.url}/readyz"))["status"] == "ok"


def test_a_second_process_on_the_same_file_is_refused_by_another_name_too(tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "x.db")
    with Server(f"sqlite:///{link}") as first:
        done = tunetrack("serve", "--port", "0", "--database", f"sqlite:///{tmp_path / 'x.db'}")
        refused(done, f"Its process id is {first.pid}")


def test_a_newer_schema_is_refused_and_left_alone(new_database: NewDatabase) -> None:
    url = new_database()
    with Server(url):
        pass
    engine = open_writer(parse(url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '29991231_2359'"))
    done = tunetrack("serve", "--port", "0", "--database", url)
    assert done.returncode == 2
    assert "newer release" in done.stderr
    with engine.begin() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "29991231_2359"
    engine.dispose()


@pytest.mark.parametrize(
    "command", [("check",), ("keys", "list"), ("keys", "revoke", "019ab1c2-3d4e-7f50-8a61-b2c3d4e5f607")]
)
def test_what_only_looks_brings_no_schema_up_to_date(empty_database: NewDatabase, command: tuple[str, ...]) -> None:
    url = empty_database()
    engine = open_writer(parse(url))
    with engine.begin() as connection:
        upgrade(configuration(connection), "20261124_0745")
    refused(tunetrack(*command, "--database", url), "make a backup, then `tunetrack serve` brings it up to date")
    with engine.begin() as connection:
        assert current_revision(connection) == "20261124_0745"
    engine.dispose()


def test_where_another_program_writes_for_long_keys_are_listed_and_all_else_is_told_in_a_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    assert tunetrack("keys", "create", "--name", "ana", "--scope", "read", "--database", url).returncode == 0
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "ana" in tunetrack("keys", "list", "--database", url).stdout
        refused(tunetrack("keys", "revoke", str(uuid4()), "--database", url), "database is locked")


@pytest.mark.parametrize("command", [("watch",), ("import", "runs.csv")])
def test_a_key_that_no_header_holds_is_told_and_not_shown(command: tuple[str, ...]) -> None:
    done = tunetrack(*command, TUNETRACK_KEY="tunetrack_sécret")
    refused(done, "TUNETRACK_KEY")
    assert "cret" not in done.stderr.replace("TUNETRACK_KEY", "")


def test_a_key_may_end_with_the_line_of_its_file(server: Server) -> None:
    done = tunetrack("watch", "--run", "none", "--url", server.url, TUNETRACK_KEY="tunetrack_0\n")
    refused(done, "not a tunetrack key")


def test_a_service_that_asks_for_a_certificate_is_shown_one(server: Server, tmp_path: Path) -> None:
    certificate, file = make_certificate(tmp_path, "localhost"), tmp_path / "runs.ndjson"
    run_id = str(uuid4())
    file.write_text(json.dumps({"run_id": run_id, "status": "finished", "params": {}, "tags": []}) + "\n")
    with tls_before(server.port, certificate, asks_for_one=True) as url:
        trusting = {"SSL_CERT_FILE": str(certificate), "TUNETRACK_URL": url}
        certified = trusting | {"TUNETRACK_CLIENT_CERT": str(certificate)}
        for command in (("import", str(file)), ("watch", "--run", run_id)):
            refused(tunetrack(*command, **trusting), url)
            done = tunetrack(*command, **certified)
            assert done.returncode == 0, done
            refused(tunetrack(*command, **certified | {"TUNETRACK_CLIENT_CERT": "none.pem"}), "none.pem")


def test_settings_come_from_the_environment_too(tmp_path: Path) -> None:
    path = tmp_path / "from-env.db"
    refused(tunetrack("serve", TUNETRACK_DATABASE="nonsense"), "nonsense")
    assert "all is well" not in tunetrack("check", TUNETRACK_DATABASE=f"sqlite:///{path}").stdout
    assert not path.exists()


def test_a_backup_holds_what_was_there_and_passes_the_check(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with Server(f"sqlite:///{tmp_path / 'x.db'}") as server, httpx.Client(base_url=server.url) as client:
        run = fill(client)
        done = tunetrack("backup", str(copy), "--database", server.database)
        assert done.returncode == 0, done.stderr
        refused(tunetrack("backup", str(copy), "--database", server.database), "nothing is overwritten")
        nowhere = tmp_path / "nowhere" / "copy.db"
        refused(
            tunetrack("backup", str(nowhere), "--database", server.database), f"there is no folder {nowhere.parent}"
        )
        expected = answer(client.get(f"/v1/runs/{run['run_id']}"))
        # Nobody else may read them: that would take no key.
        for name in ("x.db", "x.db-wal", "x.db-shm", "copy.db"):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600, name
    assert "all is well" in tunetrack("check", "--database", f"sqlite:///{copy}").stdout
    with Server(f"sqlite:///{copy}") as server:
        assert answer(httpx.get(f"{server.url}/v1/runs/{run['run_id']}")) == expected


@pytest.mark.parametrize(("old", "new"), [("sqlite", "postgres"), ("postgres", "sqlite")])
def test_a_service_goes_on_with_a_copy_in_another_database(shared: Shared, old: str, new: str) -> None:
    def look(client: httpx.Client) -> list[object]:
        paths = ["/v1/tuners", "/v1/runs", f"/v1/runs/{run['run_id']}/metrics", "/v1/events", "/v1/observers"]
        return [answer(client.get(path)) for path in paths]

    source, target = shared.new_database(old), shared.empty_database(new)
    with Server(source, env=WEBHOOKS) as server, open_client(server) as client:
        run = fill(client)
        start_run(client, tags=["kept"], params={"layers": 3, "rate": 3.0, "zero": -0.0})
        answer(client.post("/v1/observers", json={"url": f"http://{receiver.HOST}:9/", "types": ["observer_off"]}), 201)
        expected = look(client)
        if old == "sqlite":
            refused(tunetrack("copy", target, "--database", source), "stop it first")
    done = tunetrack("copy", target, "--database", source)
    assert done.returncode == 0, done.stderr
    refused(tunetrack("copy", target, "--database", source), "holds data already")
    assert "all is well" in tunetrack("check", "--database", target).stdout
    with Server(target, env=WEBHOOKS) as server, open_client(server) as client:
        assert look(client) == expected
        last = answer(client.get("/v1/events"))["last_event_id"]
        start_run(client)
        assert answer(client.get(f"/v1/events?after={last}"))["last_event_id"] == last + 1


@pytest.mark.parametrize("name", ["runs #1.db", "why?.db", "100%41.db"])
def test_a_backup_is_of_the_file_that_was_named(tmp_path: Path, name: str) -> None:
    source, copy = tmp_path / name, tmp_path / "copy.db"
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("CREATE TABLE kept (x)")
    source.chmod(0o600)
    back_up(URL.create("sqlite", database=str(source)), copy)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("kept",)]
    assert {path.name for path in tmp_path.iterdir()} == {name, "copy.db"}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_backup_comes_to_an_end_while_a_service_writes(tmp_path: Path) -> None:
    source, copy = tmp_path / "busy.db", tmp_path / "copy.db"
    with closing(sqlite3.connect(source)) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("CREATE TABLE big (x)")
        with writer:
            writer.executemany("INSERT INTO big VALUES (zeroblob(1000000))", [()] * 50)
        backing_up = threading.Thread(target=back_up, args=(URL.create("sqlite", database=str(source)), copy))
        backing_up.start()
        until = time.monotonic() + 60
        while backing_up.is_alive() and time.monotonic() < until:
            with writer:
                writer.execute("INSERT INTO big VALUES (1)")
        assert not backing_up.is_alive(), "it began anew with each write"
    backing_up.join()
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) >= 50 FROM big").fetchone() == (1,)


@pytest.mark.parametrize("first", ["serve", "check"])
def test_a_backup_put_in_place_of_a_file_whose_service_was_killed_is_not_ruined_by_what_that_left(
    tmp_path: Path, first: str
) -> None:
    source, copy = tmp_path / "x.db", tmp_path / "copy.db"
    with Server(f"sqlite:///{source}") as server:
        with httpx.Client(base_url=server.url) as client:
            run = start_run(client)
            assert tunetrack("backup", str(copy), "--database", server.database).returncode == 0
            expected = answer(client.get(f"/v1/runs/{run['run_id']}"))
            for epoch in range(200):
                log_epoch(client, run, epoch, loss=1.0)
        server.kill()
        copy.replace(source)
        assert (tmp_path / "x.db-wal").stat().st_size > 0
        if first == "check":
            assert "all is well" in tunetrack("check", "--database", server.database).stdout
        server.start()
        assert answer(httpx.get(f"{server.url}/v1/runs/{run['run_id']}")) == expected
        assert "all is well" in tunetrack("check", "--database", server.database).stdout


def test_what_is_not_there_is_not_copied_checked_or_listed_and_not_made(tmp_path: Path) -> None:
    missing = f"sqlite:///{tmp_path / 'none.db'}"
    refused(tunetrack("backup", str(tmp_path / "copy.db"), "--database", missing), "there is no database")
    refused(tunetrack("copy", f"sqlite:///{tmp_path / 'copy.db'}", "--database", missing), "there is no database")
    refused(tunetrack("check", "--database", missing), "there is no database")
    refused(tunetrack("keys", "list", "--database", missing), "there is no database")
    refused(tunetrack("keys", "revoke", str(uuid4()), "--database", missing), "there is no database")
    assert not list(tmp_path.iterdir())
    refused(tunetrack("backup", "x.db", "--database", "postgresql://somewhere/x"), "pg_dump")
    assert list(tmp_path.iterdir()) == []


DAMAGES = {
    "summary": "UPDATE runs SET summary = '{}'",
    "last epoch": "UPDATE runs SET last_epoch = 7",
    "events tell of its end": "DELETE FROM events WHERE type = 3",
    "events tell of its start": "DELETE FROM events WHERE type = 1",
    "its end is not what": "UPDATE runs SET final_metrics = '{\"score\":9.0}'",
    "counts": "UPDATE trials SET state = 'queued' WHERE number = 2",
    "not numbered": "UPDATE trials SET number = 17 WHERE number = 2",
    "handed out": "UPDATE trials SET attempt = 9 WHERE number = 1",
    "the event of its end says": "DELETE FROM events WHERE type = 5",
    "best trial": "UPDATE tuners SET best_trial_id = NULL",
    "does not exist": "DELETE FROM runs",
    "its trial is running": "UPDATE trials SET state = 'running' WHERE number = 0",
}


def test_the_check_finds_each_kind_of_damage(new_database: NewDatabase) -> None:
    url = new_database()
    with Server(url) as server, httpx.Client(base_url=server.url) as client:
        fill(client)
    assert "all is well" in tunetrack("check", "--database", url).stdout
    engine = open_writer(parse(url))
    for finding, damage in DAMAGES.items():
        connection = engine.connect()
        transaction = connection.begin()
        connection.exec_driver_sql(damage)
        found = list(find_violations(connection))
        assert any(finding in violation for violation in found), (finding, found)
        transaction.rollback()
        connection.close()
    with engine.begin() as connection:
        connection.exec_driver_sql(DAMAGES["summary"])
    engine.dispose()
    done = tunetrack("check", "--database", url)
    assert done.returncode == 1
    assert "its summary is not what its epochs fold to" in done.stdout
