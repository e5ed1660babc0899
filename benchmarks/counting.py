"""What counting costs a request: `python -m benchmarks.counting` (a few seconds of processor time).

In one process, without a network: the short way of an epoch log that stores nothing (see `noop`), and the counters that
each request and each batch move, as a share of it. The epoch log itself takes about twice as much (see `write_path`),
and the network comes on top.
"""

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from app.api.application import build
from app.api.gate import Rules
from app.service import metrics
from benchmarks.noop import _OpenToAll, router

_ROUNDS = 7
_N = 2000
_BODY = b'{"epoch": 3, "metrics": {"loss": 0.41, "accuracy": 0.88}}'
_PATH = "/v1/straight/0198c9a0-0000-7000-8000-000000000000/epochs"


def main() -> None:
    """Measure in turns, take the quickest round of each, and tell."""
    app = build(None, "0", Rules())
    app.router.routes.clear()
    app.router.routes.extend(router.routes)

    async def post() -> None:
        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": _PATH,
            "raw_path": _PATH.encode(),
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
            "client": ("127.0.0.1", 1),
            "state": {"services": SimpleNamespace(key_ring=_OpenToAll())},
        }
        status = 0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": _BODY, "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)

        await app(scope, receive, send)
        assert status == 200, status

    async def post_many() -> None:
        for _ in range(_N):
            await post()

    def count_many() -> None:
        for _ in range(_N):
            metrics.count_request("POST", "/v1/runs/{run_id}/epochs", 200, 0.0123)

    def batch_many() -> None:
        for _ in range(_N):
            metrics.count_batch(32, 0.0123, 0.004)

    asyncio.run(post_many())
    rounds = [
        (_timed(lambda: asyncio.run(post_many())), _timed(count_many), _timed(batch_many)) for _ in range(_ROUNDS)
    ]
    request_us, count_us, batch_us = (1e6 * min(column) / _N for column in zip(*rounds, strict=True))
    print(f"a request that stores nothing, in process {request_us:8.1f} µs")
    print(f"counting it, which is part of that        {count_us:8.1f} µs  {count_us / request_us:6.1%}")
    print(f"counting a batch (of 1 to 512 writes)     {batch_us:8.1f} µs  {batch_us / request_us:6.1%}")


def _timed(do: Callable[[], object]) -> float:
    began = time.process_time()
    do()
    return time.process_time() - began


if __name__ == "__main__":
    main()
