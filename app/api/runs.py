"""Runs: start, log, end, look."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api.fields import EpochNumber, body_digest, parse_id
from app.api.pages import TIME_AND_ID, PageSize, PageToken, read_token, split
from app.api.problems import BODY_ERRORS, declared
from app.api.run_models import (
    EndRequest,
    EpochAnswer,
    EpochBatchRequest,
    EpochRequest,
    Run,
    RunPage,
    RunRequest,
    RunSeries,
    Series,
)
from app.api.state import services
from app.api.strict import StrictRoute, body_limit
from app.domain.errors import (
    DuplicateMetricKey,
    IdConflict,
    InvalidRequest,
    MissingObjective,
    RunEnded,
    TrialEnded,
    UnknownRun,
    UnknownTrial,
)
from app.domain.states import RunStatus
from app.service.end import EndRun, end_runs
from app.service.log_epochs import Epoch, LogEpochs, log_epochs
from app.service.series import read_series
from app.service.start import StartRun, start_runs
from app.store import runs

router = APIRouter(prefix="/v1", tags=["runs"], route_class=StrictRoute)

_NOTHING_SAID = RunRequest()
_FINISHED = EndRequest()


@router.post(
    "/runs",
    status_code=201,
    responses=declared(*BODY_ERRORS, UnknownTrial, InvalidRequest, IdConflict, TrialEnded)
    | {200: {"model": Run, "description": "It was started before, by the same body."}},
)
async def start_run(request: Request, response: Response, body: RunRequest = _NOTHING_SAID) -> Run:
    """Start a run. The same again under a chosen id is harmless."""
    wanted = StartRun(
        run_id=body.run_id,
        name=body.name,
        params=body.params,
        tags=body.tags,
        note=body.note,
        trial_id=body.trial_id,
        body_digest=b"" if body.run_id is None else body_digest(body),
    )
    started = await services(request).database.write(start_runs, wanted)
    response.status_code = 201 if started.is_new else 200
    response.headers["Location"] = f"/v1/runs/{started.run.run_id}"
    return Run.of(started.run)


_LOG_ERRORS = declared(*BODY_ERRORS, UnknownRun, InvalidRequest, DuplicateMetricKey, RunEnded)


@router.post("/runs/{run_id}/epochs", responses=_LOG_ERRORS)
async def log_epoch(request: Request, run_id: str, body: EpochRequest) -> EpochAnswer:
    """Log one epoch. Values that are stored already are harmless; another value for one of them is refused."""
    return await _log(request, run_id, [Epoch(body.epoch, body.metrics)])


@router.post("/runs/{run_id}/epochs/batch", responses=_LOG_ERRORS)
@body_limit(4 * 2**20)
async def log_epoch_batch(request: Request, run_id: str, body: EpochBatchRequest) -> EpochAnswer:
    """Log several epochs, all or nothing."""
    return await _log(request, run_id, [Epoch(one.epoch, one.metrics, one.timestamp) for one in body.epochs])


async def _log(request: Request, run_id: str, epochs: list[Epoch]) -> EpochAnswer:
    wanted = LogEpochs(parse_id(run_id, UnknownRun), epochs)
    logged = await services(request).database.write(log_epochs, wanted)
    return EpochAnswer(
        event_id=logged.last.event_id, accepted=logged.accepted, duplicates=logged.duplicates, should_stop=False
    )


@router.post(
    "/runs/{run_id}/end", responses=declared(*BODY_ERRORS, UnknownRun, InvalidRequest, MissingObjective, RunEnded)
)
async def end_run(request: Request, run_id: str, body: EndRequest = _FINISHED) -> Run:
    """End a run; where it belongs to a trial, this is the trial's result. The same again is harmless."""
    wanted = EndRun(parse_id(run_id, UnknownRun), RunStatus(body.status), body.final_metrics)
    return Run.of(await services(request).database.write(end_runs, wanted))


@router.get("/runs", responses=declared(InvalidRequest))
async def list_runs(request: Request, page_size: PageSize = 50, page_token: PageToken = None) -> RunPage:
    """Runs, newest first."""
    after = read_token(page_token, TIME_AND_ID)
    found = await services(request).database.read(runs.list_page, after, page_size + 1)
    page, token = split(found, page_size, lambda run: (run.start_time, run.run_id))
    return RunPage(items=[Run.of(run) for run in page], next_page_token=token)


@router.get("/runs/{run_id}", responses=declared(UnknownRun, InvalidRequest))
async def get_run(request: Request, run_id: str) -> Run:
    """One run."""
    return Run.of(await services(request).database.read(runs.get, parse_id(run_id, UnknownRun)))


@router.get("/runs/{run_id}/metrics", responses=declared(UnknownRun, InvalidRequest))
async def get_metrics(
    request: Request,
    run_id: str,
    keys: Annotated[str | None, Query(description="Metric names with commas between; all of them by default.")] = None,
    after_epoch: Annotated[EpochNumber | None, Query(strict=False)] = None,
    max_points: Annotated[
        int | None,
        Query(ge=2, le=100_000, description="Thin each curve to so many points: first, last and extremes stay."),
    ] = None,
) -> RunSeries:
    """A run's curves, in columns."""
    run = parse_id(run_id, UnknownRun)
    wanted = None if keys is None else [key for key in keys.split(",") if key]
    series = await services(request).database.read(read_series, run, wanted, after_epoch, max_points)
    return RunSeries(
        run_id=run, series={key: Series(epochs=one.epochs, values=one.values) for key, one in series.items()}
    )
