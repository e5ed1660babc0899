"""Overviews: all that somebody who looks wants at once, in one request each; the dashboard asks for nothing more."""

import gzip
from collections.abc import Callable
from typing import Annotated, Concatenate, ParamSpec, TypeVar

import orjson
from fastapi import Query, Request, Response
from pydantic import BaseModel
from sqlalchemy import Connection

from app.api.fields import parse_id
from app.api.filter_params import TunerFilter
from app.api.goal_models import Budget, Objective
from app.api.large import show_found
from app.api.overview_models import (
    Front,
    Improvement,
    Overview,
    RunCurve,
    RunOverview,
    TrialColumns,
    TunerLine,
    TunerOverview,
    columns_of,
)
from app.api.pages import TIME_AND_ID, PageSize, PageToken, read_token, split, write_token
from app.api.problems import declared
from app.api.run_models import Run
from app.api.run_search_models import Series
from app.api.state import services
from app.api.strict import new_router
from app.api.trial_models import Trial
from app.api.tuner_models import TrialCounts, Tuner
from app.domain.errors import BadFilter, InvalidRequest, UnknownRun, UnknownTuner
from app.domain.filters import TUNER_FIELDS
from app.domain.values import to_json_number, to_rfc3339
from app.service import overview
from app.service.filter_language import parse_filter

P = ParamSpec("P")
A = TypeVar("A")

router = new_router("overviews")

MaxPoints = Annotated[int, Query(ge=2, le=10_000, description="Thin each curve to this many points.")]
_WORTH_PACKING_BYTES = 2_000


@router.get("/overview", response_model=Overview, responses=declared(InvalidRequest, BadFilter))
async def list_overviews(
    request: Request,
    filter: TunerFilter = None,  # the name is the contract's
    page_size: PageSize = 50,
    page_token: PageToken = None,
) -> Response:
    """List tuners that match a filter, newest first, each with its best and since when, what runs, the last sign."""
    condition = parse_filter(filter, TUNER_FIELDS)

    def shaped(looked: tuple[int, list[overview.TunerLine]]) -> Overview:
        last, found = looked
        page, token = split(found, page_size, lambda one: write_token((one.tuner.create_time, one.tuner.tuner_id)))
        return Overview(last_event_id=last, items=[_line(one) for one in page], next_page_token=token)

    after = read_token(page_token, TIME_AND_ID)
    return await _show_packed(request, shaped, services(request).lines.list_page, after, page_size + 1, condition)


def _line(line: overview.TunerLine) -> TunerLine:
    tuner = line.tuner
    return TunerLine(
        tuner_id=tuner.tuner_id,
        name=tuner.name,
        state=tuner.state,
        stop_reason=tuner.stop_reason,
        objectives=[Objective.model_validate(one) for one in tuner.objectives],
        budget=Budget.model_validate(tuner.budget),
        n_proposed=tuner.n_proposed,
        counts=TrialCounts.model_validate(tuner.counts),
        best=None if line.best is None else Trial.of(line.best),
        front=None if line.front is None else Front(n_trials=line.front.n_trials, best=line.front.best),
        improvements=[Improvement.model_validate(one) for one in line.improvements],
        tags=tuner.tags,
        create_time=to_rfc3339(tuner.create_time),
        last_sign_time=to_rfc3339(line.last_sign),
    )


@router.get(
    "/tuners/{tuner_id}/overview", response_model=TunerOverview, responses=declared(UnknownTuner, InvalidRequest)
)
async def get_tuner_overview(
    request: Request,
    tuner_id: str,
    max_trials: Annotated[int, Query(ge=1, le=10_000, description="The maximum number of trials.")] = 1000,
    max_curves: Annotated[int, Query(ge=0, le=200, description="The maximum number of curves.")] = 50,
    max_points: MaxPoints = 200,
    metric: Annotated[str | None, Query(description="Whose curves; by default the first objective's.")] = None,
) -> Response:
    """Show how a tuner is doing: what is best and since when, its trials in columns, and its learning curves."""
    tuner = parse_id(tuner_id, UnknownTuner)
    return await _show_packed(
        request, _shape_tuner, overview.look_at_tuner, tuner, max_trials, max_curves, max_points, metric
    )


def _shape_tuner(found: overview.TunerOverview) -> TunerOverview:
    return TunerOverview(
        last_event_id=found.last_event_id,
        tuner=Tuner.of(found.tuner, found.best),
        n_proposed=found.tuner.n_proposed,
        n_trials=found.tuner.n_trials,
        n_ended=found.n_ended,
        improvements=[Improvement.model_validate(one) for one in found.improvements],
        trials=_columns(found),
        n_runs=found.n_runs,
        curves=[_curve(one) for one in found.curves],
    )


def _columns(found: overview.TunerOverview) -> TrialColumns:
    rows = found.trials
    metrics = [one["metric"] for one in found.tuner.objectives]
    return TrialColumns.model_construct(
        trial_id=[row.trial_id for row in rows],
        run_id=[found.run_of.get(row.trial_id) for row in rows],
        number=[row.number for row in rows],
        state=[row.state for row in rows],
        score=[None if row.score is None else to_json_number(row.score) for row in rows],
        place=found.places,
        reason=[row.reason for row in rows],
        worker=[row.worker for row in rows],
        attempt=[row.shown_attempt for row in rows],
        create_time=[to_rfc3339(row.create_time) for row in rows],
        end_time=[None if row.end_time is None else to_rfc3339(row.end_time) for row in rows],
        params=columns_of([row.params for row in rows], list(found.tuner.space)),
        scores=columns_of([row.scores or {} for row in rows], metrics if len(metrics) > 1 else []),
    )


def _curve(curve: overview.Curve) -> RunCurve:
    return RunCurve.model_construct(**curve.owner._asdict(), epochs=curve.series.epochs, values=curve.series.values)


@router.get("/runs/{run_id}/overview", response_model=RunOverview, responses=declared(UnknownRun, InvalidRequest))
async def get_run_overview(
    request: Request,
    run_id: str,
    max_points: Annotated[
        int, Query(ge=0, le=10_000, description="Thin each curve to this many points; fewer than 2: no curves.")
    ] = 1000,
) -> Response:
    """Show how a run is doing: the run, its trial, all its curves, and its events except epochs."""
    return await _show_packed(request, _shape_run, overview.look_at_run, parse_id(run_id, UnknownRun), max_points)


def _shape_run(found: overview.RunOverview) -> RunOverview:
    objectives = [] if found.tuner is None else found.tuner.objectives
    return RunOverview.model_construct(
        last_event_id=found.last_event_id,
        run=Run.of(found.run),
        tuner_name=None if found.tuner is None else found.tuner.name,
        objective=Objective.model_validate(objectives[0]) if len(objectives) == 1 else None,
        trial=None if found.trial is None else Trial.of(found.trial),
        series={key: Series.model_construct(epochs=one.epochs, values=one.values) for key, one in found.series.items()},
        events=found.told,
    )


async def _show_packed(
    request: Request,
    shaped: Callable[[A], BaseModel],
    query: Callable[Concatenate[Connection, P], A],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Response:
    return await show_found(request, lambda found: _packed(request, shaped(found)), query, *args, **kwargs)


def _packed(request: Request, answer: BaseModel) -> Response:
    """The answer, smaller where the client can unpack it: columns of numbers pack well, and some look from afar."""
    # Without warnings: what the store gives is as documented already, and no models were made of it.
    body = orjson.dumps(answer.model_dump(mode="json", warnings=False))
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if len(body) > _WORTH_PACKING_BYTES and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 5)
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type="application/json")
