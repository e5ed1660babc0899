"""The rule for those who want none."""

from typing import ClassVar
from uuid import UUID

from app.tuning.stopping.stopper import Decision, Run, Stopper


class Never(Stopper):
    """Lets every run go on, and remembers nothing."""

    key: ClassVar[str] = "none"
    description: ClassVar[str] = "Never stops a run."

    def add(self, run: Run, epoch: int, value: float) -> None:
        """Nothing depends on it."""

    def remove(self, run_id: UUID) -> None:
        """There is nothing to forget."""

    def decide(self, run: Run) -> Decision | None:
        """It goes on."""
        return None
