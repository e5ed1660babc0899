"""The service and its workers as processes: started apart from the terminal, and stopped with the demo."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

TUNETRACK = Path(sys.executable).parent / "tunetrack"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
MAX_RESTARTS = 3

LISTENING = re.compile(r"^tunetrack is listening on (http://\S+?), data in ", re.MULTILINE)

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""The processes share the cores; threads for matrices on top of that would only be in each other's way."""

Process = subprocess.Popen[bytes]


class DemoFailed(Exception):
    """The demo cannot go on; the message says why in a line, and where to read more."""


@dataclass(frozen=True)
class Service:
    """A service and where it listens; with its process and log where it is our own."""

    url: str
    process: Process | None = None
    log: Path | None = None

    def check(self) -> None:
        """Do nothing while it is there.

        Raises:
            DemoFailed: it has ended.
        """
        if self.process is not None and self.process.poll() is not None:
            raise DemoFailed(f"the service ended with status {self.process.returncode}; see {self.log}")


@contextmanager
def running_service(database: str, log: Path, *, keep: bool) -> Iterator[Service]:
    """A service on the database; stopped in the end, unless it is to be kept and all went well.

    Raises:
        DemoFailed: it does not start.
    """
    with log.open("ab") as output:
        process = start([str(TUNETRACK), "serve", "--host", "127.0.0.1", "--port", "0", "--database", database], output)
    try:
        yield Service(address(process, log), process, log)
    except BaseException:
        stop([process])
        raise
    if not keep:
        stop([process])


def address(process: Process, log: Path) -> str:
    """Where the service listens, once it says so.

    Raises:
        DemoFailed: it ends, or does not say so in time.
    """
    deadline_s = time.monotonic() + START_TIMEOUT_S
    has_ended = False
    while time.monotonic() < deadline_s:
        has_ended = process.poll() is not None
        if listening := LISTENING.search(log.read_text(errors="replace")):
            return listening[1]
        if has_ended:
            break
        time.sleep(0.05)
    what = f"ended with status {process.returncode}" if has_ended else f"did not listen in {START_TIMEOUT_S:.0f} s"
    raise DemoFailed(f"the service {what}; it printed:\n{log.read_text(errors='replace').strip() or '(nothing)'}")


class Workers:
    """Worker processes by name; one that dies is started again, and is handed the trial that it was at."""

    def __init__(self, url: str, tuner_id: str, *, count: int, epochs: int, log: Path) -> None:
        self._arguments = [url, tuner_id, "--epochs", str(epochs)]
        self._log = log
        self._restarts_left = MAX_RESTARTS
        self._names = [f"worker-{number}" for number in range(1, count + 1)]
        self._processes: dict[str, Process] = {}

    def start(self) -> None:
        """Start them all."""
        for name in self._names:
            self._processes[name] = self._start(name)

    def check(self) -> bool:
        """Whether any is at work; the dead are started again.

        Raises:
            DemoFailed: they die again and again.
        """
        for name, process in self._processes.items():
            if process.poll():
                if not self._restarts_left:
                    raise DemoFailed(f"{name} ended with status {process.returncode}; see {self._log}")
                self._restarts_left -= 1
                self._processes[name] = self._start(name)
        return any(process.returncode is None for process in self._processes.values())

    def stop(self, patience_s: float) -> None:
        """Let them see for themselves that the tuner is over, and end those that have not by then."""
        deadline_s = time.monotonic() + patience_s
        while time.monotonic() < deadline_s and any(p.poll() is None for p in self._processes.values()):
            time.sleep(0.05)
        stop(self._processes.values())

    def _start(self, name: str) -> Process:
        command = [sys.executable, "-m", f"{__package__}.train", *self._arguments, "--worker", name]
        with self._log.open("ab") as output:
            return start(command, output)


def start(command: list[str], output: BinaryIO) -> Process:
    """A process in a session of its own: a Ctrl-C in this terminal is ours to pass on, or not."""
    try:
        return subprocess.Popen(
            command,
            env=os.environ | ONE_THREAD,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise DemoFailed(f"cannot start {command[0]}: {error.strerror}") from error


def stop(processes: Collection[Process]) -> None:
    """End processes, the stubborn ones by force, and wait until they are gone."""
    for process in processes:
        process.terminate()
    deadline_s = time.monotonic() + STOP_TIMEOUT_S
    for process in processes:
        try:
            process.wait(max(0.0, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
