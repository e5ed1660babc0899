"""Opaque page tokens: where in the order the next page begins, not how many rows came before."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, TypeVar
from uuid import UUID

import orjson
from fastapi import Query
from pydantic import AwareDatetime, Field, TypeAdapter

from app.domain.errors import InvalidRequest
from app.domain.order import Order, Place, can_stand

T = TypeVar("T")
K = TypeVar("K")

PageSize = Annotated[int, Query(ge=1, le=1000, description="How many items at most.")]
PageToken = Annotated[str | None, Query(max_length=1000, description="`next_page_token` of the page before.")]

TIME_AND_ID: TypeAdapter[tuple[datetime, UUID]] = TypeAdapter(tuple[AwareDatetime, UUID])
ID: TypeAdapter[UUID] = TypeAdapter(UUID)
NUMBER: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=0, lt=2**31)])


def read_token(token: str | None, key: TypeAdapter[K]) -> K | None:
    """The place that a token stands for.

    Raises:
        InvalidRequest: it is none of ours.
    """
    if token is None:
        return None
    try:
        place = urlsafe_b64decode(token.encode())
        if urlsafe_b64encode(place).decode() == token:
            return key.validate_json(place)
    except ValueError:
        pass  # answered like every other token that is none
    raise InvalidRequest("this is no next_page_token of an earlier page", "query", "page_token")


def split(items: Sequence[T], page_size: int, key: Callable[[T], object]) -> tuple[list[T], str | None]:
    """The page out of one item more than fits, and the token of the next one."""
    if len(items) <= page_size:
        return list(items), None
    page = list(items[:page_size])
    return page, urlsafe_b64encode(orjson.dumps(key(page[-1]))).decode()


_PLACE: TypeAdapter[tuple[str, list[str | None]]] = TypeAdapter(tuple[str, list[str | None]])

FoundToken = Annotated[str | None, Query(max_length=60_000, description="`next_page_token` of the page before.")]


def read_place(token: str | None, order: Order) -> Place | None:
    """The place in this order that a token stands for.

    Raises:
        InvalidRequest: it is none of ours, or of another order.
    """
    found = read_token(token, _PLACE)
    if found is None:
        return None
    digest, texts = found
    try:
        place = tuple(None if text is None else bytes.fromhex(text) for text in texts)
    except ValueError:
        place = ()
    keys = order.keys
    is_ours = len(place) == len(keys) + 1 and place[-1] is not None and len(place[-1]) == 16
    if is_ours and all(one is None or can_stand(key.field, one) for key, one in zip(keys, place, strict=False)):
        if digest == _digest(order):
            return place
        raise InvalidRequest("this token is of a list in another order; begin anew", "query", "page_token")
    raise InvalidRequest("this is no next_page_token of an earlier page", "query", "page_token")


def write_place(place: Place, order: Order) -> tuple[str, list[str | None]]:
    """What the token of a place holds."""
    return _digest(order), [None if one is None else one.hex() for one in place]


def _digest(order: Order) -> str:
    """What tells orders apart."""
    said = ",".join(f"{key.field}{'-' if key.is_descending else '+'}" for key in order.keys)
    return blake2b(f"{said} {order.are_ids_descending}".encode(), digest_size=4).hexdigest()
