"""Runs: start, log, end, look."""

from typing import Annotated

from fastapi import Query, Request, Response

from app.api.fields import EpochNumber, body_digest, parse_id
from app.api.once import PARAMETER, answer_once, declared_once, show
from app.api.pages import TIME_AND_ID, PageSize, PageToken, read_token, split
from app.api.problems import declared
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
from app.api.strict import body_limit, new_router
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
from app.service.log_epochs import Epoch, LogEpochs, Logged, log_epochs
from app.service.series import read_series
from app.service.start import Started, StartRun, start_runs
from app.store import runs
from app.store.runs import Run as RunRow

router = new_router("runs")

_NOTHING_SAID = RunRequest()
_FINISHED = EndRequest()


@router.post(
    "/runs",
    status_code=201,
    response_model=Run,
    openapi_extra=PARAMETER,
    responses=declared_once(UnknownTrial, IdConflict, TrialEnded)
    | {200: {"model": Run, "description": "It was started before, by the same body."}},
)
async def start_run(request: Request, body: RunRequest = _NOTHING_SAID) -> Response:
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
    database = services(request).database
    return await answer_once(request, lambda once: database.write(start_runs, wanted, once), _show_started)


def _show_started(started: Started) -> Response:
    location = {"Location": f"/v1/runs/{started.run.run_id}"}
    return show(Run.of(started.run), 201 if started.is_new else 200, location)


_LOG_ERRORS = declared_once(UnknownRun, DuplicateMetricKey, RunEnded)


@router.post("/runs/{run_id}/epochs", response_model=EpochAnswer, openapi_extra=PARAMETER, responses=_LOG_ERRORS)
async def log_epoch(request: Request, run_id: str, body: EpochRequest) -> Response:
    """Log one epoch. Values that are stored already are harmless; another value for one of them is refused."""
    return await _log(request, run_id, [Epoch(body.epoch, body.metrics)])


@router.post("/runs/{run_id}/epochs/batch", response_model=EpochAnswer, openapi_extra=PARAMETER, responses=_LOG_ERRORS)
@body_limit(4 * 2**20)
async def log_epoch_batch(request: Request, run_id: str, body: EpochBatchRequest) -> Response:
    """Log several epochs, all or nothing."""
    return await _log(request, run_id, [Epoch(one.epoch, one.metrics, one.timestamp) for one in body.epochs])


async def _log(request: Request, run_id: str, epochs: list[Epoch]) -> Response:
    wanted = LogEpochs(parse_id(run_id, UnknownRun), epochs)
    database = services(request).database
    return await answer_once(request, lambda once: database.write(log_epochs, wanted, once), _show_logged)


def _show_logged(logged: Logged) -> Response:
    return show(
        {
            "event_id": logged.last.event_id,
            "accepted": logged.accepted,
            "duplicates": logged.duplicates,
            "should_stop": False,
            "stop": None,
            "lease_expires_at": None,
        }
    )


@router.post(
    "/runs/{run_id}/end",
    response_model=Run,
    openapi_extra=PARAMETER,
    responses=declared_once(UnknownRun, MissingObjective, RunEnded),
)
async def end_run(request: Request, run_id: str, body: EndRequest = _FINISHED) -> Response:
    """End a run; where it belongs to a trial, this is the trial's result. The same again is harmless."""
    wanted = EndRun(parse_id(run_id, UnknownRun), RunStatus(body.status), body.final_metrics)
    database = services(request).database
    return await answer_once(request, lambda once: database.write(end_runs, wanted, once), _show_ended)


def _show_ended(run: RunRow) -> Response:
    return show(Run.of(run))


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
