"""A callback for LightGBM: `lightgbm.train(…, valid_sets=…, callbacks=[TunetrackCallback(run)])`."""

from typing import Any

import lightgbm

from tunetrack_client.run import Run


class TunetrackCallback:
    """Logs each boosting round, and stops when the run is told to: `best_iteration` is then the last round.

    Metrics are named `valid_0-l2` for the metric `l2` of the data `valid_0`.
    """

    order = 20  # after those that evaluate
    before_iteration = False

    def __init__(self, run: Run) -> None:
        self.run = run

    def __call__(self, env: Any) -> None:
        """LightGBM calls this after each round.

        Raises:
            lightgbm.callback.EarlyStopException: its way to end a training.
        """
        results = env.evaluation_result_list or []
        self.run.log(env.iteration, {f"{result[0]}-{result[1]}": result[2] for result in results})
        if self.run.should_stop:
            raise lightgbm.callback.EarlyStopException(env.iteration, results)
