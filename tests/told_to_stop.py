"""A training that would not end, of a run that is told to stop: what each callback must bring about."""

from collections.abc import Callable
from typing import Any

from tunetrack_client import Client, Run, float_range

TRAINING = Callable[[Run], None]
LAST_EPOCH = 2


def train_and_be_stopped(client: Client, metric: str, train: TRAINING, at: int = LAST_EPOCH) -> dict[str, Any]:
    """The run of one trial that is trained without end, and told to stop after some epochs."""
    stopper = {"type": "threshold", "min": 1e30, "from_epoch": at}
    tuner = client.tuner({"x": float_range(0.0, 1.0)}, objective=metric, max_trials=1, stopper=stopper)
    (trial,) = tuner.suggest()
    with trial.run() as run:
        train(_attentive(run))
    client.flush()
    found = client.get(f"/v1/runs/{run.run_id}")
    assert found["status"] == "stopped"
    assert next(tuner.history())["state"] == "stopped"
    assert found["summary"][metric]["count"] >= 1
    return found


def _attentive(run: Run) -> Run:
    """Waits for the answer to each epoch, so that the word to stop comes when it is due."""
    log = run.log

    def log_and_wait(*arguments: Any, **more: Any) -> None:
        log(*arguments, **more)
        assert run.flush()

    run.log = log_and_wait  # type: ignore[method-assign]
    return run
