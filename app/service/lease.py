"""Workers without a run keep their trials, or hand them back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from app.domain.errors import DomainError, TrialEnded, UnknownTrial
from app.domain.states import TrialState
from app.service.each import each, get_known
from app.service.lifecycle import OpenTuner, open_tuners, save_tuners
from app.service.trial import has_ended, require_holder
from app.store import trials
from app.store.locks import Rows, locking
from app.store.transaction import Transaction
from app.store.trials import Trial


@dataclass(frozen=True, slots=True)
class Word:
    """A worker speaks of a trial; `worker` and `attempt` tell who."""

    trial_id: UUID
    worker: str | None
    attempt: int | None
    is_goodbye: bool


def _rows(connection: Connection, requests: Sequence[Word]) -> Rows:
    seen = trials.find_many(connection, {request.trial_id for request in requests})
    return Rows({trial.tuner_id for trial in seen.values()}, {t.run_id for t in seen.values() if t.run_id is not None})


@locking(_rows)
def hear(transaction: Transaction, requests: Sequence[Word]) -> list[Trial | DomainError]:
    """Renew the leases of trials, or take trials back to hand them to others; the trials as they are then.

    Records `run_crash` for the run of a trial that is handed back.
    """
    connection = transaction.connection
    trial_ids = {request.trial_id for request in requests}
    opened = open_tuners(transaction, {trial.tuner_id for trial in trials.find_many(connection, trial_ids).values()})
    found = trials.find_many(connection, trial_ids)  # as they are now that nobody else can change them
    answers = each(requests, lambda request: _hear(opened, found, request))
    save_tuners(transaction, opened.values())
    return answers


def _hear(opened: Mapping[UUID, OpenTuner], found: Mapping[UUID, Trial], request: Word) -> Trial:
    trial = get_known(found, request.trial_id, UnknownTrial)
    if has_ended(trial):
        raise TrialEnded(f"Trial {trial.trial_id} has ended as {trial.state}: there is nothing to hold any more.")
    require_holder(trial, request.worker, request.attempt)
    if not request.is_goodbye:
        opened[trial.tuner_id].renew(trial)
    elif trial.state is not TrialState.queued:
        opened[trial.tuner_id].release(trial)
    return trial
