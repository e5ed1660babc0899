"""Stoppers and restarts: a process that comes anew knows from the log what the one before it knew."""

import httpx

from tests.calls import log_epoch
from tests.server import Server
from tests.training import Training

LEVELS = [0.9, 0.5, 0.2, 0.7, 0.4, 0.6, 0.8, 0.3]


def test_a_restart_in_the_middle_of_a_search_changes_no_verdict(
    fresh_server: Server, fresh_client: httpx.Client
) -> None:
    stopper = [{"type": "asha", "reduction_factor": 2}, {"type": "median", "warmup_epochs": 2, "min_trials": 2}]
    training = Training([fresh_client], stopper, n_runs=len(LEVELS))
    training.train(range(4), LEVELS, among=range(4))
    training.end(0)
    before = dict(training.stops)
    fresh_server.kill()
    fresh_server.start()
    training.train(range(8), LEVELS, among=range(4, 8))
    assert before
    assert training.stops.keys() > before.keys()
    for number in before:  # whoever was told to stop is told so still
        assert log_epoch(fresh_client, training.runs[number], 9, score=1.0)["stop"] == before[number]
