"""Work that may take for ever, in a thread that nobody waits for but who asked, not even the end of the process."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], T]) -> T:
    """What the work answers or raises. A thread each: the slow ones hold up no other."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(settle: Callable[[], None]) -> None:
        if not done.done():
            settle()

    def run() -> None:
        try:
            answer = work()
        except Exception as error:
            failure = error
            settle = lambda: done.set_exception(failure)  # noqa: E731 -- one of two
        else:
            settle = lambda: done.set_result(answer)  # noqa: E731
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, settle)

    threading.Thread(target=run, name="tunetrack-aside", daemon=True).start()
    return await done
