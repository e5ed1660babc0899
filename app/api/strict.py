"""What every request must be like before it is looked at: exact JSON, no stray query parameters, plain text."""

import inspect
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Annotated, Any, TypeVar, get_args, get_origin

import pydantic_core
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, APIRouter
from pydantic import TypeAdapter, ValidationError
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as ASGIScope

from app.api.large import apart
from app.api.problems import MalformedJson, TooLarge, UnsupportedMediaType
from app.domain.access import Grant, Scope
from app.domain.errors import Forbidden, InvalidRequest

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


_BODY_BYTES = 2**20
_DEEPEST = 32
_MOST_MEMBERS = 10_000
"""Of one object. Nothing takes so many names; and each that is wrong would be gone into."""
_LIMIT = "body_limit"
_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])


def body_limit(size_bytes: int) -> Callable[[_Endpoint], _Endpoint]:
    """Marks an endpoint whose body may be larger than 1 MiB."""

    def mark(endpoint: _Endpoint) -> _Endpoint:
        setattr(endpoint, _LIMIT, size_bytes)
        return endpoint

    return mark


_NEEDS = "needed_scope"


def needs(scope: Scope | None) -> Callable[[_Endpoint], _Endpoint]:
    """Marks what a key must be good for to use an endpoint; without it, reading needs `read`, all else `admin`.

    Args:
        scope: None is nothing: only for what the gate lets through without a key.
    """

    def mark(endpoint: _Endpoint) -> _Endpoint:
        setattr(endpoint, _NEEDS, scope)
        return endpoint

    return mark


class StrictRoute(APIRoute):
    """A route that refuses unknown query parameters, bodies that are no JSON, and JSON that is not exact.

    What may bring a body goes straight to its endpoint: see `_straight`.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        if not (self.methods or set()) <= {"GET", "HEAD", "DELETE"}:
            self.app = self._straight()

    @cached_property
    def needed_scope(self) -> Scope | None:
        """What a key must be good for to use this route."""
        is_reading = self.methods is not None and self.methods <= {"GET", "HEAD"}
        needed: Scope | None = getattr(self.endpoint, _NEEDS, Scope.read if is_reading else Scope.admin)
        return needed

    async def handle(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        needed = self.needed_scope
        if needed is not None:
            grant: Grant = scope["state"]["grant"]  # the gate lets nobody come here without one
            if not grant.scope.allows(needed):
                raise Forbidden(needs=needed, has=grant.scope)
        await super().handle(scope, receive, send)

    def get_route_handler(self) -> _Handler:
        handle = super().get_route_handler()
        known = {one.alias: _is_list(one.field_info.annotation) for one in self.dependant.query_params}

        async def handle_strictly(request: Request) -> Response:
            if request.scope["query_string"]:
                _check_query(request, known)
            return await handle(request)

        return handle_strictly

    def _straight(self) -> ASGIApp:
        """The route without the framework's dependencies, exit stacks and checks of answers, of which it has none.

        They cost more than all else that becomes of a request. What is refused is what the framework would refuse.
        """
        assert _needs_no_framework(self), f"{self.name} takes more than the request, words of the path and one body"
        endpoint = self.endpoint
        takes_request = self.dependant.request_param_name
        parameter = next(iter(self.dependant.body_params), None)
        is_required = parameter is not None and parameter.field_info.is_required()
        expected: Any = parameter and Annotated[parameter.field_info.annotation, parameter.field_info]
        validate = TypeAdapter[Any](expected).validate_python
        most = getattr(endpoint, _LIMIT, _BODY_BYTES)

        def understand(request: Request, body: bytes) -> dict[str, Any]:
            request._json = document = _read_body(request, body)
            if parameter is None:
                if document != {}:
                    raise InvalidRequest("this call takes no body", "body")
                return {}
            try:
                return {parameter.name: validate(document)}
            except ValidationError as error:
                found = error.errors(include_url=False, include_input=False, include_context=False)
                raise RequestValidationError(
                    [{**one, "loc": ("body", *one["loc"])} for one in found], body=document
                ) from error

        async def answer(scope: ASGIScope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive)
            if scope["query_string"]:
                _check_query(request, {})
            arguments = {takes_request: request, **scope["path_params"]}
            request._body = body = await _receive(request, most)
            if body:
                arguments |= await apart(body, lambda: understand(request, body))
            elif is_required:
                raise RequestValidationError([{"loc": ("body",), "msg": "Field required"}])
            response = await endpoint(**arguments)
            await response(scope, receive, send)

        return answer


def _needs_no_framework(route: APIRoute) -> bool:
    """Whether the endpoint takes the request, words of the path and at most one body, and makes its answer itself."""
    wants = route.dependant
    wants_more = wants.query_params or wants.header_params or wants.cookie_params or wants.dependencies
    return (
        not wants_more
        and wants.request_param_name is not None
        and all(parameter.field_info.annotation is str for parameter in wants.path_params)
        and len(wants.body_params) <= 1
        and inspect.signature(route.endpoint).return_annotation is Response
    )


def new_router(noun: str, prefix: str = "/v1") -> APIRouter:
    """A router of strict routes; each operation is called as its function is."""
    return APIRouter(
        prefix=prefix, tags=[noun], route_class=StrictRoute, generate_unique_id_function=lambda route: route.name
    )


async def _receive(request: Request, most: int) -> bytes:
    """The body.

    Raises:
        TooLarge: it is, or says that it is, larger than `most`; no more than that was read.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise TooLarge(f"The body is larger than the {most} bytes that this call takes.")
    chunks: list[bytes] = []
    n_bytes = 0
    async for chunk in request.stream():
        n_bytes += len(chunk)
        if n_bytes > most:
            raise TooLarge(f"The body is larger than the {most} bytes that this call takes.")
        chunks.append(chunk)
    return b"".join(chunks)


