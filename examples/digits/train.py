"""A worker: ask for a trial, train it, tell each epoch, obey, ask again. Plain HTTP, no client library.

python -m examples.digits.train URL TUNER_ID [--worker NAME] [--epochs N]

Start as many as there are cores, on as many machines as you like; stop one and start it again under the same
name, and it is handed the trial that it was at.
"""

import argparse
import logging
import sys
import time
import uuid
from typing import Any

import httpx
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

PAUSES_S = (0.1, 0.3, 1.0, 3.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0)
"""Between one try and the next, while the service cannot be reached or is busy."""


def work(service: httpx.Client, tuner_id: str, worker: str, epochs: int) -> None:
    """Train trials of the tuner until it has no more to give."""
    digits, labels = load_digits(return_X_y=True)
    data = train_test_split(digits / 16, labels, test_size=0.5, stratify=labels, random_state=0)
    while True:
        answer = post(service, f"/v1/tuners/{tuner_id}/suggest", {"worker": worker})
        for trial in answer["trials"]:
            train(service, trial, data, epochs)
        if not answer["trials"]:
            if answer["tuner_state"] in ("completed", "stopped"):
                return
            time.sleep(answer["retry_after_s"] or 0.5)


def train(service: httpx.Client, trial: dict[str, Any], data: Any, epochs: int) -> None:
    """Train one proposal as a tracked run; the end of the run is the result of the trial."""
    images, validation_images, labels, validation_labels = data
    params = trial["params"]
    model = MLPClassifier(
        hidden_layer_sizes=[params["hidden_units"]],
        activation=params["activation"],
        alpha=params["l2"],
        batch_size=params["batch_size"],
        learning_rate_init=params["learning_rate"],
        random_state=0,
    )
    # An id of our own choice makes this call as safe to repeat as the others are.
    run = post(service, "/v1/runs", {"run_id": str(uuid.uuid4()), "trial_id": trial["trial_id"], "tags": ["digits"]})
    status, metrics = "finished", {}
    for epoch in range(epochs):
        model.partial_fit(images, labels, classes=range(10))
        metrics = {"loss": float(model.loss_), "accuracy": float(model.score(validation_images, validation_labels))}
        answer = post(service, f"/v1/runs/{run['run_id']}/epochs", {"epoch": epoch, "metrics": metrics})
        if answer["should_stop"]:
            status = "stopped"
            break
    post(service, f"/v1/runs/{run['run_id']}/end", {"final_metrics": metrics, "status": status})


def post(service: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    """The answer to a POST, sent again while the service is away or busy: a write may be repeated without harm.

    Raises:
        httpx.HTTPError: it refuses, or has been away for too long.
    """
    for pause_s in PAUSES_S:
        try:
            response = service.post(path, json=body)
            if response.status_code not in (429, 503):
                return response.raise_for_status().json()
        except httpx.TransportError as error:
            logging.warning("%s: %r, again in %s s", path, error, pause_s)
        time.sleep(pause_s)
    return service.post(path, json=body).raise_for_status().json()


def main() -> None:
    """Read the command line and work."""
    parser = argparse.ArgumentParser(prog="python -m examples.digits.train", description="Train trials of a tuner.")
    parser.add_argument("url", help="where the service listens")
    parser.add_argument("tuner_id")
    parser.add_argument("--worker", default=f"worker-{uuid.uuid4().hex[:6]}", help="a name of its own")
    parser.add_argument("--epochs", type=int, default=25, help="epochs a trial (default: %(default)s)")
    arguments = parser.parse_args()
    with httpx.Client(base_url=arguments.url, timeout=30) as service:
        try:
            work(service, arguments.tuner_id, arguments.worker, arguments.epochs)
        except httpx.HTTPStatusError as error:
            sys.exit(f"{arguments.worker}: {error.request.url.path}: {error.response.text}")
        except httpx.TransportError as error:
            sys.exit(f"{arguments.worker}: {arguments.url}: {error!r}")
        except KeyboardInterrupt:
            sys.exit(f"{arguments.worker}: stopped")


if __name__ == "__main__":
    main()
