"""Runs brought in: from our own export, exactly; from MLflow, as far as the two agree."""

import csv
import io
import json
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from app.importing.command import import_from
from app.importing.own_files import OwnFiles
from app.importing.steps import CannotImport, End, Start, Step
from app.importing.transfer import Tally, Transfer
from tests import nursery
from tests.calls import (
    JSON,
    answer,
    create_tuner,
    end_run,
    get_run,
    get_series,
    log_batch,
    log_epoch,
    start_run,
    suggest,
)
from tests.importing import mlflow
from tests.receiver import Receiver
from tests.server import Server


def bring_in(server: Server, *sources: Path | str) -> tuple[Tally, list[str]]:
    """What came of an import, and the lines that it told."""
    told = io.StringIO()
    tally = import_from([str(source) for source in sources], server.url, None, Console(file=told, width=1000))
    return tally, told.getvalue().splitlines()


def download(client: httpx.Client, path: Path, tag: str, **query: str) -> Path:
    """A file of the runs with a tag."""
    found = client.get("/v1/runs/export", params={"filter": f'"{tag}" in tags'} | query)
    path.write_bytes(found.content)
    return path


def fill(client: httpx.Client) -> str:
    """Runs of all fates with all that is hard to keep; the tag that they share."""
    tag = uuid.uuid4().hex
    hard: JSON = {
        "=1": "=1",
        "text": "3",
        "float": 3.0,
        "int": 3,
        "flag": True,
        "empty": "",
        "a.b, c": "x\r\n\"y'",
        "-0": -0.0,
    }
    first = start_run(client, tags=[tag, "=cmd", "a,b"], params=hard, name="'=name", note="+1\nline\ttab")
    log_batch(client, first, [(0, {"loss": 1 / 3, "=m": -1.0}), (1, {"loss": "NaN"}), (2**40, {"loss": "-Infinity"})])
    log_epoch(client, first, 0, late=5e-324)
    end_run(client, first, final_metrics={"score": "Infinity", "loss": 7})
    log_epoch(client, start_run(client, tags=[tag]), 3, loss=0.5)  # goes on
    failed = start_run(client, tags=[tag], params={"int": "true"})
    end_run(client, failed, status="failed")
    trial = suggest(client, create_tuner(client))[0]
    stopped = start_run(client, tags=[tag], trial_id=trial["trial_id"])
    log_batch(client, stopped, [(epoch, {"score": epoch / 7}) for epoch in range(900)])
    end_run(client, stopped, status="stopped")
    return tag


Files = dict[tuple[str, str], Path]


@pytest.fixture(scope="module")
def exported() -> dict[str, Files]:
    """The files of each backend, made when they are first wanted."""
    return {}


@pytest.fixture
def files(
    exported: dict[str, Files], backend: str, client: httpx.Client, tmp_path_factory: pytest.TempPathFactory
) -> Files:
    """The same runs and epochs in each form; they are only read."""
    if backend not in exported:
        tag, folder = fill(client), tmp_path_factory.mktemp("exported")
        exported[backend] = {
            (what, form): download(client, folder / f"{what}.{form}", tag, what=what, format=form)
            for what in ("runs", "epochs")
            for form in ("csv", "ndjson")
        }
    return exported[backend]


def without_tuner(row: JSON) -> JSON:
    """A run as it is elsewhere: its tuner stayed behind."""
    return row | {"tuner_id": None, "trial_id": None}


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    (tmp_path / "runs.ndjson").write_text(json.dumps({"run_id": str(uuid.uuid4()), "status": "finished"}) + "\n")
    assert bring_in(server, tmp_path / "runs.ndjson")[0].runs_new == 1


