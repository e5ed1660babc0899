"""For PyTorch Lightning: a callback that tunes, and a logger that keeps everything.

Trainer(callbacks=[TunetrackCallback(run)])                                     one value of each metric per epoch
Trainer(logger=TunetrackLogger(run))                                            all that is logged, by step
Trainer(logger=TunetrackLogger(run), callbacks=[TunetrackCallback(run, log=False)])   the latter, and obey
"""

from argparse import Namespace
from typing import Any

try:
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.loggers import Logger
    from lightning.pytorch.utilities import rank_zero_only
except ImportError:  # the package's other name
    from pytorch_lightning.callbacks import Callback
    from pytorch_lightning.loggers import Logger
    from pytorch_lightning.utilities import rank_zero_only

from tunetrack_client.run import Run
from tunetrack_client.wire import numbers


class TunetrackCallback(Callback):
    """Logs the metrics of each epoch (`self.log("val_loss", …)`), and stops when the run is told to.

    Args:
        run: None in all processes of a distributed training but the first, which tells them when to stop.
        log: False where a `TunetrackLogger` logs already.
    """

    def __init__(self, run: Run | None, *, log: bool = True) -> None:
        self.run = run
        self._is_logging = log  # not `log`: there Lightning puts its module's own
        self._last: dict[str, Any] = {}

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Lightning calls this, after the epoch's validation."""
        if self.run is not None and self._is_logging and trainer.is_global_zero:
            found = dict(trainer.callback_metrics)
            # What was measured in an earlier epoch, as by a validation of every second one, is still the same object.
            new = {name: value for name, value in found.items() if value is not self._last.get(name)}
            self._last = found
            self.run.log(trainer.current_epoch, numbers(new))
        if trainer.strategy.broadcast(self.run is not None and self.run.should_stop):
            trainer.should_stop = True


class TunetrackLogger(Logger):
    """Logs all that Lightning logs; the run's epochs are Lightning's steps.

    Args:
        run: None in all processes of a distributed training but the first.
    """

    def __init__(self, run: Run | None) -> None:
        super().__init__()
        self.run = run

    @property
    def name(self) -> str:
        """Lightning asks for this."""
        return "tunetrack"

    @property
    def version(self) -> str:
        """Lightning asks for this."""
        return "" if self.run is None else self.run.run_id

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: a run's params are those that it was started with."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Lightning calls this."""
        if self.run is not None:
            self.run.log(step or 0, {k: v for k, v in numbers(metrics).items() if k != "epoch"})
