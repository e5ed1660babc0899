"""Whether the service is alive, and whether it can work."""

from dataclasses import dataclass
from typing import Any, Literal

from fastapi import Request, Response

from app.api.fields import Answer
from app.api.problems import declared
from app.api.state import services
from app.api.strict import needs, new_router
from app.domain.errors import CorruptState, InvalidRequest, NotReady, Unavailable
from app.service import diagnose, metrics
from app.service.diagnose import Grade
from app.store.database import Database

router = new_router("operations", prefix="")


class Health(Answer):
    """All is well; otherwise the answer is a problem."""

    status: Literal["ok"] = "ok"


@router.get("/healthz", responses=declared(InvalidRequest))
@needs(None)
async def get_health() -> Health:
    """Check that the service is alive."""
    return Health()


@router.get("/readyz", responses=declared(InvalidRequest, NotReady))
@needs(None)
async def get_readiness(request: Request) -> Health:
    """Check that the store is reachable, its schema is the one that this release needs, and the service is not ending.

    If not, `checks` says for each of these whether it is well (`ok`), and what is wrong with it (`detail`).
    """
    found = services(request)
    checks = [
        Check("process", not found.readiness.is_leaving, "going down; ask another replica"),
        Check("writer", found.database.is_writing, "it has ended; restart the service"),
        await _check_store(found.database),
    ]
    if all(check.is_ok for check in checks):
        return Health()
    wrong = "; ".join(f"{check.name}: {check.detail}" for check in checks if not check.is_ok)
    raise NotReady(f"The service cannot work now. {wrong}", checks=[check.told() for check in checks])


@dataclass(frozen=True, slots=True)
class Check:
    """Something without which the service cannot work, and what it is like where it is not well."""

    name: str
    is_ok: bool
    detail: str

    def told(self) -> dict[str, Any]:
        """As the problem document has it."""
        return {"name": self.name, "ok": self.is_ok} | ({} if self.is_ok else {"detail": self.detail})


async def _check_store(database: Database) -> Check:
    try:
        schema = await database.read(diagnose.schema, is_served=True)
    except (Unavailable, CorruptState) as error:
        return Check("store", False, error.detail)
    return Check("schema", schema.grade is Grade.ok, schema.text)


_TEXT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The text format of Prometheus.",
        "content": {metrics.MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}


@router.get("/metrics", response_class=Response, responses=_TEXT | declared(InvalidRequest))
async def get_metrics_of_service(request: Request) -> Response:
    """Get what this process has counted, for Prometheus; the counts of several replicas add up."""
    found = services(request)
    return Response(metrics.render(found.database.n_waiting, found.feed.n_streams), media_type=metrics.MEDIA_TYPE)
