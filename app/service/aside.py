"""Work that may take for ever, in a thread that nobody waits for but who asked, not even the end of the process."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], T]) -> T:
    """What the work answers or raises. A thread each: the slow ones hold up no other."""
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()  # it goes on where nobody waits any more

    def run() -> None:
        try:
            answer = work()
        except Exception as error:
            done.set_exception(error)
        else:
            done.set_result(answer)

    threading.Thread(target=run, name="tunetrack-aside", daemon=True).start()
    return await asyncio.wrap_future(done)