def test_an_export_comes_in_elsewhere_as_it_was_however_often(
    files: Files, fresh_server: Server, fresh_client: httpx.Client
) -> None:
    runs, epochs = files["runs", "ndjson"], files["epochs", "ndjson"]
    # Cut off somewhere, then begun anew in the other form.
    with httpx.Client(base_url=fresh_server.url) as service:
        Transfer(service, print).do(islice(OwnFiles([epochs, runs]).steps(), 6))
    values_new = []
    for _ in range(2):
        tally, told = bring_in(fresh_server, runs, epochs)
        assert (tally.runs, tally.runs_new, tally.bad, told) == (4, 0, 0, [])
        values_new.append(tally.values_new)
    assert values_new[0] > values_new[1] == 0
    expected = [without_tuner(json.loads(line)) for line in runs.read_text().splitlines()]
    for line, run in zip(fresh_client.get("/v1/runs/export?format=ndjson").text.splitlines(), expected, strict=True):
        assert json.loads(line) == run
    again = fresh_client.get("/v1/runs/export?format=ndjson&what=epochs").content
    assert sorted(again.splitlines()) == sorted(epochs.read_bytes().splitlines())


def test_csv_comes_in_exactly_too(files: Files, fresh_server: Server, fresh_client: httpx.Client) -> None:
    runs, epochs = files["runs", "csv"], files["epochs", "csv"]
    tally, told = bring_in(fresh_server, epochs, runs)
    assert (tally.runs_new, tally.bad, told) == (4, 0, [])
    expected = list(csv.DictReader(io.StringIO(runs.read_bytes().decode(), newline="")))
    found = list(csv.DictReader(io.StringIO(fresh_client.get("/v1/runs/export").text, newline="")))
    assert found == [row | {"tuner_id": "", "trial_id": ""} for row in expected]
    assert fresh_client.get("/v1/runs/export?what=epochs").content == epochs.read_bytes()
    params = json.loads(files["runs", "ndjson"].read_text().splitlines()[0])["params"]
    stored = answer(fresh_client.get(f"/v1/runs/{expected[0]['run_id']}"))["params"]
    assert [(key, repr(value)) for key, value in stored.items()] == [
        (key, repr(value)) for key, value in params.items()
    ]


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_runs_without_their_epochs_keep_their_latest_metrics(
    files: Files, fresh_server: Server, fresh_client: httpx.Client, form: str
) -> None:
    tally, _ = bring_in(fresh_server, files["runs", form])
    assert (tally.runs_new, tally.epochs, tally.bad) == (4, 0, 0)
    for line in files["runs", "ndjson"].read_text().splitlines():
        run = json.loads(line)
        if run["status"] != "running":
            found = get_run(fresh_client, run)
            assert found["metrics"] == run["metrics"]
            assert (found["status"], found["end_time"]) == (run["status"], run["end_time"])


def test_what_is_there_by_other_words_is_left_as_it_is(server: Server, files: Files) -> None:
    tally, told = bring_in(server, files["runs", "ndjson"], files["epochs", "csv"])
    assert (tally.runs, tally.runs_new, tally.values_new, tally.bad, told) == (4, 0, 0, 0, [])


def test_bad_rows_are_told_with_their_lines_and_the_rest_comes_in(
    server: Server, client: httpx.Client, tmp_path: Path
) -> None:
    good, bad = [str(uuid.uuid4()) for _ in range(2)], str(uuid.uuid4())
    runs = tmp_path / "runs.ndjson"
    lines: list[Any] = [
        json.dumps({"run_id": good[0], "params": {"x": 1}, "status": "running"}),
        "{broken",
        json.dumps({"run_id": "no id"}),
        json.dumps({"run_id": bad, "params": {"x": [1]}}),
        "",
        json.dumps({"run_id": good[1], "name": "\ud800"}),
        json.dumps({"run_id": bad, "params": {"x": float("nan")}}),
        "[1]",
        json.dumps({"run_id": good[1]}),
    ]
    runs.write_text("\n".join(lines))
    epochs = tmp_path / "epochs.csv"
    rows = [f"{good[0]},{n},{n}.5" for n in range(10)]
    rows[3], rows[5], rows[7] = f"{good[0]},-1,1", f"{good[0]},5,many", f"{good[0]},1,9"
    epochs.write_text("\n".join(["run_id,epoch,metrics.loss", *rows, "x,1,1", f"{bad},0,1", f"{bad},1,1", "1,2", ""]))
    tally, told = bring_in(server, runs, epochs)
    assert (tally.runs, tally.runs_new, tally.epochs) == (2, 2, 7)
    places = [line.split(":")[0] for line in told]
    assert places == [
        *[f"runs.ndjson line {n}" for n in (2, 3, 4, 6, 7, 8)],
        *[f"epochs.csv line {n}" for n in (5, 7, 9, 12, 15)],
    ]
    found = get_series(client, {"run_id": good[0]})["loss"]
    assert found["epochs"] == [0, 1, 2, 4, 6, 8, 9]


