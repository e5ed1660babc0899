"""Waiting for what comes by itself: leases that run out, runs that fall silent."""

import time
from collections.abc import Callable
from typing import TypeVar

import httpx

from tests.calls import JSON, get_run, get_trial, get_tuner

T = TypeVar("T")

PATIENCE_S = 60.0
SHORT_S = 0.2
"""A lease, or a silence, that is over before long; the service looks once a second."""


def eventually(look: Callable[[], T | None], timeout_s: float = PATIENCE_S) -> T:
    """What `look` sees, once it sees something. What has taken long is looked for less often: each look costs."""
    since = time.monotonic()
    while (seen := look()) is None:
        waited = time.monotonic() - since
        assert waited < timeout_s, f"not within {timeout_s} s"
        time.sleep(max(0.02, waited / 10))
    return seen


def trial_in(client: httpx.Client, trial: JSON, state: str) -> JSON:
    """The trial, once it is in this state."""
    return eventually(lambda: _if(get_trial(client, trial), "state", state))


def run_in(client: httpx.Client, run: JSON, status: str) -> JSON:
    """The run, once it has this status."""
    return eventually(lambda: _if(get_run(client, run), "status", status))


def tuner_in(client: httpx.Client, tuner: JSON, state: str) -> JSON:
    """The tuner, once it is in this state."""
    return eventually(lambda: _if(get_tuner(client, tuner), "state", state))


def _if(found: JSON, name: str, value: str) -> JSON | None:
    return found if found[name] == value else None
