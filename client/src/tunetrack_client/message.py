"""What is told to the service without waiting for the answer, and how several become one request."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

JSON = dict[str, Any]

BATCH_EPOCHS = 1000
BATCH_VALUES = 20_000
"""What one request holds at most: the service takes 1,000 epochs and 4 MiB."""

_FRESH_S = 5.0
"""An epoch that has waited no longer is sent without its time: the service's own clock is the better one."""


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
        """Back from such a line.

        Raises:
            ValueError: it is none.
        """
        try:
            return cls(**json.loads(line))
        except TypeError as error:
            raise ValueError(f"no message: {error}") from error


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: one message, or the epochs of several."""

    path: str
    body: JSON
    about: str
    messages: tuple[Message, ...]
    method: str = "POST"


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
            yield Request(message.path, message.body, message.about, (message,), message.method)
    if epochs:
        yield _batch(epochs)


def _batch(epochs: Sequence[Message]) -> Request:
    first, now = epochs[0], time.time()
    sent = [
        message.body if now - message.at < _FRESH_S else message.body | {"timestamp": _time(message.at)}
        for message in epochs
    ]
    return Request(f"{first.path}/batch", {"epochs": sent}, first.about, tuple(epochs))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
