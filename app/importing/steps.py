"""What an import consists of. A place says where in the source something stands, for people."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol
from uuid import UUID

Body = dict[str, Any]

EPOCHS_A_STEP = 500


class CannotImport(Exception):
    """The source as a whole cannot be read; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Start:
    """A run begins; `body` is that of `POST /v1/runs`."""

    place: str
    run_id: UUID
    body: Body


@dataclass(frozen=True, slots=True)
class Log:
    """Epochs of a run, each with its place and its entry of a batch."""

    run_id: UUID
    epochs: list[tuple[str, Body]]


@dataclass(frozen=True, slots=True)
class End:
    """A run ends; `body` is that of `POST …/end`."""

    place: str
    run_id: UUID
    body: Body


@dataclass(frozen=True, slots=True)
class Bad:
    """Something that is left out."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that comes in otherwise than it stood."""

    place: str
    text: str


Step = Start | Log | End | Bad | Remark


class Source(Protocol):
    """Where runs come from."""

    @property
    def size(self) -> int | None:
        """How much there is to read, in units of its own; None while that is not known."""
        ...

    @property
    def position(self) -> int:
        """How much of it was read."""
        ...

    def steps(self) -> Iterator[Step]:
        """All that is to be done, each run's steps in order.

        Raises:
            CannotImport: it cannot be read.
        """
        ...


def log(run_id: UUID, epochs: Iterable[tuple[str, Body]]) -> Iterator[Log]:
    """The epochs of a run in steps of a handy size."""
    epochs = iter(epochs)
    while some := list(islice(epochs, EPOCHS_A_STEP)):
        yield Log(run_id, some)
