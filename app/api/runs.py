"""Runs: start, log, end."""

from functools import partial

from fastapi import Request, Response

from app.api.editions import IF_MATCH, etag, read_if_match
from app.api.fields import body_digest, parse_id
from app.api.once import IDEMPOTENCY_KEY, answer_once, declared_once, show, write_once
from app.api.problems import BODY_ERRORS, declared
from app.api.run_models import (
    EndRequest,
    EpochAnswer,
    EpochBatchRequest,
    EpochRequest,
    HeartbeatAnswer,
    Run,
    RunPatch,
    RunRequest,
    StopRequest,
)
from app.api.state import services
from app.api.strict import body_limit, needs, new_router
from app.api.told import hear, told
from app.domain.access import Scope
from app.domain.errors import (
    DuplicateMetricKey,
    IdConflict,
    InvalidRequest,
    LeaseLost,
    MissingObjective,
    ParamExists,
    PreconditionFailed,
    RunEnded,
    TrialEnded,
    TunerStopped,
    UnknownRun,
    UnknownTrial,
)
from app.domain.states import RunStatus
from app.service.edit_run import EditRun, clear, delete_runs, edit_runs
from app.service.end import EndRun, end_runs
from app.service.log_epochs import Epoch, LogEpochs, Logged
from app.service.start import Started, StartRun, start_runs
from app.service.stop import REQUESTED, TellToStop, tell_to_stop
from app.store import runs
from app.store.runs import Run as RunRow

router = new_router("runs")

_NOTHING_SAID = RunRequest()
_FINISHED = EndRequest()
_NO_REASON = StopRequest()
_NO_CHANGE = RunPatch()


@router.post(
    "/runs",
    status_code=201,
    response_model=Run,
    openapi_extra=IDEMPOTENCY_KEY,
    responses=declared_once(UnknownTrial, IdConflict, TrialEnded, TunerStopped, LeaseLost)
    | {200: {"model": Run, "description": "The run was already started, with the same body."}},
)
@needs(Scope.train)
async def start_run(request: Request, body: RunRequest = _NOTHING_SAID) -> Response:
    """Start a run. With a `trial_id` it trains that trial; a repeat with the same `run_id` is harmless."""
    wanted = StartRun(
        run_id=body.run_id,
        name=body.name,
        params=body.params,
        tags=body.tags,
        note=body.note,
        trial_id=body.trial_id,
        worker=body.worker,
        attempt=body.attempt,
        stale_after_s=body.stale_after_s,
        start_time=body.start_time,
        body_digest=b"" if body.run_id is None else body_digest(body),
    )
    return await write_once(request, start_runs, wanted, _show_started)


def _show_started(started: Started) -> Response:
    headers = {"Location": f"/v1/runs/{started.run.run_id}", **etag(started.run)}
    return show(Run.of(started.run), 201 if started.is_new else 200, headers)


_LOG_ERRORS = declared_once(UnknownRun, DuplicateMetricKey, RunEnded, LeaseLost)


@router.post("/runs/{run_id}/epochs", response_model=EpochAnswer, openapi_extra=IDEMPOTENCY_KEY, responses=_LOG_ERRORS)
@needs(Scope.train)
async def log_epoch(request: Request, run_id: str, body: EpochRequest) -> Response:
    """Log one epoch. Values already stored are harmless; a different value for one of them is refused."""
    return await _log(request, run_id, [Epoch(body.epoch, body.metrics)])


@router.post(
    "/runs/{run_id}/epochs/batch", response_model=EpochAnswer, openapi_extra=IDEMPOTENCY_KEY, responses=_LOG_ERRORS
)
@needs(Scope.train)
@body_limit(4 * 2**20)
async def log_epoch_batch(request: Request, run_id: str, body: EpochBatchRequest) -> Response:
    """Log several epochs, all or nothing."""
    return await _log(request, run_id, [Epoch(one.epoch, one.metrics, one.timestamp) for one in body.epochs])


