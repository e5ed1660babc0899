"""Questions about one thing are gathered: those that come while a step is under way are answered together by the next.

question ─┐
question ─┼─> step ─> answers        one read, one model fit, one write for all of them
question ─┘     (meanwhile the next ones gather)
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
Q = TypeVar("Q")
A = TypeVar("A")


class Gatherer(Generic[K, Q, A]):
    """Answers questions step by step, one step at a time for each key.

    Args:
        step: the answers to some questions, in their order; None asks the question again in the next step.
    """

    def __init__(self, step: Callable[[K, Sequence[Q]], Awaitable[Sequence[A | BaseException | None]]]) -> None:
        self._step = step
        self._waiting: dict[K, list[tuple[Q, asyncio.Future[A]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, key: K, question: Q) -> A:
        """The answer; or whatever the step raised or gave as an error."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        is_under_way = key in self._waiting
        self._waiting.setdefault(key, []).append((question, answer))
        if not is_under_way:
            task = asyncio.create_task(self._answer_all(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def _answer_all(self, key: K) -> None:
        """Step by step, until nobody waits."""
        while gathered := self._waiting[key]:
            self._waiting[key] = []
            answers: Sequence[A | BaseException | None]
            try:
                answers = await self._step(key, [question for question, _ in gathered])
            except Exception as error:
                answers = [error] * len(gathered)
            for (question, future), answer in zip(gathered, answers, strict=True):
                if answer is None:
                    self._waiting[key].append((question, future))
                elif future.cancelled():
                    continue  # nobody waits any more
                elif isinstance(answer, BaseException):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
        del self._waiting[key]
