"""Clients that work on one search until they are told to stop."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from tests.chaos.search import Search
from tests.chaos.stubborn import PATIENCE_S, Stubborn
from tests.live.load import Operation


class SteadyLoad(AbstractContextManager["SteadyLoad"]):
    """Stubborn clients in threads: what they have begun they bring to its end.

    Args:
        also: other statuses than 503 that say "not now".
    """

    def __init__(self, urls: Sequence[str], search: Search, n_clients: int, *, also: Sequence[int] = ()) -> None:
        self._search = search
        self._clients = [Stubborn(urls, number, also=also) for number in range(n_clients)]
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(n_clients)
        self._work: list[Future[None]] = []

    def __enter__(self) -> Self:
        self._work = [self._pool.submit(self._run, client, f"w{n}") for n, client in enumerate(self._clients)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._pool.shutdown()
        for client in self._clients:
            client.close()
        if error is None:
            for work in self._work:
                work.result()

    @property
    def operations(self) -> list[Operation]:
        """All that was asked by all."""
        return [one for client in self._clients for one in list(client.operations)]

    @property
    def acknowledged(self) -> list[Operation]:
        """What was answered so far."""
        return [one for one in self.operations if one.is_acknowledged]

    @property
    def refusals(self) -> Counter[str]:
        """What was answered instead, or that nothing was."""
        return sum((client.refusals for client in self._clients), Counter())

    def wait_for_more(self, count: int) -> None:
        """Until so many more operations were answered."""
        goal = len(self.acknowledged) + count
        deadline = time.monotonic() + PATIENCE_S
        while len(self.acknowledged) < goal:
            self._look_after(deadline)

    def wait_for_refusal(self) -> None:
        """Until one more was refused."""
        before = sum(self.refusals.values())
        deadline = time.monotonic() + PATIENCE_S
        while sum(self.refusals.values()) == before:
            self._look_after(deadline)

    def _look_after(self, deadline: float) -> None:
        for work in self._work:
            if work.done():
                work.result()
        assert time.monotonic() < deadline, f"{len(self.acknowledged)} were answered, and {dict(self.refusals)}"
        time.sleep(0.005)

    def _run(self, client: Stubborn, worker: str) -> None:
        while not self._stop.is_set():
            for trial in self._search.ask(client, worker)["trials"]:
                self._search.train(client, trial, worker)
