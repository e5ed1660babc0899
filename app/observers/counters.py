"""Prometheus counters of what happens, as an observer: of several processes one counts, and their sum is the whole."""

from typing import Any

from prometheus_client import Counter

from app.service.metrics import REGISTRY

_EVENTS = Counter("tunetrack_events", "Events committed, by type.", ["type"], registry=REGISTRY)
_RUNS = Counter("tunetrack_runs_ended", "Training runs that ended, by status.", ["status"], registry=REGISTRY)
_TRIALS = Counter("tunetrack_trials_ended", "Trials that have their outcome, by state.", ["state"], registry=REGISTRY)


def count(event: dict[str, Any]) -> None:
    """Count an event."""
    _EVENTS.labels(event["type"]).inc()
    if event["type"] == "training_end":
        _RUNS.labels(event["status"]).inc()
    elif event["type"] == "trial_end":
        _TRIALS.labels(event["state"]).inc()
