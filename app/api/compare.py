"""Runs side by side."""

from fastapi import Request, Response

from app.api.curves import RunIds
from app.api.fields import parse_id
from app.api.once import show
from app.api.problems import declared
from app.api.run_search_models import Comparison
from app.api.state import services
from app.api.strict import new_router
from app.domain.errors import InvalidRequest, UnknownRun
from app.service import compare

router = new_router("runs")


@router.get("/runs/compare", response_model=Comparison, responses=declared(UnknownRun, InvalidRequest))
async def compare_runs(request: Request, run_ids: RunIds) -> Response:
    """Params and metrics of several runs side by side, in the order asked."""
    wanted = [parse_id(run_id, UnknownRun) for run_id in run_ids]
    found = await services(request).database.read(compare.compare, wanted)
    return show(
        {
            "run_ids": [str(run.run_id) for run in found.runs],
            "names": [run.name for run in found.runs],
            "params": found.params(),
            "metrics": found.metrics(),
        }
    )
