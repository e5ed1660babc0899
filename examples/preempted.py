"""A worker that may be preempted at any instant: `python examples/preempted.py [URL]`, of a service that runs.

Started again with the same SEARCH and WORKER, as Slurm and Kubernetes do (docs/team.md), it goes on with the trial that
it had, from its last checkpoint. So does another worker that is given this trial because the first one stays away.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from tunetrack_client import Client, float_range

N_EPOCHS = 20
CHECKPOINTS = Path(os.environ.get("CHECKPOINTS", "checkpoints"))
"""On a disk that all nodes share."""


def save(path: Path, epoch: int, weight: float) -> None:
    """Write a checkpoint, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps([epoch, weight]))
    partial.replace(path)


def main() -> None:
    """Train trials until the search is over."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an end in order: what was said is delivered
    client = Client(sys.argv[1] if len(sys.argv) > 1 else None)
    space = {"rate": float_range(1e-2, 1.0, log=True)}
    tuner = client.tuner(space, key=os.environ.get("SEARCH"), objective="loss", direction="minimize", max_trials=4)
    for trial in tuner.trials(os.environ.get("WORKER")):
        checkpoint = CHECKPOINTS / f"{trial.trial_id}.json"
        with trial.run(resume=True) as run:
            first, weight = json.loads(checkpoint.read_text()) if checkpoint.exists() else (0, 0.0)
            print(f"trial {trial.number} from epoch {first} on", flush=True)
            for epoch in range(first, N_EPOCHS):
                time.sleep(0.02)  # the training
                weight += trial.params["rate"] * (1 - weight)
                run.log(epoch, loss=(1 - weight) ** 2)
                run.flush(5.0)  # what a checkpoint holds has arrived: no kill leaves a gap in the curve
                save(checkpoint, epoch + 1, weight)
                print(f"trial {trial.number} has epoch {epoch}", flush=True)
                if run.should_stop:
                    break
        checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
