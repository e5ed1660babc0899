"""Epochs: logged once or more, in any order, one by one or many at a time."""

import math
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.calls import (
    JSON,
    answer,
    end_run,
    get_run,
    get_series,
    list_events,
    log_batch,
    log_epoch,
    problem,
    start_run,
)


def post(client: httpx.Client, run: JSON, epoch: int, **metrics: float | str) -> httpx.Response:
    return client.post(f"/v1/runs/{run['run_id']}/epochs", json={"epoch": epoch, "metrics": metrics})


def post_batch(client: httpx.Client, run: JSON, *epochs: tuple[int, JSON]) -> httpx.Response:
    body = {"epochs": [{"epoch": epoch, "metrics": metrics} for epoch, metrics in epochs]}
    return client.post(f"/v1/runs/{run['run_id']}/epochs/batch", json=body)


def epochs_of(client: httpx.Client, run: JSON) -> list[JSON]:
    return list_events(client, run_id=run["run_id"], type="epoch_end")


def test_an_epoch_is_stored_and_told_of(client: httpx.Client) -> None:
    run = start_run(client)
    found = log_epoch(client, run, 3, loss=0.41, accuracy=0.88)
    assert (found["accepted"], found["duplicates"]) == (2, 0)
    (event,) = epochs_of(client, run)
    assert event["event_id"] == found["event_id"]
    assert (event["run_id"], event["epoch"]) == (run["run_id"], 3)
    assert event["metrics"] == {"loss": 0.41, "accuracy": 0.88}
    now = get_run(client, run)
    assert (now["metrics"], now["last_epoch"], now["status"]) == ({"loss": 0.41, "accuracy": 0.88}, 3, "running")


def test_each_epoch_is_an_event_of_its_own(client: httpx.Client) -> None:
    run = start_run(client)
    ids = [log_epoch(client, run, epoch, loss=1 / (epoch + 1))["event_id"] for epoch in range(3)]
    events = epochs_of(client, run)
    assert [event["event_id"] for event in events] == ids == sorted(set(ids))
    assert [event["epoch"] for event in events] == [0, 1, 2]


# ---- repeats ----


def test_an_equal_value_again_is_a_harmless_duplicate(client: httpx.Client) -> None:
    run = start_run(client)
    first = log_epoch(client, run, 0, loss=0.5, accuracy=0.1)
    log_epoch(client, run, 1, loss=0.4)
    again = log_epoch(client, run, 0, loss=0.5, accuracy=0.1)
    assert (again["accepted"], again["duplicates"]) == (0, 2)
    assert again["event_id"] == first["event_id"]
    assert len(epochs_of(client, run)) == 2
    assert get_run(client, run)["summary"]["loss"]["count"] == 2


def test_a_part_of_an_epoch_again_is_a_duplicate(client: httpx.Client) -> None:
    run = start_run(client)
    first = log_epoch(client, run, 0, loss=0.5, accuracy=0.1)
    again = log_epoch(client, run, 0, accuracy=0.1)
    assert (again["accepted"], again["duplicates"], again["event_id"]) == (0, 1, first["event_id"])


def test_different_keys_of_an_epoch_may_come_in_several_calls(client: httpx.Client) -> None:
    run = start_run(client)
    log_epoch(client, run, 0, loss=0.5)
    more = log_epoch(client, run, 0, accuracy=0.1, loss=0.5)
    assert (more["accepted"], more["duplicates"]) == (1, 1)
    assert get_run(client, run)["metrics"] == {"loss": 0.5, "accuracy": 0.1}
    assert get_series(client, run) == {
        "loss": {"epochs": [0], "values": [0.5]},
        "accuracy": {"epochs": [0], "values": [0.1]},
    }
    event = epochs_of(client, run)[-1]
    assert (event["event_id"], event["metrics"]) == (more["event_id"], {"accuracy": 0.1})


