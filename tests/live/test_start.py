"""The command: one line that says where, and one line when it cannot."""

import os
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import nursery
from tests.calls import create_tuner, get_tuner, list_all
from tests.conftest import BACKENDS, Shared, open_client
from tests.server import COMMAND, Server

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("TUNETRACK_")}


def test_the_line_says_where_it_listens_and_where_the_data_lies(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "data.db"
    with Server(f"sqlite:///{file}") as server:
        assert server.data == f"sqlite:///{file}"
        assert file.exists()
        with socket.create_connection(("127.0.0.1", server.port), timeout=5):
            pass


def test_options_may_come_from_the_environment_and_a_relative_path_is_shown_in_full(tmp_path: Path) -> None:
    settings = {"TUNETRACK_DATABASE": "sqlite:///here.db", "TUNETRACK_PORT": "0", "TUNETRACK_HOST": "127.0.0.1"}
    command = [str(COMMAND), "serve"]
    with subprocess.Popen(
        command, env=ENVIRONMENT | settings, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
        finally:
            process.terminate()
    assert line.strip().endswith(f"data in sqlite:///{tmp_path}/here.db")
    assert (tmp_path / "here.db").exists()


def test_a_database_out_of_reach_is_refused_in_one_line_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://user:s3cr3t@/nothing?host={tmp_path}"
    done = nursery.run("serve", "--port", "0", "--database", url)
    assert done.returncode > 0
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert "Traceback" not in line
    assert "s3cr3t" not in line


@pytest.mark.skipif("postgres" not in BACKENDS, reason="SQLite stays a single process")
def test_two_services_share_one_postgresql(shared: Shared) -> None:
    url = shared.new_database("postgres")
    with Server(url) as one, Server(url) as other, open_client(one) as client, open_client(other) as other_client:
        tuner = create_tuner(client)
        assert get_tuner(other_client, tuner) == tuner
        assert list_all(other_client, "/v1/tuners") == [tuner]


def test_a_shell_that_gives_few_files_does_not_keep_streams_out(tmp_path: Path) -> None:
    command = [str(COMMAND), "serve", "--port", "0", "--database", f"sqlite:///{tmp_path / 'x.db'}"]
    shell = ["/bin/sh", "-c", 'ulimit -Sn 64; exec "$0" "$@"', *command]
    with subprocess.Popen(shell, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process, ExitStack() as exits:
        exits.callback(process.terminate)
        assert process.stdout is not None
        port = int(process.stdout.readline().partition("127.0.0.1:")[2].partition(",")[0])
        for _ in range(80):
            stream = exits.enter_context(socket.create_connection(("127.0.0.1", port)))
            stream.sendall(b"GET /v1/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert stream.recv(4096).startswith(b"HTTP/1.1 200")