async def _log(request: Request, run_id: str, epochs: list[Epoch]) -> Response:
    wanted = LogEpochs(parse_id(run_id, UnknownRun), epochs)
    tracker = services(request).tracker

    words = partial(tracker.log, wanted)
    return await answer_once(request, partial(hear, tracker, wanted.run_id, words), _show_logged)


def _show_logged(logged: Logged) -> Response:
    counted = {"event_id": logged.last.event_id, "accepted": logged.accepted, "duplicates": logged.duplicates}
    return show(counted | told(logged.alive))


@router.post(
    "/runs/{run_id}/heartbeat",
    response_model=HeartbeatAnswer,
    openapi_extra=IDEMPOTENCY_KEY,
    responses=declared_once(UnknownRun, RunEnded, LeaseLost),
)
@needs(Scope.train)
async def keep_run_alive(request: Request, run_id: str) -> Response:
    """Report that the training goes on, without an epoch; the answer says whether it should stop."""
    run = parse_id(run_id, UnknownRun)
    tracker = services(request).tracker
    words = partial(tracker.heartbeat, run)
    return await answer_once(request, partial(hear, tracker, run, words), lambda alive: show(told(alive)))


@router.post(
    "/runs/{run_id}/stop",
    response_model=Run,
    openapi_extra=IDEMPOTENCY_KEY,
    responses=declared_once(UnknownRun, RunEnded),
)
@needs(Scope.train)
async def stop_run(request: Request, run_id: str, body: StopRequest = _NO_REASON) -> Response:
    """Ask a run to stop: the answer to its next epoch or heartbeat tells it so."""
    wanted = TellToStop(parse_id(run_id, UnknownRun), REQUESTED, body.reason)
    return await write_once(request, tell_to_stop, wanted, _show_run)


@router.post(
    "/runs/{run_id}/end",
    response_model=Run,
    openapi_extra=IDEMPOTENCY_KEY,
    responses=declared_once(UnknownRun, MissingObjective, RunEnded, LeaseLost),
)
@needs(Scope.train)
async def end_run(request: Request, run_id: str, body: EndRequest = _FINISHED) -> Response:
    """End a run; if it belongs to a trial, this is the trial's result. Repeating it is harmless."""
    status = RunStatus(body.status)
    wanted = EndRun(parse_id(run_id, UnknownRun), status, body.final_metrics, body.end_time, body.reason)
    return await write_once(request, end_runs, wanted, _show_run)


def _show_run(run: RunRow) -> Response:
    return show(Run.of(run), headers=etag(run))


@router.patch(
    "/runs/{run_id}",
    response_model=Run,
    openapi_extra=IF_MATCH,
    responses=declared(*BODY_ERRORS, UnknownRun, InvalidRequest, ParamExists, RunEnded, PreconditionFailed),
)
@needs(Scope.train)
async def edit_run(request: Request, run_id: str, body: RunPatch = _NO_CHANGE) -> Response:
    """Change the name, tags or note of a run, or add params while it is running."""
    run = parse_id(run_id, UnknownRun)
    wanted = EditRun(run, body.name, body.tags, body.note, body.params, read_if_match(request))
    return _show_run(await services(request).database.write(edit_runs, wanted))


@router.delete("/runs/{run_id}", status_code=204, responses=declared(UnknownRun, InvalidRequest))
@needs(Scope.tune)
async def delete_run(request: Request, run_id: str) -> Response:
    """Delete a run and its history."""
    database = services(request).database
    await clear(database, await database.write(delete_runs, parse_id(run_id, UnknownRun)))
    return Response(status_code=204)


@router.get("/runs/{run_id}", response_model=Run, responses=declared(UnknownRun, InvalidRequest))
async def get_run(request: Request, run_id: str) -> Response:
    """Get one run. Its ETag changes when somebody edits the run, not when it logs epochs."""
    return _show_run(await services(request).database.read(runs.get, parse_id(run_id, UnknownRun)))