def test_one_and_one_point_zero_are_the_same_value(client: httpx.Client) -> None:
    run = start_run(client)
    log_epoch(client, run, 0, loss=1)
    assert log_epoch(client, run, 0, loss=1.0)["duplicates"] == 1


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_a_value_that_is_not_finite_equals_itself(client: httpx.Client, value: str) -> None:
    run = start_run(client)
    first = log_epoch(client, run, 0, loss=value)
    again = log_epoch(client, run, 0, loss=value)
    assert (again["accepted"], again["duplicates"], again["event_id"]) == (0, 1, first["event_id"])


def test_another_value_is_refused_and_nothing_of_the_request_is_stored(client: httpx.Client) -> None:
    run = start_run(client)
    log_epoch(client, run, 0, loss=0.5)
    before = get_run(client, run)
    response = post(client, run, 0, accuracy=0.9, loss=0.6)
    problem(response, 409, "duplicate-metric-key", epoch=0, key="loss", stored=0.5, sent=0.6)
    assert get_run(client, run) == before
    assert len(epochs_of(client, run)) == 1
    assert log_epoch(client, run, 0, accuracy=0.8)["accepted"] == 1


@pytest.mark.parametrize(
    ("stored", "sent"), [("NaN", 0.5), (0.5, "NaN"), ("Infinity", "-Infinity"), (1.0, 1.0 + 2**-52)]
)
def test_the_refusal_names_both_values_exactly(client: httpx.Client, stored: float | str, sent: float | str) -> None:
    run = start_run(client)
    log_epoch(client, run, 7, loss=stored)
    problem(post(client, run, 7, loss=sent), 409, "duplicate-metric-key", epoch=7, key="loss", stored=stored, sent=sent)


def test_one_value_sent_by_many_at_once_is_stored_once(client: httpx.Client) -> None:
    run = start_run(client)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: log_epoch(client, run, 0, loss=0.5), range(24)))
    assert sum(found["accepted"] for found in answers) == 1
    assert len({found["event_id"] for found in answers}) == 1
    assert len(epochs_of(client, run)) == 1


def test_of_many_different_values_at_once_one_wins_and_the_others_are_refused(client: httpx.Client) -> None:
    run = start_run(client)
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda number: post(client, run, 0, loss=float(number)), range(24)))
    (winner,) = [number for number, response in enumerate(responses) if response.status_code == 200]
    for response in responses[:winner] + responses[winner + 1 :]:
        problem(response, 409, "duplicate-metric-key", stored=float(winner))
    assert get_run(client, run)["metrics"] == {"loss": float(winner)}


def test_keys_logged_by_many_at_once_are_all_kept(client: httpx.Client) -> None:
    run = start_run(client)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: log_epoch(client, run, number % 5, **{f"m{number}": number}), range(50)))
    now = get_run(client, run)
    assert now["metrics"] == {f"m{number}": number for number in range(50)}
    assert len(epochs_of(client, run)) == 50


# ---- any order ----


def test_epochs_may_come_in_any_order(client: httpx.Client) -> None:
    run = start_run(client)
    for epoch in (5, 3, 4, 0):
        log_epoch(client, run, epoch, loss=float(epoch))
    log_epoch(client, run, 2, only_early=1.5)
    now = get_run(client, run)
    assert now["metrics"] == {"loss": 5.0, "only_early": 1.5}
    assert now["last_epoch"] == 5
    assert get_series(client, run)["loss"] == {"epochs": [0, 3, 4, 5], "values": [0.0, 3.0, 4.0, 5.0]}


def test_the_summary_does_not_depend_on_the_order(client: httpx.Client) -> None:
    values = {0: 0.5, 1: 0.1, 2: 0.9, 3: 0.1, 4: 0.9, 5: 0.4}
    summaries = []
    for order in ((0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0), (3, 0, 5, 1, 4, 2)):
        run = start_run(client)
        for epoch in order:
            log_epoch(client, run, epoch, loss=values[epoch])
        summaries.append(get_run(client, run)["summary"]["loss"])
    expected = {"last": 0.4, "min": 0.1, "max": 0.9, "epoch_of_min": 1, "epoch_of_max": 2, "count": 6}
    assert [{name: summary[name] for name in expected} for summary in summaries] == [expected] * 3


