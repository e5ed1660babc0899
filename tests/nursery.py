"""Processes of the command `tunetrack` that need not import it first: each is forked from one that has.

Imports are most of what a start costs, and the tests start some two hundred. Such a process is one like any other from
there on: it has its own memory, signals and end. What the start itself promises is shown by the command as installed.
There is one nursery for all processes of a test run.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from tempfile import TemporaryFile
from typing import IO, Any

ROOT = Path(__file__).parents[1]
_PATIENCE_S = 120.0
_ADDRESS = "TUNETRACK_TEST_NURSERY"
"""The variable with the name of the socket that the nursery takes orders at."""
_MOST_BYTES = 1 << 17
"""Of an order: arguments and environment."""
_TAKEN_UP = (
    *("anyio._backends._asyncio", "httptools", "structlog.dev", "structlog.stdlib"),
    *("uvicorn.lifespan.on", "uvicorn.loops.uvloop", "uvicorn.server", "uvloop"),
    *("cmaes", "scipy.linalg.lapack", "scipy.optimize", "scipy.special", "scipy.stats.qmc"),
)
"""What the command imports when it serves, and what strategies do when they are first asked."""


class Child:
    """A process that the nursery made; what is used here of `subprocess.Popen`."""

    def __init__(self, reports: int) -> None:
        self._reports = os.fdopen(reports)
        self.pid = int(self._reports.readline())
        self._status: int | None = None

    def poll(self) -> int | None:
        """Its exit status (negative: the signal that ended it); None while it runs."""
        if self._status is None and select.select([self._reports], [], [], 0)[0]:
            self.wait()
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, when it has ended.

        Raises:
            subprocess.TimeoutExpired: it runs still.
        """
        if self._status is None:
            if not select.select([self._reports], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("tunetrack", timeout or 0.0)
            with self._reports:
                self._status = int(self._reports.read())
        return self._status

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs still."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def launch(arguments: Sequence[str], env: Mapping[str, str], stdout: IO[str], stderr: IO[str]) -> Child:
    """A new process of `tunetrack` with these arguments."""
    told, reports = os.pipe()
    order = json.dumps({"arguments": list(arguments), "env": dict(env)}).encode()
    assert len(order) < _MOST_BYTES
    try:
        socket.send_fds(_orders(), [order], [stdout.fileno(), stderr.fileno(), reports])
    finally:
        os.close(reports)
    return Child(told)


def run(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """One run of the command to its end, with these settings and no others."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("TUNETRACK_")}
    with TemporaryFile("w+") as stdout, TemporaryFile("w+") as stderr:
        status = launch(arguments, {**others, **(env or {})}, stdout, stderr).wait(_PATIENCE_S)
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(arguments, status, stdout.read(), stderr.read())


def found() -> None:
    """Start the nursery of this process and of those that it starts; it is there until this process ends."""
    name = f"tunetrack-{uuid.uuid4()}"
    ours, its = socket.socketpair()
    with its, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(f"\0{name}")
        door.listen(64)
        fds = [door.fileno(), its.fileno()]
        command = [sys.executable, "-m", "tests.nursery", *map(str, fds)]
        nursery = subprocess.Popen(command, cwd=ROOT, pass_fds=fds, stdin=subprocess.DEVNULL)
    os.environ[_ADDRESS] = name

    def close() -> None:
        ours.close()
        nursery.wait()

    atexit.register(close)


@cache
def _orders() -> socket.socket:
    """Where this process gives its orders."""
    if _ADDRESS not in os.environ:
        found()
    orders = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    orders.connect(f"\0{os.environ[_ADDRESS]}")
    atexit.register(orders.close)
    return orders


def _tend(door: socket.socket, founder: socket.socket) -> bool:
    """Fork a process for each order, and report how it ended. It returns in each of them, True, and at the end."""
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reports: dict[int, int] = {}
    orders: list[socket.socket] = []
    while True:
        sources: list[socket.socket | int] = [founder, door, ended, *orders]
        ready, _, _ = select.select(sources, [], [])
        if founder in ready:
            return False
        if door in ready:
            orders.append(door.accept()[0])
        if ended in ready:
            os.read(ended, 4096)
            _report(reports)
        for one in [one for one in orders if one in ready]:
            order, fds, _, _ = socket.recv_fds(one, _MOST_BYTES, 3)
            if not order:
                orders.remove(one)
                one.close()
                continue
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for own in (ended, wake, *reports.values(), fds[2]):
                    os.close(own)
                for own_socket in (founder, door, *orders):
                    own_socket.close()
                _become(json.loads(order), fds[0], fds[1])
                return True
            reports[pid] = fds[2]
            with suppress(BrokenPipeError):
                os.write(fds[2], b"%d\n" % pid)
            os.close(fds[0])
            os.close(fds[1])


def _report(reports: dict[int, int]) -> None:
    """Tell of those who have ended."""
    while reports:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        report = reports.pop(pid)
        with suppress(BrokenPipeError):  # who ordered it may be gone
            os.write(report, b"%d" % os.waitstatus_to_exitcode(status))
        os.close(report)


def _become(order: dict[str, Any], stdout: int, stderr: int) -> None:
    """In a process just forked: what it would have found had it been started."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, given in enumerate((stdout, stderr), start=1):
        os.dup2(given, number)
        os.close(given)
    sys.argv = ["tunetrack", *order["arguments"]]
    os.environ.clear()
    os.environ.update(order["env"])
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))


def _main() -> None:
    gc.disable()  # while all that stays is imported
    import app
    from app.cli import main
    from app.store import migrate

    # All of it, and what it takes up when it starts: what is imported now is imported for every child.
    ours = (module.name for module in walk_packages(app.__path__, "app."))
    for name in (*ours, *_TAKEN_UP):
        if not name.endswith("__main__"):
            import_module(name)
    migrate.head_revision()  # and the migrations
    # What is there now is nothing that a child need look through, and by that copy.
    gc.collect()
    gc.freeze()
    gc.enable()

    with socket.socket(fileno=int(sys.argv[1])) as door, socket.socket(fileno=int(sys.argv[2])) as founder:
        is_born = _tend(door, founder)
    if is_born:
        try:
            main()
        except SystemExit as end:
            if isinstance(end.code, int):
                _leave(end.code)
            raise


def _leave(status: int) -> None:
    """End as Python does, without taking down what was imported: by that all of it would be copied."""
    vars(threading)["_shutdown"]()
    atexit._run_exitfuncs()
    gc.collect()  # what was not closed says so
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _main()