def test_a_run_that_two_rows_tell_differently_comes_in_as_the_first_says(
    server: Server, client: httpx.Client, tmp_path: Path
) -> None:
    run_id = str(uuid.uuid4())
    old, new, epochs = (tmp_path / name for name in ("old.ndjson", "new.ndjson", "epochs.csv"))
    old.write_text(json.dumps({"run_id": run_id, "note": "old", "status": "running"}))
    new.write_text(json.dumps({"run_id": run_id, "note": "new", "status": "finished"}))
    epochs.write_text(f"run_id,epoch,metrics.loss\n{run_id},0,0.5\n")
    tally, (told,) = bring_in(server, old, new, epochs)
    assert (tally.runs_new, tally.epochs, tally.bad) == (1, 1, 1)
    assert told.startswith("new.ndjson line 1: ")
    run = get_run(client, {"run_id": run_id})
    assert (run["note"], run["status"], run["metrics"]) == ("old", "finished", {"loss": 0.5})


@pytest.mark.parametrize("source", ["file", "server"])
def test_mlflow_runs_come_in(server: Server, client: httpx.Client, tmp_path: Path, source: str) -> None:
    start = uuid.uuid4().int
    if source == "file":
        tally, told = bring_in(server, mlflow.write_file(tmp_path / "odd #name?.db", start))
    else:
        with mlflow.serving(start) as url:
            tally, told = bring_in(server, url)
            assert bring_in(server, url)[0].values_new == 0
    assert (tally.runs, tally.runs_new, tally.bad) == (3, 3, 1)
    assert sorted(line.split(": ", 1)[1].split(" ")[0] for line in told) == ["early", "the", "twice"]
    first, failed, running, deleted = (str(uuid.UUID(run_id)) for run_id in mlflow.run_ids(start))
    run = get_run(client, {"run_id": first})
    assert [(key, repr(value)) for key, value in sorted(run["params"].items())] == [
        ("flag", "True"),
        ("layers", "3"),
        ("lr", "0.01"),
        ("none", "'None'"),
        ("opt", "'adam'"),
    ]
    assert (run["name"], run["status"], run["tags"]) == ("first", "finished", ["experiment=digits", "team=vision"])
    assert run["note"] == "a note\nlong=" + "x" * 300
    assert (run["start_time"], run["duration_s"]) == ("2023-11-14T22:13:20.123000Z", 5.0)
    series = get_series(client, run)
    assert series["loss"] == {"epochs": list(range(1200)), "values": [1 / (step + 1) for step in range(1200)]}
    assert series["odd"]["values"] == ["NaN", "Infinity", "-Infinity"]
    assert series["unnumbered"] == {"epochs": [0, 1, 2], "values": [5.0, 6.0, 4.0]}
    assert series["twice"] == {"epochs": [3, 4], "values": [2.0, 3.0]}
    assert series["early"] == {"epochs": [5], "values": [2.0]}
    assert get_run(client, {"run_id": failed})["status"] == "failed"
    assert get_run(client, {"run_id": running})["status"] == "running"
    assert client.get(f"/v1/runs/{deleted}").status_code == 404


