"""Opaque page tokens: where in the order the next page begins, not how many rows came before."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

import orjson
from fastapi import Query
from pydantic import AwareDatetime, Field, TypeAdapter

from app.domain.errors import InvalidRequest

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
