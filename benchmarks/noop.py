"""The same POST without a store: application, route class, body and answer of the epoch log, and nothing done.

`python -m benchmarks.noop` prints the port that it listens on.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import cast

import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response

from app.api.application import State, build
from app.api.gate import Rules
from app.api.once import show
from app.api.run_models import EpochAnswer, EpochRequest
from app.api.state import Services
from app.api.strict import StrictRoute
from app.domain.access import OPEN, Grant

router = APIRouter(prefix="/v1")


@router.post("/runs/{run_id}/epochs")
async def log_nothing(run_id: str, body: EpochRequest) -> EpochAnswer:
    """Validate the body, and answer as the service would, the way that the framework documents."""
    return EpochAnswer(
        event_id=1, accepted=len(body.metrics), duplicates=0, should_stop=False, stop=None, lease_expires_at=None
    )


async def log_nothing_straight(request: Request, run_id: str, body: EpochRequest) -> Response:
    """The same on the service's own short way to its writes, see `app.api.strict`."""
    told = {"should_stop": False, "stop": None, "lease_expires_at": None}
    return show({"event_id": 1, "accepted": len(body.metrics), "duplicates": 0, **told})


router.add_api_route(
    "/straight/{run_id}/epochs", log_nothing_straight, methods=["POST"], route_class_override=StrictRoute
)


class _OpenToAll:
    """Lets everybody in, as the service does that has no keys."""

    async def admit(self, _key: str | None) -> Grant:
        return OPEN


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[State]:
    yield State(services=cast(Services, SimpleNamespace(key_ring=_OpenToAll())))


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets is not None
        print(sockets[0].getsockname()[1], flush=True)


def serve(router: APIRouter) -> None:
    """Serve on a free port: an application with the service's settings, a server with its options, these routes."""
    app = build(_lifespan, "0", Rules())
    app.router.routes.clear()
    app.router.routes.extend(router.routes)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        loop="uvloop",
        http="httptools",
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    _Server(config).run(sockets=[listener])


if __name__ == "__main__":
    serve(router)
