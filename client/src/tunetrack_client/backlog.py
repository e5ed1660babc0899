"""What has not been delivered yet: a queue whose oldest part may lie in a file, so that it is bounded and survives.

put() ──> memory ──(full, or kept at exit)──> the file's end
peek(), drop() take from the file's front first, then from memory
"""

import json
import logging
import os
import socket
import sys
import tempfile
import threading
import time
import uuid
from collections import deque
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from tunetrack_client.message import Message

if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


log = logging.getLogger("tunetrack_client")

_FULL_S = 1.0
"""How long a disk that had no room is left alone: whoever puts something must not wait for it each time."""


def default_folder() -> Path:
    """Where spool files lie: `TUNETRACK_SPOOL`, else `tunetrack/spool` where programs keep their state.

    A user that has no home, as in some containers, has the folder for temporary files.
    """
    if spool := os.environ.get("TUNETRACK_SPOOL"):
        return Path(spool).expanduser()  # no shell has read it
    if state := os.environ.get("XDG_STATE_HOME"):
        return Path(state) / "tunetrack" / "spool"
    try:
        return Path.home() / ".local" / "state" / "tunetrack" / "spool"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / "tunetrack" / "spool"


class Backlog:
    """Messages in the order in which they were put. May be shared by threads.

    One thread at a time takes from it: what it has peeked at is its own until it drops it.

    Args:
        url: of the service that they are for; it is written into the file.
        folder: where the file is made, when there must be one.
        most_in_memory: how many are kept in memory before they go to the file.
    """

    def __init__(self, url: str, folder: Path, most_in_memory: int = 10_000) -> None:
        self.url = url
        self.n_lost = 0
        self.path: Path | None = None
        self.damaged: Path | None = None
        """Where the lines are that could not be read of a file that is gone."""
        self._folder = folder
        self._most_in_memory = most_in_memory
        self._memory: deque[Message] = deque()
        self._file: BinaryIO | None = None
        self._offset = 0
        self._n_in_file = 0
        self._next_line = 2
        self._unread: dict[int, bytes] = {}
        self._n_peeked = self._n_peeked_lost = 0
        self._full_until = 0.0
        self._is_closed = False
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> "Backlog | None":
        """What another process left in a file; None where that process still lives.

        Raises:
            OSError: it cannot be read, or nobody can tell whether that process lives.
            ValueError: it is no spool file.
        """
        file = path.open("r+b")
        try:
            if not _is_left(file, path):
                file.close()
                return None
            backlog = cls(_url(file.readline()), path.parent)
        except OSError:
            file.close()
            raise
        except ValueError as error:
            file.close()
            raise ValueError(f"{path}, line 1: {error}") from error
        backlog.path, backlog._file, backlog._offset = path, file, file.tell()
        # Whoever wrote it by hand may not have ended the last line; a killed process has not said it.
        backlog._n_in_file = sum(1 for line in file if line.endswith(b"\n") or isinstance(_read(line), Message))
        return backlog

    @property
    def is_own(self) -> bool:
        """Whether its file is this user's: in a folder of several, anybody may have written what others say."""
        return self._file is None or sys.platform == "win32" or os.fstat(self._file.fileno()).st_uid == os.getuid()

    def beside(self) -> "Backlog":
        """An empty one for the same service, in the same folder, that keeps nothing in memory."""
        return Backlog(self.url, self._folder, most_in_memory=1)

    def __len__(self) -> int:
        with self._lock:
            return self._n_in_file + len(self._memory)

    def put(self, message: Message) -> None:
        """At the end. Never waits for more than the local disk."""
        with self._lock:
            self._memory.append(message)
            if len(self._memory) >= self._most_in_memory:
                self._spill()

    def peek(self, n: int) -> list[Message | None]:
        """The first n, which stay; None for a line of a file that cannot be read, and is kept when all else is gone."""
        with self._lock:
            found: list[Message | None] = []
            if self._file is not None and self._n_in_file:
                self._file.seek(self._offset)
                lines = islice(self._file, min(n, self._n_in_file))
                found.extend(self._message(number, line) for number, line in enumerate(lines, self._next_line))
            n_from_file = len(found)
            found.extend(islice(self._memory, n - n_from_file))
            self._n_peeked, self._n_peeked_lost = len(found) - n_from_file, 0
            return found

    def drop(self, n: int) -> None:
        """Away with the first n; an empty file goes too."""
        with self._lock:
            if self._is_closed:
                return
            n -= self._n_peeked_lost
            self._n_peeked = self._n_peeked_lost = 0
            from_file = min(n, self._n_in_file)
            if self._file is not None and from_file:
                self._file.seek(self._offset)
                self._offset += sum(len(line) for line in islice(self._file, from_file))
                self._n_in_file -= from_file
                self._next_line += from_file
                if not self._n_in_file:
                    self._remove()
            for _ in range(n - from_file):
                self._memory.popleft()

    def spill(self) -> None:
        """All that is in memory into the file."""
        with self._lock:
            self._spill()

    def close(self) -> Path | None:
        """Keep what is left in the file; its path, None where nothing is left."""
        with self._lock:
            self._full_until = 0.0
            self._spill()
            if n_lost := len(self._memory) + self._n_peeked_lost:
                self.n_lost += n_lost
                log.warning("there is no place to keep them: %d messages are lost", self.n_lost)
                self._memory.clear()
            self._is_closed = True
            if self._file is not None and self._n_in_file:
                self._file.close()
                self._file = None
                return self.path
            self._remove()
            return None

    def forget(self) -> None:
        """Start empty, and leave the file alone: in a forked process all of it is the parent's."""
        self.path, self._file, self._offset, self._n_in_file = None, None, 0, 0
        self._memory.clear()
        self._lock = threading.Lock()

    def _spill(self) -> None:
        if not self._memory:
            return
        if time.monotonic() >= self._full_until:
            try:
                _append(self._file or self._create(), b"".join(message.to_line() for message in self._memory))
            except OSError as error:
                if not self._full_until:
                    log.warning("cannot write down what the service has not taken yet: %s", error)
                self._full_until = time.monotonic() + _FULL_S
            else:
                self._n_in_file += len(self._memory)
                self._memory.clear()
                self._full_until = 0.0
        self._lose_oldest()

    def _lose_oldest(self) -> None:
        while len(self._memory) >= self._most_in_memory:
            self._memory.popleft()
            if self._n_peeked:  # whoever peeked has it still
                self._n_peeked -= 1
                self._n_peeked_lost += 1
                continue
            self.n_lost += 1
            if self.n_lost == 1 or self.n_lost % 1000 == 0:
                log.warning("there is no place to keep them: %d messages are lost", self.n_lost)

    def _message(self, number: int, line: bytes) -> Message | None:
        found = _read(line)
        if isinstance(found, Message):
            return found
        if number not in self._unread:
            log.warning("%s, line %d is left out: %s", self.path, number, found)
        self._unread[number] = line
        return None

    def _create(self) -> BinaryIO:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = self._folder / f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
        self._file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "r+b")
        with suppress(OSError):  # some file systems of clusters know no locks
            _lock(self._file)
        try:
            _append(self._file, _header(self.url))
        except OSError:
            self._remove()
            raise
        self._offset = self._file.seek(0, os.SEEK_END)
        return self._file

    def _remove(self) -> None:
        if self._file is not None and self.path is not None:
            self._file.close()
            with suppress(OSError):  # of a folder that is read-only now, or gone: what it says may be said again
                if self._unread:
                    self.damaged = self.path
                    self.damaged = self._keep_unread(self.path.with_suffix(".damaged"))
                self.path.unlink(missing_ok=True)
            self._file, self.path, self._next_line = None, None, 2
            self._unread.clear()

    def _keep_unread(self, path: Path) -> Path:
        """As a spool file, for whoever can mend what it says."""
        # No link is followed: it may be another user who has put it there.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(path, flags, 0o600), "ab") as file:  # those of an earlier sync may be in it still
            if not file.tell():
                file.write(_header(self.url))
            file.writelines(self._unread.values())
        return path


