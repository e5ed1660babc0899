"""What the fuzzer cannot know of the service: whom webhooks may call, and which rules no schema can say."""

from typing import Any

import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.openapi.checks import RejectedPositiveData

from tests.receiver import HOST

_NOBODY_LISTENS = f"http://{HOST}:9/"

_BEYOND_SCHEMAS = {
    "bad-filter",
    "idempotency-key-reused",
    "invalid-space",
    "missing-objective",
    "params-out-of-space",
    "precondition-failed",
    "unknown-strategy",
    "webhook-url-not-allowed",
}
"""Refusals that depend on what is stored, or on a language or a web of names that a schema has no words for."""


_BEYOND_SHAPES = (
    "An integer is expected",  # 3.0 is an integer to a schema, and none to us
    "It must not be blank",  # what is a space, languages see differently
)
"""How messages that tell of such things begin where the code is `invalid-request`, besides those of our own rules."""


@schemathesis.hook
def before_call(_context: HookContext, case: Case[Any], _kwargs: dict[str, Any]) -> None:
    """The examples of webhooks lead to where one may lead, so that there are observers to ask for."""
    if isinstance(case.body, dict) and "example.com" in str(case.body.get("url")):
        case.body["url"] = _NOBODY_LISTENS


@schemathesis.hook
def filter_failure(_context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """A valid request may be refused only for what no schema can say, and no other be taken but for its nulls."""
    if isinstance(failure, AcceptedNegativeData):
        return not _holds_null(case.body)
    if not isinstance(failure, RejectedPositiveData):
        return True
    found = response.json()
    messages = [error["message"] for error in found.get("errors", ())]
    return found["code"] not in _BEYOND_SCHEMAS and not any(map(_is_beyond_shapes, messages))


def _is_beyond_shapes(message: str) -> bool:
    """What is checked by a shape begins with a capital letter, the sentence of a rule of our own with a small one."""
    return message[0].islower() or message.startswith(_BEYOND_SHAPES)


def _holds_null(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(one is None or _holds_null(one) for one in inner)
