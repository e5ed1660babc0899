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


@cache
def document() -> dict[str, Any]:
    """The committed document."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """The paths, those without a variable first."""
    paths = sorted(document()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in paths]


def find_path(path: str) -> str | None:
    """The path of the document that a request's path belongs to."""
    return next((template for pattern, template in _templates() if pattern.fullmatch(path)), None)


@cache
def _registry() -> Registry:
    return Registry([(_ROOT, document())])


@cache
def _validator(pointer: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"{_ROOT}#{pointer}"}, registry=_registry(), validate_formats=True)


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


def check(response: httpx.Response) -> None:
    """Nothing, where the document knows such an answer to such a request.

    Raises:
        AssertionError: its status, its media type or its body is not as documented.
    """
    method = response.request.method.lower()
    path = find_path(response.request.url.path)
    if path is None or method not in document()["paths"][path]:
        return
    name = f"{method.upper()} {path} -> {response.status_code}"
    status = str(response.status_code)
    response.read()
    assert status in document()["paths"][path][method]["responses"], f"{name} is not documented: {response.text[:500]}"
    pointer = _point("paths", path, method, "responses", status)
    pointer = _look_up(pointer).get("$ref", "#" + pointer).removeprefix("#")
    content = _look_up(pointer).get("content", {})
    if response.status_code >= 400 and response.content:
        code = response.json()["code"]
        assert f"`{code}`" in _look_up(pointer)["description"], f"{name} is {code}, which is not documented"
    said = response.headers.get("content-type", "")
    media_type = said if said in content else said.split(";")[0]
    assert media_type in content or not response.content, f"{name} is {media_type}, documented are {list(content)}"
    if response.content and media_type.endswith(("/json", "+json")):
        validator = _validator(pointer + _point("content", media_type, "schema"))
        error = next(validator.iter_errors(_sample(response.json())), None)
        if error is not None:
            raise AssertionError(f"{name} is not as documented at {error.instance_path}: {error.message}")


def _sample(body: Any) -> Any:
    """The body, with no more than a few items of a page: a thousand of one kind tell no more than three."""
    if isinstance(body, dict) and isinstance(body.get("items"), list):
        return body | {"items": body["items"][:3]}
    return body
