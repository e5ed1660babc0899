"""What a run is told when it has said something."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

import orjson

from app.domain.values import to_rfc3339
from app.service.keep_alive import Alive
from app.service.track import Tracker
from app.store.idempotency import Once, Replay

A = TypeVar("A")


def told(alive: Alive | None) -> dict[str, Any]:
    """Whether to stop, and for how long it has its trial; neither, where it has ended."""
    if alive is None:
        return {"should_stop": False, "stop": None, "lease_expires_at": None}
    lease_end = None if alive.lease_expires_at is None else to_rfc3339(alive.lease_expires_at)
    return {"should_stop": alive.stop is not None, "stop": alive.stop, "lease_expires_at": lease_end}


async def hear(tracker: Tracker, run_id: UUID, words: Callable[[Once | None], Awaitable[A]], once: Once | None) -> A:
    """What a run's words come to.

    An answer is stored together with what it tells of, and only then the stopper judges: so a replay asks it again.
    """
    try:
        return await words(once)
    except Replay as replay:
        stop = await tracker.why_stop(run_id)
        if stop is None:
            raise
        body = orjson.loads(replay.answer.body) | {"should_stop": True, "stop": stop}
        raise Replay(replace(replay.answer, body=orjson.dumps(body))) from None
