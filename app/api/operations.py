"""Whether the service is alive, and whether it can work."""

from typing import Any, Literal

from fastapi import Request, Response
from sqlalchemy import Connection

from app.api.fields import Answer
from app.api.problems import declared
from app.api.state import services
from app.api.strict import needs, new_router
from app.domain.errors import InvalidRequest, StoreBusy
from app.service import metrics
from app.store import migrate

router = new_router("operations", prefix="")


class Health(Answer):
    """All is well; where it is not, there is a problem instead."""

    status: Literal["ok"] = "ok"


@router.get("/healthz", responses=declared(InvalidRequest))
@needs(None)
async def get_health() -> Health:
    """Alive."""
    return Health()


@router.get("/readyz", responses=declared(InvalidRequest))
@needs(None)
async def get_readiness(request: Request) -> Health:
    """The store is reachable, its schema is the one that this release needs, and the service is not about to end."""
    if services(request).readiness.is_leaving:
        raise StoreBusy("The service is going down; ask another replica.")
    await services(request).database.read(_require_head)
    return Health()


_TEXT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The text format of Prometheus.",
        "content": {metrics.MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}


@router.get("/metrics", response_class=Response, responses=_TEXT | declared(InvalidRequest))
async def get_metrics_of_service(request: Request) -> Response:
    """What this process has counted, for Prometheus; what several replicas count adds up."""
    found = services(request)
    return Response(metrics.render(found.database.n_waiting, found.feed.n_streams), media_type=metrics.MEDIA_TYPE)


def _require_head(connection: Connection) -> None:
    present, needed = migrate.current_revision(connection), migrate.head_revision(connection)
    if present != needed:
        raise StoreBusy(f"The database is at schema {present}, and this release needs {needed}; restart to migrate.")
