"""Holds every answer that a test receives against the committed OpenAPI document."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx
from jsonschema_rs import Draft202012Validator, Registry

FILE = Path(__file__).parent.parent / "openapi" / "openapi.json"
_ROOT = "urn:openapi"
_HEADERS = {"content-disposition", "etag", "idempotent-replayed", "location", "retry-after", "www-authenticate"}
"""What a client may go by."""


@cache
def document() -> dict[str, Any]:
    """The committed document."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


@cache
def _templates() -> tuple[re.Pattern[str], list[str]]:
    """The paths, those without a variable first, and what matches each of them in a group of its own."""
    paths = sorted(document()["paths"], key=lambda path: path.count("{"))
    return re.compile("|".join(f"({re.sub(r'{.+?}', '[^/]+', path)})" for path in paths)), paths


def find_path(path: str) -> str | None:
    """The path of the document that a request's path belongs to."""
    pattern, paths = _templates()
    found = pattern.fullmatch(path)
    return None if found is None else paths[(found.lastindex or 0) - 1]


@cache
def _registry() -> Registry:
    return Registry([(_ROOT, document())])


@cache
def _validator(pointer: str, media_type: str) -> Draft202012Validator:
    schema = {"$ref": f"{_ROOT}#{pointer}{_point('content', media_type, 'schema')}"}
    return Draft202012Validator(schema, registry=_registry(), validate_formats=True)


def _point(*parts: str) -> str:
    """A JSON pointer, as it stands in a URI."""
    return "".join("/" + quote(part.replace("~", "~0").replace("/", "~1"), safe="~") for part in parts)


def _look_up(pointer: str) -> dict[str, Any]:
    """What a local reference (without its #) points to."""
    found: Any = document()
    for part in pointer.split("/")[1:]:
        found = found[unquote(part).replace("~1", "/").replace("~0", "~")]
    resolved: dict[str, Any] = found
    return resolved


@cache
def _answer(path: str, method: str, status: str) -> tuple[str, dict[str, Any]]:
    """Where the document says what such an answer is, and what it says."""
    pointer = _point("paths", path, method, "responses", status)
    pointer = _look_up(pointer).get("$ref", "#" + pointer).removeprefix("#")
    return pointer, _look_up(pointer)


def check(response: httpx.Response) -> None:
    """Nothing, where the document knows such an answer to such a request.

    Raises:
        AssertionError: its status, a header, its media type or its body is not as documented.
    """
    method = response.request.method.lower()
    path = find_path(response.request.url.path)
    if path is None or method not in document()["paths"][path]:
        return
    name = f"{method.upper()} {path} -> {response.status_code}"
    status = str(response.status_code)
    response.read()
    assert status in document()["paths"][path][method]["responses"], f"{name} is not documented: {response.text[:500]}"
    pointer, known = _answer(path, method, status)
    unnamed = _HEADERS & set(response.headers) - {header.lower() for header in known.get("headers", {})}
    assert not unnamed, f"{name} has {unnamed}, which are not documented"
    content = known.get("content", {})
    said = response.headers.get("content-type", "")
    media_type = said if said in content else said.split(";")[0]
    assert media_type in content or not response.content, f"{name} is {media_type}, documented are {list(content)}"
    if not response.content or not media_type.endswith(("/json", "+json")):
        assert response.status_code < 400 or not response.content, f"{name} has no code"
        return
    body = response.json()
    if response.status_code >= 400:
        assert f"`{body['code']}`" in known["description"], f"{name} is {body['code']}, which is not documented"
    error = next(_validator(pointer, media_type).iter_errors(_sample(body)), None)
    if error is not None:
        raise AssertionError(f"{name} is not as documented at {error.instance_path}: {error.message}")


def _sample(body: Any) -> Any:
    """The body, with no more than a few items of a page: a thousand of one kind tell no more than three."""
    if isinstance(body, dict) and isinstance(body.get("items"), list):
        return body | {"items": body["items"][:3]}
    return body
