"""Work with code of somebody else in threads: it may raise what there is, and take for ever."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def contained(work: Callable[P, T]) -> Callable[P, T]:
    """The same work, but a StopIteration, which a bare `next` raises where there is none, is an error like others.

    No future takes one (in Python before 3.11.8): who waits for the work would wait for ever.
    """

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except StopIteration as error:
            raise RuntimeError("it asked for the next one of something that had no more") from error

    return run


async def aside(work: Callable[[], T]) -> T:
    """What the work answers or raises. A thread each, for which nobody waits but who asked, not even the end of the
    process: the slow ones hold up no other."""
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()  # it goes on where nobody waits any more

    def run() -> None:
        try:
            answer = contained(work)()
        except Exception as error:
            done.set_exception(error)
        else:
            done.set_result(answer)

    threading.Thread(target=run, name="tunetrack-aside", daemon=True).start()
    return await asyncio.wrap_future(done)
