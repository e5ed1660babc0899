"""Examples of what belongs to no noun: sign-in, health, problems."""

from typing import Any

from app.api.examples.ids import RUN_ID

EXAMPLES: dict[str, Any] = {
    "SignInRequest": {"key": "tunetrack_0000000000000000000000000000000000000000000AbC12d"},
    "Session": {"name": "ci", "scope": "train"},
    "Health": {"status": "ok"},
    "Problem": {
        "type": "/problems/unknown-run",
        "title": "Unknown run",
        "status": 404,
        "detail": f"There is no run {RUN_ID}. GET /v1/runs lists those that exist.",
        "instance": f"/v1/runs/{RUN_ID}",
        "code": "unknown-run",
        "request_id": "019ab1c2-6c01-7d12-8e23-f34455667788",
    },
}
