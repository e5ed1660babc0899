"""Trials that no strategy proposed: enqueued to be handed out next, or imported with their outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.domain.errors import DomainError, TunerStopped
from app.domain.goal import Outcome
from app.domain.space import Space
from app.domain.states import TunerState
from app.domain.values import Scalar
from app.service.each import each
from app.service.lifecycle import OpenTuner, open_tuners, save_tuners
from app.service.report import Known, Spaces, check_outcome
from app.store.locks import Rows, locking
from app.store.transaction import Transaction
from app.store.trials import Trial
from app.tuning.random import complete
from app.tuning.strategy import generator


@dataclass(frozen=True, slots=True)
class NewTrial:
    """Parameters to hand out next, or with an outcome an observation from outside.

    Args:
        is_partial: what the params leave out is drawn at random.
    """

    params: dict[str, Scalar]
    outcome: Outcome | None
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class AddTrials:
    """Trials for one tuner: all of them, or none."""

    tuner_id: UUID
    trials: Sequence[NewTrial]


@locking(lambda _, requests: Rows(tuner_ids={request.tuner_id for request in requests}))
def add_trials(transaction: Transaction, requests: Sequence[AddTrials]) -> list[list[Trial] | DomainError]:
    """Enqueue trials, and import observations; one that is known already is not imported twice.

    Records `trial_end` for each observation.
    """
    opened = open_tuners(transaction, {request.tuner_id for request in requests})
    spaces = Spaces(opened)
    coerced = each(requests, lambda r: _coerce(spaces.get(r.tuner_id), r.trials))
    good = [(r.tuner_id, one) for r, one in zip(requests, coerced, strict=True) if not isinstance(one, DomainError)]
    known = Known(transaction.connection, set(), [(tuner_id, params) for tuner_id, one in good for params in one])
    answers = each(zip(requests, coerced, strict=True), lambda asked: _add(opened, spaces, known, *asked))
    save_tuners(transaction, opened.values())
    return answers


def _coerce(space: Space, new: Sequence[NewTrial]) -> list[dict[str, Scalar]]:
    return [space.coerce(one.params, is_whole=not one.is_partial) for one in new]


def _add(
    opened: Mapping[UUID, OpenTuner],
    spaces: Spaces,
    known: Known,
    request: AddTrials,
    coerced: list[dict[str, Scalar]] | DomainError,
) -> list[Trial]:
    if isinstance(coerced, DomainError):
        raise coerced
    tuner = opened[request.tuner_id]
    n_queued = sum(new.outcome is None for new in request.trials)
    for new in request.trials:
        if new.outcome is not None:
            check_outcome(tuner, new.outcome)
    if n_queued:
        _check_room(tuner, n_queued)
    space = spaces.get(request.tuner_id)
    return [
        _enqueue(tuner, space, params)
        if new.outcome is None
        else known.ended_equally(tuner, params, new.outcome) or known.observe(tuner, params, new.outcome)
        for new, params in zip(request.trials, coerced, strict=True)
    ]


def _enqueue(tuner: OpenTuner, space: Space, params: dict[str, Scalar]) -> Trial:
    whole = complete(space, params, generator(tuner.tuner.seed, tuner.tuner.n_trials))
    drawn = [name for name in whole if name not in params]
    return tuner.propose(whole, {"phase": "enqueued", "drawn": drawn} if drawn else {"phase": "enqueued"})


def _check_room(tuner: OpenTuner, n_queued: int) -> None:
    if tuner.tuner.state is TunerState.stopped:
        raise TunerStopped()
    limit = tuner.budget.max_trials
    if limit is not None and tuner.tuner.n_proposed + n_queued > limit:
        n_free = max(0, limit - tuner.tuner.n_proposed)
        raise TunerStopped(
            f"The budget of {limit} trials has room for {n_free} more; these are {n_queued}. "
            "Raise max_trials by PATCH, or enqueue fewer."
        )
