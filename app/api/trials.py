"""Trials: suggest, result, and what became of them."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from sqlalchemy import Connection

from app.api.fields import parse_id
from app.api.once import PARAMETER, answer_once, declared_once, show
from app.api.pages import NUMBER, PageSize, PageToken, read_token, split
from app.api.problems import declared
from app.api.state import services
from app.api.strict import new_router
from app.api.trial_models import ResultAnswer, ResultRequest, Suggestion, SuggestRequest, Trial, TrialPage
from app.domain.errors import InvalidRequest, ParamsOutOfSpace, TrialEnded, UnknownTrial, UnknownTuner
from app.domain.states import TrialState
from app.domain.values import from_json_number
from app.service.hand_out import Suggestion as Suggested
from app.service.lifecycle import describe
from app.service.report import Reported, Result, report
from app.store import trials, tuners
from app.store.trials import Trial as TrialRow

router = new_router("trials")

_NOTHING_SAID = SuggestRequest()


@router.post(
    "/tuners/{tuner_id}/suggest",
    response_model=Suggestion,
    openapi_extra=PARAMETER,
    responses=declared_once(UnknownTuner),
)
async def suggest(request: Request, tuner_id: str, body: SuggestRequest = _NOTHING_SAID) -> Response:
    """What to try next: this worker's running trials first, then queued ones, then new ones."""
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
    openapi_extra=PARAMETER,
    responses=declared_once(UnknownTuner, UnknownTrial, ParamsOutOfSpace, TrialEnded),
)
async def report_result(request: Request, tuner_id: str, body: ResultRequest) -> Response:
    """What came of a trial; parameters that no trial has are an outside observation. The same again is harmless."""
    result = Result(
        tuner_id=parse_id(tuner_id, UnknownTuner),
        trial_id=body.trial_id,
        params=body.params,
        state=body.outcome,
        score=None if body.score is None else from_json_number(body.score),
        reason=body.reason,
    )
    database = services(request).database
    return await answer_once(request, lambda once: database.write(report, result, once), _show_reported)


def _show_reported(reported: Reported) -> Response:
    return show(
        {
            "trial": describe(reported.trial),
            "best": None if reported.best is None else describe(reported.best),
            "tuner_state": reported.tuner_state,
        }
    )


@router.get("/tuners/{tuner_id}/trials", responses=declared(UnknownTuner, InvalidRequest))
async def list_trials(
    request: Request,
    tuner_id: str,
    state: Annotated[list[TrialState] | None, Query(description="Any of these states.")] = None,
    page_size: PageSize = 50,
    page_token: PageToken = None,
) -> TrialPage:
    """A tuner's trials, by number."""
    found = await services(request).database.read(
        _list_trials, parse_id(tuner_id, UnknownTuner), state or [], read_token(page_token, NUMBER), page_size + 1
    )
    page, token = split(found, page_size, lambda trial: trial.number)
    return TrialPage(items=[Trial.of(trial) for trial in page], next_page_token=token)


def _list_trials(
    connection: Connection, tuner_id: UUID, states: list[TrialState], after: int | None, limit: int
) -> list[TrialRow]:
    tuners.get(connection, tuner_id)
    return trials.list_page(connection, tuner_id, states, after, limit)


@router.get("/tuners/{tuner_id}/best", responses=declared(UnknownTuner, UnknownTrial, InvalidRequest))
async def get_best_trial(request: Request, tuner_id: str) -> Trial:
    """The best trial so far."""
    return Trial.of(await services(request).database.read(_get_best, parse_id(tuner_id, UnknownTuner)))


def _get_best(connection: Connection, tuner_id: UUID) -> TrialRow:
    tuner = tuners.get(connection, tuner_id)
    if tuner.best_trial_id is None:
        raise UnknownTrial(f"best of tuner {tuner_id}: none has a score yet;")
    return trials.get(connection, tuner.best_trial_id)


@router.get("/trials/{trial_id}", responses=declared(UnknownTrial, InvalidRequest))
async def get_trial(request: Request, trial_id: str) -> Trial:
    """One trial."""
    return Trial.of(await services(request).database.read(trials.get, parse_id(trial_id, UnknownTrial)))