def test_the_summary_finds_its_extremes_among_finite_values(client: httpx.Client) -> None:
    run = start_run(client)
    log_batch(
        client, run, [(0, {"loss": "Infinity"}), (1, {"loss": 2.0}), (2, {"loss": "NaN"}), (3, {"loss": "-Infinity"})]
    )
    summary = get_run(client, run)["summary"]["loss"]
    assert (summary["min"], summary["epoch_of_min"], summary["max"], summary["epoch_of_max"]) == (2.0, 1, 2.0, 1)
    assert (summary["last"], summary["count"]) == ("-Infinity", 4)


# ---- exact values ----


@pytest.mark.parametrize(
    "value",
    [-0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, 2**53 - 1, -1, "NaN", "Infinity", "-Infinity"],
)
def test_metrics_are_exact(client: httpx.Client, value: float | str) -> None:
    run = start_run(client)
    log_epoch(client, run, 0, loss=value)
    end_run(client, run, final_metrics={"final": value})
    now = get_run(client, run)
    (event,) = epochs_of(client, run)
    (end,) = list_events(client, run_id=run["run_id"], type="training_end")
    for found in (
        now["metrics"]["loss"],
        now["summary"]["loss"]["last"],
        get_series(client, run)["loss"]["values"][0],
        event["metrics"]["loss"],
        now["metrics"]["final"],
        now["final_metrics"]["final"],
        end["final_metrics"]["final"],
    ):
        assert found == value
        if isinstance(value, float):
            assert math.copysign(1, found) == math.copysign(1, value)


def test_the_greatest_epoch_is_that_of_64_bits(client: httpx.Client) -> None:
    run = start_run(client)
    log_epoch(client, run, 2**63 - 1, loss=1.0)
    assert get_run(client, run)["last_epoch"] == 2**63 - 1
    assert get_series(client, run)["loss"]["epochs"] == [2**63 - 1]


# ---- batches ----


def test_a_batch_is_as_its_epochs_one_by_one(client: httpx.Client) -> None:
    one_by_one, batched = start_run(client), start_run(client)
    epochs = [(epoch, {"loss": 1 / (epoch + 1), "accuracy": epoch / 10}) for epoch in (2, 0, 1)]
    for epoch, metrics in epochs:
        log_epoch(client, one_by_one, epoch, **metrics)
    found = log_batch(client, batched, epochs)
    assert (found["accepted"], found["duplicates"]) == (6, 0)
    events = epochs_of(client, batched)
    assert found["event_id"] == events[-1]["event_id"]
    assert [(event["epoch"], event["metrics"]) for event in events] == epochs
    for name in ("metrics", "summary", "last_epoch"):
        assert get_run(client, batched)[name] == get_run(client, one_by_one)[name]
    assert get_series(client, batched) == get_series(client, one_by_one)


def test_a_repeated_batch_is_all_duplicates(client: httpx.Client) -> None:
    run = start_run(client)
    epochs = [(epoch, {"loss": float(epoch)}) for epoch in range(5)]
    first = log_batch(client, run, epochs)
    again = log_batch(client, run, epochs)
    assert (again["accepted"], again["duplicates"]) == (0, 5)
    assert again["event_id"] == first["event_id"]
    longer = log_batch(client, run, [*epochs, (5, {"loss": 5.0})])
    assert (longer["accepted"], longer["duplicates"]) == (1, 5)
    assert len(epochs_of(client, run)) == 6


def test_a_batch_with_one_conflict_stores_nothing(client: httpx.Client) -> None:
    run = start_run(client)
    log_epoch(client, run, 2, loss=0.5)
    before = get_run(client, run)
    response = post_batch(client, run, (0, {"loss": 1.0}), (1, {"loss": 0.9}), (2, {"loss": 0.6}), (3, {"loss": 0.1}))
    problem(response, 409, "duplicate-metric-key", epoch=2, key="loss", stored=0.5, sent=0.6)
    assert get_run(client, run) == before
    assert len(epochs_of(client, run)) == 1


