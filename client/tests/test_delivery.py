"""What becomes of a message that the service fails at."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.server import Server
from tunetrack_client import Client, Unavailable, backlog, float_range
from tunetrack_client.cli import main
from tunetrack_client.connection import Connection
from tunetrack_client.errors import ServiceFailed
from tunetrack_client.run import Run

NOWHERE = "http://127.0.0.1:9"
SPOILT = 666.0


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The service fails at whatever holds a certain number."""
    send = Connection.send

    def fail(self: Connection, method: str, path: str, body: Any = None, *rest: Any, **options: Any) -> Any:
        if str(SPOILT) in str(body):
            raise ServiceFailed({"code": "internal", "status": 500, "detail": "A fault.", "request_id": "r-1"})
        return send(self, method, path, body, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "send", fail)
        yield


def losses(client: Client, run_id: str) -> list[float]:
    """Those that the service has."""
    series = client.get(f"/v1/runs/{run_id}/metrics")["series"]
    return series["loss"]["values"] if series else []


def test_an_epoch_that_the_service_fails_at_again_and_again_is_kept_and_keeps_no_other_waiting(
    server: Server, spool: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: Any
) -> None:
    with Client(server.url, spool=spool) as client:
        with client.run() as run:
            run.flush()
            with failing(monkeypatch):
                for epoch, loss in enumerate([1.0, SPOILT, 2.0]):  # they go as one batch, or as three
                    run.log(epoch, loss=loss)
                run.flush()
        client.flush()
        assert losses(client, run.run_id) == [1.0, 2.0]
        assert client.get(f"/v1/runs/{run.run_id}")["status"] == "finished"
    assert "A fault. (internal); it is kept for later" in caplog.text
    assert main(["sync", "--spool", str(spool)]) == 0
    assert "1 refused (run-ended)" in capsys.readouterr().out


def test_what_the_service_fails_at_stays_in_the_spool_and_all_else_is_delivered(
    server: Server, spool: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away = Client(NOWHERE, spool=spool, exit_timeout_s=0.0)
    ids = [str(uuid.uuid4()) for _ in range(3)]
    for run_id, losses_of in zip(ids, ([1.0], [1.0, SPOILT, 2.0], [3.0]), strict=True):
        with away.run(key=run_id) as run:
            for epoch, loss in enumerate(losses_of):
                run.log(epoch, loss=loss)
        ids[ids.index(run_id)] = run.run_id
    away.close()
    first, spoilt, last = ids
    with Client(server.url, spool=spool) as client:
        for _ in range(2):  # and again, while nothing has changed
            with failing(monkeypatch):
                assert main(["sync", "--spool", str(spool), "--url", server.url]) == 1
            told = capsys.readouterr().err
            assert "A fault. (internal), request r-1; 3 messages stay in" in told
            (kept,) = spool.glob("*.jsonl")
            assert str(kept) in told
            assert [losses(client, one) for one in (first, spoilt, last)] == [[1.0], [1.0], [3.0]]
        # What comes after it about the same run would end that before its epochs are there.
        assert [client.get(f"/v1/runs/{one}")["status"] for one in (first, spoilt)] == ["finished", "running"]
        assert main(["sync", "--spool", str(spool), "--url", server.url]) == 0
        assert "3 delivered" in capsys.readouterr().out
        assert losses(client, spoilt) == [1.0, SPOILT, 2.0]
        assert client.get(f"/v1/runs/{spoilt}")["status"] == "finished"
    assert not list(spool.glob("*"))


def test_nothing_is_lost_where_what_the_service_fails_at_cannot_be_kept_apart(
    server: Server, spool: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def is_full(*_: object) -> None:
        raise OSError("No space left on device")

    away = Client(NOWHERE, spool=spool, exit_timeout_s=0.0)
    with away.run() as run:
        run.log(0, loss=SPOILT)
    away.close()
    (kept,) = spool.glob("*.jsonl")
    before = kept.read_bytes()
    with failing(monkeypatch), monkeypatch.context() as full:
        full.setattr(backlog, "_append", is_full)
        assert main(["sync", "--spool", str(spool), "--url", server.url]) == 1
    assert f"{kept} stays" in capsys.readouterr().err
    assert kept.read_bytes() == before
    assert list(spool.glob("*")) == [kept]


def test_a_run_at_whose_start_the_service_fails_is_kept_whole_and_delivered_later(
    server: Server, spool: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with failing(monkeypatch), Client(server.url, spool=spool) as client:
        with client.run({"spoilt": SPOILT}) as run:
            for epoch in range(3):
                run.log(epoch, loss=epoch)
        with client.run() as other:
            other.log(0, loss=0.5)
        assert client.flush()
        assert losses(client, other.run_id) == [0.5]
        assert isinstance(run.error, ServiceFailed)
    (kept,) = spool.glob("*.jsonl")
    assert f"what is left is in {kept}: run `tunetrack-client sync`" in caplog.text
    assert main(["sync", "--spool", str(spool), "--url", server.url]) == 0
    with Client(server.url, spool=spool) as client:
        assert losses(client, run.run_id) == [0, 1, 2]
        assert client.get(f"/v1/runs/{run.run_id}")["status"] == "finished"
    assert not list(spool.glob("*"))


def test_an_end_at_which_the_service_fails_is_kept_with_what_it_failed_at_before_and_delivered_later(
    server: Server, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with failing(monkeypatch), Client(server.url, spool=spool) as client:
        with client.run() as run:
            run.log(0, loss=SPOILT)
            run.flush()
            run.edit({"lr": SPOILT})
            run.log(1, loss=0.5)
            run.final(accuracy=SPOILT)
        assert client.flush()
        assert client.get(f"/v1/runs/{run.run_id}")["status"] == "running"
        assert losses(client, run.run_id) == [0.5]
    assert main(["sync", "--spool", str(spool), "--url", server.url]) == 0
    with Client(server.url, spool=spool) as client:
        found = client.get(f"/v1/runs/{run.run_id}")
        assert (found["params"], found["final_metrics"]) == ({"lr": SPOILT}, {"accuracy": SPOILT})
        assert losses(client, run.run_id) == [SPOILT, 0.5]


def test_a_fault_of_the_clients_own_is_told_and_all_that_was_said_is_delivered_later(
    server: Server, spool: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a word that nobody knows")

    with Client(server.url, spool=spool) as client:
        tuner = client.tuner({"x": float_range(0, 1)}, objective="loss")
        with monkeypatch.context() as patch:
            patch.setattr(Run, "told", fail)
            (trial,) = tuner.suggest()
            with trial.run() as run:
                run.log(0, loss=1)
            assert not run.flush()
        with pytest.raises(Unavailable, match="a word that nobody knows"):
            tuner.suggest()
        with client.run() as other:
            other.log(0, loss=2)
    assert "Traceback" in caplog.text
    assert "the training goes on" in caplog.text
    assert "run `tunetrack-client sync`" in caplog.text
    assert main(["sync", "--spool", str(spool)]) == 0
    with Client(server.url, spool=spool) as client:
        assert [losses(client, one.run_id) for one in (run, other)] == [[1.0], [2.0]]
        assert client.get(f"/v1/trials/{trial.trial_id}")["state"] == "completed"
