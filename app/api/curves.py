"""Curves: a run's, or those of several."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response

from app.api.fields import parse_id
from app.api.large import show_found
from app.api.once import show
from app.api.problems import declared
from app.api.run_search_models import ManySeries, RunSeries
from app.api.strict import new_router
from app.domain.errors import InvalidRequest, UnknownRun
from app.domain.values import INT64_MAX
from app.service.series import MOST_VALUES, Series, read_many_series, read_series

router = new_router("runs")

Keys = Annotated[str | None, Query(description="Comma-separated metric names; all by default.")]
MaxPoints = Annotated[
    int | None,
    Query(
        ge=2,
        le=100_000,
        description="Thin each curve to this many points, keeping the first, last and extremes. "
        f"An answer has at most {MOST_VALUES:,} values.",
    ),
]
AfterEpoch = Annotated[
    int | None, Query(ge=-1, le=INT64_MAX, description="Only epochs after this one; -1 stands before the first.")
]
RunIds = Annotated[
    list[str],
    Query(alias="run_id", min_length=1, max_length=100, description="The id of a run; repeat it for several."),
]


@router.get("/runs/{run_id}/metrics", response_model=RunSeries, responses=declared(UnknownRun, InvalidRequest))
async def get_metrics(
    request: Request,
    run_id: str,
    keys: Keys = None,
    after_epoch: AfterEpoch = None,
    max_points: MaxPoints = None,
) -> Response:
    """Get a run's curves, in columns."""
    run = parse_id(run_id, UnknownRun)

    def shown(series: Mapping[str, Series]) -> Response:
        return show(_columns(run, series))

    return await show_found(request, shown, read_series, run, split_keys(keys), after_epoch, max_points, MOST_VALUES)


@router.get("/metrics", response_model=ManySeries, responses=declared(UnknownRun, InvalidRequest))
async def get_many_metrics(
    request: Request, run_ids: RunIds, keys: Keys = None, max_points: MaxPoints = None
) -> Response:
    """Get the curves of several runs, in the order asked for."""
    runs = [parse_id(run_id, UnknownRun) for run_id in run_ids]

    def shown(found: Sequence[Mapping[str, Series]]) -> Response:
        return show({"runs": [_columns(run, series) for run, series in zip(runs, found, strict=True)]})

    return await show_found(request, shown, read_many_series, runs, split_keys(keys), max_points, MOST_VALUES)


def split_keys(keys: str | None) -> list[str] | None:
    """The names in a list with commas between, each once; None is all."""
    return None if keys is None else [key for key in dict.fromkeys(keys.split(",")) if key]


def _columns(run_id: UUID, series: Mapping[str, Series]) -> dict[str, Any]:
    return {
        "run_id": str(run_id),
        "series": {key: {"epochs": one.epochs, "values": one.values} for key, one in series.items()},
    }
