"""A tuner comes into being."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.domain.errors import DomainError, IdConflict, InvalidRequest
from app.domain.goal import Budget, Objective
from app.domain.space import Space
from app.domain.states import TrialState, TunerState
from app.store import trials, tuners
from app.store.transaction import Transaction
from app.store.trials import Trial
from app.store.tuners import Tuner
from app.tuning.registry import find
from app.tuning.stopping.registry import Specs, build, defaults_filled


@dataclass(frozen=True, slots=True)
class Definition:
    """What a tuner is made of. Build it with `define`."""

    name: str
    strategy: str
    space: Space
    objectives: Sequence[Objective]
    seed: int
    options: dict[str, Any]
    budget: Budget
    stopper: dict[str, Any] | list[dict[str, Any]]
    lease_s: float
    tags: list[str]


def define(
    *,
    name: str,
    strategy: str,
    space: Space,
    objectives: Sequence[Objective],
    seed: int | None,
    options: dict[str, Any],
    budget: Budget,
    stopper: Specs,
    lease_s: float,
    tags: list[str],
) -> Definition:
    """The definition, with the strategy's canonical name, the stopper's defaults, and a seed drawn where none is given.

    Raises:
        UnknownStrategy: there is none of this name.
        InvalidRequest: the strategy or stopper does not take these options, or the parts do not go together.
    """
    kind = find(strategy)
    kind(space, options)
    if len({objective.metric for objective in objectives}) < len(objectives):
        raise InvalidRequest("two objectives have the same metric", "body", "objectives")
    budget.check(len(objectives))
    filled = defaults_filled(stopper)
    if len(objectives) > 1 and not build(filled, objectives[0].direction).is_idle:
        raise InvalidRequest("a stopper looks at one objective; with several leave it out", "body", "stopper")
    # 32 bits: enough to differ, few enough that every client's JSON reads it exactly.
    seed = secrets.randbits(32) if seed is None else seed
    return Definition(name, kind.key, space, objectives, seed, options, budget, filled, lease_s, tags)


@dataclass(frozen=True, slots=True)
class CreateTuner:
    """A tuner to create.

    Args:
        tuner_id: chosen by the client, or None.
        body_digest: of what the client sent: the same again is a repeat, anything else a conflict.
    """

    tuner_id: UUID | None
    definition: Definition
    body_digest: bytes


@dataclass(frozen=True, slots=True)
class Created:
    """The tuner with its best trial, and whether this request made it (or an earlier one that said the same)."""

    tuner: Tuner
    best: Trial | None
    is_new: bool


def create_tuners(transaction: Transaction, requests: Sequence[CreateTuner]) -> list[Created | DomainError]:
    """Create tuners."""
    there = Present(transaction, [request.tuner_id for request in requests])
    answers: list[Created | DomainError] = []
    added: list[Tuner] = []
    for request in requests:
        answer = there.answer(request.tuner_id, request.definition, request.body_digest)
        if answer is None:
            tuner = new_tuner(transaction, request.tuner_id, request.definition, request.body_digest)
            added.append(tuner)
            answer = there.add(tuner, best=None)
        answers.append(answer)
    tuners.add(transaction.connection, added)
    return answers


class Present:
    """The tuners that exist already under ids that clients chose: a creation is repeated, or in conflict."""

    def __init__(self, transaction: Transaction, tuner_ids: Sequence[UUID | None]) -> None:
        chosen = {tuner_id for tuner_id in tuner_ids if tuner_id is not None}
        self._tuners = tuners.find_many(transaction.connection, chosen)
        self._best = trials.best_of(transaction.connection, self._tuners.values())

    def answer(self, tuner_id: UUID | None, definition: Definition, body_digest: bytes) -> Created | IdConflict | None:
        """What a creation is answered without being done; None where it is to be done."""
        tuner = None if tuner_id is None else self._tuners.get(tuner_id)
        if tuner is None:
            return None
        if tuner.body_digest != body_digest:
            return IdConflict(_differing(tuner, definition))
        return Created(tuner, self._best.get(tuner.tuner_id), is_new=False)

    def add(self, tuner: Tuner, best: Trial | None) -> Created:
        """The answer to a creation that is done now."""
        self._tuners[tuner.tuner_id] = tuner
        if best is not None:
            self._best[tuner.tuner_id] = best
        return Created(tuner, best, is_new=True)


def _differing(tuner: Tuner, definition: Definition) -> list[str]:
    """What is another one in the definition; of seeds nobody knows whether they were drawn."""
    wanted = {
        "name": definition.name,
        "strategy": definition.strategy,
        "space": definition.space.to_json(),
        "objectives": [objective.to_json() for objective in definition.objectives],
        "options": definition.options,
        "budget": definition.budget.to_json(),
        "stopper": definition.stopper,
        "lease_s": definition.lease_s,
        "tags": definition.tags,
    }
    return [field for field, value in wanted.items() if getattr(tuner, field) != value]


def new_tuner(transaction: Transaction, tuner_id: UUID | None, definition: Definition, body_digest: bytes) -> Tuner:
    """A tuner without trials."""
    return Tuner(
        tuner_id=tuner_id or uuid7(),
        name=definition.name,
        strategy=definition.strategy,
        space=definition.space.to_json(),
        objectives=[objective.to_json() for objective in definition.objectives],
        seed=definition.seed,
        options=definition.options,
        budget=definition.budget.to_json(),
        deadline=definition.budget.deadline(transaction.now),
        stopper=definition.stopper,
        lease_s=definition.lease_s,
        tags=definition.tags,
        state=TunerState.active,
        stop_reason=None,
        n_trials=0,
        n_proposed=0,
        is_exhausted=False,
        counts={state.value: 0 for state in TrialState},
        best_trial_id=None,
        body_digest=body_digest,
        create_time=transaction.now,
        update_time=transaction.now,
    )
