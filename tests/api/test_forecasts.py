"""Trials that train still count in proposals with what they are expected to come to."""

import httpx
import pytest

from tests.calls import JSON, create_tuner, end_run, log_epoch, start_run, suggest

SPACE: JSON = {
    "x": {"type": "float_range", "min": 0.0, "max": 1.0},
    "y": {"type": "float_range", "min": 0.0, "max": 1.0},
}
N_FIRST, N_TRAINING = 6, 3
GAIN = 0.5
"""By so much each run gets better from its first epoch to its end."""


def level(params: JSON) -> float:
    return float(-((params["x"] - 0.3) ** 2) - (params["y"] - 0.8) ** 2)


def search(client: httpx.Client, strategy: str = "gp", **body: JSON) -> tuple[JSON, list[JSON]]:
    """A tuner, some of whose first trials have come to their ends, and runs of others, which have said nothing yet."""
    tuner = create_tuner(client, space=SPACE, strategy=strategy, seed=5, **body)
    trials = suggest(client, tuner, N_FIRST + N_TRAINING)
    runs = [start_run(client, trial_id=trial["trial_id"]) for trial in trials]
    for run in runs[:N_FIRST]:
        log_epoch(client, run, 0, score=level(run["params"]) - GAIN)
        log_epoch(client, run, 1, score=level(run["params"]))
        end_run(client, run)
    return tuner, runs[N_FIRST:]


def next_ones(client: httpx.Client, tuner: JSON) -> tuple[list[JSON], set[int | None]]:
    """The params of four more trials, and of how many that train still they know."""
    trials = suggest(client, tuner, 4)
    return [trial["params"] for trial in trials], {trial["why"].get("forecasts") for trial in trials}


@pytest.mark.parametrize("strategy", ["gp", "auto"])
def test_who_trains_counts_as_if_it_had_come_to_what_is_expected(client: httpx.Client, strategy: str) -> None:
    ended, training, silent = (search(client, strategy) for _ in range(3))
    for run in ended[1]:
        log_epoch(client, run, 0, score=level(run["params"]) - GAIN)
        end_run(client, run, final_metrics={"score": level(run["params"])})
    for run in training[1]:
        log_epoch(client, run, 0, score=level(run["params"]) - GAIN)
    (known, of_known), (expected, of_expected), (unknown, of_unknown) = (
        next_ones(client, tuner) for tuner, _ in (ended, training, silent)
    )
    assert (of_known, of_expected, of_unknown) == ({None}, {N_TRAINING}, {None})
    assert expected == [pytest.approx(params, abs=1e-4) for params in known]
    assert unknown != expected


def test_each_epoch_is_heard(client: httpx.Client) -> None:
    tuner, runs = search(client)
    found = [next_ones(client, tuner)[1]]
    for run in runs:
        log_epoch(client, run, 0, score=level(run["params"]) - GAIN)
        found.append(next_ones(client, tuner)[1])
    assert found == [{None}, {1}, {2}, {3}]


def test_what_says_nothing_of_the_objective_is_no_news(client: httpx.Client) -> None:
    tuner, (infinite, other, deleted) = search(client)
    log_epoch(client, infinite, 0, score="-Infinity")
    log_epoch(client, other, 0, loss=1.0)
    log_epoch(client, deleted, 0, score=0.0)
    assert next_ones(client, tuner)[1] == {1}
    assert client.delete(f"/v1/runs/{deleted['run_id']}").status_code == 204
    assert next_ones(client, tuner)[1] == {None}


def test_strategies_that_wait_for_the_end_hear_of_none(client: httpx.Client) -> None:
    tuner, runs = search(client, "cma_es", options={"population": 4})
    for run in runs:
        log_epoch(client, run, 0, score=level(run["params"]))
    (trial,) = suggest(client, tuner)
    assert trial["why"]["phase"] == "model"
    assert "forecasts" not in trial["why"]
