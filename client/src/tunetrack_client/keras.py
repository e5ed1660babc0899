"""A callback for Keras: `model.fit(…, callbacks=[TunetrackCallback(run)])`."""

from typing import Any

import keras

from tunetrack_client.run import Run
from tunetrack_client.wire import numbers


class TunetrackCallback(keras.callbacks.Callback):
    """Logs each epoch as Keras names its metrics (`loss`, `val_loss`, …), and stops when the run is told to."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras calls this."""
        self.run.log(epoch, numbers(logs or {}))
        if self.run.should_stop:
            self.model.stop_training = True
