"""The service is away, killed, or behind a bad network: the training goes on, and nothing is lost."""

import contextlib
import errno
import json
import math
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.certificate import make_certificate, tls_before
from tests.chaos.proxy import flaky_proxy
from tests.server import Server
from tests.waiting import eventually
from tunetrack_client import Client, Unavailable, backlog, errors, float_range
from tunetrack_client.cli import main
from tunetrack_client.client import _end_began
from tunetrack_client.connection import Connection
from tunetrack_client.delivery import Delivery
from tunetrack_client.message import Message, Request, fold

SPACE = {"x": float_range(0.0, 1.0)}
NOWHERE = "http://127.0.0.1:9"


def command(*arguments: str, spool: Path) -> subprocess.CompletedProcess[str]:
    """One run of tunetrack-client."""
    program = Path(sys.executable).parent / "tunetrack-client"
    env = os.environ | {"TUNETRACK_SPOOL": str(spool)}
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, env=env)


def program(code: str, url: str, spool: Path) -> subprocess.Popen[str]:
    """A trainer of its own."""
    env = os.environ | {"TUNETRACK_SPOOL": str(spool), "TUNETRACK_URL": url}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def deliver(server: Server, requests: list[Request]) -> Counter[str]:
    """Send them; what was refused."""
    with contextlib.closing(Connection(server.url)) as connection:
        delivery = Delivery(connection)
        for request in requests:
            delivery.send(request)
    return delivery.refusals


def curve(client: Client, run_id: str) -> list[float]:
    """The losses that the service has."""
    values: list[float] = client.get(f"/v1/runs/{run_id}/metrics")["series"]["loss"]["values"]
    return values


def test_a_service_killed_in_mid_training_costs_nothing(fresh_server: Server, spool: Path) -> None:
    with Client(fresh_server.url, spool=spool) as client:
        tuner = client.tuner(SPACE, objective="loss", direction="minimize", max_trials=2)
        for trial in tuner.trials():
            with trial.run() as run:
                run.log(0, loss=9)
                run.flush()
                fresh_server.kill()
                for epoch in range(1, 500):
                    run.log(epoch, loss=float(epoch))
                run.final(loss=trial.params["x"])
            fresh_server.start()
        history = list(tuner.history())
        assert [(one["state"], one["score"]) for one in history] == [
            ("completed", one["params"]["x"]) for one in history
        ]
        runs = list(client.runs())
        assert [run["last_epoch"] for run in runs] == [499, 499]
        assert curve(client, runs[0]["run_id"]) == [9.0, *map(float, range(1, 500))]
    assert not list(spool.glob("*"))


def test_a_bad_network_loses_nothing_and_does_nothing_twice(fresh_server: Server, spool: Path) -> None:
    with flaky_proxy(fresh_server.port, seed=3) as (url, proxy), Client(url, spool=spool) as client:
        tuner = client.tuner(SPACE, objective="loss", max_trials=10)
        for trial in tuner.trials(worker="w"):
            with trial.run() as run:
                for epoch in range(20):
                    run.log(epoch, loss=epoch)
                    if epoch % 5 == 0:
                        run.flush()
    assert all(proxy.fates[fate] for fate in ("drops_request", "drops_answer", "is_sent_twice", "is_held_back"))
    with Client(fresh_server.url, spool=spool) as client:
        (found,) = client.tuners()
        assert found["counts"]["completed"] == 10
        assert sum(found["counts"].values()) == 10
        runs = list(client.runs())
        assert len(runs) == 10
        assert all(curve(client, run["run_id"]) == list(range(20)) for run in runs)
        types = [event["type"] for event in client.get("/v1/events", limit=1000)["items"]]
        assert (types.count("run_start"), types.count("epoch_end"), types.count("trial_end")) == (10, 200, 10)


def test_what_could_not_be_told_is_kept_and_told_later(server: Server, spool: Path) -> None:
    client = Client(NOWHERE, spool=spool, exit_timeout_s=0.0)
    with client.run({"lr": 0.1}, name="offline") as run:
        for epoch in range(2500):
            run.log(epoch, loss=epoch)
    client.close()
    (file,) = spool.glob("*.jsonl")
    assert file.stat().st_mode & 0o077 == 0
    assert "2502 messages" in command("status", spool=spool).stdout
    away = command("sync", spool=spool)
    assert (away.returncode, file.exists()) == (1, True)
    assert "does not answer" in away.stderr
    done = command("sync", "--url", server.url, spool=spool)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2502 delivered" in done.stdout
    with Client(server.url, spool=spool) as online:
        assert curve(online, run.run_id) == list(range(2500))
        assert online.get(f"/v1/runs/{run.run_id}")["status"] == "finished"
    assert "nothing is kept" in command("sync", spool=spool).stdout


