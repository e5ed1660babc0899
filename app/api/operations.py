"""Whether the service is alive, and whether it can work."""

from typing import Literal

from fastapi import Request
from sqlalchemy import Connection

from app.api.fields import Answer
from app.api.problems import declared
from app.api.state import services
from app.api.strict import needs, new_router
from app.domain.errors import InvalidRequest, StoreBusy
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


def _require_head(connection: Connection) -> None:
    present, needed = migrate.current_revision(connection), migrate.head_revision(connection)
    if present != needed:
        raise StoreBusy(f"The database is at schema {present}, and this release needs {needed}; restart to migrate.")
