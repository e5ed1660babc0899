"""What the OpenAPI document says of the headers of answers."""

from collections.abc import Iterator
from typing import Any

JSON = dict[str, Any]

_HEADERS: JSON = {
    "ETag": "Changes with each edit; send it as `If-Match` with the next one.",
    "Location": "The path of what was created.",
    "Idempotent-Replayed": "`true` where this is the first answer to an `Idempotency-Key`, once more.",
    "Retry-After": "Seconds to wait before asking again.",
    "WWW-Authenticate": "`Bearer`: how a key is sent.",
}
_OF_ERROR = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After", "507": "Retry-After"}
_EDITED = ("#/components/schemas/Run", "#/components/schemas/Tuner")


def name_headers(document: JSON) -> None:
    """Say of each answer which headers a client may go by."""
    document["components"]["headers"] = {
        name: {"description": meaning, "schema": {"type": "integer" if name == "Retry-After" else "string"}}
        for name, meaning in _HEADERS.items()
    }
    for path, item in document["paths"].items():
        for operation in item.values():
            for status, answer in operation["responses"].items():
                for name in _headers_of(path, operation, status, answer):
                    answer.setdefault("headers", {})[name] = {"$ref": f"#/components/headers/{name}"}


def _headers_of(path: str, operation: JSON, status: str, answer: JSON) -> Iterator[str]:
    if status in _OF_ERROR:
        yield _OF_ERROR[status]
    if status < "300":
        if any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", [])):
            yield "Idempotent-Replayed"
        schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
        if schema.get("$ref") in _EDITED:
            yield "ETag"
        if "201" in operation["responses"] and "{" not in path:
            yield "Location"