def test_what_is_told_later_happened_when_it_did(server: Server, spool: Path) -> None:
    run_id, noon = str(uuid.uuid4()), 1_777_896_000.25

    said = [
        Message("/v1/runs", {"run_id": run_id, "name": "night"}, run_id, at=noon),
        Message(f"/v1/runs/{run_id}/epochs", {"epoch": 0, "metrics": {"loss": 1.0}}, run_id, True, at=noon + 60),
        Message(f"/v1/runs/{run_id}/end", {"status": "finished", "final_metrics": {}}, run_id, at=noon + 3600),
    ]
    assert not deliver(server, fold(said) + fold(said))
    with Client(server.url, spool=spool) as client:
        found = client.get(f"/v1/runs/{run_id}")
    assert (found["start_time"], found["duration_s"]) == ("2026-05-04T12:00:00.250000Z", 3600)


def test_what_was_heard_but_not_answered_may_be_told_later_with_its_time(server: Server) -> None:
    run_id = str(uuid.uuid4())
    words: dict[str, dict[str, Any]] = {
        "/v1/runs": {"run_id": run_id},
        f"/v1/runs/{run_id}/end": {"status": "finished", "final_metrics": {}},
    }
    now = time.time()
    said = [fold(Message(path, body, run_id, at=at) for path, body in words.items()) for at in (now, now - 60)]
    assert not deliver(server, [request for requests in said for request in requests])


def test_a_sync_that_was_cut_may_be_done_again(server: Server, spool: Path) -> None:
    client = Client(NOWHERE, spool=spool, exit_timeout_s=0.0)
    with client.run() as run:
        run.log(0, loss=1)
    client.close()
    (file,) = spool.glob("*.jsonl")
    kept = file.read_bytes()
    assert command("sync", "--url", server.url, spool=spool).returncode == 0
    file.write_bytes(kept + b'{"half a li')
    again = command("sync", "--url", server.url, spool=spool)
    assert (again.returncode, "refused" in again.stdout) == (0, False)
    with Client(server.url, spool=spool) as online:
        assert curve(online, run.run_id) == [1]


def test_more_than_fits_into_memory_goes_to_disk_and_arrives_in_order(fresh_server: Server, spool: Path) -> None:
    fresh_server.kill()
    with Client(fresh_server.url, spool=spool) as client:
        with client.run() as run:
            for epoch in range(25_000):
                run.log(epoch, loss=epoch)
        assert list(spool.glob("*.jsonl"))
        fresh_server.start()
        assert client.flush()
        assert not list(spool.glob("*.jsonl"))
        assert curve(client, run.run_id) == list(range(25_000))


def test_a_program_that_ends_has_told_everything(server: Server, spool: Path) -> None:
    code = """if True:
        from tunetrack_client import Client
        run = Client().run()
        for epoch in range(3000):
            run.log(epoch, loss=epoch)
        print(run.run_id)
        raise SystemExit("and dies")
    """
    with program(code, server.url, spool) as trainer:
        output, errors = trainer.communicate(timeout=60)
    assert (trainer.returncode, errors) == (1, "and dies\n")
    with Client(server.url, spool=spool) as client:
        assert curve(client, output.strip()) == list(range(3000))


def test_a_program_that_ends_while_the_service_is_away_says_where_it_kept_what(spool: Path) -> None:
    code = """if True:
        from tunetrack_client import Client
        with Client(exit_timeout_s=0.1).run() as run:
            run.log(0, loss=1)
    """
    with program(code, NOWHERE, spool) as trainer:
        output, errors = trainer.communicate(timeout=60)
    assert (trainer.returncode, output) == (0, "")
    assert "tunetrack-client sync" in errors
    assert "Traceback" not in errors
    assert "3 messages" in command("status", spool=spool).stdout


