"""Runs searched, compared and drawn over HTTP."""

import uuid
from typing import Any

import httpx
import pytest

from app.domain.filters import TRIAL_FIELDS
from tests.calls import (
    JSON,
    answer,
    create_tuner,
    end_run,
    list_all,
    log_batch,
    log_epoch,
    problem,
    report,
    start_run,
    suggest,
)


def _some(client: httpx.Client) -> tuple[str, list[JSON]]:
    """Six runs of one tag: with scores 0 to 3, NaN, and none."""
    tag = uuid.uuid4().hex
    made = []
    for number, score in enumerate([2.0, 0.0, 3.0, 1.0, "NaN", None]):
        run = start_run(client, tags=[tag], params={"layers": number, "opt": "adam" if number % 2 else "sgd"})
        if score is not None:
            log_epoch(client, run, 0, score=score)
        if number % 2:
            end_run(client, run)
        made.append(run)
    return tag, made


def _layers(runs: list[JSON]) -> list[int]:
    return [run["params"]["layers"] for run in runs]


def test_runs_are_filtered_and_ordered_page_by_page(client: httpx.Client) -> None:
    tag, _ = _some(client)
    mine = f'"{tag}" in tags'
    for page_size in (1, 2, 1000):
        query: dict[str, Any] = {"filter": mine, "page_size": page_size}
        assert _layers(list_all(client, "/v1/runs", **query)) == [5, 4, 3, 2, 1, 0]
        up = list_all(client, "/v1/runs", order_by="metrics.score", **query)
        down = list_all(client, "/v1/runs", order_by="metrics.score desc, params.layers", **query)
        assert _layers(up) == [1, 3, 0, 2, 4, 5]
        assert _layers(down) == [2, 0, 3, 1, 4, 5]
    found = list_all(client, "/v1/runs", filter=f'{mine} and params.opt = "adam" and metrics.score < 1')
    assert _layers(found) == [1]
    # All of these have just been written: a search must see them at once.
    found = list_all(
        client, "/v1/runs", filter=f'{mine} and (params.opt = "adam" or name = "x") and status = "finished"'
    )
    assert _layers(found) == [5, 3, 1]


def test_pages_neither_skip_nor_double_while_runs_are_written(client: httpx.Client) -> None:
    tag, made = _some(client)
    query: dict[str, Any] = {"filter": f'"{tag}" in tags', "order_by": "params.layers", "page_size": 2}
    first = answer(client.get("/v1/runs", params=query))
    start_run(client, tags=[tag], params={"layers": -1})
    log_epoch(client, made[0], 1, score=9.0)
    rest = list_all(client, "/v1/runs", page_token=first["next_page_token"], **query)
    assert _layers(first["items"] + rest) == [0, 1, 2, 3, 4, 5]


def test_only_the_fields_that_are_asked_for_come(client: httpx.Client) -> None:
    tag, made = _some(client)
    query = {"filter": f'"{tag}" in tags and params.layers = 0', "fields": "run_id,metrics.score,params.none,status"}
    expected = {"run_id": made[0]["run_id"], "metrics": {"score": 2.0}, "params": {}, "status": "running"}
    assert answer(client.get("/v1/runs", params=query))["items"] == [expected]
    query["fields"] = "final_metrics.score"
    assert answer(client.get("/v1/runs", params=query))["items"] == [{"final_metrics": {}}], "it has not ended"
    query["fields"] = "final_metrics,final_metrics.score"
    assert answer(client.get("/v1/runs", params=query))["items"] == [{"final_metrics": None}]
    for fields in ("run_id,secret", "", "run_id,", ",run_id", "run_id,,name"):
        problem(client.get("/v1/runs", params={"fields": fields}), 422, "invalid-request")


@pytest.mark.parametrize("letter", ["a", "é", "界", "🚀"])
def test_a_page_may_end_at_a_text_of_any_length(client: httpx.Client, letter: str) -> None:
    tag, texts = uuid.uuid4().hex, [letter * 9_999 + end for end in "ab"]
    made = [start_run(client, tags=[tag], note=text)["run_id"] for text in texts]
    found = list_all(client, "/v1/runs", filter=f'"{tag}" in tags', order_by="note", page_size=1)
    assert [run["run_id"] for run in found] == made