def test_the_command_says_what_came_of_it(server: Server, tmp_path: Path, backend: str) -> None:
    if backend == "postgres":
        pytest.skip("the command knows no database")

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return nursery.run("import", *arguments, env={"TUNETRACK_URL": server.url})

    path = tmp_path / "runs.ndjson"
    path.write_text(json.dumps({"run_id": str(uuid.uuid4()), "status": "finished", "metrics": {"loss": 1}}) + "\n")
    done = command(str(path))
    assert (done.returncode, done.stdout) == (0, "1 runs came in, 0 metric values of 0 epochs\n")
    path.write_text(path.read_text() + '{"run_id": 3}\n')
    done = command(str(path))
    assert (done.returncode, "line 2: run_id is missing" in done.stderr) == (1, True)
    assert done.stdout.startswith("0 runs came in (1 were there already)")
    path.write_text("a,b\n1,2\n")
    for arguments, says in (
        ([str(path)], "is neither an export"),
        ([str(tmp_path / "none.csv")], "No such file"),
        (["http://127.0.0.1:1"], "does not answer like an MLflow tracking server"),
        (["http://127.0.0.1:x"], "not valid"),
        (["http://127.0.0.1:1", str(path)], "must be imported alone"),
    ):
        done = command(*arguments)
        assert done.returncode == 2
        assert says in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_what_others_have_written_says_nothing_to_the_terminal(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "runs.ndjson"
    path.write_text(json.dumps({"run_id": str(uuid.uuid4()), "params": {"\x1b[2J\nlr": []}}) + "\n")
    _, (told, *_) = bring_in(server, path)
    assert "body.params.\u241b[2J\u240alr: " in told


def test_a_service_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "runs.ndjson"
    path.write_text(json.dumps({"run_id": str(uuid.uuid4())}))
    with pytest.raises(CannotImport, match="there is no service"):
        import_from([str(path)], "http://127.0.0.1:1", None, Console(file=io.StringIO()))


def test_an_import_goes_on_where_the_service_was_away(fresh_server: Server, fresh_client: httpx.Client) -> None:
    run_id = uuid.uuid4()

    def steps() -> Iterator[Step]:
        yield Start("here", run_id, {"run_id": str(run_id)})
        fresh_server.kill()
        starting = pool.submit(fresh_server.start)
        yield End("here", run_id, {"status": "finished"})
        starting.result()

    with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=fresh_server.url) as service:
        transfer = Transfer(service, print)
        transfer.do(steps())
    assert (transfer.tally.runs_new, transfer.tally.bad) == (1, 0)
    assert get_run(fresh_client, {"run_id": str(run_id)})["status"] == "finished"


def test_something_else_that_answers_is_told_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "runs.ndjson"
    path.write_text(json.dumps({"run_id": str(uuid.uuid4())}))
    with Receiver() as page, pytest.raises(CannotImport, match="something else than tunetrack answers at http"):
        import_from([str(path)], page.url(""), None, Console(file=io.StringIO()))


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("http://ada:secret@127.0.0.1:1", "http://127.0.0.1:1"),
        ("runs.ndjson", "http://ada:secret@127.0.0.1:1"),
        ("runs.ndjson", "http://ada:secret/@127.0.0.1:1"),
    ],
)
def test_a_password_in_an_address_is_never_shown(
    source: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs.ndjson").write_text(json.dumps({"run_id": str(uuid.uuid4())}))
    with pytest.raises(CannotImport) as refused:
        import_from([source], url, None, Console(file=io.StringIO()))
    assert "secret" not in str(refused.value)


def test_a_database_that_is_not_of_mlflow_is_refused(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE a (b)")
    connection.close()
    with pytest.raises(CannotImport, match="cannot be read as an MLflow database") as refused:
        bring_in(server, path)
    assert "another tunetrack come as its export" in str(refused.value)


def test_a_server_that_is_not_of_mlflow_is_told_in_a_line(server: Server) -> None:
    with pytest.raises(CannotImport) as refused:
        bring_in(server, server.url)
    assert str(refused.value) == f"{server.url} does not answer like an MLflow tracking server: 404 Not Found"
