"""A trial's result, told by its worker or by somebody outside."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import Connection

from app.domain.errors import DomainError, TrialEnded, UnknownTrial, UnknownTuner
from app.domain.space import Space
from app.domain.states import TrialState, TunerState
from app.domain.values import Scalar, to_json_number
from app.service.lifecycle import OpenTuner, has_ended, open_tuners, params_digest, save_tuners
from app.store import trials
from app.store.locks import Rows, locking
from app.store.transaction import Transaction
from app.store.trials import Trial


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a trial, named by `trial_id` or else by `params`.

    Args:
        state: completed with a score; failed or infeasible without.
    """

    tuner_id: UUID
    trial_id: UUID | None
    params: dict[str, Scalar] | None
    state: TrialState
    score: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Reported:
    """The trial as it is now, and the best one of its tuner."""

    trial: Trial
    best: Trial | None
    tuner_state: TunerState


@locking(lambda _, requests: Rows(tuner_ids={request.tuner_id for request in requests}))
def report(transaction: Transaction, requests: Sequence[Result]) -> list[Reported | DomainError]:
    """End the trials that these results are about. Records `trial_end`, and `tuner_end` where it was the last."""
    opened = open_tuners(transaction, {request.tuner_id for request in requests})
    checked = [_checked(request, opened.get(request.tuner_id)) for request in requests]
    known = _Known(transaction.connection, (result for result in checked if isinstance(result, Result)))
    outcomes: list[Trial | DomainError] = []
    for result in checked:
        try:
            outcomes.append(
                result if isinstance(result, DomainError) else _take(result, opened[result.tuner_id], known)
            )
        except DomainError as error:
            outcomes.append(error)
    save_tuners(transaction, opened.values())
    return [
        outcome
        if isinstance(outcome, DomainError)
        else Reported(outcome, opened[outcome.tuner_id].best, opened[outcome.tuner_id].tuner.state)
        for outcome in outcomes
    ]


def _checked(result: Result, tuner: OpenTuner | None) -> Result | DomainError:
    """The result with its parameters as the space has them."""
    if tuner is None:
        return UnknownTuner(result.tuner_id)
    if result.params is None:
        return result
    try:
        return replace(result, params=Space.from_json(tuner.tuner.space).coerce(result.params))
    except DomainError as error:
        return error


class _Known:
    """The trials that the results name, as this transaction leaves them."""

    def __init__(self, connection: Connection, results: Iterable[Result]) -> None:
        named: set[UUID] = set()
        described: set[tuple[UUID, bytes]] = set()
        for result in results:
            if result.trial_id is not None:
                named.add(result.trial_id)
            elif result.params is not None:
                described.add((result.tuner_id, params_digest(result.params)))
        self._by_id = trials.find_many(connection, named)
        self._by_params: defaultdict[tuple[UUID, bytes], list[Trial]] = defaultdict(list)
        for trial in trials.find_equal(connection, described):
            self._by_params[trial.tuner_id, trial.params_digest].append(self._by_id.setdefault(trial.trial_id, trial))

    def get(self, tuner_id: UUID, trial_id: UUID) -> Trial:
        trial = self._by_id.get(trial_id)
        if trial is None or trial.tuner_id != tuner_id:
            raise UnknownTrial(trial_id)
        return trial

    def equal(self, tuner_id: UUID, digest: bytes) -> list[Trial]:
        return self._by_params[tuner_id, digest]


def _take(result: Result, tuner: OpenTuner, known: _Known) -> Trial:
    """The trial that the result is about, ended by it unless it had ended so already."""
    if result.trial_id is not None:
        trial = known.get(result.tuner_id, result.trial_id)
        end_once(tuner, trial, result.state, result.score, result.reason)
        return trial
    params = result.params or {}
    equal = known.equal(result.tuner_id, params_digest(params))
    for trial in equal:
        if trial.state is TrialState.running:
            tuner.conclude(trial, result.state, result.score, result.reason)
            return trial
    for trial in equal:
        if has_ended(trial) and _says_the_same(trial, result.state, result.score):
            return trial
    trial = tuner.observe(params, result.state, result.score, result.reason)
    equal.append(trial)
    return trial


def end_once(tuner: OpenTuner, trial: Trial, state: TrialState, score: float | None, reason: str | None) -> None:
    """End the trial, or nothing where this very result ended it, or queued it again, already.

    Raises:
        TrialEnded: it has ended otherwise.
    """
    if has_ended(trial):
        if not _says_the_same(trial, state, score):
            raise _ended_otherwise(trial)
    elif not (trial.state is TrialState.queued and state is TrialState.failed):
        tuner.conclude(trial, state, score, reason)


def _says_the_same(trial: Trial, state: TrialState, score: float | None) -> bool:
    if score is None or trial.score is None:
        return trial.state is state and trial.score is score
    # A score that is not finite has made "failed" of what was told as "completed": there the score alone counts.
    was_non_finite = isinstance(to_json_number(trial.score), str)
    return to_json_number(trial.score) == to_json_number(score) and (trial.state is state or was_non_finite)


def _ended_otherwise(trial: Trial) -> TrialEnded:
    score = "" if trial.score is None else f" with score {to_json_number(trial.score)}"
    return TrialEnded(f"Trial {trial.trial_id} has ended as {trial.state}{score}; what has ended cannot change.")
