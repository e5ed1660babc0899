"""A client that repeats each request until it is answered, and keeps a history of what it was told."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

import httpx

from tests.calls import JSON
from tests.live.load import Operation

PATIENCE_S = 60.0
"""How long a request is repeated before the test fails."""

T = TypeVar("T")


class Stubborn:
    """One client of one or more replicas: each request goes to any of them, and so does each repeat.

    What may come instead of an answer: no answer at all, "not now, but soon" (503 with Retry-After), and that the
    first request with the same Idempotency-Key is still under way. Anything else fails the test.

    Args:
        also: other statuses that say "not now"; a proxy's, too, which are no problem documents.
    """

    def __init__(self, urls: Sequence[str], seed: int | str, *, also: Sequence[int] = ()) -> None:
        self.operations: list[Operation] = []
        self.refusals: Counter[str] = Counter()
        self._urls = urls
        self._chance = random.Random(seed)
        self._also = also
        self._client = httpx.Client(timeout=30.0, trust_env=False, verify=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def do(self, kind: str, path: str, body: JSON, *, key: str | None = None) -> JSON:
        """The answer to a POST, however often it takes.

        Args:
            kind: what it is called in the history.
            key: the Idempotency-Key.
        """
        operation = Operation(kind, path, body)
        self.operations.append(operation)
        headers = {} if key is None else {"Idempotency-Key": key}
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            answer = self._try(path, body, headers)
            if answer is not None:
                operation.answer = answer
                return answer
            time.sleep(self._chance.uniform(0.0, 0.03))
        raise AssertionError(f"{kind} {path} had no answer within {PATIENCE_S} s, but {dict(self.refusals)}")

    def _try(self, path: str, body: JSON, headers: dict[str, str]) -> JSON | None:
        """The answer to one try, None where it may be repeated."""
        try:
            response = self._client.post(self._chance.choice(self._urls) + path, json=body, headers=headers)
        except httpx.TransportError as error:
            self.refusals[type(error).__name__] += 1
            return None
        if response.status_code in (200, 201):
            answer: JSON = response.json()
            return answer
        if response.status_code in self._also and not response.headers["content-type"].endswith("json"):
            self.refusals[f"{response.status_code} of a proxy"] += 1
            return None
        code = response.json()["code"]
        is_soon = response.status_code in (503, *self._also) and "Retry-After" in response.headers
        assert is_soon or code == "idempotency-in-progress", f"{path} {body} -> {response.status_code} {response.text}"
        self.refusals[f"{response.status_code} {code}"] += 1
        return None


def together(n: int, task: Callable[[int], T]) -> list[T]:
    """What the task answers to 0..n-1, each asked in a thread of its own; the first error is raised."""
    with ThreadPoolExecutor(n) as pool:
        return [work.result() for work in [pool.submit(task, number) for number in range(n)]]


def at_once(n: int, task: Callable[[int], T]) -> list[T]:
    """Like `together`, and nobody starts before all are ready."""
    gate = threading.Barrier(n)

    def wait_and_do(number: int) -> T:
        gate.wait(PATIENCE_S)
        return task(number)

    return together(n, wait_and_do)
