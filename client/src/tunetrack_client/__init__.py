"""tunetrack for trainers: ask what to try next, tell how it goes, stop when it is hopeless.

    from tunetrack_client import Client, float_range

    tuner = Client().tuner({"lr": float_range(1e-4, 1e-1, log=True)}, objective="accuracy", max_trials=20)
    for trial in tuner.trials():
        with trial.run() as run:
            for epoch in range(10):
                run.log(epoch, accuracy=train_one_epoch(trial.params))
                if run.should_stop:
                    break

What a training says is delivered in the background, and kept on disk while the service is away: a training never
waits for the network, nor fails with it. Callbacks for frameworks lie beside this file and are imported by name:
`tunetrack_client.keras`, `.lightning`, `.huggingface`, `.xgboost`, `.lightgbm`, `.sklearn`.
"""

from tunetrack_client.client import Client
from tunetrack_client.errors import Refused, TunetrackError, Unavailable
from tunetrack_client.events import Event
from tunetrack_client.run import Run, Stop
from tunetrack_client.space import choice, flag, float_range, int_range
from tunetrack_client.trial import Trial
from tunetrack_client.tuner import Tuner

__all__ = [
    "Client",
    "Event",
    "Refused",
    "Run",
    "Stop",
    "Trial",
    "Tuner",
    "TunetrackError",
    "Unavailable",
    "choice",
    "flag",
    "float_range",
    "int_range",
]
