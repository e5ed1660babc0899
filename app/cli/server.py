"""The process that serves: where it listens, how it is tuned, how it ends."""

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import sys
import threading
from types import FrameType

import typer
import uvicorn

from app.api.connection import Connection
from app.cli.failing import fail
from app.main import Application

log = logging.getLogger(__name__)

_TICKS_PER_S = 10
"""How often uvicorn's server looks around."""
_UNDER_WAY_S = 10
"""How long requests under way are waited for."""
_GONE_WITHIN_S = 14.0
"""Who does not let go until then, such as a database that says nothing more, is not waited for."""
_OPEN_FILES = 65_536
"""How many are enough."""


class Server(uvicorn.Server):
    """Uvicorn that says when it listens. Asked to go, it is first no longer ready, then ends the streams, then goes.

    Who asks twice does not want to wait. And who takes too long to ask is hung up on.

    Attributes:
        is_set_back: it went by itself, because the database was set back.
    """

    def __init__(
        self,
        application: Application,
        greeting: str,
        trusted_proxies: str,
        drain_s: float,
        patience_s: float,
        keep_alive_s: int,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                application.asgi,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=trusted_proxies,
                timeout_keep_alive=keep_alive_s,
                timeout_graceful_shutdown=_UNDER_WAY_S,
                loop="uvloop",
                http=Connection,
                ws="none",
            )
        )
        self._application = application
        self._greeting = greeting
        self._drain_s = drain_s
        self._patience_s = patience_s
        self._is_leaving = False
        self.is_set_back = False
        application.on_set_back = self._begin_anew

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()  # from now on somebody may ask it to go
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            typer.echo(self._greeting)

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_PER_S == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.hurry(self._loop.time(), self._patience_s)
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        is_first, self._is_leaving = not self._is_leaving, True
        self._application.leave()
        drain_s = self._drain_s if is_first else 0.0
        self._loop.call_soon_threadsafe(self._loop.call_later, drain_s, self._go, sig, frame)

    def _begin_anew(self) -> None:
        # Whoever started this process starts the next one.
        self.is_set_back = self._is_leaving = True
        self.handle_exit(signal.SIGTERM, None)

    def _go(self, sig: int, frame: FrameType | None) -> None:
        end_within(_GONE_WITHIN_S)
        # Open streams would keep the server waiting for them.
        self._application.end_streams()
        if sig == signal.SIGTERM:  # asked to go, it has gone: exit status 0, where uvicorn would die of the signal
            self.should_exit = True
        else:
            super().handle_exit(sig, frame)


def end_within(seconds: float) -> None:
    """End the process by then, whoever still waits for something."""
    last = threading.Timer(seconds, _end)
    last.daemon = True
    last.start()


def _end() -> None:
    log.error("something does not let go: the service ends all the same; what it has acknowledged is stored")
    os._exit(0)


def settle() -> None:
    """Make this process one that runs for long: what is loaded stays, and threads take turns quickly."""
    gc.collect()
    gc.freeze()  # never looked at again: by default each tenth collection walks through all that was imported
    gc.set_threshold(100_000, 50, 100)
    # The writer waits for its turn after each statement; by default that is up to 5 ms each time.
    sys.setswitchinterval(0.001)
    # Each connection is one. Of what the system lets us have, a shell gives a process little: 1024, or 256.
    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if most == resource.RLIM_INFINITY else min(most, _OPEN_FILES)
    if few != resource.RLIM_INFINITY and few < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there."""
    try:
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048
        )
    except OSError as error:
        why = str(error.strerror or error).partition(" (while attempting")[0]  # to do what is said here already
        fail(f"cannot listen on {host}:{port}: {why}. Choose another --port; 0 picks a free one.")
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # A client that takes nothing for so long is cut off by the system, with all that waits for it.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)
    return listener
