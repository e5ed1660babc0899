"""Runs that speak for trials: opened together, tuners before runs, and saved together."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from app.domain.errors import LeaseLost
from app.service.lifecycle import OpenTuner, open_tuners, save_tuners
from app.store import runs, trials
from app.store.locks import Rows
from app.store.runs import Run
from app.store.transaction import Transaction
from app.store.trials import Trial


@dataclass(frozen=True, slots=True)
class Holdings:
    """Runs with their trials and tuners, all locked for this transaction."""

    runs: dict[UUID, Run]
    trials: Mapping[UUID, Trial]
    tuners: Mapping[UUID, OpenTuner]

    def of(self, run: Run) -> tuple[OpenTuner | None, Trial | None]:
        """The tuner and the trial of a run, as far as it has them."""
        tuner = None if run.tuner_id is None else self.tuners.get(run.tuner_id)
        trial = None if run.trial_id is None else self.trials.get(run.trial_id)
        return tuner, trial


def rows_of_runs(connection: Connection, run_ids: set[UUID]) -> Rows:
    """What `open_holdings` locks."""
    seen = runs.find_many(connection, run_ids)
    of_trials = trials.find_many(connection, {run.trial_id for run in seen.values() if run.trial_id is not None})
    holders = {trial.run_id for trial in of_trials.values() if trial.run_id is not None}
    return Rows({run.tuner_id for run in seen.values() if run.tuner_id is not None}, run_ids | holders)


def open_holdings(transaction: Transaction, run_ids: Collection[UUID]) -> Holdings:
    """Those of these runs that exist, with their trials and tuners, and the runs that hold those trials now."""
    connection = transaction.connection
    # A run never changes its tuner and trial: they may be read before anything is locked, tuners first.
    seen = runs.find_many(connection, run_ids)
    opened = open_tuners(transaction, {run.tuner_id for run in seen.values() if run.tuner_id is not None})
    of_trials = trials.find_many(connection, {run.trial_id for run in seen.values() if run.trial_id is not None})
    holders = {trial.run_id for trial in of_trials.values() if trial.run_id is not None}
    return Holdings(runs.lock(connection, seen.keys() | holders), of_trials, opened)


def save_holdings(transaction: Transaction, holdings: Holdings) -> None:
    """Write all that was changed."""
    save_tuners(transaction, holdings.tuners.values(), holdings.runs)
    runs.save(transaction.connection, holdings.runs.values())


def require_hold(run: Run, trial: Trial | None) -> None:
    """Refuse a run that speaks for its trial no longer; one that never spoke for any may go on.

    Raises:
        LeaseLost: another worker, or another run, has taken the trial.
    """
    if trial is not None and trial.run_id != run.run_id:
        raise LeaseLost(
            f"Run {run.run_id} was given up, and trial {trial.trial_id} went to somebody else: drop this training, "
            "and ask the tuner for another trial."
        )
