"""The line before the writer: who would wait in it for too long is sent away at once, and told when to come back."""

import math
import time

from app.domain.errors import StoreBusy

LONGEST_WAIT_S = 5.0
"""How long a write may have to wait for its turn, unless an operator says otherwise."""

_WEIGHT = 0.3
"""How much the last batch counts, beside all before it, in the estimate of how long a batch takes."""


class Line:
    """How long the writer's queue is, in requests and in seconds.

    Only the event loop may call it, but for `begin` and `end`, which are called by the writer's thread.

    Args:
        longest_s: nobody has to wait longer, as far as can be told beforehand.
        batch: how many requests are written at once.
    """

    def __init__(self, longest_s: float, batch: int) -> None:
        self._longest_s = longest_s
        self._batch = batch
        self._n_waiting = 0
        self._batch_s = 0.0
        self._began: float | None = None

    def join(self, n_requests: int) -> None:
        """So many more wait.

        Raises:
            StoreBusy: they would wait for too long.
        """
        wait_s = self._wait_s()
        if wait_s > self._longest_s:
            raise StoreBusy(
                f"The store is busy: {self._n_waiting} requests wait already; nothing was changed; try again later.",
                retry_after_s=min(60, math.ceil(wait_s)),
            )
        self._n_waiting += n_requests

    def begin(self) -> None:
        """A batch is written from now on."""
        self._began = time.monotonic()

    def end(self) -> None:
        """The batch is written, or will not be."""
        if self._began is not None:
            self._batch_s += _WEIGHT * (time.monotonic() - self._began - self._batch_s)
        self._began = None

    def leave(self, n_requests: int) -> None:
        """So many are answered."""
        self._n_waiting -= n_requests

    def _wait_s(self) -> float:
        """How long who comes now would wait: for the batch under way, and for those before their own.

        Nobody is sent away from an empty line, however slow the last batch was.
        """
        if not self._n_waiting:
            return 0.0
        began = self._began
        under_way_s = 0.0 if began is None else time.monotonic() - began
        n_before = self._n_waiting // self._batch
        return max(under_way_s, self._batch_s) + n_before * self._batch_s
