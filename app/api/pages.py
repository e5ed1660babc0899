"""Opaque page tokens: where in the order the next page begins, not how many rows came before."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, TypeVar
from uuid import UUID

import orjson
from fastapi import Query
from pydantic import AwareDatetime, TypeAdapter

from app.domain.errors import InvalidRequest
from app.domain.order import Order, Place, can_stand

T = TypeVar("T")
K = TypeVar("K")

PageSize = Annotated[int, Query(ge=1, le=1000, description="The maximum number of items.")]
PageToken = Annotated[str | None, Query(max_length=1000, description="`next_page_token` of the previous page.")]

TIME_AND_ID: TypeAdapter[tuple[datetime, UUID]] = TypeAdapter(tuple[AwareDatetime, UUID])
ID: TypeAdapter[UUID] = TypeAdapter(UUID)


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
    raise InvalidRequest("this is not a next_page_token of this list", "query", "page_token")


def write_token(key: object) -> str:
    """The token of a place."""
    return urlsafe_b64encode(orjson.dumps(key)).decode()


def split(items: Sequence[T], page_size: int, token_of: Callable[[T], str]) -> tuple[list[T], str | None]:
    """The page out of one item more than fits, and the token of the next one."""
    if len(items) <= page_size:
        return list(items), None
    page = list(items[:page_size])
    return page, token_of(page[-1])


# Room for the longest text that a run has, in letters of four bytes; more does not fit into an address.
FoundToken = Annotated[str | None, Query(max_length=60_000, description="`next_page_token` of the previous page.")]


def read_place(token: str | None, order: Order) -> Place | None:
    """The place in this order that a token stands for.

    Raises:
        InvalidRequest: it is none of ours, or of another order.
    """
    if token is None:
        return None
    try:
        place = tuple(urlsafe_b64decode(text.encode()) or None for text in token.split(".")[1:])
    except ValueError:
        place = ()
    keys = order.keys
    is_ours = len(place) == len(keys) + 1 and place[-1] is not None and len(place[-1]) == 16
    if is_ours and all(one is None or can_stand(key.field, one) for key, one in zip(keys, place, strict=False)):
        if token == write_place(place, order):
            return place
        raise InvalidRequest("this token is of a list in another order; start over", "query", "page_token")
    raise InvalidRequest("this is not a next_page_token of this list", "query", "page_token")


def write_place(place: Place, order: Order) -> str:
    """The token of a place in this order, as dense as an address can be: what is missing is nothing between dots."""
    return ".".join([_digest(order), *(urlsafe_b64encode(one or b"").decode() for one in place)])


def _digest(order: Order) -> str:
    """What tells orders apart."""
    said = ",".join(f"{key.field}{'-' if key.is_descending else '+'}" for key in order.keys)
    return blake2b(f"{said} {order.are_ids_descending}".encode(), digest_size=4).hexdigest()
