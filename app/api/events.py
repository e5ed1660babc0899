"""The log of events: as pages, and as a stream that can be resumed."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api.event_models import EventPage, EventType
from app.api.gate import while_admitted
from app.api.problems import declared
from app.api.state import services
from app.api.strict import new_router
from app.domain.errors import InvalidRequest, Unauthorized
from app.domain.events import EVENT_TYPES
from app.domain.values import INT64_MAX
from app.store import events
from app.store.events import EventFilter

router = new_router("events")

Types = Annotated[list[EventType] | None, Query(alias="type", max_length=100, description="Only these types.")]
RunIds = Annotated[list[UUID] | None, Query(alias="run_id", max_length=1000, description="Only of these runs.")]
TunerIds = Annotated[list[UUID] | None, Query(alias="tuner_id", max_length=1000, description="Only of these tuners.")]
Tags = Annotated[
    list[str] | None,
    Query(alias="tag", max_length=100, description="Only where the run or tuner has any of these tags."),
]
EventId = Annotated[int, Query(ge=0, le=INT64_MAX, description="Only those with a greater number; 0 means all.")]


def _filter(
    types: list[str] | None, run_ids: list[UUID] | None, tuner_ids: list[UUID] | None, tags: list[str] | None
) -> EventFilter:
    for name in types or ():
        if name not in EVENT_TYPES:
            raise InvalidRequest(f"no such event type; there are: {', '.join(EVENT_TYPES)}", "query", "type")
    return EventFilter(
        frozenset(types or ()), frozenset(run_ids or ()), frozenset(tuner_ids or ()), frozenset(tags or ())
    )


@router.get("/events", response_model=EventPage, responses=declared(InvalidRequest))
async def list_events(
    request: Request,
    types: Types = None,
    run_ids: RunIds = None,
    tuner_ids: TunerIds = None,
    tags: Tags = None,
    after: EventId = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="The maximum number of events.")] = 100,
) -> Response:
    """List the events after a number, in the order in which they were committed."""
    wanted = _filter(types, run_ids, tuner_ids, tags)
    found = await services(request).database.read(events.list_next, after, wanted, limit)
    last = found[-1].event_id if found else after
    items = b",".join(event.data for event in found)
    return Response(b'{"items":[%s],"last_event_id":%d}' % (items, last), media_type="application/json")


_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "An endless stream; the data of each event is an `Event`, as one line of JSON.",
        "content": {
            "text/event-stream": {
                # What each `data:` line holds: generated clients take the schema for that of one event.
                "schema": {"$ref": "#/components/schemas/Event"},
            }
        },
    }
}


@router.get("/events/stream", response_class=StreamingResponse, responses=_STREAM | declared(InvalidRequest))
async def stream_events(
    request: Request,
    types: Types = None,
    run_ids: RunIds = None,
    tuner_ids: TunerIds = None,
    tags: Tags = None,
    after: Annotated[int | None, Query(ge=0, le=INT64_MAX, description="Start after this id; 0 replays all.")] = None,
    last_event_id: Annotated[str | None, Header(description="Where to resume; takes precedence over `after`.")] = None,
) -> StreamingResponse:
    """Stream Server-Sent Events from now on, or after a number: nothing is missed, nothing is sent twice."""
    wanted = _filter(types, run_ids, tuner_ids, tags)
    if last_event_id:
        after = _parse_event_id(last_event_id)
    chunks = await services(request).feed.stream(after, wanted)
    streams, who = services(request).streams, request.state.who
    streams.enter(who)
    admitted = while_admitted(chunks, partial(services(request).key_ring.admit, request.state.key))
    return Stream(with_goodbye(admitted), partial(streams.leave, who))


_NOT_ADMITTED = b": the key of this stream is no longer valid\n\n"


async def with_goodbye(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """What a stream sends; where its key ends, it says so last."""
    async with aclosing(chunks):
        try:
            async for chunk in chunks:
                yield chunk
        except Unauthorized:
            yield _NOT_ADMITTED


class Stream(StreamingResponse):
    """A stream that says when it has ended, also where it never began.

    It closes what it sends: where a client hangs up in the middle of that, nobody else would, but the collector of
    garbage, one day.
    """

    media_type = "text/event-stream"

    def __init__(self, chunks: AsyncGenerator[bytes, None], on_end: Callable[[], None]) -> None:
        super().__init__(chunks, headers={"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"})
        self._chunks = chunks
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with aclosing(self._chunks):
                await super().__call__(scope, receive, send)
        finally:
            self._on_end()


def _parse_event_id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= INT64_MAX):
        raise InvalidRequest("an event id is a whole number, as the stream sent it", "header", "Last-Event-ID")
    return int(text)
