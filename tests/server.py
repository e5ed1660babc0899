"""The harness: the real command, started, killed, and started again on the same database.

Nothing here knows the service from inside: it is a process that prints one line and answers HTTP.
In tests it is forked (`nursery`), elsewhere started as installed.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import IO, Protocol, Self

from tests.last_will import LastWill
from tests.ports import reserve

COMMAND = Path(sys.executable).parent / "tunetrack"
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
CLEAN_EXITS = (0, 128 + signal.SIGTERM, -signal.SIGTERM)
"""Exit statuses of a service that was asked to stop and did."""

_READY = re.compile(r"tunetrack is listening on (\S+), data in (\S.*)")


class Process(Protocol):
    """What is used of a `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int, /) -> None: ...
    def kill(self) -> None: ...


Launch = Callable[[Sequence[str], Mapping[str, str], IO[str], IO[str]], Process]
"""From arguments, environment, standard output and standard error to a process of `tunetrack`."""


def installed(arguments: Sequence[str], env: Mapping[str, str], stdout: IO[str], stderr: IO[str]) -> Process:
    """The command as it is installed."""
    return subprocess.Popen([str(COMMAND), *arguments], env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)


class ServerDidNotStart(AssertionError):
    """The service ended, or said nothing, where its line should have been."""


class Server:
    """A service process on a database that outlives it.

    Args:
        database: a URL as `tunetrack serve --database` takes it.
        env: variables on top of this process's own.
    """

    launch: Launch = staticmethod(installed)

    def __init__(self, database: str, *, env: Mapping[str, str] | None = None) -> None:
        self.database = database
        self.data = ""
        self._place = reserve()  # while it is down, too: others would have its port by then
        self.port: int = self._place.getsockname()[1]
        self._env = dict(env or {})
        self._process: Process | None = None
        self._last_will: LastWill | None = None
        self._log: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 -- closed in close()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where it listens; the same after a restart."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process that runs now."""
        return self._running().pid

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """All that it has written to its standard error, over all its starts."""
        # Read beside the offset, which is shared with the process that writes.
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode(errors="replace")

    def start(self) -> Self:
        """Start it and wait for its line.

        Raises:
            ServerDidNotStart: with what it wrote instead.
        """
        assert not self.is_alive, "this server runs already"
        arguments = ["serve", "--host", "127.0.0.1", "--port", str(self.port), "--database", self.database]
        said, stdout = os.pipe()
        with os.fdopen(stdout, "w") as output:
            process = self._process = self.launch(arguments, os.environ | self._env, output, self._log)
        self._last_will = LastWill('kill -KILL "$0"', str(process.pid))
        line = _first_line(os.fdopen(said))
        ready = _READY.fullmatch((line or "").strip())
        if ready is None or ready[1] != self.url:
            process.kill()
            self._wait()
            found = (
                f"said nothing within {START_TIMEOUT_S} s" if line is None else f"said {line!r}" if line else "ended"
            )
            raise ServerDidNotStart(f"{' '.join(arguments)}\n{found}; its standard error:\n{self.log}")
        self.data = ready[2]
        return self

    def kill(self) -> None:
        """End it as a power cut would: no signal handler, no goodbye."""
        self._running().send_signal(signal.SIGKILL)
        self._wait()

    def terminate(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Ask it to stop, and answer its exit status (negative: the signal that ended it).

        Raises:
            AssertionError: it was still there at the deadline.
        """
        process = self._running()
        process.send_signal(signal.SIGTERM)
        try:
            return self._wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            self._wait()
            raise AssertionError(
                f"still running {timeout_s} s after SIGTERM; its standard error:\n{self.log}"
            ) from None

    def close(self) -> None:
        """Stop it if it still runs."""
        try:
            if self.is_alive:
                self.terminate()
            elif self._process is not None:
                self._wait()
        finally:
            self._place.close()
            self._log.close()

    def _wait(self, timeout_s: float | None = None) -> int:
        status = self._running().wait(timeout_s)
        if self._last_will is not None:
            self._last_will.revoke()
            self._last_will = None
        return status

    def _running(self) -> Process:
        assert self._process is not None, "this server was never started"
        return self._process


def _first_line(stdout: IO[str]) -> str | None:
    lines: Queue[str] = Queue()
    threading.Thread(target=_pump, args=(stdout, lines), daemon=True).start()
    try:
        return lines.get(timeout=START_TIMEOUT_S)
    except Empty:
        return None


def _pump(stdout: IO[str], lines: Queue[str]) -> None:
    """Hand on the first line, "" at the end; read on, so that a talkative service is never blocked."""
    with stdout:
        for line in stdout:
            lines.put(line)
        lines.put("")
