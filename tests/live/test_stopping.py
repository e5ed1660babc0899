"""Stoppers and restarts: a process that comes anew knows from the log what the one before it knew."""

import httpx

from tests.calls import answer, create_tuner, log_batch, log_epoch, start_run, suggest
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


def test_after_a_restart_no_answer_waits_for_more_than_a_part_of_a_long_log(
    fresh_server: Server, fresh_client: httpx.Client
) -> None:
    tuner = create_tuner(fresh_client, stopper={"type": "threshold", "min": 0.5})
    long, bad = (start_run(fresh_client, trial_id=trial["trial_id"]) for trial in suggest(fresh_client, tuner, 2))
    for begin in range(0, 11_000, 1000):
        log_batch(fresh_client, long, [(epoch, {"score": 0.9}) for epoch in range(begin, begin + 1000)])
    fresh_server.kill()
    fresh_server.start()
    assert log_epoch(fresh_client, bad, 0, score=0.1)["should_stop"] is False  # what is not known yet stops nobody
    assert answer(fresh_client.post(f"/v1/runs/{bad['run_id']}/heartbeat"))["stop"]["rule"] == "threshold"