def _append(file: BinaryIO, lines: bytes) -> None:
    """At its end, past the buffer, which would try again what could not be written.

    Raises:
        OSError: there is no room; no half of a line stays.
    """
    end, left = file.seek(0, os.SEEK_END), memoryview(lines)
    try:
        while left:
            left = left[os.write(file.fileno(), left) :]
    except OSError:
        file.truncate(end)
        raise


def _header(url: str) -> bytes:
    return json.dumps({"tunetrack_spool": 1, "url": url}).encode() + b"\n"


def _url(line: bytes) -> str:
    """The address in the line that a spool file begins with.

    Raises:
        ValueError: it is none.
    """
    with suppress(ValueError, RecursionError):
        match json.loads(line):
            case {"tunetrack_spool": 1, "url": str(url)}:
                return url
    raise ValueError("no spool file begins so")


def _read(line: bytes) -> Message | ValueError:
    """The message of a line, or why it is none."""
    try:
        return Message.of_line(line)
    except ValueError as error:
        return error


def _is_left(file: BinaryIO, path: Path) -> bool:
    """Whether the process that wrote it has ended: it held a lock; where there are none, its name tells whose it was.

    Raises:
        OSError: it was one of another machine.
    """
    try:
        _lock(file)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        host, _, process = path.stem.rpartition("-")[0].rpartition("-")
        if host != socket.gethostname() or not process.isdigit():
            raise OSError(
                f"{path} is of a program on {host or 'another machine'}, and its file system has no locks to tell"
                " whether that still runs: once it has ended, copy the file to another disk, and name that with --spool"
            ) from error
        return not _is_alive(int(process))
    return True


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":  # where this would end it, and locks are never missing
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True
