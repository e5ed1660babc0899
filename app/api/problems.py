"""Errors as RFC 9457 problem details: the one table from the domain's errors to HTTP.

The `code` of an error is its class's name in kebab case; `type` is `/problems/<code>`.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from app.domain import errors
from app.domain.errors import DomainError

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = "1"


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


class HostNotAllowed(errors.Refused):
    """The service does not go by this name: use its address, or name it in TUNETRACK_ALLOWED_HOSTS."""


class OriginNotAllowed(errors.Refused):
    """A page of another site may not do this; name its origin in TUNETRACK_CORS_ORIGINS if it should."""


class Internal(DomainError):
    """The service failed; the request id finds it in the log."""


_STATUS: dict[type[DomainError], int] = {
    MalformedJson: 400,
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

_OF_FRAMEWORK: dict[int, type[DomainError]] = {
    400: MalformedJson,
    404: NoSuchPath,
    405: MethodNotAllowed,
    413: TooLarge,
    415: UnsupportedMediaType,
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


_ANYWHERE = (
    errors.Unauthorized,
    errors.Forbidden,
    HostNotAllowed,
    OriginNotAllowed,
    errors.RateLimited,
    errors.StoreBusy,
    Internal,
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


def declared(*declared_errors: type[DomainError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that answers these errors (and the ones that any route may)."""
    by_status: dict[int, list[str]] = {}
    for error in (*declared_errors, *_ANYWHERE):
        by_status.setdefault(status_of(error), []).append(code_of(error))
    return {
        status: {
            "description": "Problem: " + ", ".join(f"`{code}`" for code in codes) + ".",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, codes in sorted(by_status.items())
    }


def respond(request: Request, error: DomainError, headers: Mapping[str, str] | None = None) -> Response:
    """The problem document for an error."""
    kind = type(error)
    code, status = code_of(kind), status_of(kind)
    request_id: str = request.state.request_id
    body = {
        "type": f"/problems/{code}",
        "title": code.replace("-", " ").capitalize(),
        "status": status,
        "detail": error.detail,
        "instance": request.url.path,
        "code": code,
        "request_id": request_id,
        **error.facts,
    }
    sent = dict(headers or {})
    if isinstance(error, errors.Unavailable):
        sent["Retry-After"] = _RETRY_AFTER_S
    if isinstance(error, errors.RateLimited):
        sent["Retry-After"] = str(error.facts["retry_after_s"])
    if isinstance(error, errors.Unauthorized):
        sent["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(body), status, sent, MEDIA_TYPE)


async def on_domain_error(request: Request, error: Exception) -> Response:
    """A refusal of the domain."""
    assert isinstance(error, DomainError)
    return respond(request, error)


async def on_invalid_request(request: Request, error: Exception) -> Response:
    """A request of the wrong shape. What was sent is not echoed: it may hold secrets, or no JSON can hold it."""
    assert isinstance(error, RequestValidationError)
    found = [{"loc": [_shown(part) for part in one["loc"]], "message": one["msg"]} for one in error.errors()[:20]]
    first = found[0]
    place = ".".join(str(part) for part in first["loc"])
    invalid = errors.InvalidRequest(f"{place}: {first['message']}")
    invalid.facts["errors"] = found
    return respond(request, invalid)


def _shown(part: str | int) -> str | int:
    return part if isinstance(part, int) else part[:100]


async def on_http_error(request: Request, error: Exception) -> Response:
    """A refusal of the framework."""
    assert isinstance(error, HTTPException)
    kind = _OF_FRAMEWORK.get(error.status_code, Internal)
    return respond(request, kind(), error.headers)


async def on_failure(request: Request, error: Exception) -> Response:
    """Something nobody thought of: the client learns a request id, the log the rest."""
    return respond(request, Internal())
