"""A trial's result, told by its worker or by somebody outside."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from app.domain.errors import DomainError, InvalidRequest, TrialEnded, UnknownTrial, UnknownTuner
from app.domain.goal import Outcome
from app.domain.space import Space
from app.domain.states import TrialState, TunerState
from app.domain.values import Number, Scalar, to_json_number
from app.service.each import each, get_known
from app.service.lifecycle import OpenTuner, open_tuners, save_tuners
from app.service.trial import has_ended, params_digest, require_holder
from app.store import trials
from app.store.locks import Rows, locking
from app.store.transaction import Transaction
from app.store.trials import Trial


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a trial, named by `trial_id` or else by `params`; `worker` and `attempt` tell who speaks."""

    tuner_id: UUID
    trial_id: UUID | None
    params: dict[str, Scalar] | None
    outcome: Outcome
    worker: str | None = None
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """The trial as it is now, and the best one of its tuner."""

    trial: Trial
    best: Trial | None
    tuner_state: TunerState


def _rows(connection: Connection, requests: Sequence[Result]) -> Rows:
    # Parameters that are not written as the space has them are missed here; their runs are locked when they are known.
    digests = {(r.tuner_id, params_digest(r.params)) for r in requests if r.params is not None}
    named = trials.find_many(connection, {r.trial_id for r in requests if r.trial_id is not None})
    found = [*named.values(), *trials.find_equal(connection, digests)]
    run_ids = {trial.run_id for trial in found if trial.run_id is not None and not has_ended(trial)}
    return Rows({request.tuner_id for request in requests}, run_ids)


@locking(_rows)
def report(transaction: Transaction, requests: Sequence[Result]) -> list[Reported | DomainError]:
    """End the trials that these results are about. Records `trial_end`, and `tuner_end` where it was the last."""
    opened = open_tuners(transaction, {request.tuner_id for request in requests})
    spaces = Spaces(opened)
    coerced = each(requests, lambda r: None if r.params is None else spaces.get(r.tuner_id).coerce(r.params))
    described = [(r.tuner_id, params) for r, params in zip(requests, coerced, strict=True) if isinstance(params, dict)]
    known = Known(transaction.connection, {r.trial_id for r in requests if r.trial_id is not None}, described)

    def take(asked: tuple[Result, dict[str, Scalar] | DomainError | None]) -> Trial:
        request, params = asked
        if isinstance(params, DomainError):
            raise params
        return _take(request, params, get_known(opened, request.tuner_id, UnknownTuner), known)

    outcomes = each(zip(requests, coerced, strict=True), take)
    save_tuners(transaction, opened.values())
    return [
        outcome
        if isinstance(outcome, DomainError)
        else Reported(outcome, opened[outcome.tuner_id].best, opened[outcome.tuner_id].tuner.state)
        for outcome in outcomes
    ]


class Spaces:
    """The spaces of some tuners, each read once."""

    def __init__(self, opened: Mapping[UUID, OpenTuner]) -> None:
        self._opened = opened
        self._spaces: dict[UUID, Space] = {}

    def get(self, tuner_id: UUID) -> Space:
        """The tuner's space.

        Raises:
            UnknownTuner
        """
        tuner = get_known(self._opened, tuner_id, UnknownTuner)
        if tuner_id not in self._spaces:
            self._spaces[tuner_id] = Space.from_json(tuner.tuner.space)
        return self._spaces[tuner_id]


_Params = tuple[UUID, bytes]
"""A tuner, and the digest of parameters."""

_Said = tuple[TrialState, Number | None, frozenset[tuple[str, Number]] | None]
"""What an outcome comes to: equal ones say the same of a trial."""


