"""Overviews: what is best, since when, and where to follow from."""

import uuid

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.calls import (
    JSON,
    answer,
    create_tuner,
    end_run,
    get_series,
    list_events,
    log_batch,
    log_epoch,
    problem,
    report,
    start_run,
    suggest,
)


def overview(client: httpx.Client, tuner: JSON, **query: object) -> JSON:
    """A tuner's overview."""
    return answer(client.get(f"/v1/tuners/{tuner['tuner_id']}/overview", params={k: str(v) for k, v in query.items()}))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scores=st.lists(st.one_of(st.none(), st.sampled_from([-1.5, 0.0, 0.25, 1e300, -1e-300, 7.0])), max_size=12),
    direction=st.sampled_from(["maximize", "minimize"]),
)
def test_improvements_are_what_a_running_best_finds(
    client: httpx.Client, scores: list[float | None], direction: str
) -> None:
    tuner = create_tuner(client, objective={"metric": "m", "direction": direction}, budget={"max_attempts": 1})
    expected, best = [], None
    for place, score in enumerate(scores, 1):
        (trial,) = suggest(client, tuner)
        outcome = {"state": "failed"} if score is None else {"score": score}
        report(client, tuner, trial_id=trial["trial_id"], **outcome)
        is_better = score is not None and (best is None or (score > best if direction == "maximize" else score < best))
        if is_better:
            best = score
            expected.append({"place": place, "trial_id": trial["trial_id"], "number": trial["number"], "score": score})
    seen = overview(client, tuner)
    assert seen["improvements"] == expected
    assert seen["n_ended"] == seen["n_trials"] == len(scores)
    assert seen["trials"]["place"] == list(range(1, len(scores) + 1))


