"""Large bodies and large answers: whoever brings or asks for one waits for it, and nobody else does.

    body ──> `apart` ──> what it asks for         in a thread where it is large, at once where it is small
    query ─> `show_found` ─> answer               in the thread that read it, which costs nothing more

Threads take turns of a few milliseconds, but for single calls into compiled code: to parse 10 MB is one of some
hundredths of a second, during which nobody is answered. And what a body takes of the processor, it takes from others in
any case.
"""

import asyncio
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from fastapi import Request, Response
from sqlalchemy import Connection

from app.api.state import services

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")

_LARGE_BYTES = 2**17
"""What is smaller is read in less time than threads take turns in, and a thread would cost more than it gives."""


async def apart(body: bytes, read: Callable[[], T]) -> T:
    """What is read from a body, or worked out from it; and the errors that are found in it."""
    return read() if len(body) <= _LARGE_BYTES else await asyncio.to_thread(read)


async def show_found(
    request: Request,
    shown: Callable[[A], Response],
    query: Callable[Concatenate[Connection, P], A],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Response:
    """The answer that is made of what the query finds."""

    def look(connection: Connection) -> Response:
        return shown(query(connection, *args, **kwargs))

    return await services(request).database.read(look)
