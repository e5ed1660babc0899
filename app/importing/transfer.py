"""Steps done at a service, one after the other; what it refuses is told, and the rest goes on."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import orjson

from app.importing.steps import Bad, Body, CannotImport, End, Log, Remark, Start, Step

_TRIES = 8
_LONGEST_PAUSE_S = 10.0
_COME_BACK = frozenset({429, 502, 503, 504})
_OURS = frozenset({400, 404, 409, 413, 422})
"""What may be wrong with one row; any other refusal is about all of them."""


@dataclass(slots=True)
class Tally:
    """What came of it."""

    runs: int = 0
    runs_new: int = 0
    epochs: int = 0
    values_new: int = 0
    bad: int = 0


class _Refused(Exception):
    """The service does not take this one; `code` is the problem's, where it said one."""

    def __init__(self, detail: str, code: str = "") -> None:
        super().__init__(detail)
        self.code = code


class Transfer:
    """Does steps at a service.

    Args:
        service: a client with the service's address, and the key where one is needed.
        tell: is told what is left out or comes in otherwise.
    """

    def __init__(self, service: httpx.Client, tell: Callable[[str], None]) -> None:
        self._service = service
        self._tell = tell
        self._skipped: set[UUID] = set()
        self._started: set[UUID] = set()
        self._ended: set[UUID] = set()
        self._is_reached = False
        self.tally = Tally()

    def do(self, steps: Iterable[Step]) -> None:
        """Do these steps. Those of a run that could not be started are left out.

        Raises:
            CannotImport: the service is away, or takes nothing from us.
        """
        for step in steps:
            match step:
                case Bad(place, reason):
                    self._leave_out(place, reason)
                case Remark(place, text):
                    self._tell(f"{place}: {text}")
                case Start(place, run_id, body):
                    self._start(place, run_id, body)
                case Log(run_id, epochs) if run_id not in self._skipped:
                    self._log(run_id, epochs)
                case End(place, run_id, body) if run_id not in self._skipped and run_id not in self._ended:
                    self._end(place, run_id, body)

    def _start(self, place: str, run_id: UUID, body: Body) -> None:
        try:
            status, run = self._post("/v1/runs", body)
        except _Refused as refusal:
            there = self._find_same(run_id, body) if refusal.code == "id-conflict" else None
            if there is None:
                if run_id not in self._started:  # else by an earlier row, and what follows is that one's
                    self._skipped.add(run_id)
                self._leave_out(place, f"run {run_id} is left out as it stands here: {refusal}")
                return
            status, run = 200, there
        self._skipped.discard(run_id)
        self._started.add(run_id)
        self.tally.runs += 1
        self.tally.runs_new += status == 201
        if run["status"] not in ("running", "crashed"):
            self._ended.add(run_id)

    def _find_same(self, run_id: UUID, body: Body) -> Any:
        """The run with this id, where it says what the body says, by whatever words it was started."""
        run = self._send("GET", f"/v1/runs/{run_id}").json()
        is_same = all(_exact(run.get(name)) == _exact(value) for name, value in body.items())
        return run if is_same else None

    def _log(self, run_id: UUID, epochs: list[tuple[str, Body]]) -> None:
        """All of them, or, where the service refuses, all but those that it refuses alone."""
        try:
            _, answer = self._post(f"/v1/runs/{run_id}/epochs/batch", {"epochs": [epoch for _, epoch in epochs]})
        except _Refused as refusal:
            if len(epochs) == 1 or refusal.code == "unknown-run":
                more = "" if len(epochs) == 1 else f" (and {len(epochs) - 1} more epochs from here on)"
                self._leave_out(epochs[0][0], f"{refusal}{more}")
                return
            half = len(epochs) // 2
            self._log(run_id, epochs[:half])
            self._log(run_id, epochs[half:])
        else:
            self.tally.epochs += len(epochs)
            self.tally.values_new += answer["accepted"]

    def _end(self, place: str, run_id: UUID, body: Body) -> None:
        try:
            self._post(f"/v1/runs/{run_id}/end", body)
        except _Refused as refusal:
            self._leave_out(place, f"the end of run {run_id} is left out: {refusal}")

    def _leave_out(self, place: str, reason: str) -> None:
        self.tally.bad += 1
        self._tell(f"{place}: {reason}")

    def _post(self, path: str, body: Body) -> tuple[int, Any]:
        try:
            content = orjson.dumps(body)
        except TypeError as error:  # half of a surrogate pair, an integer beyond 64 bits
            raise _Refused(f"it contains what JSON cannot hold: {error}") from error
        response = self._send("POST", path, content)
        if response.is_success:
            return response.status_code, orjson.loads(response.content)
        detail, code = _problem(response)
        if response.status_code in _OURS:
            raise _Refused(detail, code)
        raise CannotImport(f"{self._service.base_url} answers {response.status_code}: {detail}")

    def _send(self, method: str, path: str, content: bytes | None = None) -> httpx.Response:
        """The answer, once there is one: what was sent before may be sent again."""
        pause_s, why = 0.2, ""
        for _ in range(_TRIES):
            try:
                headers = {} if content is None else {"Content-Type": "application/json"}
                response = self._service.request(method, path, content=content, headers=headers)
            except httpx.TransportError as error:
                why = str(error) or type(error).__name__
                if not self._is_reached:
                    raise CannotImport(f"there is no service at {self._service.base_url}: {why}") from error
            else:
                self._is_reached = True
                if response.is_success and response.headers.get("content-type") != "application/json":
                    raise CannotImport(f"something else than tunetrack answers at {self._service.base_url}")
                if response.status_code not in _COME_BACK:
                    return response
                why = f"it answers {response.status_code}"
                asked = response.headers.get("retry-after", "")
                pause_s = max(pause_s, float(asked) if asked.isdecimal() else 0.0)
            time.sleep(min(pause_s, _LONGEST_PAUSE_S))
            pause_s *= 2
        again = "Run the same command again to go on from there"
        raise CannotImport(f"the service at {self._service.base_url} cannot be reached: {why}. {again}.")


def _exact(value: Any) -> bytes:
    """A text that two values share that are equal with their types."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _problem(response: httpx.Response) -> tuple[str, str]:
    """What a refusal says, and its code."""
    try:
        problem = response.json()
        return str(problem["detail"]), str(problem["code"])
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase, ""
