"""POST requests, done once however often they are sent with one Idempotency-Key."""

from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2b
from typing import Any, TypeVar

import orjson
from fastapi import Request, Response
from pydantic import BaseModel

from app.api.large import apart
from app.api.problems import BODY_ERRORS, declared
from app.api.state import services
from app.domain.errors import DomainError, IdempotencyInProgress, IdempotencyKeyReused, InvalidRequest
from app.store.idempotency import Once, Replay, StoredAnswer
from app.store.writer import Operation

R = TypeVar("R")
A = TypeVar("A")

IDEMPOTENCY_KEY: dict[str, Any] = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "Chosen by the client: a request with this key is carried out once; for 24 h a repeat"
            " gets the first answer, with `Idempotent-Replayed: true`.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 250},
        }
    ]
}
"""What a route that calls `answer_once` or `write_once` says of it in the OpenAPI document."""


def declared_once(*errors: type[DomainError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of such a route."""
    return declared(*BODY_ERRORS, InvalidRequest, IdempotencyKeyReused, IdempotencyInProgress, *errors)


def show(
    answer: BaseModel | Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer as it goes out. What is asked for often comes as plain JSON, which needs no check on its way out."""
    content = answer.model_dump_json() if isinstance(answer, BaseModel) else orjson.dumps(answer)
    return Response(content, status, headers, "application/json")


async def answer_once(
    request: Request,
    perform: Callable[[Once | None], Awaitable[A]],
    shown: Callable[[A], Response],
    kept: Callable[[A], Response] | None = None,
) -> Response:
    """The answer to what `perform` does; with a key that was used before, the first answer, and nothing is done.

    Args:
        kept: makes the answer that is stored, where that must not be all that is shown.

    Raises:
        IdempotencyInProgress: the first request with this key is under way in this process.
        IdempotencyKeyReused: the key was used for another request.
    """
    header = request.headers.get("idempotency-key")
    if header is None:
        return shown(await perform(None))
    key = _parse(header)
    under_way = services(request).keys_under_way
    if key in under_way:
        raise IdempotencyInProgress()
    body = await request.body()
    document = await request.json() if body else {}
    under_way.add(key)
    try:
        digest = await apart(body, lambda: _digest(request.url.path, document))
        once = Once(key, digest, lambda value: _stored((kept or shown)(value)))
        return shown(await perform(once))
    except Replay as replay:
        answer = replay.answer
        headers = {**answer.headers, "Idempotent-Replayed": "true"}
        return Response(answer.body, answer.status, headers, "application/json")
    finally:
        under_way.discard(key)


async def write_once(
    request: Request,
    operation: Operation[R, A],
    wanted: R,
    shown: Callable[[A], Response],
    kept: Callable[[A], Response] | None = None,
) -> Response:
    """`answer_once`, where what is to be done is one write."""
    database = services(request).database
    return await answer_once(request, lambda once: database.write(operation, wanted, once), shown, kept)


def _parse(header: str) -> str:
    is_quoted = len(header) >= 2 and header[0] == header[-1] == '"'
    key = header[1:-1] if is_quoted else header
    if not 1 <= len(key) <= 250:
        raise InvalidRequest("a key has 1 to 250 characters; a random UUID is a good one", "header", "Idempotency-Key")
    return key


def _digest(path: str, document: Any) -> bytes:
    """What two requests share that say the same: many a language puts the fields in another order each time."""
    said = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    return blake2b(path.encode() + b"\n" + said, digest_size=16).digest()


def _stored(response: Response) -> StoredAnswer:
    kept = {name: value for name, value in response.headers.items() if name in ("location", "etag")}
    return StoredAnswer(response.status_code, kept, bytes(response.body))