@pytest.mark.parametrize("name", ["loss", "val.loss", "loss, smoothed", "`", "a`,`b", "`quoted`", "``", " spaced "])
def test_a_field_of_any_name_can_be_asked_for(client: httpx.Client, name: str) -> None:
    run = start_run(client)
    log_epoch(client, run, 0, **{name: 1.0, "other": 2.0})
    quoted = "`" + name.replace("`", "``") + "`"
    query = {"filter": f'run_id = "{run["run_id"]}"', "fields": f"run_id, metrics.{quoted} ,status"}
    expected = {"run_id": run["run_id"], "metrics": {name: 1.0}, "status": "running"}
    assert answer(client.get("/v1/runs", params=query))["items"] == [expected]


def test_a_filter_or_order_that_does_not_parse_is_refused(client: httpx.Client) -> None:
    problem(client.get("/v1/runs", params={"filter": "metrics.loss <"}), 422, "bad-filter", position=14)
    problem(client.get("/v1/runs", params={"order_by": "metrics.loss up"}), 422, "invalid-request")
    problem(client.get("/v1/runs", params={"order_by": "tags"}), 422, "invalid-request")


def test_a_token_of_another_order_is_refused(client: httpx.Client) -> None:
    tag, _ = _some(client)
    query: dict[str, Any] = {"filter": f'"{tag}" in tags', "page_size": 1}
    for order, said in (
        ("name", "is not a next_page_token of this list"),
        ("start_time", "is of a list in another order"),
    ):
        token = answer(client.get("/v1/runs", params=query | {"order_by": order}))["next_page_token"]
        told = problem(client.get("/v1/runs", params=query | {"page_token": token}), 422, "invalid-request")
        assert said in told["detail"]