def test_a_batch_that_contradicts_itself_stores_nothing(client: httpx.Client) -> None:
    run = start_run(client)
    response = post_batch(client, run, (0, {"loss": 1.0}), (1, {"loss": 0.9}), (0, {"loss": 0.8}))
    problem(response, 409, "duplicate-metric-key", epoch=0, key="loss", stored=1.0, sent=0.8)
    assert epochs_of(client, run) == []
    assert get_run(client, run) == run


def test_a_batch_may_name_an_epoch_more_than_once(client: httpx.Client) -> None:
    run = start_run(client)
    found = log_batch(client, run, [(0, {"loss": 1.0}), (0, {"accuracy": 0.5}), (0, {"loss": 1.0})])
    assert (found["accepted"], found["duplicates"]) == (2, 1)
    assert get_run(client, run)["metrics"] == {"loss": 1.0, "accuracy": 0.5}
    assert get_run(client, run)["summary"]["loss"]["count"] == 1


def test_a_batch_holds_up_to_a_thousand_epochs(client: httpx.Client) -> None:
    run = start_run(client)
    found = log_batch(client, run, [(epoch, {"loss": epoch / 7}) for epoch in range(1000)])
    assert found["accepted"] == 1000
    assert get_series(client, run)["loss"]["values"] == [epoch / 7 for epoch in range(1000)]
    too_many = post_batch(client, run, *((epoch, {"loss": epoch / 7}) for epoch in range(1001)))
    assert too_many.status_code in (413, 422)
    problem(too_many, too_many.status_code)
    assert get_run(client, run)["last_epoch"] == 999


def test_an_epoch_of_a_batch_may_say_when_it_was(client: httpx.Client) -> None:
    run = start_run(client)
    path = f"/v1/runs/{run['run_id']}/epochs/batch"
    entry = {"epoch": 0, "metrics": {"loss": 1.0}}
    nonsense: list[object] = ["2026-01-01T00:00:00", "2026-01-01", "yesterday", "", 1.5e300, True, {}]
    for timestamp in nonsense:
        problem(client.post(path, json={"epochs": [entry | {"timestamp": timestamp}]}), 422, "invalid-request")
    assert epochs_of(client, run) == []
    for number, sensible in enumerate(["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456+05:30", None]):
        answer(client.post(path, json={"epochs": [entry | {"epoch": number, "timestamp": sensible}]}))


# ---- after the end ----


def test_after_the_end_equal_duplicates_are_answered_and_anything_new_is_refused(client: httpx.Client) -> None:
    run = start_run(client)
    first = log_epoch(client, run, 0, loss=0.5)
    end_run(client, run)
    before = get_run(client, run)
    again = log_epoch(client, run, 0, loss=0.5)
    assert (again["accepted"], again["duplicates"], again["event_id"]) == (0, 1, first["event_id"])
    assert log_batch(client, run, [(0, {"loss": 0.5})])["duplicates"] == 1
    problem(post(client, run, 1, loss=0.4), 409, "run-ended")
    problem(post(client, run, 0, loss=0.5, accuracy=0.4), 409, "run-ended")
    problem(post_batch(client, run, (0, {"loss": 0.5}), (1, {"loss": 0.4})), 409, "run-ended")
    assert get_run(client, run) == before
    assert len(epochs_of(client, run)) == 1


def test_runs_do_not_mix(client: httpx.Client) -> None:
    one, two = start_run(client), start_run(client)
    log_epoch(client, one, 0, loss=1.0)
    log_epoch(client, two, 0, loss=2.0)
    assert get_run(client, one)["metrics"] == {"loss": 1.0}
    assert get_run(client, two)["metrics"] == {"loss": 2.0}


# ---- series ----


