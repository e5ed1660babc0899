"""A callback for Hugging Face's Trainer: `Trainer(…, callbacks=[TunetrackCallback(run)])`."""

import math
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
            passes over the data (only evaluations, the last one of each, for a stopper that compares trials with
            different batch sizes).
    """

    def __init__(self, run: Run | None, *, by: Literal["step", "epoch"] = "step") -> None:
        self.run = run
        self.by = by
        self._found: dict[str, float] = {}

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """The Trainer calls this."""
        if self.run is not None and self.by == "step" and state.is_world_process_zero:
            self.run.log(state.global_step, {k: v for k, v in numbers(logs or {}).items() if k != "epoch"})
        self._obey(control)

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, Any] | None = None, **_: Any) -> None:
        """The Trainer calls this; a later evaluation of the same epoch may come, unless that is over."""
        if self.run is not None and self.by == "epoch" and state.is_world_process_zero:
            self._found |= {k: v for k, v in numbers(metrics or {}).items() if k != "epoch"}
        if not (state.epoch or 0) % 1:
            self._log_epoch(state)
        self._obey(control)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The Trainer calls this."""
        self._log_epoch(state)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The Trainer calls this, also where it has stopped within an epoch."""
        self._log_epoch(state)
        self._obey(control)

    def _log_epoch(self, state: Any) -> None:
        if self.run is not None and self._found:
            self.run.log(math.ceil(state.epoch or 0), self._found)
            self._found = {}

    def _obey(self, control: Any) -> None:
        said = [self.run is not None and self.run.should_stop]
        if distributed.is_available() and distributed.is_initialized():
            # One that stopped alone would wait for the others for ever, and they for it.
            distributed.broadcast_object_list(said, src=0)
        if said[0]:
            control.should_training_stop = True
