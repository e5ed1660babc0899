"""Errors as RFC 9457 problem details: the one table from the domain's errors to HTTP.

The `code` of an error is its class's name in kebab case; `type` is `/problems/<code>`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field

from app.api.mistakes import place_in, what_is_right
from app.domain import errors
from app.domain.access import Scope
from app.domain.errors import DomainError

MEDIA_TYPE = "application/problem+json"
_OUR_OWN = "Value error, "
"""How pydantic begins what a rule of ours says: to a user, the rule's sentence is enough."""

_RETRY_AFTER_S = 1


class MalformedJson(errors.Invalid):
    """The body is not JSON."""


class UnsupportedMediaType(errors.Invalid):
    """A body must be sent as Content-Type: application/json, and not compressed."""


class NoSuchPath(errors.NotFound):
    """There is nothing at this path; see /openapi.json for what there is."""


class MethodNotAllowed(errors.Invalid):
    """This path does not take this method; see the Allow header."""


class TooLarge(errors.Invalid):
    """The request is larger than the service takes."""


class MalformedHttp(errors.Invalid):
    """The request is not valid HTTP/1.1, or its address is malformed."""


class RequestTimeout(errors.Refused):
    """The request took too long to arrive; send it again, faster or in parts."""


class AddressTooLong(errors.Invalid):
    """The address with its query is longer than 64 kB; ask for less at once."""


class HeadersTooLarge(errors.Invalid):
    """The headers are larger than 16 kB, or there are more than 100."""


class HostNotAllowed(errors.Refused):
    """The service is not known by this name: use its address, or list the name in TUNETRACK_ALLOWED_HOSTS."""


class OriginNotAllowed(errors.Refused):
    """A page of another site may not do or load this; list its origin in TUNETRACK_CORS_ORIGINS if it should."""


class Internal(DomainError):
    """The service failed; the request id finds it in the log."""


_STATUS: dict[type[DomainError], int] = {
    MalformedJson: 400,
    MalformedHttp: 400,
    RequestTimeout: 408,
    AddressTooLong: 414,
    HeadersTooLarge: 431,
    UnsupportedMediaType: 415,
    MethodNotAllowed: 405,
    TooLarge: 413,
    errors.StorageFull: 507,
    errors.Unauthorized: 401,
    errors.RateLimited: 429,
    errors.Refused: 403,
    errors.NotFound: 404,
    errors.Invalid: 422,
    errors.PreconditionFailed: 412,
    errors.Conflict: 409,
    errors.Unavailable: 503,
    DomainError: 500,
}


class FieldError(BaseModel):
    """Where a request is wrong, outermost first, and how."""

    loc: list[str | int]
    message: str