def test_a_series_has_the_epochs_in_order_with_their_values(client: httpx.Client) -> None:
    run = start_run(client)
    for epoch in range(3):
        log_epoch(client, run, epoch, loss=1 / (epoch + 1), accuracy="NaN")
    assert get_series(client, run) == {
        "loss": {"epochs": [0, 1, 2], "values": [1.0, 0.5, 1 / 3]},
        "accuracy": {"epochs": [0, 1, 2], "values": ["NaN"] * 3},
    }


def test_a_run_without_epochs_has_no_series(client: httpx.Client) -> None:
    assert get_series(client, start_run(client)) == {}


def test_only_the_keys_that_were_asked_for(client: httpx.Client) -> None:
    run = start_run(client)
    log_epoch(client, run, 0, loss=1.0, accuracy=0.5, other=0.1)
    series = get_series(client, run, keys="loss,accuracy")
    assert series == {"loss": {"epochs": [0], "values": [1.0]}, "accuracy": {"epochs": [0], "values": [0.5]}}


def test_a_key_that_is_asked_for_twice_is_shown_once(client: httpx.Client) -> None:
    run = start_run(client)
    log_epoch(client, run, 0, loss=1.0)
    assert get_series(client, run, keys="loss,loss") == {"loss": {"epochs": [0], "values": [1.0]}}


def test_an_unknown_key_has_an_empty_series(client: httpx.Client) -> None:
    run = start_run(client)
    log_epoch(client, run, 0, loss=1.0)
    assert get_series(client, run, keys="nothing") == {"nothing": {"epochs": [], "values": []}}


def test_only_what_came_after_an_epoch(client: httpx.Client) -> None:
    run = start_run(client)
    log_batch(client, run, [(epoch, {"loss": float(epoch)}) for epoch in range(6)])
    assert get_series(client, run, after_epoch=3)["loss"] == {"epochs": [4, 5], "values": [4.0, 5.0]}
    assert get_series(client, run, after_epoch=0)["loss"]["epochs"] == [1, 2, 3, 4, 5]
    assert get_series(client, run, after_epoch=5, keys="loss")["loss"]["epochs"] == []
    assert get_series(client, run, after_epoch=-1) == get_series(client, run)  # where a loop begins that follows a run
    problem(client.get(f"/v1/runs/{run['run_id']}/metrics", params={"after_epoch": -2}), 422, "invalid-request")


def test_a_series_is_whole_unless_thinning_is_asked_for(client: httpx.Client) -> None:
    run = start_run(client)
    for start in range(0, 3000, 1000):
        log_batch(client, run, [(epoch, {"loss": epoch / 3}) for epoch in range(start, start + 1000)])
    assert get_series(client, run)["loss"]["values"] == [epoch / 3 for epoch in range(3000)]
    assert len(get_series(client, run, max_points=3000)["loss"]["epochs"]) == 3000


@pytest.mark.parametrize("max_points", [4, 10, 100, 999])
def test_a_thinned_series_keeps_its_ends_and_its_extremes(client: httpx.Client, max_points: int) -> None:
    run = start_run(client)
    values = [math.sin(epoch / 50) for epoch in range(1000)]
    values[421], values[777] = 9.0, -9.0
    log_batch(client, run, [(epoch, {"loss": value}) for epoch, value in enumerate(values)])
    thinned = get_series(client, run, max_points=max_points)["loss"]
    points = dict(zip(thinned["epochs"], thinned["values"], strict=True))
    assert thinned["epochs"] == sorted(points)
    assert {0, 421, 777, 999} <= points.keys()
    assert len(points) <= max_points
    assert all(values[epoch] == value for epoch, value in points.items())


@pytest.mark.parametrize("query", [{"max_points": 0}, {"max_points": -1}, {"after_epoch": "x"}, {"max_points": "many"}])
def test_a_series_query_without_sense_is_refused(client: httpx.Client, query: JSON) -> None:
    run = start_run(client)
    problem(client.get(f"/v1/runs/{run['run_id']}/metrics", params=query), 422, "invalid-request")
