"""Tuners: create, look, snapshot. Suggest and result are in `trials.py`."""

from dataclasses import asdict
from uuid import UUID

from fastapi import Request, Response
from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from app.api.editions import IF_MATCH, etag, read_if_match
from app.api.fields import body_digest, parse_id
from app.api.filter_params import TunerFilter
from app.api.goal_models import Objective
from app.api.large import apart, show_found
from app.api.once import IDEMPOTENCY_KEY, declared_once, show, write_once
from app.api.pages import TIME_AND_ID, PageSize, PageToken, read_token, split, write_token
from app.api.problems import BODY_ERRORS, declared
from app.api.snapshot_models import Snapshot, SnapshotTrial, SnapshotTuner
from app.api.state import services
from app.api.strict import body_limit, needs, new_router
from app.api.tuner_models import (
    PluginLeftOut,
    Strategy,
    StrategyList,
    Tuner,
    TunerPage,
    TunerPatch,
    TunerRequest,
)
from app.domain.access import Scope
from app.domain.errors import (
    BadFilter,
    IdConflict,
    InvalidRequest,
    InvalidSpace,
    ParamsOutOfSpace,
    PreconditionFailed,
    TunerStopped,
    UnknownStrategy,
    UnknownTuner,
)
from app.domain.filters import TUNER_FIELDS, Condition
from app.domain.goal import Objective as ObjectiveValue
from app.domain.space import Space
from app.domain.values import from_json_number
from app.service import create, snapshot
from app.service.filter_language import parse_filter
from app.service.steer import EditTuner, Steer, Steered, Turn, delete_tuners, edit_tuners, steer
from app.store import trials, tuners
from app.store.trials import Trial as TrialRow
from app.store.tuners import Tuner as TunerRow
from app.tuning import plugins
from app.tuning.registry import STRATEGIES

router = new_router("tuners")

_NOTHING_SAID = TunerPatch()


@router.post(
    "/tuners",
    status_code=201,
    response_model=Tuner,
    openapi_extra=IDEMPOTENCY_KEY,
    responses=declared_once(InvalidSpace, ParamsOutOfSpace, UnknownStrategy, IdConflict)
    | {200: {"model": Tuner, "description": "The tuner was already created, with the same body."}},
)
@needs(Scope.tune)
@body_limit(64 * 2**20)
async def create_tuner(request: Request, body: TunerRequest) -> Response:
    """Create a tuner from a space, or rebuild one from a snapshot. A repeat with the same `tuner_id` is harmless."""
    brought, taken = await request.body(), body.snapshot
    if taken is None:
        wanted = await apart(brought, lambda: _creation(body))
        return await write_once(request, create.create_tuners, wanted, _show_created)
    sent = (await request.json())["snapshot"]
    rebuilt = await apart(brought, lambda: _restoration(body, taken, sent))
    return await write_once(request, snapshot.restore_tuners, rebuilt, _show_created)


def _show_created(created: create.Created) -> Response:
    headers = {"Location": f"/v1/tuners/{created.tuner.tuner_id}", **etag(created.tuner)}
    return show(Tuner.of(created.tuner, created.best), 201 if created.is_new else 200, headers)


def _creation(body: TunerRequest) -> create.CreateTuner:
    return create.CreateTuner(body.tuner_id, _definition(body), body_digest(body))


def _definition(body: TunerRequest | SnapshotTuner) -> create.Definition:
    objectives = body.objectives or [getattr(body, "objective", None) or Objective()]
    return create.define(
        name=body.name,
        strategy=body.strategy,
        space=Space.from_json({name: spec.model_dump() for name, spec in (body.space or {}).items()}),
        objectives=[ObjectiveValue(one.metric, one.direction) for one in objectives],
        seed=body.seed,
        options=body.options,
        budget=body.budget.value(),
        stopper=body.stopper,
        lease_s=body.lease_s,
        tags=body.tags,
    )


def _restoration(body: TunerRequest, taken: Snapshot, sent: dict[str, object]) -> snapshot.RestoreTuner:
    if snapshot.checksum(sent) != taken.checksum:
        raise InvalidRequest("the checksum does not fit the snapshot: it was changed or cut", "body", "snapshot")
    snapshot.require_numbered([trial.number for trial in taken.trials])
    definition = _definition(taken.tuner)
    restored = [_restored(trial, definition.space) for trial in taken.trials]
    snapshot.check_outcomes(restored, definition.objectives)
    tuner_id = body.tuner_id or uuid7()
    return snapshot.RestoreTuner(
        tuner_id=tuner_id,
        definition=definition,
        body_digest=body_digest(body),
        state=taken.tuner.state,
        stop_reason=taken.tuner.stop_reason,
        n_proposed=taken.tuner.n_proposed,
        is_exhausted=taken.tuner.is_exhausted,
        trials=snapshot.rebuild(tuner_id, restored),
    )


def _restored(trial: SnapshotTrial, space: Space) -> snapshot.RestoredTrial:
    return snapshot.RestoredTrial(
        params=space.coerce(trial.params),
        state=trial.state,
        score=None if trial.score is None else from_json_number(trial.score),
        scores=trial.scores,
        reason=trial.reason,
        worker=trial.worker,
        attempt=trial.attempt,
        why=trial.why,
        create_time=trial.create_time,
        end_time=trial.end_time,
    )


