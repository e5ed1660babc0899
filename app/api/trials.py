"""Trials: suggest, result, and what became of them."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response
from sqlalchemy import Connection

from app.api.fields import parse_id
from app.api.filter_params import TrialFilter, TrialOrderBy
from app.api.large import show_found
from app.api.once import IDEMPOTENCY_KEY, answer_once, declared_once, show, write_once
from app.api.pages import FoundToken, PageSize, read_place, split, write_place
from app.api.problems import declared
from app.api.state import services
from app.api.strict import body_limit, needs, new_router
from app.api.trial_models import (
    AddedTrials,
    HolderRequest,
    OneOrMoreTrials,
    ResultAnswer,
    ResultRequest,
    Suggestion,
    SuggestRequest,
    Trial,
    TrialList,
    TrialPage,
    TrialRequest,
)
from app.domain.access import Scope
from app.domain.errors import (
    BadFilter,
    InvalidRequest,
    LeaseLost,
    ParamsOutOfSpace,
    TrialEnded,
    TunerStopped,
    UnknownTrial,
    UnknownTuner,
)
from app.domain.filters import TRIAL_FIELDS
from app.domain.order import Order
from app.domain.states import TrialState
from app.service.add_trials import AddTrials, NewTrial, add_trials
from app.service.filter_language import parse_filter, parse_order
from app.service.hand_out import Suggestion as Suggested
from app.service.lease import Word, hear
from app.service.pareto import list_pareto
from app.service.report import Reported, Result, report
from app.service.trial import describe
from app.store import trial_search, trials, tuners
from app.store.trials import Trial as TrialRow

router = new_router("trials")

_NOTHING_SAID = SuggestRequest()
_NOBODY = HolderRequest()


@router.post(
    "/tuners/{tuner_id}/suggest",
    response_model=Suggestion,
    openapi_extra=IDEMPOTENCY_KEY,
    responses=declared_once(UnknownTuner),
)
@needs(Scope.train)
async def suggest(request: Request, tuner_id: str, body: SuggestRequest = _NOTHING_SAID) -> Response:
    """Ask what to try next: this worker's running trials first, then queued ones, then new ones."""
    tuner = parse_id(tuner_id, UnknownTuner)
    suggester = services(request).suggester
    return await answer_once(
        request, lambda once: suggester.suggest(tuner, body.worker, body.count, once), _show_suggestion
    )


def _show_suggestion(suggested: Suggested) -> Response:
    return show(
        {
            "trials": [describe(trial) for trial in suggested.trials],
            "tuner_state": suggested.tuner_state,
            "retry_after_s": suggested.retry_after_s,
        }
    )


@router.post(
    "/tuners/{tuner_id}/result",
    response_model=ResultAnswer,
    openapi_extra=IDEMPOTENCY_KEY,
    responses=declared_once(UnknownTuner, UnknownTrial, ParamsOutOfSpace, TrialEnded, LeaseLost),
)
@needs(Scope.train)
async def report_result(request: Request, tuner_id: str, body: ResultRequest) -> Response:
    """Report the result of a trial; params that no trial has are an outside observation. Repeating it is harmless.

    A run of the trial that goes on is told to stop.
    """
    result = Result(
        tuner_id=parse_id(tuner_id, UnknownTuner),
        trial_id=body.trial_id,
        params=body.params,
        outcome=body.outcome(),
        worker=body.worker,
        attempt=body.attempt,
    )
    return await write_once(request, report, result, _show_reported)


def _show_reported(reported: Reported) -> Response:
    return show(
        {
            "trial": describe(reported.trial),
            "best": None if reported.best is None else describe(reported.best),
            "tuner_state": reported.tuner_state,
        }
    )


@router.post(
    "/tuners/{tuner_id}/trials",
    status_code=201,
    response_model=AddedTrials,
    openapi_extra=IDEMPOTENCY_KEY,
    responses=declared_once(UnknownTuner, ParamsOutOfSpace, TunerStopped),
)
@needs(Scope.tune)
@body_limit(4 * 2**20)
async def add_trial(request: Request, tuner_id: str, body: OneOrMoreTrials) -> Response:
    """Enqueue parameters to hand out next, or import observations. A known observation is answered, not added again."""
    sent = [body] if isinstance(body, TrialRequest) else body.trials
    wanted = AddTrials(
        parse_id(tuner_id, UnknownTuner),
        [NewTrial(dict(one.params), one.outcome() if one.is_observation else None, one.partial) for one in sent],
    )
    return await write_once(request, add_trials, wanted, _show_added)


