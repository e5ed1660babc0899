"""Runs side by side."""

from fastapi import Request, Response

from app.api.curves import RunIds
from app.api.fields import parse_id
from app.api.large import show_found
from app.api.once import show
from app.api.problems import declared
from app.api.run_search_models import Comparison
from app.api.strict import new_router
from app.domain.errors import InvalidRequest, UnknownRun
from app.service import compare

router = new_router("runs")


@router.get("/runs/compare", response_model=Comparison, responses=declared(UnknownRun, InvalidRequest))
async def compare_runs(request: Request, run_ids: RunIds) -> Response:
    """Compare params and metrics of several runs, in the order asked for."""
    wanted = [parse_id(run_id, UnknownRun) for run_id in run_ids]
    return await show_found(request, _side_by_side, compare.compare, wanted)


def _side_by_side(found: compare.Compared) -> Response:
    return show(
        {
            "run_ids": [str(run.run_id) for run in found.runs],
            "names": [run.name for run in found.runs],
            "trial_numbers": found.trial_numbers,
            "params": found.params(),
            "metrics": found.metrics(),
        }
    )