@router.get("/tuners", response_model=TunerPage, responses=declared(InvalidRequest, BadFilter))
async def list_tuners(
    request: Request,
    filter: TunerFilter = None,  # the name is the contract's
    page_size: PageSize = 50,
    page_token: PageToken = None,
) -> Response:
    """List tuners that match a filter, newest first."""
    condition = parse_filter(filter, TUNER_FIELDS)

    def shown(found: list[tuple[TunerRow, TrialRow | None]]) -> Response:
        page, token = split(found, page_size, lambda one: write_token((one[0].create_time, one[0].tuner_id)))
        return show(TunerPage(items=[Tuner.of(tuner, best) for tuner, best in page], next_page_token=token))

    after = read_token(page_token, TIME_AND_ID)
    return await show_found(request, shown, _list_with_best, after, page_size + 1, condition)


def _list_with_best(
    connection: Connection, after: tuners.Key | None, limit: int, condition: Condition | None
) -> list[tuple[TunerRow, TrialRow | None]]:
    found = tuners.list_page(connection, after, limit, condition)
    best = trials.best_of(connection, found)
    return [(tuner, best.get(tuner.tuner_id)) for tuner in found]


@router.get("/tuners/{tuner_id}", responses=declared(UnknownTuner, InvalidRequest))
async def get_tuner(request: Request, response: Response, tuner_id: str) -> Tuner:
    """Get one tuner, with its best trial. Its ETag changes when somebody edits the tuner, not with its trials."""
    tuner, best = await services(request).database.read(_get_with_best, parse_id(tuner_id, UnknownTuner))
    response.headers.update(etag(tuner))
    return Tuner.of(tuner, best)


def _get_with_best(connection: Connection, tuner_id: UUID) -> tuple[TunerRow, TrialRow | None]:
    tuner = tuners.get(connection, tuner_id)
    return tuner, trials.best_of(connection, [tuner]).get(tuner_id)


@router.patch(
    "/tuners/{tuner_id}",
    response_model=Tuner,
    openapi_extra=IF_MATCH,
    responses=declared(*BODY_ERRORS, UnknownTuner, InvalidRequest, PreconditionFailed),
)
@needs(Scope.tune)
async def edit_tuner(request: Request, tuner_id: str, body: TunerPatch = _NOTHING_SAID) -> Response:
    """Change a tuner's name, tags or budget. Raising the budget makes a completed tuner active again.

    Trials that wait to be tried again end as failed if `max_attempts` becomes no more than they have had.
    """
    budget = {} if body.budget is None else body.budget.model_dump(exclude_unset=True)
    wanted = EditTuner(parse_id(tuner_id, UnknownTuner), body.name, body.tags, budget, read_if_match(request))
    return _show_steered(await services(request).database.write(edit_tuners, wanted))


@router.delete("/tuners/{tuner_id}", status_code=204, responses=declared(UnknownTuner, InvalidRequest))
@needs(Scope.tune)
async def delete_tuner(request: Request, tuner_id: str) -> Response:
    """Delete a tuner and its trials; its runs stay, without a tuner. Those under way are told to stop."""
    await services(request).database.write(delete_tuners, parse_id(tuner_id, UnknownTuner))
    return Response(status_code=204)


_STEERED = declared_once(UnknownTuner, TunerStopped)


@router.post("/tuners/{tuner_id}/pause", response_model=Tuner, openapi_extra=IDEMPOTENCY_KEY, responses=_STEERED)
@needs(Scope.tune)
async def pause_tuner(request: Request, tuner_id: str) -> Response:
    """Pause a tuner: it hands out no trials until it is resumed; those already handed out go on."""
    return await _steer(request, tuner_id, Turn.pause)


@router.post("/tuners/{tuner_id}/resume", response_model=Tuner, openapi_extra=IDEMPOTENCY_KEY, responses=_STEERED)
@needs(Scope.tune)
async def resume_tuner(request: Request, tuner_id: str) -> Response:
    """Resume a tuner: it hands out trials again."""
    return await _steer(request, tuner_id, Turn.resume)


@router.post(
    "/tuners/{tuner_id}/stop",
    response_model=Tuner,
    openapi_extra=IDEMPOTENCY_KEY,
    responses=declared_once(UnknownTuner),
)
@needs(Scope.tune)
async def stop_tuner(request: Request, tuner_id: str) -> Response:
    """Stop a tuner for good: running trials may still end, and their runs are told to stop."""
    return await _steer(request, tuner_id, Turn.stop)


async def _steer(request: Request, tuner_id: str, turn: Turn) -> Response:
    wanted = Steer(parse_id(tuner_id, UnknownTuner), turn)
    return await write_once(request, steer, wanted, _show_steered)


def _show_steered(steered: Steered) -> Response:
    return show(Tuner.of(steered.tuner, steered.best), headers=etag(steered.tuner))


@router.get("/tuners/{tuner_id}/snapshot", response_model=Snapshot, responses=declared(UnknownTuner, InvalidRequest))
async def get_snapshot(request: Request, tuner_id: str) -> Response:
    """Get the whole tuner with its trials: enough to rebuild it elsewhere and go on with the same proposals."""
    return await show_found(request, show, snapshot.take_snapshot, parse_id(tuner_id, UnknownTuner))


@router.get("/strategies", responses=declared(InvalidRequest))
async def list_strategies() -> StrategyList:
    """List the strategies that a tuner may name, and the plug-ins (also stoppers) that could not be loaded."""
    return StrategyList(
        items=[
            Strategy(
                name=kind.key, aliases=list(kind.aliases), description=kind.description, options=kind.options_schema
            )
            for kind in STRATEGIES.values()
        ],
        left_out=[PluginLeftOut(**asdict(plugin)) for plugin in plugins.left_out],
    )
