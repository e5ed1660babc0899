"""A callback for Hugging Face's Trainer: `Trainer(…, callbacks=[TunetrackCallback(run)])`."""

from typing import Any, Literal

from torch import distributed
from transformers import TrainerCallback

from tunetrack_client.run import Run
from tunetrack_client.wire import numbers


class TunetrackCallback(TrainerCallback):
    """Logs what the Trainer logs, as it names it (`loss`, `eval_loss`, …), and stops when the run is told to.

    Args:
        run: None in all processes of a distributed training but the first, which tells them when to stop.
        by: what counts as an epoch of the run: `step`, the optimiser's steps (all that is logged), or `epoch`, the
            passes over the data (only evaluations, for a stopper that compares trials with different batch sizes).
    """

    def __init__(self, run: Run | None, *, by: Literal["step", "epoch"] = "step") -> None:
        self.run = run
        self.by = by

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """The Trainer calls this."""
        if self.run is not None and self.by == "step" and state.is_world_process_zero:
            self.run.log(state.global_step, {k: v for k, v in numbers(logs or {}).items() if k != "epoch"})
        self._obey(control)

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, Any] | None = None, **_: Any) -> None:
        """The Trainer calls this."""
        if self.run is not None and self.by == "epoch" and state.is_world_process_zero:
            self.run.log(round(state.epoch or 0), {k: v for k, v in numbers(metrics or {}).items() if k != "epoch"})
        self._obey(control)

    def _obey(self, control: Any) -> None:
        said = [self.run is not None and self.run.should_stop]
        if distributed.is_available() and distributed.is_initialized():
            # One that stopped alone would wait for the others for ever, and they for it.
            distributed.broadcast_object_list(said, src=0)
        if said[0]:
            control.should_training_stop = True