class Known:
    """The trials that requests are about, as this transaction leaves them."""

    def __init__(
        self, connection: Connection, named: set[UUID], described: Iterable[tuple[UUID, dict[str, Scalar]]]
    ) -> None:
        digests = {(tuner_id, params_digest(params)) for tuner_id, params in described}
        self._by_id = trials.find_many(connection, named)
        self._open: defaultdict[_Params, list[Trial]] = defaultdict(list)
        # By outcome: of one place in a small space there may be thousands.
        self._ended: defaultdict[tuple[_Params, _Said], list[Trial]] = defaultdict(list)
        for trial in trials.find_equal(connection, digests):
            trial = self._by_id.setdefault(trial.trial_id, trial)
            place = (trial.tuner_id, trial.params_digest)
            (self._ended[place, _said_of(trial)] if has_ended(trial) else self._open[place]).append(trial)

    def get(self, tuner_id: UUID, trial_id: UUID) -> Trial:
        trial = self._by_id.get(trial_id)
        if trial is None or trial.tuner_id != tuner_id:
            raise UnknownTrial(trial_id)
        return trial

    def open(self, tuner: OpenTuner, params: dict[str, Scalar]) -> list[Trial]:
        """The trials with these parameters that had no outcome when the transaction began, by number."""
        return self._open[tuner.tuner.tuner_id, params_digest(params)]

    def ended_equally(
        self, tuner: OpenTuner, params: dict[str, Scalar], outcome: Outcome, worker: str | None = None
    ) -> Trial | None:
        said = _said_by(outcome)
        now = [trial for trial in self.open(tuner, params) if has_ended(trial) and _said_of(trial) == said]
        ended = [*self._ended[(tuner.tuner.tuner_id, params_digest(params)), said], *now]
        return next((trial for trial in ended if worker is None or trial.worker == worker), None)

    def observe(self, tuner: OpenTuner, params: dict[str, Scalar], outcome: Outcome) -> Trial:
        trial = tuner.observe(params, outcome)
        self._ended[(trial.tuner_id, trial.params_digest), _said_of(trial)].append(trial)
        return trial


_OUT = (TrialState.running, TrialState.stale)


def _take(request: Result, params: dict[str, Scalar] | None, tuner: OpenTuner, known: Known) -> Trial:
    """The trial that the result is about, ended by it unless it had ended so already."""
    check_outcome(tuner, request.outcome)
    if request.trial_id is not None:
        trial = known.get(request.tuner_id, request.trial_id)
        end_once(tuner, trial, request.outcome, request.worker, request.attempt)
        return trial
    params = params or {}
    out = [trial for trial in known.open(tuner, params) if trial.state in _OUT]
    mine = [trial for trial in out if request.worker is not None and trial.worker == request.worker]
    if not mine and (request.worker is not None or not out):
        # Told a second time, it has nothing to do with equal trials of others.
        again = _told_before(request, params, tuner, known, request.worker if out else None)
        if again is not None:
            return again
    if not out:
        return known.observe(tuner, params, request.outcome)
    trial = (mine or out)[0]  # the oldest, but rather one that whoever speaks holds
    end_once(tuner, trial, request.outcome, request.worker, request.attempt)
    return trial


def _told_before(
    request: Result, params: dict[str, Scalar], tuner: OpenTuner, known: Known, worker: str | None
) -> Trial | None:
    """The trial that an earlier telling of this result ended or handed back; of this worker's, where one is named."""
    if request.outcome.state is TrialState.failed:
        handed_back = (one for one in known.open(tuner, params) if one.state is TrialState.queued and one.attempt)
        if (again := next(handed_back, None)) is not None:
            return again
    return known.ended_equally(tuner, params, request.outcome, worker)


def check_outcome(tuner: OpenTuner, outcome: Outcome) -> None:
    """Refuse an outcome that does not tell of this tuner's objectives.

    Raises:
        InvalidRequest: it has a score where the tuner wants scores, or the other way round, or scores of others.
    """
    if outcome.score is None and outcome.scores is None:
        return
    metrics = sorted(objective.metric for objective in tuner.objectives)
    if len(metrics) == 1 and outcome.score is None:
        raise InvalidRequest("this tuner has one objective: send its value as score", "body", "scores")
    if len(metrics) > 1 and (outcome.scores is None or sorted(outcome.scores) != metrics):
        raise InvalidRequest(
            f"this tuner has several objectives: send scores of {', '.join(metrics)}", "body", "scores"
        )


def end_once(
    tuner: OpenTuner, trial: Trial, outcome: Outcome, worker: str | None = None, attempt: int | None = None
) -> None:
    """End the trial, or nothing where this very result ended it, or queued it again, already.

    Raises:
        TrialEnded: it has ended otherwise.
        LeaseLost: another one than who speaks holds it.
    """
    if has_ended(trial):
        if _said_of(trial) != _said_by(outcome):
            raise _ended_otherwise(trial)
        return
    require_holder(trial, worker, attempt)
    tuner.conclude(trial, outcome)


def _said_of(trial: Trial) -> _Said:
    scores = None if trial.scores is None else frozenset(trial.scores.items())
    return trial.state, None if trial.score is None else to_json_number(trial.score), scores


def _said_by(outcome: Outcome) -> _Said:
    outcome = outcome.settled
    scores = outcome.shown_scores
    return outcome.state, outcome.shown_score, None if scores is None else frozenset(scores.items())


def _ended_otherwise(trial: Trial) -> TrialEnded:
    score = "" if trial.score is None else f" with score {to_json_number(trial.score)}"
    return TrialEnded(f"Trial {trial.trial_id} has ended as {trial.state}{score}; what has ended cannot change.")
