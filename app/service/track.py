"""What a run says while it trains, and what it is told: the one place where both meet.

epochs, or nothing but a heartbeat ─> stored ─> should it stop?
       │ it was given up: it comes back first, where nobody else has its trial
"""

from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID

from app.domain.errors import LeaseLost
from app.domain.states import RunStatus
from app.service.keep_alive import Alive, GivenUp, heartbeat, reclaim
from app.service.log_epochs import LogEpochs, Logged, log_epochs
from app.service.stop_early import EarlyStopping
from app.store import runs
from app.store.database import Database
from app.store.idempotency import Once
from app.store.runs import Stop
from app.store.writer import Operation

R = TypeVar("R")
A = TypeVar("A")

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Tracker:
    """Listens to the runs that log to this process."""

    database: Database
    early_stopping: EarlyStopping

    async def log(self, epochs: LogEpochs, once: Once | None = None) -> Logged:
        """Store epochs, and say whether the run should stop.

        Raises:
            UnknownRun, RunEnded, DuplicateMetricKey: nothing was stored.
            LeaseLost: another one has the run's trial.
        """
        logged = await self._speak(epochs.run_id, log_epochs, epochs, once)
        if logged.alive is None:
            return logged
        stop = await self.early_stopping.judge(logged.alive)
        return logged if stop is logged.alive.stop else replace(logged, alive=replace(logged.alive, stop=stop))

    async def heartbeat(self, run_id: UUID, once: Once | None = None) -> Alive:
        """Keep the run alive, and say whether it should stop.

        Raises:
            UnknownRun, RunEnded: there is nothing to keep alive.
            LeaseLost: another one has the run's trial.
        """
        alive = await self._speak(run_id, heartbeat, run_id, once)
        return replace(alive, stop=await self.early_stopping.judge(alive))

    async def why_stop(self, run_id: UUID) -> Stop | None:
        """Why a run should stop, which has said something; None: it may go on, or is over."""
        run = (await self.database.read(runs.find_many, [run_id])).get(run_id)
        if run is None or run.status is not RunStatus.running:
            return None
        return await self.early_stopping.judge(Alive(run_id, run.tuner_id, run.stop, lease_expires_at=None))

    async def _speak(self, run_id: UUID, operation: Operation[R, A], request: R, once: Once | None) -> A:
        for _ in range(_TRIES):
            try:
                return await self.database.write(operation, request, once)
            except GivenUp:
                await self.database.write(reclaim, run_id)
        raise LeaseLost()
