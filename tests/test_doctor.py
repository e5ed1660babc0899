"""`tunetrack doctor`: each thing that can be wrong is found, and told in one line with what to do."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from typer.testing import CliRunner
from uuid_utils.compat import uuid7

from app.cli import cli, doctor
from app.domain.access import Scope
from app.domain.states import ObserverState
from app.service.keys import make_key
from app.service.vault import Vault, new_key
from app.store import observers
from app.store.engines import open_writer, parse
from app.store.migrate import migrate
from app.store.observers import Observer
from app.store.tables import events
from app.store.tables import keys as keys_table
from tests.conftest import NewDatabase


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith(("TUNETRACK_", "OTEL_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def database(new_database: NewDatabase) -> str:
    """One at the schema of this release."""
    url = new_database()
    return url


def examine(database: str, *options: str, **env: str) -> tuple[int, dict[str, str]]:
    """The exit status, and what is not well: the grade and the text, by subject."""
    done = CliRunner().invoke(cli, ["doctor", "--database", database, *options], env=env)
    assert done.stderr == "", done.stderr
    *lines, summary = done.stdout.splitlines()
    assert summary.endswith("warnings")
    found = [line.split(maxsplit=2) for line in lines]
    assert all(len(words) == 3 for words in found)
    not_well = {subject: f"{grade} {text}" for grade, subject, text in found if grade != "ok"}
    # The PostgreSQL of the tests keeps nothing through a power loss, and the doctor sees it.
    was_asked = database.startswith("postgres") and ["ok", "schema"] in [words[:2] for words in found]
    assert ("fsync = off" in not_well.pop("durability", "")) == was_asked
    return done.exit_code, not_well


def change(database: str) -> Iterator[Connection]:
    """A transaction on it."""
    engine = open_writer(parse(database))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def test_a_store_that_is_well_has_no_findings(database: str) -> None:
    assert examine(database) == (0, {})


def test_a_database_that_is_not_there_yet_is_no_problem_and_is_not_made(tmp_path: Path) -> None:
    status, found = examine(f"sqlite:///{tmp_path / 'x.db'}")
    assert (status, list(found)) == (0, ["database"])
    assert "serve` makes it" in found["database"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "says"), [("mysql://x", "sqlite:///path"), ("postgresql://a:secret@127.0.0.1:1/x", "refused")]
)
def test_a_database_out_of_reach_is_a_problem(url: str, says: str) -> None:
    status, found = examine(url)
    assert status == 1
    assert says in found["database"]
    assert "a:secret" not in found["database"]


def test_settings_that_make_no_sense_are_found() -> None:
    wrong = {"TUNETRACK_SECRET_KEY": "short", "TUNETRACK_HOTS": "x"}
    status, found = examine("sqlite:///x.db", "--host", "0.0.0.0", "--trusted-proxies", "*", **wrong)
    assert status == 1
    assert "secret-key" in found["secrets"]
    assert "name the proxies" in found["settings"]
    status, found = examine("sqlite:////tmp/none/x.db", TUNETRACK_HOTS="x")
    assert (status, found["settings"]) == (0, "warning TUNETRACK_HOTS is not a setting; did you mean TUNETRACK_HOST?")
    assert examine("sqlite:////tmp/none/x.db", "--webhook-allow", "x")[0] == 1


def test_an_address_that_others_reach_needs_a_key(database: str) -> None:
    status, found = examine(database, "--host", "0.0.0.0")
    assert status == 1
    assert "keys create" in found["keys"]
    for connection in change(database):
        make_key(connection, "x", Scope.admin, timedelta(days=3))
    status, found = examine(database, "--host", "0.0.0.0")
    assert status == 0
    assert "the last one ends at" in found["keys"]


def test_schemas_of_other_releases_are_told_apart(database: str) -> None:
    for connection in change(database):
        connection.execute(text("UPDATE alembic_version SET version_num = '29991231_2359'"))
    status, found = examine(database)
    assert (status, found["schema"][:7]) == (1, "problem")
    assert "newer" in found["schema"]
    for connection in change(database):
        connection.execute(text("DELETE FROM alembic_version"))
    status, found = examine(database)
    assert (status, found["schema"][:7]) == (1, "problem")
    assert "(curve_pieces, deliveries, " in found["schema"]


def test_an_empty_database_is_told(empty_database: NewDatabase) -> None:
    url = empty_database()
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).touch()
    assert "serve` makes it" in examine(url)[1]["schema"]


def test_a_clock_that_went_backwards_is_found(database: str) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    for connection in change(database):
        make_key(connection, "x", Scope.admin, None)
        connection.execute(keys_table.update().values(create_time=later))
    status, found = examine(database)
    assert (status, found["clock"][:7]) == (1, "problem")
    assert "went backwards" in found["clock"]


def test_secrets_that_cannot_be_read_are_found(database: str) -> None:
    right, wrong = new_key(), new_key()
    sealed = Vault([right]).seal("[]")
    for connection in change(database):
        nothing: dict[str, Any] = dict.fromkeys(
            ("tuner_id", "run_id", "tag", "condition", "off_reason", "failing_since")
        )
        webhook: dict[str, Any] = {
            "observer_id": uuid7(),
            "url": "http://x",
            "types": [],
            "sealed_secrets": sealed,
            "position": 0,
        }
        observer = Observer(**nothing, **webhook, state=ObserverState.on, create_time=datetime.now(UTC))
        observers.add(connection, observer)
    assert "not set" in examine(database)[1]["secrets"]
    assert "cannot be read with this" in examine(database, TUNETRACK_SECRET_KEY=wrong)[1]["secrets"]
    assert examine(database, TUNETRACK_SECRET_KEY=f"{wrong},{right}") == (0, {})


def test_damage_is_found_unless_it_need_be_quick(database: str) -> None:
    for connection in change(database):
        orphan = {"type": "run_start", "timestamp": datetime.now(UTC), "run_id": uuid7(), "body": "{}"}
        connection.execute(events.insert().values(orphan))
    status, found = examine(database)
    assert (status, "does not exist" in found["data"]) == (1, True)
    assert examine(database, "--quick") == (0, {})


def test_a_disk_that_sqlite_cannot_trust_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {tmp_path} nfs4 rw 0 0\n/dev/x / ext4 rw 0 0\n/dev/y /my\\040disk xfs rw 0 0\n")
    assert doctor.file_system(tmp_path / "deep" / "below", mounts) == "nfs4"
    assert doctor.file_system(Path("/my disk/x"), mounts) == "xfs"
    assert doctor.file_system(Path("/elsewhere"), mounts) == "ext4"
    assert doctor.file_system(Path("/x"), tmp_path / "none") == ""
    monkeypatch.setattr(doctor, "_NETWORK", {doctor.file_system(tmp_path)})
    monkeypatch.setattr(doctor, "_FULL_BYTES", 2**60)
    status, found = examine(f"sqlite:///{tmp_path / 'x.db'}")
    assert (status, "make room" in found["disk"]) == (1, True)


def test_a_key_file_that_others_can_read_is_found(tmp_path: Path) -> None:
    key = tmp_path / "x.db-key"
    key.write_text(new_key())
    key.chmod(0o644)
    assert "chmod 600" in examine(f"sqlite:///{tmp_path / 'x.db'}")[1]["secrets"]


def test_a_database_that_everybody_can_read_without_a_key_is_found(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    url = f"sqlite:///{file}"
    migrate(parse(url))
    for connection in change(url):
        make_key(connection, "x", Scope.admin, None)
    assert "keys" not in examine(url)[1]
    file.chmod(0o644)
    assert "chmod 600" in examine(url)[1]["keys"]


def test_a_key_file_that_holds_no_key_is_found(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    migrate(parse(url))
    key = tmp_path / "x.db-key"
    key.touch(0o600)
    status, found = examine(url)
    assert (status, "x.db-key beside the database is empty or damaged" in found["secrets"]) == (1, True)


def test_telemetry_that_is_wanted_and_not_there_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.telemetry.is_installed", lambda: False)
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    status, found = examine(f"sqlite:///{tmp_path / 'x.db'}", **endpoint)
    assert (status, "tunetrack[otel]" in found["telemetry"]) == (1, True)
    assert examine(f"sqlite:///{tmp_path / 'x.db'}", OTEL_SDK_DISABLED="true", **endpoint)[0] == 0
