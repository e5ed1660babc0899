"""The demo, run small and for real; what it leaves behind is read back over HTTP."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.server import Server

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120


def start_demo(folder: Path, *options: str) -> subprocess.Popen[str]:
    """The demo as somebody without a terminal runs it."""
    return subprocess.Popen(
        [sys.executable, "-m", "examples.digits", *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_demo(folder: Path, *options: str) -> tuple[int, str, str]:
    """The demo's exit status, output and complaints."""
    with start_demo(folder, *options) as demo:
        output, errors = demo.communicate(timeout=TIMEOUT_S)
    return demo.returncode, output, errors


def logs(folder: Path) -> str:
    """What the demo's service and workers printed."""
    return "".join(path.read_text() for path in folder.glob(".tunetrack/*.log"))


@pytest.mark.slow
def test_demo_tunes_and_leaves_its_trials_and_runs(tmp_path: Path) -> None:
    status, output, errors = run_demo(tmp_path, "--trials", "3", "--workers", "2", "--epochs", "2")
    assert status == 0, output + errors + logs(tmp_path)
    database = re.search(r"serve --port 8000 --database sqlite:///(\S+)", output)
    assert database is not None, output
    with (
        Server(f"sqlite:///{tmp_path / database[1]}") as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        (tuner,) = client.get("/v1/tuners").json()["items"]
        runs = client.get("/v1/runs").json()["items"]
    assert (tuner["state"], tuner["stop_reason"], tuner["counts"]["completed"]) == ("completed", "max_trials", 3)
    assert [(run["status"], run["last_epoch"]) for run in runs] == [("finished", 1)] * 3
    assert tuner["best"]["score"] == max(run["metrics"]["accuracy"] for run in runs)
    # All that was printed came from the event stream: it says the same as the store.
    assert f"number {tuner['best']['number']}, accuracy {tuner['best']['score']:.4f}" in output
    assert len(re.findall(r"^trial \d completed, accuracy 0\.\d{4}; ", output, re.MULTILINE)) == 3
    assert "6 epochs were streamed" in output


def test_demo_leaves_a_running_service_running(tmp_path: Path) -> None:
    with Server(f"sqlite:///{tmp_path / 'mine.db'}") as server:
        status, output, errors = run_demo(
            tmp_path, "--trials", "1", "--workers", "1", "--epochs", "1", "--url", server.url
        )
        assert status == 0, output + errors + logs(tmp_path)
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            (tuner,) = client.get("/v1/tuners").json()["items"]
    assert tuner["counts"]["completed"] == 1
    assert not list(tmp_path.glob(".tunetrack/*.db"))


@pytest.mark.slow
def test_interrupted_demo_leaves_nothing_running(tmp_path: Path) -> None:
    with start_demo(tmp_path, "--trials", "1000", "--workers", "2", "--epochs", "1", "--keep") as demo:
        assert demo.stdout is not None
        said = ""
        for line in demo.stdout:
            said += line
            if line.startswith("trial "):
                break
        demo.send_signal(signal.SIGINT)
        rest, errors = demo.communicate(timeout=TIMEOUT_S)
    assert demo.returncode == 130, said + rest + errors + logs(tmp_path)
    commands = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in commands, "its service still runs"
    url = re.search(r"http://127\.0\.0\.1:\d+", said)
    assert url is not None, said
    assert url[0] not in commands, "a worker still runs"


def test_demo_says_in_one_line_that_nobody_answers(tmp_path: Path) -> None:
    status, output, errors = run_demo(tmp_path, "--url", "http://127.0.0.1:9")
    assert (status, output) == (1, "")
    assert re.fullmatch(r"error: no tunetrack service answers at http://127\.0\.0\.1:9: .+\n", errors)
