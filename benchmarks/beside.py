"""A process beside this one, that is asked and answers."""

from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self


class Beside:
    """The process, as the one that starts it sees it; it ends when this is left.

    Args:
        serve: what it runs, with its end of the connection. It answers an error with a text.
    """

    def __init__(self, serve: Callable[[Connection], None]) -> None:
        context = get_context("spawn")
        self._connection, far_end = context.Pipe()
        self._process = context.Process(target=serve, args=(far_end,), daemon=True)
        self._process.start()
        far_end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._process.join(10)

    def tell(self, message: object) -> None:
        """Send something that has no answer."""
        self._connection.send(message)

    def ask(self, message: object) -> object:
        """The answer to a message.

        Raises:
            RuntimeError: it could not be done; why, in the other process's words.
        """
        self.tell(message)
        answer: object = self._connection.recv()
        if isinstance(answer, str):
            raise RuntimeError(answer)
        return answer
