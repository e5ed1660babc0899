"""SIGTERM: streams get a last comment, what is under way is finished, and the process goes."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.cli import server as cli_server
from app.main import Application
from app.store.engines import parse
from app.store.migrate import migrate
from tests.calls import answer, create_tuner, list_events, log_epoch, problem, start_run
from tests.chaos.wire import Wire
from tests.conftest import NewDatabase, Shared, open_client
from tests.live.load import Load, Store, check_acknowledged, check_invariants
from tests.server import CLEAN_EXITS, STOP_TIMEOUT_S, Server
from tests.subscriber import Subscriber

_GAVE_UP = "graceful shutdown exceeded"
"""What the server says when somebody kept it, and it went all the same."""


def test_streams_end_with_a_last_comment_and_the_process_goes(fresh_server: Server) -> None:
    with open_client(fresh_server) as client, ExitStack() as exits:
        watchers = [exits.enter_context(Subscriber(fresh_server.url, after=0)) for _ in range(20)]
        last = log_epoch(client, start_run(client), 0, loss=1.0)["event_id"]
        for watcher in watchers:
            watcher.wait_for_id(last)
        status = fresh_server.terminate()
        assert status == 0, "who was asked to go, and went, has not failed"
        for watcher in watchers:
            watcher.wait_for_end()
            said = [line for line in watcher.lines if line]
            assert said[-1].startswith(":"), "a stream that ends says so"
    assert "Traceback" not in fresh_server.log
    assert _GAVE_UP not in fresh_server.log


def test_who_is_asked_to_go_while_it_starts_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_server, "end_within", lambda _: None)  # it would be the end of this process
    url = parse(f"sqlite:///{tmp_path / 'x.db'}")
    migrate(url)
    server = cli_server.Server(Application(url), "", "", drain_s=0.0, patience_s=20.0, keep_alive_s=75)
    begin = server.config.load

    def load() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        begin()

    server.config.load = load  # type: ignore[method-assign]  # the first that happens once it listens to signals
    server.run(sockets=[cli_server.listen("127.0.0.1", 0)])
    assert server.should_exit


STUCK = """
import asyncio, threading
from app.cli import server

class Stuck:
    @staticmethod
    async def asgi(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        threading.Thread(target=threading.Event().wait).start()
        await asyncio.Event().wait()

    leave = end_streams = lambda self: None

server.Server(Stuck(), "ready", "", 0.0, 20.0, 75).run(sockets=[server.listen("127.0.0.1", 0)])
"""


@pytest.mark.slow
def test_what_does_not_let_go_does_not_keep_the_process() -> None:
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        try:
            assert process.wait(STOP_TIMEOUT_S) in CLEAN_EXITS
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a socket fall silent")
def test_who_waits_for_a_silent_database_while_the_service_ends_is_told_so(shared: Shared) -> None:
    with Wire(shared.new_database("postgres")) as wire, Server(wire.url) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as asking:
            asking.sendall(
                b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
            )
            assert asking.recv(4096).startswith(b"HTTP/1.1 100"), "it has been let in"
            wire.fall_silent()
            asking.sendall(b"{}")
            assert server.terminate() in CLEAN_EXITS
            told = asking.makefile("rb").read()
        assert told.startswith(b"HTTP/1.1 503")
        # Or that nothing was changed, where it still stood behind what the service writes by itself.
        assert b"it may be done or not" in told or b"nothing was changed" in told
        assert "Traceback" not in server.log


def test_a_stop_in_mid_load_loses_no_acknowledged_write(fresh_server: Server) -> None:
    with open_client(fresh_server) as client:
        tuner = create_tuner(client, seed=3)
        with Load(fresh_server.url, tuner, 6, seed=3) as load, Subscriber(fresh_server.url, after=0) as watcher:
            watcher.wait_for(150)
            assert fresh_server.terminate() in CLEAN_EXITS
            assert "Traceback" not in fresh_server.log
        seen = [event.data for event in watcher.wait_for_end()]
        fresh_server.start()
        store = Store(client, tuner)
        check_acknowledged(store, load.operations)
        check_invariants(store)
        assert seen == store.events[: len(seen)]

        # The subscriber comes back with its last id, and has missed nothing of what came meanwhile.
        last = log_epoch(client, start_run(client), 0, loss=1.0)["event_id"]
        with Subscriber(fresh_server.url, last_event_id=watcher.last_id) as watcher:
            seen += [event.data for event in watcher.wait_for_id(last)]
        assert seen == list_events(client)


def test_a_service_that_is_about_to_go_is_not_ready_but_serves(new_database: NewDatabase) -> None:
    with Server(new_database(), env={"TUNETRACK_DRAIN_S": "60"}) as server, open_client(server) as client:
        answer(client.get("/readyz"))
        os.kill(server.pid, signal.SIGTERM)
        while (readiness := httpx.get(f"{server.url}/readyz", trust_env=False)).status_code == 200:
            pass
        told = problem(readiness, 503, "not-ready")
        assert {check["name"]: check["ok"] for check in told["checks"]} == {
            "process": False,
            "writer": True,
            "schema": True,
        }
        assert "going down" in told["detail"]
        start_run(client)
        assert server.terminate() in CLEAN_EXITS  # who asks twice does not want to wait


def test_two_hundred_streams_do_not_keep_the_service(fresh_server: Server) -> None:
    with ExitStack() as exits:
        for _ in range(200):
            stream = socket.create_connection(("127.0.0.1", fresh_server.port))
            exits.callback(stream.close)
            stream.sendall(b"GET /v1/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert stream.recv(4096).startswith(b"HTTP/1.1 200")
        assert fresh_server.terminate() in CLEAN_EXITS
        assert _GAVE_UP not in fresh_server.log
