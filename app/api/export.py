"""Runs and their histories as a file."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.requests import ClientDisconnect
from typing_extensions import TypeAliasType

from app.api.export_formats import Csv, Format, Ndjson, Parquet
from app.api.filter_params import RunFilter
from app.api.gate import while_admitted
from app.api.problems import declared
from app.api.run_models import Run
from app.api.state import services
from app.api.strict import new_router
from app.domain.errors import BadFilter, InvalidRequest, Unauthorized
from app.domain.filters import RUN_FIELDS
from app.domain.values import to_rfc3339
from app.service import export
from app.service.export import Row
from app.service.filter_language import parse_filter
from app.store.histories import WholeEpoch
from app.store.runs import Run as RunRow

router = new_router("runs")

ExportFormat = TypeAliasType(
    "ExportFormat", Annotated[Literal["csv", "ndjson", "parquet"], Field(description="How a file is written.")]
)
ExportRows = TypeAliasType("ExportRows", Annotated[Literal["runs", "epochs"], Field(description="What a row is.")])

_MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
_TEXT: dict[str, Any] = {"schema": {"type": "string"}}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file, sent as it is written. If the connection breaks, the file is incomplete.",
        "headers": {
            "Content-Disposition": {"description": "A name for the file.", "schema": {"type": "string"}},
        },
        "content": {
            "text/csv": _TEXT,
            "application/x-ndjson": _TEXT,
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.get("/runs/export", response_class=StreamingResponse, responses=_FILE | declared(InvalidRequest, BadFilter))
async def export_runs(
    request: Request,
    format: Annotated[ExportFormat, Query(description="Parquet needs `pip install tunetrack[parquet]`.")] = "csv",
    filter: RunFilter = None,  # the name is the contract's
    what: Annotated[ExportRows, Query(description="A row per run, or a row per epoch of each run.")] = "runs",
) -> StreamingResponse:
    """Export runs, or their epochs, as a file; see docs/import-export.md."""
    condition = parse_filter(filter, RUN_FIELDS)
    database = services(request).database
    last = None
    if format == "ndjson":
        written: Format = Ndjson()
    else:
        names = await export.read_names(database, condition)
        columns = names.run_columns() if what == "runs" else names.epoch_columns()
        written = Csv(columns) if format == "csv" else Parquet(columns)
        last = names.last
    iterate = export.iterate_runs if what == "runs" else export.iterate_epochs
    pages: AsyncGenerator[Sequence[Any], None] = iterate(database, condition, last)
    first: Sequence[Any] = await anext(pages, [])  # what fails before the first byte is a problem document
    name = f"tunetrack-{what}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    admitted = while_admitted(pages, partial(services(request).key_ring.admit, request.state.key))
    stream = _write(written, _ROWS[what, format == "ndjson"], first, admitted)
    return StreamingResponse(stream, 200, headers, _MEDIA_TYPES[format])


async def _write(
    written: Format, to_row: Callable[[Any], Row], first: Sequence[Any], pages: AsyncIterator[Sequence[Any]]
) -> AsyncIterator[bytes]:
    """The file, piece by piece. An error breaks the connection: half a file must not look like a whole one."""

    def add(things: Sequence[Any]) -> bytes:
        return written.add([to_row(thing) for thing in things])

    yield await asyncio.to_thread(written.begin)
    yield await asyncio.to_thread(add, first)
    try:
        async for things in pages:
            yield await asyncio.to_thread(add, things)
    except Unauthorized as error:
        raise ClientDisconnect from error  # as one who is gone
    yield await asyncio.to_thread(written.end)


def _run_object(run: RunRow) -> Row:
    return Run.of(run).model_dump(mode="json")


def _epoch_object(epoch: WholeEpoch) -> Row:
    return epoch._asdict() | {"timestamp": to_rfc3339(epoch.timestamp)}


_ROWS: dict[tuple[str, bool], Callable[[Any], Row]] = {
    ("runs", False): export.run_row,
    ("runs", True): _run_object,
    ("epochs", False): export.epoch_row,
    ("epochs", True): _epoch_object,
}
