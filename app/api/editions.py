"""Edits that are made from what somebody has seen: ETags of runs and tuners, and `If-Match`."""

from typing import Any

from fastapi import Request

from app.service.edition import edition
from app.store.runs import Run
from app.store.tuners import Tuner

IF_MATCH: dict[str, Any] = {
    "parameters": [
        {
            "name": "If-Match",
            "in": "header",
            "required": False,
            "description": "The ETag that the change is based on; refused if somebody has made an edit since.",
            "schema": {"type": "string"},
        }
    ]
}
"""What a route that calls `read_if_match` says of it in the OpenAPI document."""


def etag(thing: Run | Tuner) -> dict[str, str]:
    """The header of an answer that shows it."""
    return {"ETag": f'"{edition(thing)}"'}


def read_if_match(request: Request) -> frozenset[str]:
    """The editions that a change may be made to; empty means any.

    A proxy that packs an answer marks its ETag as weak; what it says of the edition is as true.
    """
    sent = [one.strip().removeprefix("W/") for one in request.headers.get("if-match", "*").split(",")]
    return frozenset() if sent == ["*"] else frozenset(one.strip('"') for one in sent)
