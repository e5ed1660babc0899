"""The harness: the real command, started, killed, and started again on the same database.

Nothing here knows the service from inside: it is a process that prints one line and answers HTTP.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import IO, Self

from tests.last_will import LastWill

COMMAND = Path(sys.executable).parent / "tunetrack"
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 20.0
CLEAN_EXITS = (0, 128 + signal.SIGTERM, -signal.SIGTERM)
"""Exit statuses of a service that was asked to stop and did."""

_READY = re.compile(r"tunetrack is listening on (http://([^\s:]+|\[[^\]]+\]):(\d+)), data in (\S.*)")


class ServerDidNotStart(AssertionError):
    """The service ended, or said nothing, where its line should have been."""


class Server:
    """A service process on a database that outlives it.

    Args:
        database: a URL as `tunetrack serve --database` takes it.
        port: 0 picks a free one at the first start; later starts use the same again.
        env: variables on top of this process's own.
    """

    def __init__(self, database: str, *, port: int = 0, env: Mapping[str, str] | None = None) -> None:
        self.database = database
        self.port = port
        self.data = ""
        self._env = dict(env or {})
        self._process: subprocess.Popen[str] | None = None
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
        command = [str(COMMAND), "serve", "--host", "127.0.0.1", "--port", str(self.port), "--database", self.database]
        process = subprocess.Popen(
            command,
            env=os.environ | self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._process = process
        self._last_will = LastWill('kill -KILL "$0"', str(process.pid))
        line = self._first_line(process)
        ready = _READY.fullmatch((line or "").strip())
        if ready is None:
            process.kill()
            self._wait()
            said = f"said nothing within {START_TIMEOUT_S} s" if line is None else f"said {line!r}" if line else "ended"
            raise ServerDidNotStart(f"{' '.join(command)}\n{said}; its standard error:\n{self.log}")
        self.port, self.data = int(ready[3]), ready[4]
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
            self._log.close()

    def _wait(self, timeout_s: float | None = None) -> int:
        status = self._running().wait(timeout_s)
        if self._last_will is not None:
            self._last_will.revoke()
            self._last_will = None
        return status

    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None, "this server was never started"
        return self._process

    def _first_line(self, process: subprocess.Popen[str]) -> str | None:
        lines: Queue[str] = Queue()
        threading.Thread(target=_pump, args=(process, lines), daemon=True).start()
        try:
            return lines.get(timeout=START_TIMEOUT_S)
        except Empty:
            return None


def _pump(process: subprocess.Popen[str], lines: Queue[str]) -> None:
    """Hand on the first line, "" at the end; read on, so that a talkative service is never blocked."""
    assert process.stdout is not None
    with process.stdout as stdout:
        for line in stdout:
            lines.put(line)
        lines.put("")