class Problem(BaseModel):
    """An RFC 9457 problem. `code` is for programs, `detail` says what happened and what to do."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["/problems/unknown-run"])
    title: str = Field(examples=["Unknown run"])
    status: int = Field(examples=[404])
    detail: str
    instance: str
    code: str = Field(examples=["unknown-run"])
    request_id: str
    errors: list[FieldError] | None = Field(
        default=None, description="Where the request is wrong, for `invalid-request`."
    )


BODY_ERRORS = (MalformedJson, UnsupportedMediaType, TooLarge)
"""What any body may be answered."""


def status_of(error: type[DomainError]) -> int:
    """The HTTP status of an error, found by its nearest class in the table."""
    return next(_STATUS[base] for base in error.__mro__ if base in _STATUS)


def code_of(error: type[DomainError]) -> str:
    """The code of an error: its name in kebab case."""
    name = "NotFound" if error is NoSuchPath else error.__name__
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


Responses = dict[int | str, dict[str, Any]]


def declared(*declared_errors: type[DomainError]) -> Responses:
    """The `responses` of a route that answers these errors; `errors_anywhere` come to them in the document."""
    responses: Responses = {}
    declare(responses, declared_errors)
    return responses


def declare(responses: Responses, added: Iterable[type[DomainError]]) -> None:
    """Say that these errors are answered, too."""
    for error in added:
        status, code = str(status_of(error)), f"`{code_of(error)}`"
        codes = re.findall("`[a-z-]+`", responses[status]["description"]) if status in responses else []
        responses[status] = {
            "description": f"Problem: {', '.join(dict.fromkeys([*codes, code]))}.",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }


def errors_anywhere(needed: Scope | None, *, is_reading: bool) -> Iterator[type[DomainError]]:
    """What an operation answers because of who asks, and how, and whether the service can.

    Args:
        needed: the scope that a key must have; None where no key is needed.
    """
    yield from (
        MalformedHttp,
        RequestTimeout,
        AddressTooLong,
        HeadersTooLarge,
        HostNotAllowed,
        OriginNotAllowed,
        Internal,
    )
    if needed is not None:
        yield from (errors.Unauthorized, errors.RateLimited, errors.StoreBusy)
        if needed is not Scope.read:
            yield errors.Forbidden
        if not is_reading:
            yield errors.StorageFull


def respond(request: Request, error: DomainError, headers: Mapping[str, str] | None = None) -> Response:
    """The problem document for an error."""
    sent = dict(headers or {})
    if isinstance(error, errors.Unavailable | errors.RateLimited):
        sent["Retry-After"] = str(error.facts.get("retry_after_s", _RETRY_AFTER_S))
    if isinstance(error, errors.Unauthorized):
        sent["WWW-Authenticate"] = "Bearer"
    body = render(error, request.url.path, request.state.request_id)
    return Response(body, status_of(type(error)), sent, MEDIA_TYPE)


def render(error: DomainError, instance: str, request_id: str) -> bytes:
    """The problem document for an error, as it goes out."""
    code = code_of(type(error))
    body = {
        "type": f"/problems/{code}",
        "title": code.replace("-", " ").capitalize(),
        "status": status_of(type(error)),
        "detail": error.detail,
        "instance": instance,
        "code": code,
        "request_id": request_id,
        **error.facts,
    }
    return orjson.dumps(body)


async def on_domain_error(request: Request, error: Exception) -> Response:
    """A refusal of the domain."""
    assert isinstance(error, DomainError)
    return respond(request, error)


async def on_invalid_request(request: Request, error: Exception) -> Response:
    """A request of the wrong shape. What was sent is not echoed: it may hold secrets, or no JSON can hold it."""
    assert isinstance(error, RequestValidationError)
    body = getattr(request.scope.get("route"), "body_field", None)
    expected = None if body is None else body.field_info.annotation
    found = [_field_error(one, expected, error.body) for one in error.errors()[:20]]
    first = found[0]
    place = ".".join(str(part) for part in first["loc"])
    invalid = errors.InvalidRequest(f"{place}: {first['message']}")
    invalid.facts["errors"] = found
    return respond(request, invalid)


def _field_error(error: Mapping[str, Any], expected: Any, sent: Any) -> dict[str, Any]:
    where, *inside = error["loc"]
    message, kind = error["msg"].removeprefix(_OUR_OWN), error.get("type", "")
    if where == "body":
        message = what_is_right(kind, inside, expected) or message
        inside = place_in(sent, kind, inside)
    return {"loc": [where, *map(_shown, inside)], "message": message}


def _shown(part: str | int) -> str | int:
    return part if isinstance(part, int) else part[:100]


async def on_no_such_path(request: Request, _: Exception) -> Response:
    """No route fits."""
    has_slash = request.url.path.endswith("/")
    return respond(request, NoSuchPath("No path but / ends with a slash; leave it out." if has_slash else None))


async def on_failure(request: Request, error: Exception) -> Response:
    """Something nobody thought of: the client learns a request id, the log the rest.

    The server cuts the connection after such an answer. Said before, nobody sends the next request into the cut.
    """
    return respond(request, Internal(), {"Connection": "close"})
