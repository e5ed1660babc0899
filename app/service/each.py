"""Each request of a batch by itself: where one is refused, the others are answered all the same."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar
from uuid import UUID

from app.domain.errors import DomainError, NotFound

R = TypeVar("R")
A = TypeVar("A")


def each(requests: Iterable[R], answer: Callable[[R], A]) -> list[A | DomainError]:
    """What `answer` says to each request, or the error that it raises, in their order."""
    answers: list[A | DomainError] = []
    for request in requests:
        try:
            answers.append(answer(request))
        except DomainError as error:
            answers.append(error)
    return answers


def get_known(found: Mapping[UUID, A], wanted: UUID, unknown: Callable[[UUID], NotFound]) -> A:
    """The one of these that a request is about.

    Raises:
        NotFound: it is not among them.
    """
    try:
        return found[wanted]
    except KeyError:
        raise unknown(wanted) from None
