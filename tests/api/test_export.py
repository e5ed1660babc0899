"""Runs and epochs as files, and what other tools read out of them."""

import csv
import io
import json
import math
import sys
import uuid
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from app.api.export_formats import Parquet
from app.domain.errors import InvalidRequest
from app.store.engines import open_writer, parse
from app.store.tables import events
from tests.calls import JSON, answer, end_run, get_run, log_batch, log_epoch, problem, start_run
from tests.keys import keys, make_key
from tests.server import Server
from tests.waiting import eventually


def download(client: httpx.Client, tag: str, **query: str) -> bytes:
    """The file of the runs with a tag."""
    response = client.get("/v1/runs/export", params={"filter": f'"{tag}" in tags'} | query)
    assert response.status_code == 200, response.text
    what = query.get("what", "runs")
    name = response.headers["content-disposition"]
    assert name.startswith(f'attachment; filename="tunetrack-{what}-')
    assert name.endswith(f'.{query.get("format", "csv")}"')
    return response.content


def some(client: httpx.Client) -> tuple[str, list[JSON]]:
    """Three runs of one tag, with params of all types and metrics that JSON has no numbers for."""
    tag = uuid.uuid4().hex
    params: list[JSON] = [
        {"lr": 0.1, "layers": 3, "opt": "adam", "flag": True, "mixed": 1, "half": 1, "large": 2**53 + 1},
        {"lr": 1e-05, "layers": -4, "opt": "3", "flag": False, "mixed": "1", "half": 0.5},
        {},
    ]
    runs = [start_run(client, tags=[tag], params=one, name=f"run {n}") for n, one in enumerate(params)]
    log_batch(client, runs[0], [(0, {"loss": 1.0, "val/acc": 0.1}), (1, {"loss": "NaN"}), (7, {"loss": "Infinity"})])
    log_epoch(client, runs[0], 1, late=2.5)
    log_epoch(client, runs[1], 0, loss="-Infinity")
    end_run(client, runs[0], final_metrics={"score": 3})
    return tag, [get_run(client, run) for run in runs]


def test_ndjson_is_what_the_api_shows(client: httpx.Client) -> None:
    tag, runs = some(client)
    assert [json.loads(line) for line in download(client, tag, format="ndjson").splitlines()] == runs


def test_csv_has_a_row_a_run_oldest_first(client: httpx.Client) -> None:
    tag, runs = some(client)
    rows = list(csv.DictReader(io.StringIO(download(client, tag).decode(), newline="")))
    assert [row["run_id"] for row in rows] == [run["run_id"] for run in runs]
    first = rows[0]
    assert list(first)[:12] == [
        "run_id",
        "name",
        "status",
        "tags",
        "note",
        "start_time",
        "end_time",
        "duration_s",
        "last_epoch",
        "last_epoch_time",
        "tuner_id",
        "trial_id",
    ]
    assert first["start_time"] == runs[0]["start_time"]
    assert json.loads(first["tags"]) == [tag]
    assert (first["params.lr"], first["params.layers"], first["params.flag"]) == ("0.1", "3", "true")
    assert [row["params.mixed"] for row in rows] == ["1", "'1", ""]
    assert (first["metrics.score"], first["metrics.loss"], rows[1]["metrics.loss"]) == ("3.0", "inf", "-inf")


FORMULAS = ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(1)", "\tx", "\rx", "'quoted"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_of_a_csv_file_is_a_formula(client: httpx.Client, text: str) -> None:
    tag = uuid.uuid4().hex
    start_run(client, tags=[tag], name=text, note=text, params={"text": text, "number": -1})
    (row,) = csv.DictReader(io.StringIO(download(client, tag).decode(), newline=""))
    assert (row["name"], row["note"], row["params.text"], row["params.number"]) == (*["'" + text] * 3, "-1")


def test_parquet_opens_with_the_right_types(client: httpx.Client) -> None:
    import pandas as pd
    import polars as pl

    tag, runs = some(client)
    file = io.BytesIO(download(client, tag, format="parquet"))
    frame = pl.read_parquet(file)
    types = dict(frame.schema)
    assert types["params.lr"] == types["params.half"] == types["metrics.loss"] == pl.Float64
    assert types["params.layers"] == types["params.large"] == types["last_epoch"] == pl.Int64
    assert types["params.opt"] == types["params.mixed"] == types["name"] == pl.String
    assert types["params.flag"] == pl.Boolean
    assert types["tags"] == pl.List(pl.String)
    assert types["start_time"] == pl.Datetime("us", "UTC")
    assert frame["params.large"][0] == 2**53 + 1
    assert frame["params.mixed"].to_list() == ["1", "1", None]
    assert frame["params.half"].to_list() == [1.0, 0.5, None]
    assert frame["metrics.loss"].to_list() == [math.inf, -math.inf, None]
    assert f"{frame['start_time'][0]:%Y-%m-%dT%H:%M:%S.%fZ}" == runs[0]["start_time"]
    pandas = pd.read_parquet(file)
    assert pandas["metrics.loss"].tolist()[:2] == [math.inf, -math.inf]
    assert str(pandas["start_time"].dtype) == "datetime64[us, UTC]"
    assert pandas["params.opt"].tolist()[:2] == ["adam", "3"]


