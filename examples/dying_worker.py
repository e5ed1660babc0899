"""Three workers, one of which dies in mid-trial: `python examples/dying_worker.py [URL]`, of a service that runs.

Its trial is handed to another one once its lease is over, and nothing of the search is lost.
"""

import os
import signal
import subprocess
import sys
import time

from tunetrack_client import Client, float_range

N_TRIALS = 9


def work(client: Client, tuner_id: str, name: str) -> None:
    """Train trials; the worker `doomed` never gets through its first one."""
    for trial in client.tuner(tuner_id=tuner_id).trials(name):
        with trial.run() as run:
            for epoch in range(5):
                run.log(epoch, gain=trial.params["x"] * epoch)
                time.sleep(0.02)  # the training
                if name == "doomed" and epoch == 2:
                    client.flush()
                    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Start the workers, and tell what became of the trials."""
    if len(sys.argv) == 4:
        work(Client(sys.argv[1]), sys.argv[2], sys.argv[3])
        return
    client = Client(sys.argv[1] if len(sys.argv) > 1 else None)
    tuner = client.tuner({"x": float_range(0.0, 1.0)}, objective="gain", max_trials=N_TRIALS, lease_s=2.0)
    command = [sys.executable, __file__, client.url, tuner.tuner_id]
    workers = {"doomed": subprocess.Popen([*command, "doomed"])}
    # Else, where it is slow to begin, the others may have done all by then.
    next(client.events(after=0, type="trial_start", tuner_id=tuner.tuner_id))
    workers |= {name: subprocess.Popen([*command, name]) for name in ("one", "two")}
    for name, worker in workers.items():
        print(f"worker {name} ended with status {worker.wait()}")
    for trial in tuner.history():
        print(f"trial {trial['number']} {trial['state']} at attempt {trial['attempt']}, by {trial['worker']}")


if __name__ == "__main__":
    main()
