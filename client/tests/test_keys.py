"""A service that wants a key: with it all works; without it, or with another, the training goes on all the same."""

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Shared
from tests.keys import make_key
from tests.server import Server
from tunetrack_client import Client, Unavailable, choice, errors, flag, float_range, int_range
from tunetrack_client.cli import main

SPACE = {"x": float_range(0.0, 1.0)}
WRONG = "tunetrack_0000000000000000000000000000000000000000000AbC12d"


class Guarded:
    """A service with keys, and one of each scope."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self.keys = {scope: make_key(server, scope) for scope in ("read", "train", "tune")}


@pytest.fixture(scope="module")
def guarded(shared: Shared) -> Iterator[Guarded]:
    """One for all these tests."""
    with Server(shared.new_database("sqlite")) as server:
        yield Guarded(server)


def test_a_key_from_a_file_may_end_with_its_line(guarded: Guarded, spool: Path) -> None:
    with Client(guarded.url, guarded.keys["read"] + "\n", spool=spool) as client:
        assert "items" in client.get("/v1/tuners")


def test_a_key_that_no_header_holds_is_told_at_once(spool: Path) -> None:
    with pytest.raises(ValueError, match="a key has"):
        Client(key="tunetrack_\n0", spool=spool)


def test_a_train_key_is_enough_to_train(guarded: Guarded, spool: Path) -> None:
    with Client(guarded.url, guarded.keys["tune"], spool=spool) as client:
        tuner_id = client.tuner(SPACE, objective="gain", max_trials=2).tuner_id
    with Client(guarded.url, guarded.keys["train"], spool=spool) as client:
        tuner = client.tuner(tuner_id=tuner_id)
        for trial in tuner.trials():
            with trial.run() as run:
                run.log(0, gain=trial.params["x"])
        assert tuner.fetch()["counts"]["completed"] == 2
        assert next(client.events(after=0, tuner_id=tuner_id)).type == "trial_start"
        for key in (None, "nobody's"):
            with pytest.raises(errors.Forbidden, match="tune") as caught:
                client.tuner(SPACE, key=key)
            assert caught.value.problem["needs"] == "tune"


def test_the_same_program_joins_with_a_train_key_what_it_created_with_another_one(
    guarded: Guarded, spool: Path
) -> None:
    space = {"x": float_range(0, 1), "kind": choice("a", "b"), "depth": int_range(1, 9, when={"kind": "a"})}
    with Client(guarded.url, guarded.keys["tune"], spool=spool) as client:
        tuner_id = client.tuner(space, key="shared", max_trials=2).tuner_id
    with Client(guarded.url, guarded.keys["train"], spool=spool) as client:
        assert client.tuner(space, key="shared", max_trials=2).tuner_id == tuner_id
        for other in (space | {"x": float_range(0, 2)}, space | {"y": flag()}, {"x": space["x"]}):
            with pytest.raises(errors.IdConflict, match="another space"):
                client.tuner(other, key="shared", max_trials=2)


@pytest.mark.parametrize(("key", "error"), [(None, errors.Unauthorized), (WRONG, errors.Unauthorized)])
def test_a_question_with_the_wrong_key_or_none_is_answered_at_once(
    guarded: Guarded, spool: Path, monkeypatch: pytest.MonkeyPatch, key: str | None, error: type[Exception]
) -> None:
    monkeypatch.delenv("TUNETRACK_KEY", raising=False)
    with Client(guarded.url, key, spool=spool) as client:
        with pytest.raises(error, match="TUNETRACK_KEY" if key is None else "key"):
            client.tuner(SPACE)
        with pytest.raises(error):
            next(client.events(after=0))


@pytest.mark.parametrize("key", [None, WRONG, "read"])
def test_what_a_training_says_with_the_wrong_key_is_kept_and_told_later(
    guarded: Guarded,
    spool: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    key: str | None,
) -> None:
    monkeypatch.delenv("TUNETRACK_KEY", raising=False)
    client = Client(guarded.url, guarded.keys.get(key or "", key), spool=spool, exit_timeout_s=0.0)
    with caplog.at_level(logging.WARNING), client.run(name="unheard") as run:
        while not list(spool.glob("*.jsonl")):  # it was tried, and is kept
            threading.Event().wait(0.02)
        for epoch in range(50):
            run.log(epoch, loss=epoch)
    client.close()
    said = caplog.text
    assert "does not take the key" in said
    assert "the training goes on" in said
    assert "tunetrack-client sync" in said
    assert main(["sync", "--spool", str(spool), "--key", WRONG]) == 1
    assert main(["sync", "--spool", str(spool), "--key", guarded.keys["train"]]) == 0
    with Client(guarded.url, guarded.keys["read"], spool=spool) as reader:
        assert reader.get(f"/v1/runs/{run.run_id}")["last_epoch"] == 49
    assert not list(spool.glob("*"))


def test_a_key_that_is_revoked_in_mid_search_is_named_as_the_reason(guarded: Guarded, spool: Path) -> None:
    with Client(guarded.url, guarded.keys["tune"], spool=spool) as client:
        tuner = client.tuner(SPACE, objective="gain", max_trials=2)
    client = Client(guarded.url, guarded.keys["train"], spool=spool, patience_s=0.5, exit_timeout_s=0.0)
    (trial,) = client.tuner(tuner_id=tuner.tuner_id).suggest()
    client._connection.http.headers["Authorization"] = f"Bearer {WRONG}"
    with trial.run() as run:
        run.log(0, gain=1)
    with pytest.raises(Unavailable, match="does not take the key"):
        client.flush_or_raise()
    client.close()
    assert main(["sync", "--spool", str(spool), "--key", guarded.keys["train"]]) == 0
    with Client(guarded.url, guarded.keys["read"], spool=spool) as reader:
        (found,) = reader.tuner(tuner_id=tuner.tuner_id).history()
        assert (found["state"], found["score"]) == ("completed", 1.0)


def test_the_key_may_come_from_the_environment(guarded: Guarded, spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNETRACK_KEY", guarded.keys["read"])
    assert os.environ["TUNETRACK_KEY"]
    with Client(guarded.url, spool=spool) as client:
        assert client.get("/v1/session")["scope"] == "read"