def test_csv_opens_with_the_right_types(client: httpx.Client) -> None:
    import pandas as pd
    import polars as pl

    tag, _ = some(client)
    file = download(client, tag)
    pandas = pd.read_csv(io.BytesIO(file))
    assert pandas["params.lr"].tolist()[:2] == [0.1, 1e-05]
    assert pandas["metrics.loss"].tolist()[:2] == [math.inf, -math.inf]
    assert pandas["params.layers"].dtype == float  # one is missing
    polars = pl.read_csv(file, infer_schema_length=None, try_parse_dates=True)
    types = dict(polars.schema)
    assert types["params.lr"] == types["metrics.loss"] == pl.Float64
    assert types["params.layers"] == pl.Int64
    assert types["params.flag"] == pl.Boolean
    assert types["params.opt"] == pl.String
    assert types["start_time"] == pl.Datetime("us", "UTC")


def test_epochs_come_as_a_row_each(client: httpx.Client) -> None:
    import polars as pl

    tag, runs = some(client)
    lines = [json.loads(line) for line in download(client, tag, format="ndjson", what="epochs").splitlines()]
    found = [(line["run_id"], line["epoch"], line["metrics"]) for line in lines]
    first, second = runs[0]["run_id"], runs[1]["run_id"]
    assert found == [
        (first, 0, {"loss": 1.0, "val/acc": 0.1}),
        (first, 1, {"loss": "NaN", "late": 2.5}),
        (first, 7, {"loss": "Infinity"}),
        (second, 0, {"loss": "-Infinity"}),
    ]
    rows = list(csv.DictReader(io.StringIO(download(client, tag, what="epochs").decode(), newline="")))
    assert list(rows[0]) == ["run_id", "epoch", "timestamp", "metrics.loss", "metrics.val/acc", "metrics.late"]
    assert [row["metrics.loss"] for row in rows] == ["1.0", "NaN", "inf", "-inf"]
    assert rows[0]["timestamp"] == lines[0]["timestamp"]
    frame = pl.read_parquet(io.BytesIO(download(client, tag, format="parquet", what="epochs")))
    assert frame["epoch"].to_list() == [0, 1, 7, 0]
    assert str(frame["metrics.loss"].to_list()) == "[1.0, nan, inf, -inf]"


def test_long_histories_come_whole(client: httpx.Client) -> None:
    tag = uuid.uuid4().hex
    runs = [start_run(client, tags=[tag]) for _ in range(3)]
    lengths = [3, 7001, 5]
    for run, length in zip(runs, lengths, strict=True):
        for start in range(0, length, 1000):
            log_batch(client, run, [(n, {"x": n}) for n in range(start, min(start + 1000, length))])
    lines = [json.loads(line) for line in download(client, tag, format="ndjson", what="epochs").splitlines()]
    expected = [(run["run_id"], n) for run, length in zip(runs, lengths, strict=True) for n in range(length)]
    assert sorted((line["run_id"], line["epoch"]) for line in lines) == sorted(expected)
    assert [line["epoch"] for line in lines if line["run_id"] == runs[1]["run_id"]] == list(range(7001))


def test_more_runs_than_a_page_come_whole(client: httpx.Client) -> None:
    import pyarrow.parquet as pq

    tag = uuid.uuid4().hex
    made = [start_run(client, tags=[tag], params={"n": n})["run_id"] for n in range(201)]
    for format in ("csv", "ndjson", "parquet"):
        file = download(client, tag, format=format)
        if format == "csv":
            found = [row["run_id"] for row in csv.DictReader(io.StringIO(file.decode(), newline=""))]
        elif format == "ndjson":
            found = [json.loads(line)["run_id"] for line in file.splitlines()]
        else:
            found = pq.read_table(io.BytesIO(file))["run_id"].to_pylist()
        assert sorted(found) == sorted(made)


