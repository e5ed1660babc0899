"""Runs found: by a filter, in an order, page by page."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response
from sqlalchemy import Connection

from app.api.filter_params import OrderBy, RunFilter
from app.api.large import show_found
from app.api.once import show
from app.api.pages import FoundToken, PageSize, read_place, split, write_place
from app.api.problems import declared
from app.api.run_models import Run
from app.api.run_search_models import RunPage
from app.api.strict import new_router
from app.domain.errors import BadFilter, InvalidRequest
from app.domain.filters import RUN_FIELDS
from app.domain.order import Order
from app.service.filter_language import MAX_LENGTH, parse_filter, parse_order
from app.store import search, trials
from app.store.search import Search

router = new_router("runs")

_BETWEEN_COMMAS = re.compile(r"(?:^|,)((?:`[^`]*`|[^,])*)")
"""Of which those in backquotes are a part of the name."""

Fields = Annotated[
    str | None,
    Query(
        max_length=MAX_LENGTH,
        description="Only these fields of each run, comma-separated; `metrics.loss` is a single metric.",
        examples=["run_id,params,metrics.loss"],
    ),
]


@router.get("/runs", response_model=RunPage, responses=declared(InvalidRequest, BadFilter))
async def list_runs(
    request: Request,
    filter: RunFilter = None,  # the name is the contract's
    order_by: OrderBy = None,
    page_size: PageSize = 50,
    page_token: FoundToken = None,
    fields: Fields = None,
) -> Response:
    """List runs that match a filter, newest first by default."""
    wanted_fields = _parse_fields(fields)
    order = read_order(order_by)
    wanted = Search(parse_filter(filter, RUN_FIELDS), order, read_place(page_token, order))

    def shown(listed: tuple[list[search.Found], dict[UUID, int]]) -> Response:
        found, numbers = listed
        page, token = split(found, page_size, lambda one: write_place(one.place, order))
        items = [Run.of(one.run).model_dump(mode="json") for one in page]
        some = [_some_of(item, wanted_fields) for item in items] if wanted_fields else items
        trial_numbers = [None if one.run.trial_id is None else numbers.get(one.run.trial_id) for one in page]
        return show({"items": some, "trial_numbers": trial_numbers, "next_page_token": token})

    return await show_found(request, shown, _list_numbered, wanted, page_size + 1)


def _list_numbered(connection: Connection, wanted: Search, limit: int) -> tuple[list[search.Found], dict[UUID, int]]:
    """Runs, and the numbers of their trials."""
    found = search.list_found(connection, wanted, limit)
    return found, trials.numbers_of(connection, {one.run.trial_id for one in found if one.run.trial_id is not None})


def read_order(order_by: str | None) -> Order:
    """The order that is asked for."""
    keys = parse_order(order_by, RUN_FIELDS)
    return Order(keys) if keys else search.NEWEST_FIRST


def _parse_fields(fields: str | None) -> list[tuple[str, str | None]]:
    """What to show of each run: a field, or one entry of a field that is a map."""
    shown: list[tuple[str, str | None]] = []
    for text in _BETWEEN_COMMAS.findall(fields) if fields is not None else ():
        name, dot, key = text.strip().partition(".")
        if name not in Run.model_fields or (dot and name not in ("params", "metrics", "summary", "final_metrics")):
            known = ", ".join(Run.model_fields)
            raise InvalidRequest(f"no such field; there are: {known}, and params.*, metrics.*", "query", "fields")
        is_quoted = len(key) > 1 and key[0] == key[-1] == "`"
        shown.append((name, (key[1:-1].replace("``", "`") if is_quoted else key) if dot else None))
    return shown


def _some_of(item: Mapping[str, Any], shown: Sequence[tuple[str, str | None]]) -> dict[str, Any]:
    some: dict[str, Any] = {}
    for name, key in shown:
        if key is None:
            some[name] = item[name]
        elif name not in some or some[name] is not item[name]:
            entries = item[name] or {}
            some.setdefault(name, {}).update({key: entries[key]} if key in entries else {})
    return some