def test_whoever_will_not_wait_for_the_end_loses_nothing(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_interrupted(timeout_s: float) -> bool:
        raise KeyboardInterrupt

    client = Client(NOWHERE, spool=spool)
    with client.run() as run:
        run.log(0, loss=1)
    monkeypatch.setattr(client.outbox, "flush", is_interrupted)
    with pytest.raises(KeyboardInterrupt):
        client.close()
    assert "3 messages" in command("status", spool=spool).stdout


def test_the_end_of_a_program_waits_once_for_all_its_clients(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    _end_began.cache_clear()
    for client in [Client(NOWHERE, spool=spool, exit_timeout_s=10.0) for _ in range(3)]:
        monkeypatch.setattr(client.outbox, "flush", waits.append)
        client._at_exit()
    _end_began.cache_clear()
    assert 10.0 >= waits[0] > waits[1] > waits[2]


def test_a_user_without_a_home_has_a_spool_all_the_same(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def has_none() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("TUNETRACK_SPOOL", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", has_none)
    with Client(server.url) as client:
        assert client.get("/healthz")["status"] == "ok"


@pytest.mark.parametrize("is_set", [True, False], ids=["the environment", "the argument"])
def test_a_spool_in_the_users_home_is_there_wherever_that_is_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_set: bool
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    if is_set:
        monkeypatch.setenv("TUNETRACK_SPOOL", "~/spool")
    client = Client(NOWHERE, spool=None if is_set else "~/spool", exit_timeout_s=0.0)
    client.run()
    client.close()
    assert list((tmp_path / "spool").glob("*.jsonl"))
    assert main(["sync", "--url", server.url, *([] if is_set else ["--spool=~/spool"])]) == 0
    assert not list((tmp_path / "spool").glob("*"))


def test_a_file_that_is_gone_or_cannot_be_read_keeps_no_other_from_delivery(server: Server, spool: Path) -> None:
    client = Client(NOWHERE, spool=spool, exit_timeout_s=0.0)
    client.run()
    client.close()
    (spool / "folder.jsonl").mkdir()
    (spool / "gone.jsonl").symlink_to("nowhere")
    done = command("sync", "--url", server.url, spool=spool)
    assert (done.returncode, done.stderr.count("left out")) == (0, 1)
    assert "1 delivered" in done.stdout


def test_what_cannot_be_read_of_a_spool_is_named_and_kept_and_all_else_is_delivered(
    server: Server, spool: Path
) -> None:
    client = Client(NOWHERE, spool=spool, exit_timeout_s=0.0)
    with client.run() as run:
        run.log(0, loss=1)
    client.close()
    (file,) = spool.glob("*.jsonl")
    header, start, epoch, end = file.read_text().splitlines()
    told: dict[str, Any] = {"path": "/v1/runs", "body": {}, "about": "r"}
    others: list[dict[str, Any]] = [
        {"path": 5},
        {"path": "/v1/runs/\0"},
        {"path": "http://elsewhere/v1/runs"},
        {"about": []},
        {"body": None},
        {"method": "G T"},
        {"at": math.nan},
        {"at": 1e300},
        {"is_epoch": True, "body": {"epoch": 1, "metrics": 1}},
    ]
    wrong = ["half a li", "[" * 100_000, json.dumps([told]), *(json.dumps(told | other) for other in others)]
    file.write_text("\n".join([header, start, *wrong, epoch, end]))  # by hand, the last line may have no end
    (spool / "notes.jsonl").write_text('{"tunetrack_spool": 1, "url": 5}\n')
    (spool / "list.jsonl").write_text("[]\n")
    done = command("sync", "--url", server.url, spool=spool)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert f"{file}: 3 delivered" in done.stdout
    for number in range(3, 3 + len(wrong)):
        assert f"{file}, line {number} is left out: " in done.stderr
    for other in ("notes", "list"):
        assert f"{spool / other}.jsonl, line 1: no spool file begins so" in done.stderr
    damaged = file.with_suffix(".damaged")
    assert f"stays in {damaged}" in done.stderr
    assert damaged.read_text().splitlines() == [header, *wrong]
    assert f"{damaged}: lines that are no messages" in command("status", spool=spool).stdout
    with Client(server.url, spool=spool) as online:
        assert curve(online, run.run_id) == [1]
        assert online.get(f"/v1/runs/{run.run_id}")["status"] == "finished"
    file.write_text("\n".join([header, epoch, "another", ""]))
    assert "1 delivered" in command("sync", "--url", server.url, spool=spool).stdout
    assert damaged.read_text().splitlines() == [header, *wrong, "another"]


def test_a_damaged_spool_stays_where_its_lines_can_be_kept_nowhere_else(
    server: Server, spool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = Client(NOWHERE, spool=spool, exit_timeout_s=0.0)
    client.run()
    client.close()
    (file,) = spool.glob("*.jsonl")
    before = file.read_text() + "no message\n"
    file.write_text(before)
    file.with_suffix(".damaged").mkdir()
    assert main(["sync", "--url", server.url, "--spool", str(spool)]) == 1
    assert f"stays in {file}" in capsys.readouterr().err
    assert file.read_text() == before


def test_the_spool_is_left_with_the_address_that_is_none(spool: Path) -> None:
    client = Client(NOWHERE, spool=spool, exit_timeout_s=0.0)
    client.run()
    client.close()
    done = command("sync", "--url", "localhost:8000", spool=spool)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "no address of a service" in done.stderr
    assert "1 messages" in command("status", spool=spool).stdout


@pytest.mark.parametrize("door", ["nullcontext(Client())", "Client()"])
def test_a_training_by_which_its_program_ends_is_tried_as_often_as_others_and_one_that_is_interrupted_again(
    server: Server, spool: Path, door: str
) -> None:
    def leave(how: str) -> dict[str, Any]:
        code = f"""if True:
            from contextlib import nullcontext
            from tunetrack_client import Client
            with {door} as client:
                for trial in client.tuner(tuner_id={tuner.tuner_id!r}).trials():
                    {how}
        """
        with program(code, server.url, spool) as trainer:
            trainer.communicate(timeout=60)
        (trial,) = tuner.history()
        return trial

    with Client(server.url, spool=spool) as client:
        for ways, state, reason in (
            (["raise ValueError('no GPU')"] * 2, "failed", "ValueError: no GPU"),
            (["break", "raise SystemExit", "raise KeyboardInterrupt"], "queued", None),
            (["break", "from tunetrack_client import Unavailable; raise Unavailable('away')"], "queued", None),
        ):
            tuner = client.tuner(SPACE, budget={"max_trials": 1, "max_attempts": 2})
            trials = [leave(way) for way in ways]
            assert [trial["state"] for trial in trials] == ["queued"] * (len(ways) - 1) + [state]
            assert trials[-1]["reason"] == reason


@pytest.mark.parametrize(
    ("how", "state", "reason"),
    [
        ("raise ValueError('no GPU')", "failed", "ValueError: no GPU"),
        ("raise SystemExit", "queued", None),
        ("raise KeyboardInterrupt", "queued", None),
        ("os.fork() and (os.wait(), os._exit(0))", "running", None),  # a child that ends is not the one to tell
        ("os.fork() and (os.wait(), os._exit(0)); raise ValueError('no GPU')", "running", None),
    ],
)
def test_a_program_that_ends_with_a_trial_of_a_loop_of_its_own_making_hands_it_back(
    server: Server, spool: Path, how: str, state: str, reason: str | None
) -> None:
    """As the first process of a distributed training, which tells the others before it begins."""
    with Client(server.url, spool=spool) as client:
        tuner = client.tuner(SPACE, budget={"max_trials": 1, "max_attempts": 1})
        code = f"""if True:
            import os
            from tunetrack_client import Client
            trials = Client().tuner(tuner_id={tuner.tuner_id!r}).trials()
            trial = next(trials)
            {how}
        """
        with program(code, server.url, spool) as trainer:
            _, errors = trainer.communicate(timeout=60)
        assert "client is closed" not in errors
        (trial,) = tuner.history()
        assert (trial["state"], trial["reason"]) == (state, reason)


def test_an_error_at_a_prompt_is_no_end_of_a_trial_that_was_handed_back(server: Server, spool: Path) -> None:
    key = str(uuid.uuid4())
    session = f"""
from tunetrack_client import Client, float_range
tuner = Client().tuner({{"x": float_range(0.0, 1.0)}}, key={key!r}, budget={{"max_attempts": 1}})
for trial in tuner.trials():
    break

a_slip_of_the_pen
"""
    env = os.environ | {"TUNETRACK_SPOOL": str(spool), "TUNETRACK_URL": server.url}
    told = subprocess.run([sys.executable, "-i"], input=session, env=env, capture_output=True, text=True, timeout=60)
    assert "NameError" in told.stderr
    with Client(server.url, spool=spool) as client:
        assert [trial["state"] for trial in client.tuner(key=key).history()] == ["queued"]


def test_the_spool_of_a_living_process_is_left_alone(spool: Path) -> None:
    client = Client(NOWHERE, spool=spool, exit_timeout_s=0.0)
    client.run()
    while not list(spool.glob("*.jsonl")):  # it goes to disk after some tries
        threading.Event().wait(0.02)
    said = command("status", spool=spool).stdout
    assert f"nothing that is kept in {spool} can be delivered now; programs that still run do that" in said
    client.close()
    assert "1 messages" in command("status", spool=spool).stdout


def test_where_there_are_no_locks_what_a_program_left_is_found_when_it_has_ended(
    server: Server, spool: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    def has_none(_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")  # as some file systems of clusters answer

    code = "from tunetrack_client import Client; client = Client(exit_timeout_s=0); client.run(); client.close()"
    with program(code, NOWHERE, spool) as ended:
        ended.wait()
    monkeypatch.setattr(backlog, "_lock", has_none)
    living = Client(NOWHERE, spool=spool, exit_timeout_s=0.0)
    living.run()
    living.close()
    (elsewhere,) = [path.rename(spool / "node7-1-a.jsonl") for path in spool.glob(f"*-{ended.pid}-*")]
    assert main(["sync", "--spool", str(spool), "--url", server.url]) == 0
    assert "can be delivered now" in capsys.readouterr().out
    assert f"{elsewhere} is of a program on node7, and its file system has no locks" in caplog.text
    elsewhere.rename(spool / f"{socket.gethostname()}-{ended.pid}-a.jsonl")
    assert main(["sync", "--spool", str(spool), "--url", server.url]) == 0
    assert "1 delivered" in capsys.readouterr().out
    (left,) = spool.glob("*.jsonl")
    assert f"-{os.getpid()}-" in left.name


def test_a_forked_process_speaks_for_itself_alone(server: Server, spool: Path) -> None:
    code = """if True:
        import os
        from tunetrack_client import Client
        client = Client()
        run = client.run(name="parent")
        run.log(0, loss=0)
        child = os.fork()
        if child == 0:
            with client.run(name="child") as own:
                own.log(0, loss=1)
            print(own.run_id, flush=True)
            client.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        run.log(1, loss=2)
        run.end()
        client.close()
        print(run.run_id)
    """
    with program(code, server.url, spool) as trainer:
        output, errors = trainer.communicate(timeout=60)
    assert (trainer.returncode, errors) == (0, "")
    child, parent = output.split()
    with Client(server.url, spool=spool) as client:
        assert (curve(client, child), curve(client, parent)) == ([1], [0, 2])
    assert not list(spool.glob("*"))


@pytest.mark.parametrize("is_new", [False, True])
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_process_that_multiprocessing_began_has_told_everything_when_it_ends(
    server: Server, spool: Path, tmp_path: Path, method: str, is_new: bool
) -> None:
    script = tmp_path / "trainer.py"
    script.write_text(f"""if True:
        import multiprocessing
        from tunetrack_client import Client

        def train(client, key):
            with (client or Client()).run(key=key) as run:
                for epoch in range(50):
                    run.log(epoch, loss=epoch)

        if __name__ == "__main__":
            client, key = Client(), {str(uuid.uuid4())!r}
            process = multiprocessing.get_context({method!r}).Process(
                target=train, args=(None if {is_new} else client, key)
            )
            process.start()
            process.join()
            assert process.exitcode == 0
            print(client.run(key=key).run_id)
    """)
    with program(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')", server.url, spool) as trainer:
        output, errors = trainer.communicate(timeout=60)
    assert trainer.returncode == 0, errors
    with Client(server.url, spool=spool) as client:
        found = client.get(f"/v1/runs/{output.strip()}")
        assert (found["status"], found["last_epoch"]) == ("finished", 49)
    assert not list(spool.glob("*"))


@pytest.mark.parametrize("logged", ["loss", "lose"])
def test_a_forked_process_may_log_what_its_parent_ends(server: Server, spool: Path, logged: str) -> None:
    """As Lightning's ddp_fork does, which is what it takes in a notebook."""
    code = f"""if True:
        import multiprocessing
        from tunetrack_client import Client, errors, float_range
        client = Client()
        budget = {{"max_trials": 1, "max_attempts": 1}}
        tuner = client.tuner({{"x": float_range(0.0, 1.0)}}, objective="loss", budget=budget)
        def train(run):
            run.log(0, {{{logged!r}: 0.5}})
        try:
            for trial in tuner.trials():
                with trial.run() as run:
                    process = multiprocessing.get_context("fork").Process(target=train, args=(run,))
                    process.start()
                    process.join()
        except errors.MissingObjective:
            pass
        print(tuner.fetch()["counts"]["completed"], next(tuner.history())["score"])
    """
    with program(code, server.url, spool) as trainer:
        output, _ = trainer.communicate(timeout=60)
    assert output == ("1 0.5\n" if logged == "loss" else "0 None\n")


def test_a_run_that_was_told_to_stop_in_a_forked_process_ends_as_stopped(server: Server, spool: Path) -> None:
    """As Lightning's ddp_fork has it: all of its processes ask, and only the first one is told."""
    code = """if True:
        import multiprocessing
        from tunetrack_client import Client, float_range
        stopper = {"type": "threshold", "min": 1e30, "from_epoch": 2}
        tuner = Client().tuner({"x": float_range(0.0, 1.0)}, objective="gain", max_trials=1, stopper=stopper)
        context = multiprocessing.get_context("fork")
        def train(run, is_first, told):
            for epoch in range(100 if is_first else 0):
                run.log(epoch, gain=epoch)
                run.flush()
                if run.should_stop:
                    break
            told.put(run.should_stop)
        for trial in tuner.trials():
            with trial.run() as run:
                for is_first in (True, False):
                    told = context.SimpleQueue()
                    process = context.Process(target=train, args=(run, is_first, told))
                    process.start()
                    assert told.get() == is_first
                    process.join()
        (trial,) = tuner.history()
        print(trial["state"], trial["score"])
    """
    with program(code, server.url, spool) as trainer:
        output, _ = trainer.communicate(timeout=60)
    assert output == "stopped 2.0\n"


def test_forked_processes_ask_over_connections_of_their_own(spool: Path) -> None:
    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            callers.append(self.client_address)
            body = b'{"items": [], "next_page_token": null}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    callers: list[object] = []
    code = """if True:
        import os
        from tunetrack_client import Client
        client = Client()
        client.get("/v1/tuners")
        client.get("/v1/tuners")
        child = os.fork()
        client.get("/v1/tuners")
        os._exit(0) if child == 0 else os.waitpid(child, 0)
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as pages:
        threading.Thread(target=pages.serve_forever).start()
        with program(code, f"http://127.0.0.1:{pages.server_port}", spool) as trainer:
            assert trainer.communicate(timeout=60) == ("", "")
        pages.shutdown()
    assert (len(callers), len(set(callers))) == (4, 2)


def test_a_run_goes_on_in_a_forked_process_whose_parent_was_never_heard(fresh_server: Server, spool: Path) -> None:
    fresh_server.kill()
    code = """if True:
        import os, sys
        from tunetrack_client import Client
        client = Client()
        run = client.run({"lr": 0.5})
        if os.fork():
            os._exit(0)
        sys.stdin.readline()
        with run:
            run.log(0, loss=1)
        print(run.run_id, flush=True)
    """
    env = os.environ | {"TUNETRACK_SPOOL": str(spool), "TUNETRACK_URL": fresh_server.url}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as trainer:
        trainer.wait()
        fresh_server.start()
        run_id = trainer.communicate("go on\n", timeout=60)[0].strip()
    with Client(fresh_server.url, spool=spool) as client:
        assert curve(client, run_id) == [1]
        assert client.get(f"/v1/runs/{run_id}")["params"] == {"lr": 0.5}


def test_what_the_first_address_needs_is_there_before_any_fork() -> None:
    code = "import sys, tunetrack_client; print('encodings.idna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "True\n"


def test_events_go_on_where_they_were_when_the_service_comes_back(fresh_server: Server, spool: Path) -> None:
    with Client(fresh_server.url, spool=spool) as client:
        run = client.run()
        run.log(0, loss=0)
        events = client.events(after=0)
        assert [next(events).type, next(events)["epoch"]] == ["run_start", 0]
        for epoch in (1, 2, 3):
            fresh_server.kill()
            fresh_server.start()
            run.log(epoch, loss=epoch)
            assert next(events)["epoch"] == epoch
        run.end()
        assert next(events).type == "training_end"


def test_a_worker_that_lost_its_trial_is_told_and_its_late_words_change_nothing(server: Server, spool: Path) -> None:
    with Client(server.url, spool=spool) as slow, Client(server.url, spool=spool) as quick:
        tuner = slow.tuner(SPACE, objective="loss", max_trials=1)
        (trial,) = tuner.suggest(worker="preempted")
        with trial.run() as run:
            run.log(0, loss=1)
            slow.flush()
            # Somebody hands it back for the one that was taken to be dead, and another takes it up.
            quick.ask("POST", f"/v1/trials/{trial.trial_id}/release", {"worker": "preempted"})
            (again,) = quick.tuner(tuner_id=tuner.tuner_id).suggest(worker="other")
            assert (again.trial_id, again.attempt) == (trial.trial_id, 2)
            run.log(1, loss=2)
            run.flush()
            assert run.should_stop
            assert run.stop is not None
            assert run.stop.rule == "lease-lost"
            run.log(2, loss=3)
        again.result(0.5)
        assert list(tuner.trials(worker="preempted")) == []
        (ended,) = tuner.history()
    assert (ended["state"], ended["score"], ended["worker"]) == ("completed", 0.5, "other")


def test_a_silent_training_keeps_its_lease_while_its_process_lives(server: Server, spool: Path) -> None:
    code = """if True:
        import sys
        from tunetrack_client import Client, float_range
        client = Client()
        tuner = client.tuner({"x": float_range(0.0, 1.0)}, max_trials=1, lease_s=1.0)
        for trial in tuner.trials(worker="silent"):
            with trial.run() as run:
                client.flush()
                print(tuner.tuner_id, flush=True)
                sys.stdin.readline()
                run.log(0, score=1)
    """
    env = os.environ | {"TUNETRACK_SPOOL": str(spool), "TUNETRACK_URL": server.url}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as trainer:
        assert trainer.stdout is not None
        with Client(server.url, spool=spool) as client:
            tuner = client.tuner(tuner_id=trainer.stdout.readline().strip())
            (trial,) = tuner.history()
            ends = [trial["lease_expires_at"]]

            def is_renewed_in_time() -> bool | None:
                """Without a word, before it is over: unless the machine stood still."""
                (now,) = tuner.history()
                assert now["attempt"] == 1
                ends.append(now["lease_expires_at"])
                before, after = (end and datetime.fromisoformat(end) for end in ends[-2:])
                return (before and after and timedelta() < after - before < timedelta(seconds=1.0)) or None

            eventually(is_renewed_in_time)
            trainer.send_signal(signal.SIGKILL)
            trainer.wait()
            attempts = []
            for taken in tuner.trials(worker="other", limit=1):
                attempts.append(taken.attempt)
                taken.result(1)
            assert attempts == [2]


def test_a_question_to_a_service_that_is_away_gives_up_when_its_patience_ends(spool: Path) -> None:
    impatient = Client(NOWHERE, patience_s=0.0, spool=spool)
    with pytest.raises(Unavailable, match="does not answer"):
        impatient.tuner(SPACE)
    impatient.close()


def test_a_certificate_of_ones_own_is_named_to_the_client(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path, "localhost")
    monkeypatch.setenv("HTTPS_PROXY", NOWHERE)  # which cannot reach this machine
    with tls_before(server.port, certificate) as url:
        with Client(url, patience_s=0.0) as client, pytest.raises(Unavailable, match="SSL_CERT_FILE"):
            client.get("/readyz")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with Client(url, patience_s=0.0) as client:
            assert client.get("/readyz") == {"status": "ok"}


def test_whoever_speaks_without_tls_needs_no_certificates(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with Client(client.url.replace("http", "HTTP"), patience_s=0.0) as other:
        assert other.get("/readyz") == {"status": "ok"}
    with pytest.raises(OSError, match="No such file"):
        Client(client.url.replace("http", "https"))


def test_a_service_that_asks_for_a_certificate_is_shown_one(
    server: Server, tmp_path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.create_default_context(cafile=certificate)
    context.load_cert_chain(certificate)
    with tls_before(server.port, certificate, asks_for_one=True) as url:
        with Client(url, patience_s=0.0) as client, pytest.raises(Unavailable):
            client.get("/readyz")
        with Client(url, patience_s=0.0, ssl_context=context) as client:
            assert client.get("/readyz") == {"status": "ok"}
        monkeypatch.setenv("TUNETRACK_CLIENT_CERT", str(certificate))
        with Client(url, patience_s=0.0, spool=spool) as client:
            with client.run() as run:
                run.log(0, loss=1)
            client.flush()
            assert curve(client, run.run_id) == [1]
        away = Client(NOWHERE, spool=spool, exit_timeout_s=0.0)
        away.run()
        away.close()
        assert "1 delivered" in command("sync", "--url", url, spool=spool).stdout
        monkeypatch.setenv("TUNETRACK_CLIENT_CERT_KEY", str(tmp_path / "none.pem"))
        with pytest.raises(ValueError, match=r"TUNETRACK_CLIENT_CERT: .*localhost\.pem and its key"):
            Client(url)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2", "[::1]"])
def test_no_proxy_is_asked_for_an_address_of_this_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(502)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.05,)).start()
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.server_port}")
        try:
            with Client(f"http://{host}:9", patience_s=0.0) as client, pytest.raises(Unavailable, match="refused"):
                client.get("/readyz")
        finally:
            proxy.shutdown()
    assert asked == []


@pytest.mark.parametrize("page", [b"<html>Welcome! Please sign in.</html>", b"", b"null", b'"ok"', b"[]"])
def test_what_stands_between_and_answers_for_the_service_is_no_answer(server: Server, spool: Path, page: bytes) -> None:
    class Portal(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Portal) as portal:
        threading.Thread(target=portal.serve_forever, daemon=True).start()
        client = Client(f"http://127.0.0.1:{portal.server_port}", spool=spool, exit_timeout_s=0.0, patience_s=0.0)
        with pytest.raises(Unavailable, match="proxy"):
            client.tuner(SPACE)
        with client.run() as run:
            run.log(0, loss=1)
        assert not client.flush(timeout_s=0.5)
        client.close()
        portal.shutdown()
    assert command("sync", "--url", server.url, spool=spool).returncode == 0
    with Client(server.url, spool=spool) as online:
        assert curve(online, run.run_id) == [1]


def test_a_service_that_says_when_to_come_again_is_left_alone_until_then(
    spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(503)
            self.send_header("Retry-After", "60")
            self.end_headers()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    def wait(timeout_s: float) -> bool:
        waits.append(timeout_s)
        return is_over.wait(60.0)

    asked: list[str] = []
    waits: list[float] = []
    is_over = threading.Event()
    with HTTPServer(("127.0.0.1", 0), Busy) as busy:
        threading.Thread(target=busy.serve_forever, daemon=True).start()
        client = Client(f"http://127.0.0.1:{busy.server_port}", spool=spool, exit_timeout_s=0.0, patience_s=5.0)
        with pytest.raises(Unavailable, match="answers 503"):
            client.get("/v1/tuners")
        assert asked == ["/v1/tuners"]
        monkeypatch.setattr(client.outbox._wake, "wait", wait)
        client.run()
        while not waits:
            threading.Event().wait(0.01)
        is_over.set()
        client.close()
        busy.shutdown()
    assert waits[0] == 60.0


@pytest.mark.parametrize("url", ["localhost:8000", "127.0.0.1", "ftp://host", "http://", "http://[::1"])
def test_an_address_that_is_none_is_told_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="no address of a service"):
        Client(url)


def test_a_password_in_an_address_is_never_shown(spool: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = "http://ada:secret@127.0.0.1:1"
    with Client(url, spool=spool, patience_s=0.3, exit_timeout_s=0.3) as client:
        with pytest.raises(Unavailable) as away:
            client.tuner(key="any")
        run = client.run()
        run.end()
    said = [str(away.value), run.url, command("status", spool=spool).stdout, command("sync", spool=spool).stderr]
    assert all("http://127.0.0.1:1" in one and "secret" not in one for one in [*said, caplog.text])
    with pytest.raises(ValueError, match="no address") as wrong:
        Client("ada:secret@127.0.0.1:1", spool=spool)
    assert "secret" not in str(wrong.value)


def test_every_code_of_the_service_has_its_class() -> None:
    from app.api import problems
    from app.domain.errors import DomainError

    def kinds(kind: type[DomainError]) -> set[type[DomainError]]:
        return {leaf for child in kind.__subclasses__() for leaf in (kinds(child) or {child})}

    codes = {problems.code_of(kind) for kind in kinds(DomainError)} - {"given-up"}  # never leaves the service
    assert codes - errors.TEMPORARY <= errors.BY_CODE.keys()
