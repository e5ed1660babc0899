"""What the pages are looked at with: tuners with trials that were trained, stopped and lost."""

from typing import Any

import httpx

from tests.calls import JSON, answer, create_tuner, end_run, log_batch, start_run, suggest

SPACE = {
    "learning_rate": {"type": "float_range", "min": 1e-4, "max": 1e-1, "log": True},
    "optimizer": {"type": "choice", "options": ["adam", "sgd"]},
}

OBJECTIVES = [{"metric": "accuracy", "direction": "maximize"}, {"metric": "latency", "direction": "minimize"}]
"""Where there are several; the first is the one where there is one."""


def new_tuner(client: httpx.Client, **body: Any) -> JSON:
    """A tuner of the demo's kind."""
    objective = {} if "objectives" in body else {"objective": OBJECTIVES[0]}
    return create_tuner(client, **({"name": "digits", "space": SPACE} | objective | body))


def finish_trial(client: httpx.Client, tuner: JSON, accuracy: float, status: str = "finished", **others: float) -> JSON:
    """A trial that was trained for some epochs and got there, or was stopped; its run."""
    (trial,) = suggest(client, tuner)
    run = start_run(client, trial_id=trial["trial_id"])
    log_batch(client, run, [(epoch, {"accuracy": accuracy * (1 - 0.5 ** (epoch + 1))} | others) for epoch in range(5)])
    final = {"final_metrics": {"accuracy": accuracy} | others} if status == "finished" else {}
    return end_run(client, run, status=status, **final)


def lose_trial(client: httpx.Client, tuner: JSON, state: str = "failed", reason: str = "out of memory") -> JSON:
    """A trial that came to nothing."""
    (trial,) = suggest(client, tuner)
    path = f"/v1/tuners/{tuner['tuner_id']}/result"
    return answer(client.post(path, json={"trial_id": trial["trial_id"], "state": state, "reason": reason}))


def varied_tuner(client: httpx.Client, **body: Any) -> JSON:
    """A tuner with trials of every kind: good ones, stopped ones, a failed one, an infeasible one, one under way."""
    tuner = new_tuner(client, tags=["varied"], budget={"max_trials": 20, "max_attempts": 1}, **body)
    for accuracy in (0.5, 0.8, 0.6, 0.9, 0.7, 0.3):
        finish_trial(client, tuner, accuracy)
    for accuracy in (0.2, 0.4):
        finish_trial(client, tuner, accuracy, status="stopped")
    lose_trial(client, tuner)
    lose_trial(client, tuner, state="infeasible", reason="no such shape")
    (trial,) = suggest(client, tuner)
    log_batch(client, start_run(client, trial_id=trial["trial_id"]), [(0, {"accuracy": 0.1}), (1, {"accuracy": 0.15})])
    return tuner


def make_pages(client: httpx.Client) -> dict[str, str]:
    """A page of each kind."""
    tuner = varied_tuner(client)
    objectives = [{"metric": one, "direction": "maximize"} for one in ("accuracy", "speed")]
    many = new_tuner(client, name="two", objectives=objectives)
    runs = [finish_trial(client, many, accuracy, speed=1 - accuracy) for accuracy in (0.2, 0.5)]
    empty = create_tuner(client, name="nobody", space=SPACE)
    crowd = [start_run(client, name=f"one of many {number}") for number in range(10)]
    for run in crowd:
        log_batch(
            client, run, [(epoch, {f"val/{number}": epoch for number in range(13)} | {"loss": 1}) for epoch in (0, 1)]
        )
    return {
        "start": "/",
        "refused": "/#/?filter=name+%3D+%3D",
        "tuner": f"/#/tuners/{tuner['tuner_id']}",
        "two": f"/#/tuners/{many['tuner_id']}",
        "empty": f"/#/tuners/{empty['tuner_id']}",
        "run": f"/#/runs/{runs[0]['run_id']}",
        "compare": "/#/compare?" + "&".join(f"run={run['run_id']}" for run in runs),
        "metrics": f"/#/runs/{crowd[0]['run_id']}",
        "crowd": "/#/compare?run=gone&" + "&".join(f"run={run['run_id']}" for run in crowd),
        "ticked": f"/#/?picked={crowd[0]['run_id']}+{crowd[1]['run_id']}",
        "nowhere": "/#/nowhere",
    }
