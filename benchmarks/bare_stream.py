"""The framework's ceiling for a stream: a POST puts ready bytes into each stream's queue. No store, filter or replay.

`python -m benchmarks.bare_stream` prints the port that it listens on.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import count

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from app.api.run_models import EpochAnswer, EpochRequest
from app.domain.values import to_rfc3339
from benchmarks.noop import serve

router = APIRouter(prefix="/v1")
_numbers = count(1)
_queues: set[asyncio.Queue[bytes]] = set()


@router.post("/runs/{run_id}/epochs")
async def tell(run_id: str, body: EpochRequest) -> EpochAnswer:
    """Validate the body, and tell all streams an event of the size that the service would tell."""
    number = next(_numbers)
    chunk = (
        f'id: {number}\nevent: epoch_end\ndata: {{"event_id":{number},"type":"epoch_end",'
        f'"timestamp":"{to_rfc3339(datetime.now(UTC))}","run_id":"{run_id}","epoch":{body.epoch},'
        f'"metrics":{{"loss":0.4127083719253540,"accuracy":0.8812500238418579}}}}\n\n'
    ).encode()
    for queue in _queues:
        queue.put_nowait(chunk)
    return EpochAnswer(
        event_id=number, accepted=len(body.metrics), duplicates=0, should_stop=False, stop=None, lease_expires_at=None
    )


@router.get("/events/stream", response_class=StreamingResponse)
async def stream() -> StreamingResponse:
    """All events from now on."""

    async def chunks() -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        _queues.add(queue)
        try:
            yield b"retry: 2000\n\n"
            while True:
                yield await queue.get()
        finally:
            _queues.discard(queue)

    return StreamingResponse(chunks(), media_type="text/event-stream")


if __name__ == "__main__":
    serve(router)
