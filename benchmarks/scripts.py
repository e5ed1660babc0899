"""What one connection says, request by request, for each operation that is measured.

Requests are made of ready bytes: what they cost the generator is next to nothing beside what they cost the service.
"""

import re
from collections import deque
from collections.abc import Sequence
from itertools import count
from typing import Protocol

_TRIAL_ID = re.compile(rb'"trial_id":"([0-9a-f-]{36})"')
_RUN_ID = re.compile(rb'"run_id":"([0-9a-f-]{36})"')

METRICS = b'{"loss":0.4127083719253540,"accuracy":0.8812500238418579}'
"""Of one epoch, for the service and for the no-op."""

SUGGESTIONS_IN_A_ROW = 4
"""How many trials a connection takes before it tells their results, outside of the measured time."""


class Script(Protocol):
    """One connection's part in an operation; it goes on where it was over several windows of time."""

    def next(self) -> bytes | None:
        """The next request to measure; None when the results of earlier ones must be told first."""

    def read(self, body: bytes) -> None:
        """Take in the answer to the last request, measured or not."""

    def tidy(self) -> bytes | None:
        """The next request that belongs between measurements; None when there is none."""


def request(method: str, path: str, body: bytes | None = None) -> bytes:
    """The bytes of a request on a connection that stays open."""
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n".encode()
    if body is None:
        return head + b"\r\n"
    return head + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


class Get:
    """The same GET again and again."""

    def __init__(self, path: str) -> None:
        self._request = request("GET", path)

    def next(self) -> bytes | None:
        return self._request

    def read(self, body: bytes) -> None:
        pass

    def tidy(self) -> bytes | None:
        return None


class LogEpochs:
    """A run that logs epoch after epoch, from a first one on."""

    def __init__(self, run_id: str, place: str = "runs", first: int = 0) -> None:
        self._path = f"/v1/{place}/{run_id}/epochs"
        self._numbers = count(first)

    def next(self) -> bytes | None:
        return request("POST", self._path, b'{"epoch":%d,"metrics":%b}' % (next(self._numbers), METRICS))

    def read(self, body: bytes) -> None:
        pass

    def tidy(self) -> bytes | None:
        return None


class StartAndEnd:
    """Runs that start and end, one after the other."""

    _START = request(
        "POST", "/v1/runs", b'{"name":"baseline","params":{"learning_rate":0.01,"num_layers":3},"tags":["benchmark"]}'
    )

    def __init__(self) -> None:
        self._run_id: str | None = None

    def next(self) -> bytes | None:
        if self._run_id is None:
            return self._START
        return request("POST", f"/v1/runs/{self._run_id}/end", b'{"final_metrics":{"accuracy":0.875}}')

    def read(self, body: bytes) -> None:
        if self._run_id is None:
            self._run_id = _find(_RUN_ID, body)
        else:
            self._run_id = None

    def tidy(self) -> bytes | None:
        return None


class Suggest:
    """A worker that takes trials, a few in a row; their results are told between the measurements.

    Args:
        tuner_ids: asked in turn.
        place: which of them is first.
    """

    def __init__(self, tuner_ids: Sequence[str], place: int) -> None:
        self._tuner_ids = deque(tuner_ids)
        self._tuner_ids.rotate(-place)
        self._held: list[tuple[str, str]] = []
        self._is_telling = False

    def next(self) -> bytes | None:
        self._is_telling = False
        if len(self._held) == SUGGESTIONS_IN_A_ROW:
            return None
        return request("POST", f"/v1/tuners/{self._tuner_ids[0]}/suggest", b"{}")

    def read(self, body: bytes) -> None:
        if not self._is_telling:
            self._held.append((self._tuner_ids[0], _find(_TRIAL_ID, body)))
            self._tuner_ids.rotate(-1)

    def tidy(self) -> bytes | None:
        if not self._held:
            return None
        self._is_telling = True
        return _result(*self._held.pop())


class SuggestAndTell:
    """A worker that takes a trial and tells its result, one after the other; both are measured."""

    def __init__(self, tuner_ids: Sequence[str], place: int) -> None:
        self._tuner_ids = deque(tuner_ids)
        self._tuner_ids.rotate(-place)
        self._trial_id: str | None = None

    def next(self) -> bytes | None:
        if self._trial_id is None:
            return request("POST", f"/v1/tuners/{self._tuner_ids[0]}/suggest", b"{}")
        return _result(self._tuner_ids[0], self._trial_id)

    def read(self, body: bytes) -> None:
        if self._trial_id is None:
            self._trial_id = _find(_TRIAL_ID, body)
        else:
            self._trial_id = None
            self._tuner_ids.rotate(-1)

    def tidy(self) -> bytes | None:
        return None


def _result(tuner_id: str, trial_id: str) -> bytes:
    return request("POST", f"/v1/tuners/{tuner_id}/result", b'{"trial_id":"%b","score":0.93}' % trial_id.encode())


def _find(pattern: re.Pattern[bytes], body: bytes) -> str:
    found = pattern.search(body)
    if found is None:
        raise AssertionError(f"the answer holds no id: {body[:300]!r}")
    return found[1].decode()