def test_a_score_that_is_no_number_is_no_improvement(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    (trial,) = suggest(client, tuner)
    report(client, tuner, trial_id=trial["trial_id"], score="NaN")
    seen = overview(client, tuner)
    assert (seen["improvements"], seen["n_ended"]) == ([], 1)
    assert seen["trials"]["score"] == ["NaN"]


def test_the_start_shows_what_each_tuner_has_come_to(client: httpx.Client) -> None:
    tuner = create_tuner(client, name="lines", budget={"max_trials": 9})
    for score in (0.5, 0.25, 0.75):
        (trial,) = suggest(client, tuner)
        report(client, tuner, trial_id=trial["trial_id"], score=score)
    (running,) = suggest(client, tuner)
    run = start_run(client, trial_id=running["trial_id"])
    log_epoch(client, run, 0, score=0.1)
    (sign,) = list_events(client, run_id=run["run_id"], type="epoch_end")
    line = answer(client.get("/v1/overview", params={"page_size": 1}))["items"][0]
    assert (line["tuner_id"], line["best"]["score"], line["n_proposed"]) == (tuner["tuner_id"], 0.75, 4)
    assert (line["counts"]["completed"], line["counts"]["running"]) == (3, 1)
    assert [one["score"] for one in line["improvements"]] == [0.5, 0.75]
    assert line["last_sign_time"] == sign["timestamp"]


def test_the_start_shows_a_tuner_as_it_is_however_often_it_was_shown(client: httpx.Client) -> None:
    tuner_id = str(uuid.uuid4())

    def improvements() -> list[float]:
        lines = answer(client.get("/v1/overview", params={"page_size": 1}))["items"]
        return [one["score"] for one in lines[0]["improvements"]]

    create_tuner(client, tuner_id=tuner_id)
    for score, expected in ((0.5, [0.5]), (0.25, [0.5]), (0.75, [0.5, 0.75])):
        report(client, {"tuner_id": tuner_id}, params={"x": score}, score=score)
        assert improvements() == expected
    # Under the same id comes another one, of which as many trials have ended.
    assert client.delete(f"/v1/tuners/{tuner_id}").status_code == 204
    create_tuner(client, tuner_id=tuner_id, objective={"direction": "minimize"})
    for score in (0.5, 0.25, 0.75):
        report(client, {"tuner_id": tuner_id}, params={"x": score}, score=score)
    assert improvements() == [0.5, 0.25]


def test_the_start_shows_what_is_best_at_each_of_several_objectives(client: httpx.Client) -> None:
    objectives = [{"metric": "a", "direction": "maximize"}, {"metric": "b", "direction": "minimize"}]
    tuner = create_tuner(client, objectives=objectives, budget={"max_attempts": 1})

    def front() -> JSON | None:
        line = answer(client.get("/v1/overview", params={"page_size": 1}))["items"][0]
        assert (line["tuner_id"], line["best"], line["improvements"]) == (tuner["tuner_id"], None, [])
        found: JSON | None = line["front"]
        return found

    assert front() is None
    for a, b in ((1.0, 9.0), (3.0, 30.0), (2.0, 4.0), (2.5, 31.0), (2.0, 4.0)):
        (trial,) = suggest(client, tuner)
        report(client, tuner, trial_id=trial["trial_id"], scores={"a": a, "b": b})
    for outcome in ({"scores": {"a": "Infinity", "b": -1.0}}, {"state": "failed"}):
        (trial,) = suggest(client, tuner)
        report(client, tuner, trial_id=trial["trial_id"], **outcome)
    suggest(client, tuner)
    assert front() == {"n_trials": 3, "best": {"a": 3.0, "b": 4.0}}
    create_tuner(client, name="of one objective")
    assert answer(client.get("/v1/overview", params={"page_size": 1}))["items"][0]["front"] is None


def test_the_start_is_paged(client: httpx.Client) -> None:
    made = [create_tuner(client)["tuner_id"] for _ in range(3)]
    first = answer(client.get("/v1/overview", params={"page_size": 2}))
    second = answer(client.get("/v1/overview", params={"page_size": 1, "page_token": first["next_page_token"]}))
    assert [one["tuner_id"] for one in first["items"] + second["items"]] == made[::-1]


def test_the_start_shows_the_tuners_that_a_filter_finds_page_after_page(client: httpx.Client) -> None:
    mark = str(uuid.uuid4())
    made = [create_tuner(client, name=name, tags=[mark])["tuner_id"] for name in ("mine", "yours", "mine", "mine")]
    rule = f'"{mark}" in tags and name = "mine"'
    first = answer(client.get("/v1/overview", params={"filter": rule, "page_size": 2}))
    query = {"filter": rule, "page_token": first["next_page_token"]}
    second = answer(client.get("/v1/overview", params=query))
    assert [one["tuner_id"] for one in first["items"] + second["items"]] == [made[3], made[2], made[0]]
    assert second["next_page_token"] is None
    problem(client.get("/v1/overview", params={"filter": "params.x = 1"}), 422, "bad-filter", position=0)


def test_what_an_overview_does_not_know_yet_is_in_the_stream_after_it(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    (trial,) = suggest(client, tuner)
    run = start_run(client, trial_id=trial["trial_id"])
    seen = overview(client, tuner)
    log_epoch(client, run, 0, score=0.5)
    end_run(client, run)
    told = list_events(client, tuner_id=tuner["tuner_id"], after=seen["last_event_id"])
    assert [event["type"] for event in told] == ["epoch_end", "trial_end", "training_end"]
    assert list_events(client, tuner_id=tuner["tuner_id"], after=overview(client, tuner)["last_event_id"]) == []


def test_the_curves_are_of_the_best_and_of_those_under_way(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    runs = []
    for score in (0.9, 0.1, 0.2, 0.3):
        (trial,) = suggest(client, tuner)
        run = start_run(client, trial_id=trial["trial_id"])
        log_batch(client, run, [(epoch, {"score": epoch * score}) for epoch in range(20)])
        runs.append(end_run(client, run, final_metrics={"score": score})["run_id"])
    (trial,) = suggest(client, tuner)
    running = start_run(client, trial_id=trial["trial_id"])
    seen = overview(client, tuner, max_curves=3, max_points=4)
    curves = seen["curves"]
    assert isinstance(curves, list)
    assert [curve["run_id"] for curve in curves] == [runs[0], runs[3], running["run_id"]]
    assert (curves[0]["score"], curves[0]["status"], curves[2]["epochs"]) == (0.9, "finished", [])
    assert len(curves[0]["epochs"]) <= 4
    assert {0, 19} <= set(curves[0]["epochs"])
    assert (seen["n_runs"], seen["trials"]["run_id"]) == (5, [*runs, running["run_id"]])


def test_of_several_objectives_the_curves_are_of_trials_that_none_beats(client: httpx.Client) -> None:
    objectives = [{"metric": "a", "direction": "maximize"}, {"metric": "b", "direction": "minimize"}]
    tuner = create_tuner(client, objectives=objectives)
    runs = []
    for a, b in ((0.5, 9), (0.1, 2), (0.9, 8), (0.0, 9), (0.0, 9), (0.0, 9)):
        (trial,) = suggest(client, tuner)
        run = start_run(client, trial_id=trial["trial_id"])
        log_epoch(client, run, 0, a=a, b=b)
        runs.append(end_run(client, run, final_metrics={"a": a, "b": b})["run_id"])
    for n_curves, shown in ((1, 1), (10, 6), (0, 0)):
        assert len(overview(client, tuner, max_curves=n_curves)["curves"]) == shown
    for metric, values in ((None, [0.5]), ("b", [9.0]), ("c", [])):
        asked = {} if metric is None else {"metric": metric}
        assert overview(client, tuner, **asked)["curves"][0]["values"] == values
    found = [curve["run_id"] for curve in overview(client, tuner, max_curves=1)["curves"]]
    assert set(found) <= {runs[1], runs[2]}
    for _ in range(12):
        (trial,) = suggest(client, tuner)
        report(client, tuner, trial_id=trial["trial_id"], scores={"a": 0.0, "b": 10.0})
    found = [curve["run_id"] for curve in overview(client, tuner, max_curves=10)["curves"]]
    assert {runs[1], runs[2]} <= set(found)


def test_of_many_trials_the_open_the_best_and_the_newest_are_shown(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    made = [{"params": {"x": place / 100}, "score": -abs(place - 30)} for place in range(100)]
    answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/trials", json={"trials": made}), 201)
    shown = overview(client, tuner, max_trials=10)
    numbers = shown["trials"]["number"]
    assert numbers == [28, 29, 30, 31, 32, 95, 96, 97, 98, 99]
    assert (shown["n_trials"], shown["tuner"]["best"]["number"]) == (100, 30)


def test_of_many_trials_with_several_objectives_those_that_none_beats_are_shown(client: httpx.Client) -> None:
    objectives = [{"metric": "a", "direction": "maximize"}, {"metric": "b", "direction": "minimize"}]
    tuner = create_tuner(client, objectives=objectives)
    good, bad = range(40, 45), {"a": 0, "b": 100}
    scores = [{"a": place, "b": place} if place in good else bad for place in range(100)]
    made = [{"params": {"x": place / 100}, "scores": one} for place, one in enumerate(scores)]
    answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/trials", json={"trials": made}), 201)
    shown = overview(client, tuner, max_trials=10)["trials"]["number"]
    assert shown == [*good, 95, 96, 97, 98, 99]


def test_several_objectives_have_a_column_each(client: httpx.Client) -> None:
    objectives = [{"metric": "a", "direction": "maximize"}, {"metric": "b", "direction": "minimize"}]
    tuner = create_tuner(client, objectives=objectives)
    (trial,) = suggest(client, tuner)
    report(client, tuner, trial_id=trial["trial_id"], scores={"a": 1.0, "b": 2.0})
    seen = overview(client, tuner)
    assert seen["trials"]["scores"] == {"a": [1.0], "b": [2.0]}
    assert seen["improvements"] == []


def test_a_run_is_seen_with_its_trial_its_curves_and_what_happened(client: httpx.Client) -> None:
    tuner = create_tuner(client, name="mine", objective={"metric": "loss", "direction": "minimize"})
    (trial,) = suggest(client, tuner)
    run = start_run(client, trial_id=trial["trial_id"])
    log_batch(client, run, [(epoch, {"loss": 1.0 / (epoch + 1)}) for epoch in range(3)])
    end_run(client, run)
    seen = answer(client.get(f"/v1/runs/{run['run_id']}/overview"))
    assert (seen["tuner_name"], seen["objective"]["direction"], seen["trial"]["number"]) == ("mine", "minimize", 0)
    assert seen["series"] == get_series(client, run)
    assert [event["type"] for event in seen["events"]] == ["run_start", "training_end"]
    alone = start_run(client)
    seen = answer(client.get(f"/v1/runs/{alone['run_id']}/overview"))
    assert (seen["tuner_name"], seen["objective"], seen["trial"], seen["series"]) == (None, None, None, {})


def test_a_run_is_seen_without_its_curves_by_who_has_them(client: httpx.Client) -> None:
    run = start_run(client)
    log_epoch(client, run, 0, loss=0.5)
    end_run(client, run)
    path = f"/v1/runs/{run['run_id']}/overview"
    seen = answer(client.get(path, params={"max_points": 0}))
    assert seen == answer(client.get(path)) | {"series": {}}
    assert [event["type"] for event in seen["events"]] == ["run_start", "training_end"]


def test_large_overviews_are_packed_for_those_who_can_unpack(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    path = f"/v1/tuners/{tuner['tuner_id']}/overview"
    suggest(client, tuner, count=50)
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    packed = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert packed.content == plain.content


def test_what_is_not_there_is_not_found(client: httpx.Client) -> None:
    problem(client.get(f"/v1/tuners/{uuid.uuid4()}/overview"), 404, "unknown-tuner")
    problem(client.get(f"/v1/runs/{uuid.uuid4()}/overview"), 404, "unknown-run")
    problem(client.get("/v1/overview", params={"page_token": "x"}), 422, "invalid-request")