def test_trials_are_filtered_and_ordered(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    for x in (0.1, 0.5, 0.9, 0.3):
        report(client, tuner, params={"x": x}, score=1 - x)
    path = f"/v1/tuners/{tuner['tuner_id']}/trials"
    for page_size in (1, 1000):
        found = list_all(client, path, filter="params.x > 0.2 and score > 0.2", order_by="score", page_size=page_size)
        assert [trial["params"]["x"] for trial in found] == [0.5, 0.3]
        assert [trial["number"] for trial in list_all(client, path, page_size=page_size)] == [0, 1, 2, 3]
    waiting = suggest(client, tuner, worker="w")[0]
    report(client, tuner, trial_id=waiting["trial_id"], state="failed")
    for condition in ('state = "queued"', "attempt = 2", 'state in ("queued", "running") and attempt > 1'):
        assert [trial["number"] for trial in list_all(client, path, filter=condition)] == [4]
    problem(client.get(path, params={"filter": "metrics.a = 1"}), 422, "bad-filter", position=0)


def test_trials_of_several_objectives_are_filtered_and_ordered_by_each(client: httpx.Client) -> None:
    tuner = create_tuner(client, objectives=[{"metric": "val/acc"}, {"metric": "cost", "direction": "minimize"}])
    for number, cost in enumerate([3, 1, "Infinity", 2, "NaN"]):
        report(client, tuner, params={"x": number / 10}, scores={"val/acc": number, "cost": cost})
    suggest(client, tuner)
    path = f"/v1/tuners/{tuner['tuner_id']}/trials"
    for order_by, expected in (
        ("scores.cost", [1, 3, 0, 2, 4, 5]),
        ("scores.cost desc", [2, 0, 3, 1, 5, 4]),
        ("scores.`val/acc` desc", [4, 3, 2, 1, 0, 5]),
    ):
        for page_size in (1, 1000):
            found = list_all(client, path, order_by=order_by, page_size=page_size)
            assert [trial["number"] for trial in found] == expected, order_by
    for condition, expected in (
        ("scores.cost <= 2 and scores.`val/acc` > 1", [3]),
        ("scores.cost is nan", [4]),
        ("scores.cost is null", [5]),
    ):
        assert [trial["number"] for trial in list_all(client, path, filter=condition)] == expected


@pytest.fixture
def trials_of_all_kinds(client: httpx.Client, filled: dict[str, str]) -> str:
    """The path of the list of them; each service has them once."""
    if (url := str(client.base_url)) not in filled:
        filled[url] = make_trials_of_all_kinds(client)
    return filled[url]


@pytest.fixture(scope="module")
def filled() -> dict[str, str]:
    return {}


def make_trials_of_all_kinds(client: httpx.Client) -> str:
    tuner = create_tuner(client)
    for number in range(8):
        report(client, tuner, params={"x": number * 3 % 8 / 10}, score=number * 5 % 8)
    for worker, state in (("w", "infeasible"), ("v", None), ("u", "failed")):
        (trial,) = suggest(client, tuner, worker=worker)
        if state is not None:
            report(client, tuner, trial_id=trial["trial_id"], state=state)
    return f"/v1/tuners/{tuner['tuner_id']}/trials"


@pytest.mark.parametrize("is_descending", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("field", [field for field in TRIAL_FIELDS if field not in ("params", "scores")] + ["params.x"])
def test_trials_are_ordered_by_any_field(
    client: httpx.Client, trials_of_all_kinds: str, field: str, is_descending: bool
) -> None:
    path = trials_of_all_kinds
    all_there_are = list_all(client, path)
    order_by = f"{field} {'desc' if is_descending else 'asc'}, number"

    def value(trial: JSON) -> Any:
        return trial["params"]["x"] if field == "params.x" else trial[field]

    expected = sorted((one for one in all_there_are if value(one) is not None), key=value, reverse=is_descending)
    expected += [one for one in all_there_are if value(one) is None]
    for page_size in (2, 1000):
        assert list_all(client, path, order_by=order_by, page_size=page_size) == expected


def test_pages_go_on_after_scores_of_any_size(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    scores = ["Infinity", 1e300, 2.0**63, 0.5, -1e300, "-Infinity"]
    for position, score in enumerate(scores):
        report(client, tuner, params={"x": position / 10}, score=score)
    path = f"/v1/tuners/{tuner['tuner_id']}/trials"
    for order_by, expected in (("score desc", scores), ("score", scores[::-1])):
        found = list_all(client, path, order_by=order_by, page_size=1)
        assert [trial["score"] for trial in found] == expected


def test_runs_are_compared_in_the_order_asked(client: httpx.Client) -> None:
    a = start_run(client, params={"lr": 0.1, "n": 3}, name="a")
    b = start_run(client, params={"lr": 0.1, "n": 3.0, "new": True}, name="b")
    log_batch(client, a, [(0, {"loss": 1.0}), (1, {"loss": 3.0})])
    end_run(client, a, final_metrics={"loss": 2.0})
    query = {"run_id": [b["run_id"], a["run_id"]]}
    found = answer(client.get("/v1/runs/compare", params=query))
    assert found["names"] == ["b", "a"]
    assert found["params"] == {
        "lr": {"values": [0.1, 0.1], "differs": False},
        "n": {"values": [3.0, 3], "differs": True},
        "new": {"values": [True, None], "differs": True},
    }
    loss = found["metrics"]["loss"]
    assert (loss["latest"], loss["last"], loss["min"], loss["max"]) == (
        [None, 2.0],
        [None, 3.0],
        [None, 1.0],
        [None, 3.0],
    )
    assert found["trial_numbers"] == [None, None]
    tuner = create_tuner(client)
    _, trial = suggest(client, tuner, count=2)
    of_trial = start_run(client, trial_id=trial["trial_id"])
    found = answer(client.get("/v1/runs/compare", params={"run_id": [a["run_id"], of_trial["run_id"]]}))
    assert found["trial_numbers"] == [None, 1]
    problem(client.get("/v1/runs/compare", params={"run_id": str(uuid.uuid4())}), 404, "unknown-run")
    problem(client.get("/v1/runs/compare"), 422, "invalid-request")


def test_a_list_of_runs_tells_the_numbers_of_their_trials(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    _, trial = suggest(client, tuner, count=2)
    for trial_id in (trial["trial_id"], None):
        start_run(client, tags=["numbered"], trial_id=trial_id)
    query = {"filter": '"numbered" in tags'}
    assert answer(client.get("/v1/runs", params=query))["trial_numbers"] == [None, 1]
    first = answer(client.get("/v1/runs", params=query | {"page_size": "1", "fields": "run_id"}))
    assert first["trial_numbers"] == [None]
    token = first["next_page_token"]
    assert answer(client.get("/v1/runs", params=query | {"page_token": token}))["trial_numbers"] == [1]


@pytest.mark.parametrize("max_points", [None, 4])
def test_the_curves_of_several_runs_come_in_one_call(client: httpx.Client, max_points: int | None) -> None:
    made = [start_run(client) for _ in range(3)]
    for run in made:
        log_batch(client, run, [(epoch, {"loss": float(epoch), "other": 1.0}) for epoch in range(10)])
    query: dict[str, Any] = {"run_id": [run["run_id"] for run in made], "keys": "loss,loss"}
    query |= {} if max_points is None else {"max_points": max_points}
    found = answer(client.get("/v1/metrics", params=query))["runs"]
    assert [one["run_id"] for one in found] == query["run_id"]
    for one in found:
        assert list(one["series"]) == ["loss"]
        epochs = one["series"]["loss"]["epochs"]
        assert (epochs[0], epochs[-1]) == (0, 9)
        assert len(epochs) == 10 if max_points is None else len(epochs) <= max_points
