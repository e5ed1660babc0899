"""What is told to the service without waiting for the answer, and how several become one request."""

import json
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

JSON = dict[str, Any]

STARTS = "/v1/runs"
"""Where a run begins."""

BATCH_EPOCHS = 1000
BATCH_VALUES = 20_000
"""What one request holds at most: the service takes 1,000 epochs and 4 MiB."""

_PATH = re.compile(r"/v1/[\w/-]{1,250}", re.ASCII)
_METHODS = ("POST", "PATCH")

_TIMES = {"runs": "start_time", "epochs": "timestamp", "end": "end_time"}
"""What the time of a start, an epoch and an end is called, by the last word of the path."""

_FRESH_S = 5.0
"""What has waited no longer is sent without its time: the service's own clock is the better one."""


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell. Each may be repeated without harm.

    Args:
        about: the run or the trial that it is about: messages about the same one arrive in order.
        is_epoch: the body is one epoch, and may travel with others of its run.
    """

    path: str
    body: JSON
    about: str
    is_epoch: bool = False
    at: float = field(default_factory=time.time)
    method: str = "POST"

    def to_line(self) -> bytes:
        """As a line of a spool file."""
        return json.dumps(asdict(self), separators=(",", ":")).encode() + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> "Message":
        """Back from such a line, which may have been written by hand, or damaged.

        Raises:
            ValueError: it is none.
        """
        try:
            said: Any = cls(**json.loads(line))
            _time(said.at)
        except (TypeError, OverflowError, OSError, RecursionError) as error:
            raise ValueError(f"{error}") from error
        for name, is_sound in (
            ("path", isinstance(said.path, str) and _PATH.fullmatch(said.path)),
            ("method", said.method in _METHODS),
            ("about", isinstance(said.about, str)),
            ("body", isinstance(said.body, dict)),
        ):
            if not is_sound:
                raise ValueError(f"no {name} of a message")
        if said.is_epoch and not isinstance(said.body.get("metrics", {}), dict):
            raise ValueError("no metrics of an epoch")
        message: Message = said
        return message


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: one message, or the epochs of several."""

    path: str
    body: JSON
    about: str
    messages: tuple[Message, ...]
    method: str = "POST"

    def parts(self) -> "list[Request]":
        """A request for each of its messages."""
        return [alone for message in self.messages for alone in fold([message])]

    def as_said(self) -> "Request | None":
        """Without the time that was added to a run's start or end; None where none was.

        An earlier try that nobody heard the answer of may have gone without it.
        """
        said = [message.body for message in self.messages if not message.is_epoch]
        return replace(self, body=said[0]) if said not in ([], [self.body]) else None


def fold(messages: Iterable[Message]) -> list[Request]:
    """As few requests as say the same; about one run or trial in the order of the messages."""
    by_subject: dict[str, list[Message]] = {}
    for message in messages:
        by_subject.setdefault(message.about, []).append(message)
    return [request for subject in by_subject.values() for request in _fold(subject)]


def _fold(messages: Sequence[Message]) -> Iterator[Request]:
    epochs: list[Message] = []
    n_values = 0
    for message in messages:
        n_values += len(message.body.get("metrics", ())) if message.is_epoch else 0
        if epochs and (not message.is_epoch or len(epochs) == BATCH_EPOCHS or n_values > BATCH_VALUES):
            yield _batch(epochs)
            epochs, n_values = [], len(message.body.get("metrics", ()))
        if message.is_epoch:
            epochs.append(message)
        else:
            yield Request(message.path, _timed(message), message.about, (message,), message.method)
    if epochs:
        yield _batch(epochs)


def _batch(epochs: Sequence[Message]) -> Request:
    first = epochs[0]
    return Request(f"{first.path}/batch", {"epochs": [_timed(epoch) for epoch in epochs]}, first.about, tuple(epochs))


def _timed(message: Message) -> JSON:
    """What it says, and when, if that was long ago."""
    name = _TIMES.get(message.path.rpartition("/")[2])
    if name is None or time.time() - message.at < _FRESH_S:
        return message.body
    return message.body | {name: _time(message.at)}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
