"""A callback for XGBoost: `xgboost.train(…, evals=…, callbacks=[TunetrackCallback(run)])`."""

from typing import Any

import xgboost

from tunetrack_client.run import Run


class TunetrackCallback(xgboost.callback.TrainingCallback):
    """Logs each boosting round, and stops when the run is told to.

    Metrics are named as XGBoost prints them: `validation-rmse` for the metric `rmse` of the data `validation`. Of a
    cross-validation, the mean over the folds is logged.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def after_iteration(self, model: Any, epoch: int, evals_log: dict[str, dict[str, list[Any]]]) -> bool:
        """XGBoost calls this; true ends the training."""
        last = {
            f"{data}-{metric}": values[-1] for data, metrics in evals_log.items() for metric, values in metrics.items()
        }
        self.run.log(epoch, {name: value[0] if isinstance(value, tuple) else value for name, value in last.items()})
        return self.run.should_stop