def _is_list(annotation: Any) -> bool:
    return any(get_origin(kind) is list for kind in (annotation, *get_args(annotation)))


def _check_query(request: Request, known: Mapping[str, bool]) -> None:
    """Refuses what would be left out of account.

    Args:
        known: what the call takes, and whether it takes several.
    """
    seen: set[str] = set()
    for name, value in request.query_params.multi_items():
        if name not in known:
            expected = ", ".join(sorted(known)) or "none"
            raise InvalidRequest(f"unknown query parameter; this call takes: {expected}", "query", name[:100])
        if "\x00" in value:
            raise InvalidRequest("the character U+0000 is not allowed", "query", name)
        if name in seen and not known[name]:
            raise InvalidRequest(f"{name} is given more than once; this call takes it once", "query", name)
        seen.add(name)


def _read_body(request: Request, body: bytes) -> Any:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" or "content-encoding" in request.headers:
        raise UnsupportedMediaType()
    return read_json(body)


def read_json(body: bytes) -> Any:
    """The document, with every integer exact.

    Raises:
        MalformedJson: it is no JSON in UTF-8; NaN and Infinity are none.
        InvalidRequest: it is nested too deeply, an object has too many members, or a string holds U+0000 or half of a
            surrogate pair, which no database keeps.
    """
    try:
        document = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        if "surrogate" in str(error) or "hex escape" in str(error):
            raise InvalidRequest("a string holds half of a surrogate pair, which is not text", "body") from error
        raise MalformedJson(_why_no_json(body, error)) from error
    if len(body) > 4 * _MOST_MEMBERS or body.count(b"{") + body.count(b"[") > _DEEPEST:
        _check_shape(document)
    if b"\\u0000" in body and _holds_nul(document):
        raise InvalidRequest("the character U+0000 is not allowed in strings", "body")
    return document


def _why_no_json(body: bytes, error: ValueError) -> str:
    """What is wrong with it, in words for what often is: the parser's say where, at most."""
    if body.startswith((BOM_UTF8, BOM_UTF16_LE, BOM_UTF16_BE)):
        return "The body begins with a byte order mark: send UTF-8 without one."
    with suppress(ValueError):
        pydantic_core.from_json(body, allow_inf_nan=True)
        return 'NaN and Infinity are not JSON: send "NaN", "Infinity" or "-Infinity", in quotes, as a metric or score.'
    return f"The body is not JSON: {error}."


def _check_shape(document: Any) -> None:
    """Refuses what is nested too deeply, and objects with too many members."""
    level = [document] if isinstance(document, dict | list) else []
    for _ in range(_DEEPEST):
        if any(isinstance(outer, dict) and len(outer) > _MOST_MEMBERS for outer in level):
            raise InvalidRequest(f"an object has more than {_MOST_MEMBERS} members", "body")
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise InvalidRequest(f"arrays and objects are nested more than {_DEEPEST} deep", "body")


def _holds_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any("\x00" in key or _holds_nul(inner) for key, inner in value.items())
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\x00" in value