def _show_added(added: list[TrialRow]) -> Response:
    return show({"trials": [describe(trial) for trial in added]}, 201)


@router.get(
    "/tuners/{tuner_id}/trials",
    response_model=TrialPage,
    responses=declared(UnknownTuner, InvalidRequest, BadFilter),
)
async def list_trials(
    request: Request,
    tuner_id: str,
    state: Annotated[list[TrialState] | None, Query(description="Only in these states.")] = None,
    filter: TrialFilter = None,  # the name is the contract's
    order_by: TrialOrderBy = None,
    page_size: PageSize = 50,
    page_token: FoundToken = None,
) -> Response:
    """List a tuner's trials, ordered by number by default."""
    condition = parse_filter(filter, TRIAL_FIELDS)
    keys = parse_order(order_by, TRIAL_FIELDS)
    order = Order(keys) if keys else trial_search.BY_NUMBER

    def shown(found: list[trial_search.Found]) -> Response:
        page, token = split(found, page_size, lambda one: write_place(one.place, order))
        return show(TrialPage(items=[Trial.of(one.trial) for one in page], next_page_token=token))

    return await show_found(
        request,
        shown,
        _list_trials,
        parse_id(tuner_id, UnknownTuner),
        state or [],
        condition,
        order,
        read_place(page_token, order),
        page_size + 1,
    )


def _list_trials(connection: Connection, tuner_id: UUID, *args: Any) -> list[trial_search.Found]:
    tuners.get(connection, tuner_id)
    return trial_search.list_found(connection, tuner_id, *args)


@router.get("/tuners/{tuner_id}/best", responses=declared(UnknownTuner, UnknownTrial, InvalidRequest))
async def get_best_trial(request: Request, tuner_id: str) -> Trial:
    """Get the best trial so far."""
    return Trial.of(await services(request).database.read(_get_best, parse_id(tuner_id, UnknownTuner)))


def _get_best(connection: Connection, tuner_id: UUID) -> TrialRow:
    tuner = tuners.get(connection, tuner_id)
    best = trials.best_of(connection, [tuner])
    if tuner_id not in best:
        reason = f"No trial of tuner {tuner_id} has a score yet; ask again when one has ended."
        if len(tuner.objectives) > 1:
            reason = f"With several objectives no one trial is best: see GET /v1/tuners/{tuner_id}/pareto."
        raise UnknownTrial("best", reason)
    return best[tuner_id]


@router.get("/tuners/{tuner_id}/pareto", response_model=TrialList, responses=declared(UnknownTuner, InvalidRequest))
async def get_pareto(request: Request, tuner_id: str) -> Response:
    """List the trials that no other trial beats in every objective, or equals in some and beats in the rest."""
    return await show_found(request, _show_list, list_pareto, parse_id(tuner_id, UnknownTuner))


def _show_list(found: Sequence[TrialRow]) -> Response:
    return show(TrialList(items=[Trial.of(trial) for trial in found]))


_HEARD = declared_once(UnknownTrial, TrialEnded, LeaseLost)


@router.post("/trials/{trial_id}/heartbeat", response_model=Trial, openapi_extra=IDEMPOTENCY_KEY, responses=_HEARD)
@needs(Scope.train)
async def renew_lease(request: Request, trial_id: str, body: HolderRequest = _NOBODY) -> Response:
    """Renew the lease of a trial, where no run renews it with its epochs."""
    return await _hear(request, trial_id, body, is_goodbye=False)


@router.post("/trials/{trial_id}/release", response_model=Trial, openapi_extra=IDEMPOTENCY_KEY, responses=_HEARD)
@needs(Scope.train)
async def release_trial(request: Request, trial_id: str, body: HolderRequest = _NOBODY) -> Response:
    """Hand a trial back for another worker to take; its run is given up."""
    return await _hear(request, trial_id, body, is_goodbye=True)


async def _hear(request: Request, trial_id: str, body: HolderRequest, *, is_goodbye: bool) -> Response:
    word = Word(parse_id(trial_id, UnknownTrial), body.worker, body.attempt, is_goodbye)
    return await write_once(request, hear, word, _show_trial)


def _show_trial(trial: TrialRow) -> Response:
    return show(describe(trial))


@router.get("/trials/{trial_id}", responses=declared(UnknownTrial, InvalidRequest))
async def get_trial(request: Request, trial_id: str) -> Trial:
    """Get one trial."""
    return Trial.of(await services(request).database.read(trials.get, parse_id(trial_id, UnknownTrial)))