@pytest.mark.parametrize("what", ["runs", "epochs"])
def test_a_file_of_nothing_is_a_file(client: httpx.Client, what: str) -> None:
    import pyarrow.parquet as pq

    tag = uuid.uuid4().hex
    assert download(client, tag, format="ndjson", what=what) == b""
    assert download(client, tag, what=what).startswith(b"run_id,")
    table = pq.read_table(io.BytesIO(download(client, tag, format="parquet", what=what)))
    assert (table.num_rows, table.column_names[0]) == (0, "run_id")


def test_what_cannot_be_asked_is_refused(client: httpx.Client) -> None:
    problem(client.get("/v1/runs/export", params={"format": "xlsx"}), 422, "invalid-request")
    problem(client.get("/v1/runs/export", params={"what": "events"}), 422, "invalid-request")
    problem(client.get("/v1/runs/export", params={"filter": "metrics.loss <"}), 422, "bad-filter", position=14)
    problem(client.get("/v1/runs/export", params={"order_by": "name"}), 422, "invalid-request")


def test_a_store_that_fails_in_mid_stream_breaks_the_connection(
    fresh_server: Server, fresh_client: httpx.Client
) -> None:
    runs = sorted(start_run(fresh_client)["run_id"] for _ in range(8))
    for run_id in runs:
        log_batch(fresh_client, {"run_id": run_id}, [(n, {"loss": 0.1}) for n in range(900)])
    engine = open_writer(parse(fresh_server.database))
    with engine.begin() as connection:
        connection.execute(update(events).where(events.c.run_id == UUID(runs[-1])).values(body="damaged"))
    engine.dispose()
    for format in ("csv", "ndjson"):
        query = {"what": "epochs", "format": format}
        with httpx.stream("GET", f"{fresh_server.url}/v1/runs/export", params=query, timeout=30) as response:
            assert response.status_code == 200
            with pytest.raises(httpx.RemoteProtocolError):
                list(response.iter_raw())
    assert answer(fresh_client.get("/readyz"))["status"] == "ok"


def test_a_run_that_goes_meanwhile_is_left_out(fresh_server: Server, fresh_client: httpx.Client) -> None:
    made = [start_run(fresh_client, params=dict.fromkeys("abcd", "x" * 9000))["run_id"] for _ in range(401)]
    with httpx.stream("GET", f"{fresh_server.url}/v1/runs/export", params={"format": "ndjson"}, timeout=30) as response:
        lines = response.iter_lines()
        found = [json.loads(next(lines))["run_id"]]
        # Far beyond what the connection's buffers hold.
        assert fresh_client.delete(f"/v1/runs/{made[-1]}").status_code == 204
        found += [json.loads(line)["run_id"] for line in lines]
    assert found == made[:-1]


def test_a_file_ends_with_the_key_that_asked_for_it(fresh_server: Server) -> None:
    key, admin = make_key(fresh_server, "read"), make_key(fresh_server, "admin")
    key_id = keys(fresh_server, "list").stdout.split()[0]
    with httpx.Client(base_url=fresh_server.url, trust_env=False, timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {admin}"
        for _ in range(401):
            start_run(client, params=dict.fromkeys("abcd", "x" * 9000))
        client.headers["Authorization"] = f"Bearer {key}"
        with client.stream("GET", "/v1/runs/export", params={"format": "ndjson"}) as response:
            lines = response.iter_lines()
            next(lines)
            assert keys(fresh_server, "revoke", key_id).returncode == 0
            eventually(lambda: client.get("/v1/runs").status_code == 401 or None)
            with pytest.raises(httpx.RemoteProtocolError):
                list(lines)
    assert "Traceback" not in fresh_server.log


def test_without_its_library_parquet_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as if it were not installed
    with pytest.raises(InvalidRequest, match=r"pip install tunetrack\[parquet\]"):
        Parquet([])


def test_times_of_a_run_that_was_trained_elsewhere_are_kept(client: httpx.Client) -> None:
    run = start_run(client, start_time="2020-01-02T03:04:05.000006Z")
    refused = client.post(f"/v1/runs/{run['run_id']}/end", json={"end_time": "2020-01-02T03:04:05Z"})
    problem(refused, 422, "invalid-request")
    for _ in range(2):
        ended = end_run(client, run, end_time="2020-01-02T04:04:05.000006+00:00")
        assert (ended["start_time"], ended["duration_s"]) == ("2020-01-02T03:04:05.000006Z", 3600.0)
    problem(client.post(f"/v1/runs/{run['run_id']}/end", json={"end_time": "2021-01-01T00:00:00Z"}), 409, "run-ended")
    problem(client.post("/v1/runs", json={"start_time": "0001-01-01T00:00:00+12:00"}), 422, "invalid-request")
    assert answer(client.get(f"/v1/runs/{run['run_id']}"))["end_time"] == "2020-01-02T04:04:05.000006Z"
