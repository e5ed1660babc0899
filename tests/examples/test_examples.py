"""The examples, each run as its first lines say."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Shared
from tests.server import COMMAND, Server
from tunetrack_client import Client

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(shared: Shared, tmp_path: Path, *command: str | Path, url: str | None = None) -> str:
    """What an example prints that is told the address of a service."""
    env = os.environ | {"TUNETRACK_SPOOL": str(tmp_path)}
    url = url or shared.server("sqlite").url
    done = subprocess.run([*command, url], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(tmp_path.iterdir()), "it left something behind"
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="THERE IS NO CURL HERE")
def test_curl(shared: Shared, tmp_path: Path) -> None:
    said = run(shared, tmp_path, "sh", EXAMPLES / "curl.sh")
    gains = [float(gain) for gain in re.findall(r"^x = \S+: gain (\S+)$", said, re.MULTILINE)]
    assert len(gains) == 4
    best = re.search(r'"score": ?([\d.]+)', said)
    assert best is not None
    assert float(best[1]) == max(gains)


def test_plain_httpx(shared: Shared, tmp_path: Path) -> None:
    said = run(shared, tmp_path, sys.executable, EXAMPLES / "plain.py")
    assert len(re.findall(r"^trial \d+ (finished|stopped), ", said, re.MULTILINE)) == 20
    assert " stopped, " in said


def test_scikit_learn(shared: Shared, tmp_path: Path) -> None:
    said = run(shared, tmp_path, sys.executable, EXAMPLES / "sklearn_search.py")
    accuracy = re.search(r"best of 8: .*\naccuracy (0\.\d+)", said)
    assert accuracy is not None, said
    assert float(accuracy[1]) > 0.9


def test_xgboost(shared: Shared, tmp_path: Path) -> None:
    pytest.importorskip("xgboost", reason="XGBoost is not installed")
    said = run(shared, tmp_path, sys.executable, EXAMPLES / "xgboost_early_stop.py")
    counts = re.search(r"(\d) completed, (\d) stopped early", said)
    assert counts is not None, said
    assert int(counts[1]) + int(counts[2]) == 8
    assert int(counts[1]) > 0


def test_a_worker_that_dies(shared: Shared, tmp_path: Path) -> None:
    said = run(shared, tmp_path, sys.executable, EXAMPLES / "dying_worker.py")
    assert "worker doomed ended with status -9" in said
    assert len(re.findall(r"^trial \d completed at attempt", said, re.MULTILINE)) == 9
    assert len(re.findall(r"completed at attempt 2, by (one|two)", said)) == 1


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_is_preempted_goes_on_from_its_checkpoint(
    shared: Shared, tmp_path: Path, by: signal.Signals
) -> None:
    search, url = f"preempted by {by.name}", shared.server("sqlite").url
    env = os.environ | {"SEARCH": search, "WORKER": "7", "TUNETRACK_SPOOL": str(tmp_path)}
    command = [sys.executable, str(EXAMPLES / "preempted.py"), url]
    with subprocess.Popen(command, env=env, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        next(line for line in worker.stdout if line.endswith("has epoch 5\n"))
        worker.send_signal(by)
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert re.match(r"trial \d from epoch [1-9]", done.stdout), done.stdout
    with Client(url, spool=tmp_path / "spool") as client:
        runs = list(client.runs(f'tuner_id = "{client.tuner(key=search).tuner_id}"'))
        assert [run["status"] for run in runs] == ["finished"] * 4
        for run in runs:
            assert client.curves(run["run_id"])["loss"]["epochs"] == list(range(20))
    assert not list((tmp_path / "checkpoints").iterdir())


def test_retraining_by_webhook(shared: Shared, tmp_path: Path) -> None:
    key = subprocess.run([COMMAND, "secret-key"], capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    env = {"TUNETRACK_SECRET_KEY": key, "TUNETRACK_WEBHOOK_ALLOW": "127.0.0.0/8"}
    with Server(shared.new_database("sqlite"), env=env) as server:
        said = run(shared, tmp_path, sys.executable, EXAMPLES / "retrain.py", url=server.url)
    assert "called: accuracy 0.85; training anew" in said
    assert "has retrained the model" in said
