"""A network between the service and PostgreSQL that can fall silent: nothing arrives any more, and nobody is told."""

import ctypes
import socket
import struct
import threading
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Self
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

# Linux runs this on all that comes to a socket, before anything is acknowledged: a program that keeps nothing of it.
_ATTACH, _DETACH = 26, 27
_KEEP_NOTHING = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))


class Wire(AbstractContextManager["Wire"]):
    """Forwards connections to a database, in threads, until it falls silent."""

    def __init__(self, database: str) -> None:
        self._database = conninfo_to_dict(database)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends = [self._listener]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in self._ends:
            _hang_up(end)

    @property
    def url(self) -> str:
        """Of the database, at this end."""
        user, password = (quote(str(self._database.get(name) or "")) for name in ("user", "password"))
        return f"postgresql://{user}:{password}@127.0.0.1:{self._listener.getsockname()[1]}/{self._database['dbname']}"

    def fall_silent(self) -> None:
        """Nothing arrives from now on, neither what is said nor who would say something."""
        program = struct.pack("HL", 1, ctypes.addressof(_KEEP_NOTHING))
        for end in self._ends:
            with suppress(OSError):  # closed meanwhile
                end.setsockopt(socket.SOL_SOCKET, _ATTACH, program)

    def speak_again(self) -> None:
        """Whoever comes is let in."""
        self._listener.setsockopt(socket.SOL_SOCKET, _DETACH, 0)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = self._connect()
                self._ends += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(source, target), daemon=True).start()

    def _connect(self) -> socket.socket:
        host, port = str(self._database["host"]), int(self._database.get("port") or 5432)
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        far = socket.socket(socket.AF_UNIX)
        far.connect(f"{host}/.s.PGSQL.{port}")
        return far


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    _hang_up(source)
    _hang_up(target)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
