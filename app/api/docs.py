"""The interface as a page for people, written from the OpenAPI document: plain HTML, no script, no outside request."""

import json
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from threading import Lock
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from app.api.problems import declared
from app.api.strict import new_router
from app.domain.errors import InvalidRequest

router = new_router("operations", prefix="")

_STYLE = """
:root { color-scheme: light dark; --edge: #8884; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
nav { columns: 16rem; padding: 1rem; background: var(--soft); border-radius: 8px; }
nav a { display: block; text-decoration: none; }
section { border-top: 1px solid var(--edge); padding: .5rem 0; }
h2 { margin-top: 2.5rem; text-transform: capitalize; }
h3 { font: 600 1rem ui-monospace, monospace; margin-bottom: .2rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { background: var(--soft); padding: .8rem; border-radius: 8px; overflow-x: auto; }
table { border-collapse: collapse; } td { padding: .15rem 1rem .15rem 0; vertical-align: top; }
.method { display: inline-block; min-width: 4rem; }
"""
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"


@router.get(
    "/docs",
    response_class=Response,
    responses={
        200: {"description": "The page.", "content": {"text/html": {"schema": {"type": "string"}}}},
        **declared(InvalidRequest),
    },
)
def get_docs(request: Request) -> Response:
    """Show this interface as a page for people."""
    page = "\n".join(_lines(_document(request)))
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": _POLICY})


def get_document(request: Request) -> Response:
    """The OpenAPI document."""
    return JSONResponse(_document(request))


_making = Lock()


def _document(request: Request) -> dict[str, Any]:
    """In a thread, as whoever asks for it: to make it, when it is first wanted, takes half a second of a processor."""
    with _making:
        document: dict[str, Any] = request.app.openapi()
    return document


def _lines(document: dict[str, Any]) -> Iterator[str]:
    operations = [
        (operation["tags"][0], method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    tags = list(dict.fromkeys(tag for tag, *_ in operations))
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
    yield f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
    yield f"<h1>{title}</h1>{_prose(document['info']['description'])}"
    yield '<p>For programs: <a href="openapi.json">/openapi.json</a></p><nav>'
    for tag in tags:
        yield from (
            f'<a href="#{op["operationId"]}">{escape(op["operationId"])}</a>'
            for of, _, _, op in operations
            if of == tag
        )
    yield "</nav>"
    for tag in tags:
        yield f"<h2>{escape(tag)}</h2>"
        for of, method, path, operation in operations:
            if of == tag:
                yield from _operation(method, path, operation, document)
    yield "<h2>Models</h2>"
    for name, schema in document["components"]["schemas"].items():
        yield f'<details id="{name}"><summary><code>{escape(name)}</code></summary>{_json(schema)}</details>'


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    yield f'<section id="{operation["operationId"]}"><h3><span class="method">{method}</span>{escape(path)}</h3>'
    yield _prose(operation.get("summary", "")) + _prose(operation.get("description", ""))
    if "security" in operation:
        yield f"<p>Scope: <code>{escape(operation['security'][0]['key'][0])}</code></p>"
    if operation.get("parameters"):
        yield "<table>"
        for one in operation["parameters"]:
            yield f"<tr><td><code>{escape(one['name'])}</code><td>{escape(one['in'])}"
            yield f"<td>{escape(one.get('description', ''))}"
        yield "</table>"
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield f"<p>Body: {_models(content['schema'])}</p>"
        yield from (_json(example) for example in _examples(content["schema"], document))
    yield "<table>"
    for status, response in operation["responses"].items():
        models = " ".join(_models(content.get("schema", {})) for content in response.get("content", {}).values())
        yield f"<tr><td>{status}<td>{escape(response['description'])}<td>{models}"
    yield "</table></section>"


def _names(schema: dict[str, Any]) -> list[str]:
    named = [schema, *schema.get("anyOf", []), *schema.get("oneOf", [])]
    return [one["$ref"].rsplit("/", 1)[1] for one in named if "$ref" in one]


def _models(schema: dict[str, Any]) -> str:
    return ", ".join(f'<a href="#{name}"><code>{escape(name)}</code></a>' for name in _names(schema))


def _examples(schema: dict[str, Any], document: dict[str, Any]) -> list[Any]:
    schemas = document["components"]["schemas"]
    return [example for name in _names(schema) for example in schemas[name].get("examples", [])]


def _json(value: Any) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


def _prose(text: str) -> str:
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n") if part.strip())
