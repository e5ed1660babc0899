"""What a trainer does, and what the service then knows."""

import contextlib
import copy
import gc
import logging
import math
import pickle
import threading
import uuid
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy
import pytest

from tests.server import Server
from tests.waiting import eventually
from tunetrack_client import Client, Refused, choice, errors, flag, float_range, int_range
from tunetrack_client.wire import numbers

SPACE = {"x": float_range(0.0, 1.0)}


def test_a_search_runs_to_its_end(client: Client) -> None:
    tuner = client.tuner(SPACE, objective="gain", max_trials=5, seed=1)
    for trial in tuner.trials(worker="w"):
        with trial.run(name="one", tags=["test"]) as run:
            for epoch in range(3):
                run.log(epoch, gain=trial.params["x"] * epoch)
    found = tuner.fetch()
    assert (found["state"], found["counts"]["completed"]) == ("completed", 5)
    history = list(tuner.history())
    assert [trial["number"] for trial in history] == [0, 1, 2, 3, 4]
    assert all(trial["score"] == trial["params"]["x"] * 2 for trial in history)
    assert tuner.best is not None
    assert tuner.best["score"] == max(trial["score"] for trial in history)


def test_every_kind_of_spec_is_understood(client: Client) -> None:
    space = {
        "a": int_range(1, 64, log=True),
        "b": float_range(0.0, 1.0, step=0.25),
        "c": choice("adam", "sgd"),
        "d": flag(when={"c": ["sgd"]}),
    }
    for trial in client.tuner(space, max_trials=6).trials():
        assert ("d" in trial.params) == (trial.params["c"] == "sgd")
        trial.result(trial.params["a"])


def test_specs_take_what_numpy_has_and_single_values(client: Client) -> None:
    few, many, half = numpy.int64(1), numpy.int64(3), numpy.float32(0.5)
    space = {
        "a": int_range(few, many),  # type: ignore[arg-type]
        "b": float_range(half, 1.0),  # type: ignore[arg-type]
        "c": choice(*numpy.array([8, 16])),
        "d": flag(when={"c": 16}),
        "e": flag(when={"d": True, "c": (8, 16)}),
    }
    found = client.tuner(space).space
    assert (found["a"]["min"], found["b"]["min"], found["c"]["options"]) == (1, 0.5, [8, 16])
    assert (found["d"]["when"], found["e"]["when"]) == ({"c": [16]}, {"d": [True], "c": [8, 16]})


@pytest.mark.parametrize("spec", [[1, 2], (0.0, 1.0), "adam"])
def test_a_spec_that_is_none_is_told_with_its_name(client: Client, spec: Any) -> None:
    with pytest.raises(TypeError, match="'x' must be made by int_range"):
        client.tuner({"x": spec})


@pytest.mark.parametrize("option", [["adam", "sgd"], None])
def test_an_option_that_is_none_is_told(option: Any) -> None:
    with pytest.raises(TypeError, match=r"as in choice\('adam', 'sgd'\)"):
        choice(option)


def test_a_run_without_a_tuner_is_kept_with_all_that_was_said(client: Client) -> None:
    with client.run({"lr": 0.1}, name="alone", tags=["t"], note="n") as run:
        run.log(0, {"val/loss": 1})
        run.log(1, {"val/loss": math.nan}, other=math.inf)
        run.final(accuracy=0.5)
    assert client.flush()
    found = client.get(f"/v1/runs/{run.run_id}")
    assert (found["name"], found["params"], found["tags"], found["note"]) == ("alone", {"lr": 0.1}, ["t"], "n")
    assert (found["status"], found["last_epoch"]) == ("finished", 1)
    assert found["metrics"] == {"val/loss": "NaN", "other": "Infinity", "accuracy": 0.5}


def test_a_training_under_a_key_goes_on_where_it_was_interrupted(
    client: Client, request: pytest.FixtureRequest
) -> None:
    key = request.node.nodeid
    with contextlib.suppress(KeyboardInterrupt), client.run({"lr": 0.1}, key=key) as before:
        before.log(0, loss=1.0)
        before.log(1, loss=0.5)
        raise KeyboardInterrupt
    with client.run({"lr": 0.1}, key=key) as after:
        after.log(1, loss=0.49)  # from its checkpoint on, and a little different
        after.log(2, loss=0.25)
    client.flush()
    found = client.get(f"/v1/runs/{after.run_id}")
    assert (after.run_id, found["name"], found["status"]) == (before.run_id, key, "finished")
    assert client.curves(after.run_id)["loss"] == {"epochs": [0, 1, 2], "values": [1.0, 0.5, 0.25]}
    with client.run({"lr": 0.1}, key=key) as late:
        late.log(3, loss=0.1)
        late.flush()
        assert late.should_stop
    assert isinstance(late.error, errors.RunEnded)


def test_a_training_that_says_other_words_when_it_comes_again_goes_on(
    client: Client, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    key = request.node.nodeid
    before = client.run({"lr": 0.1, "start": "nothing"}, key=key, tags=["night"], note="first")
    before.log(0, loss=1.0)
    with client.run({"lr": 0.1, "start": "epoch-0.pt", "attempt": 2}, key=key, note="again") as after:
        after.log(1, loss=0.5)
    client.flush()
    found = client.get(f"/v1/runs/{before.run_id}")
    assert client.curves(after.run_id)["loss"] == {"epochs": [0, 1], "values": [1.0, 0.5]}
    assert found["params"] == {"lr": 0.1, "start": "nothing", "attempt": 2}
    assert (found["status"], found["tags"], found["note"]) == ("finished", ["night"], "again")
    assert isinstance(after.error, errors.ParamExists)
    assert "start = 'nothing', as it began; 'epoch-0.pt' is left out" in caplog.text
    late = client.run({"lr": 0.2}, key=key)
    late.flush()
    assert late.should_stop
    assert isinstance(late.error, errors.RunEnded)


def test_what_is_logged_anew_and_otherwise_is_left_out_with_one_word_and_all_else_is_kept(
    client: Client, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    before = client.run(key=request.node.nodeid)
    for epoch in range(30):
        before.log(epoch, loss=1.0, accuracy=0.5)
    before.flush()
    with client.run(key=request.node.nodeid) as after:
        for epoch in range(10, 40):
            after.log(epoch, loss=2.0, accuracy=0.5, precision=0.25)
        after.log(20, recall=0.75)
        after.log(30, loss=3.0)
    client.flush()
    curves = client.curves(after.run_id)
    assert curves["loss"]["values"] == [1.0] * 30 + [2.0] * 10
    assert (curves["precision"]["epochs"], curves["recall"]["epochs"]) == ([*range(10, 40)], [20])
    assert isinstance(after.error, errors.DuplicateMetricKey)
    (said,) = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert "Epoch 10 has loss = 1.0 already, and keeps it; 2.0 is left out" in said


def test_the_run_of_a_trial_may_say_other_words_when_it_comes_again(client: Client) -> None:
    tuner = client.tuner(SPACE, objective="gain", max_trials=1)
    (trial,) = tuner.suggest(worker="phoenix")
    trial.run(resume=True, tags=["first"]).log(0, gain=0.5)
    (again,) = tuner.suggest(worker="phoenix")
    with again.run(resume=True, tags=["second"]) as resumed:
        resumed.log(1, gain=0.75)
    client.flush()
    assert (resumed.error, again.error) == (None, None)
    assert client.get(f"/v1/runs/{resumed.run_id}")["tags"] == ["second"]
    assert tuner.best is not None
    assert tuner.best["score"] == 0.75


@pytest.mark.parametrize("is_interrupted", [True, False])
def test_a_worker_that_comes_again_goes_on_with_its_run(client: Client, server: Server, is_interrupted: bool) -> None:
    tuner = client.tuner(SPACE, objective="gain", max_trials=1)
    with Client(server.url) as before:
        (trial,) = before.tuner(tuner_id=tuner.tuner_id).suggest(worker="phoenix")
        run = trial.run(resume=True)
        run.log(0, gain=0.5)
        if is_interrupted:
            with contextlib.suppress(KeyboardInterrupt), trial.held(), run:
                raise KeyboardInterrupt
    (again,) = tuner.suggest(worker="phoenix")
    with again.run(resume=True) as resumed:
        resumed.log(1, gain=0.75)
    client.flush()
    assert (again.trial_id, again.attempt, resumed.run_id) == (trial.trial_id, 1, run.run_id)
    assert client.curves(run.run_id)["gain"]["values"] == [0.5, 0.75]
    assert tuner.best is not None
    assert tuner.best["score"] == 0.75


def test_a_worker_that_was_killed_just_before_the_end_comes_again_and_ends_its_run(
    client: Client, server: Server
) -> None:
    tuner = client.tuner(SPACE, objective="gain", max_trials=1)
    with Client(server.url) as before:
        (trial,) = before.tuner(tuner_id=tuner.tuner_id).suggest(worker="phoenix")
        trial.run(resume=True).log(9, gain=0.5)
    for again in tuner.trials(worker="phoenix"):
        with again.run(resume=True):
            pass  # its checkpoint is of the last epoch: nothing is left to be trained
    assert tuner.best is not None
    assert (tuner.best["trial_id"], tuner.best["score"]) == (trial.trial_id, 0.5)


def test_a_resumed_run_that_never_logged_the_objective_is_told_by_the_service(client: Client) -> None:
    tuner = client.tuner(SPACE, objective="gain", max_trials=1)

    def train() -> None:
        for trial in tuner.trials():
            with trial.run(resume=True) as run:
                run.log(0, loss=0.5)

    with pytest.raises(errors.MissingObjective):
        train()
    client.flush()
    assert [run["status"] for run in client.runs(f'tuner_id = "{tuner.tuner_id}"')] == ["failed"]


def test_a_run_whose_process_dies_is_given_up_unless_it_shall_not_be(client: Client, server: Server) -> None:
    with Client(server.url) as dying:
        runs = [dying.run(stale_after_s=0.5), dying.run(stale_after_s=None), dying.run()]
        dying.flush()
    event = next(client.events(after=0, type="run_crash", run_id=[run.run_id for run in runs]))
    assert event["run_id"] == runs[0].run_id
    for run in runs[1:]:
        client.ask("POST", f"/v1/runs/{run.run_id}/end", {})


def test_a_run_that_nobody_holds_any_more_is_given_up(client: Client) -> None:
    held, dropped = client.run(stale_after_s=0.9), client.run(stale_after_s=0.9)
    run_id = dropped.run_id
    client.flush()
    del dropped  # as when a cell of a notebook is run again
    gc.collect()
    eventually(lambda: client.get(f"/v1/runs/{run_id}")["status"] == "crashed" or None)
    # Where all stood still for so long, it is back with its next sign of life.
    eventually(lambda: client.get(f"/v1/runs/{held.run_id}")["status"] == "running" or None)
    held.end()


def test_what_was_not_known_at_the_start_joins_the_run(client: Client) -> None:
    with client.run({"lr": 0.1}, tags=["draft"], name="one") as run:
        run.edit({"n_weights": numpy.int64(7)}, tags=["checked"])
        run.edit(note="all went well")
        with pytest.raises(ValueError, match="never changed"):
            run.edit({"lr": 0.2})
    client.flush()
    found = client.get(f"/v1/runs/{run.run_id}")
    assert (found["params"], found["tags"]) == ({"lr": 0.1, "n_weights": 7}, ["checked"])
    assert (found["note"], found["name"]) == ("all went well", "one")
    with pytest.raises(RuntimeError, match="has ended"):
        run.edit(note="too late")


def test_numbers_that_json_lacks_come_back_as_numbers(client: Client, request: pytest.FixtureRequest) -> None:
    tag = request.node.name
    with client.run({"metrics": "NaN"}, tags=[tag]) as run:
        run.log(0, loss=math.nan, other=-math.inf)
    client.flush()
    (found,) = client.runs(f'"{tag}" in tags')
    assert math.isnan(found["metrics"]["loss"])
    assert found["summary"]["other"]["last"] == -math.inf
    assert found["params"] == {"metrics": "NaN"}
    assert math.isnan(client.curves(run.run_id, "loss")["loss"]["values"][0])
    event = next(client.events(after=0, run_id=run.run_id, type="epoch_end"))
    assert event["metrics"]["other"] == -math.inf


@pytest.mark.parametrize("words", [{"name": Path("/x")}, {"tags": [{1}]}, {"tags": "baseline"}])
def test_words_that_no_json_holds_leave_the_trial_as_it_was(client: Client, words: dict[str, Any]) -> None:
    (trial,) = client.tuner(SPACE, max_trials=1).suggest()
    with pytest.raises(TypeError):
        trial.run(**words)
    with trial.run() as run:
        run.final(score=0.5)
    assert client.flush()
    assert client.get(f"/v1/trials/{trial.trial_id}")["score"] == 0.5


def test_trials_that_are_over_are_not_kept(client: Client) -> None:
    def search() -> None:
        for trial in client.tuner(SPACE, max_trials=20, strategy="random").trials():
            with trial.run() as run:
                run.log(0, score=trial.params["x"])
        client.run().end()

    search()
    assert client.flush()
    gc.collect()
    assert len(client.outbox._delivery.listeners) == 0


def test_a_run_that_nobody_holds_any_more_still_tells_its_trial_what_is_refused(client: Client) -> None:
    tuner = client.tuner(SPACE, max_trials=1)
    (trial,) = tuner.suggest()

    def train() -> None:
        with trial.run() as run:
            run.log(0, score=1.0)
            run.flush()
            client.ask("POST", f"/v1/runs/{run.run_id}/end", {"status": "failed"})

    train()
    gc.collect()
    assert client.flush()
    assert isinstance(trial.error, errors.RunEnded)


def test_a_run_that_is_told_to_stop_and_does_is_stopped(client: Client) -> None:
    tuner = client.tuner(SPACE, objective="gain", max_trials=1, stopper={"type": "threshold", "min": 0.5})
    (trial,) = tuner.suggest()
    with trial.run() as run:
        for epoch in range(100):
            run.log(epoch, gain=1 - epoch / 10)
            run.flush()
            if run.should_stop:
                break
    client.flush()
    assert run.stop is not None
    assert run.stop.rule == "threshold"
    (ended,) = tuner.history()
    assert (ended["state"], ended["score"]) == ("stopped", 1.0)
    assert client.get(f"/v1/runs/{run.run_id}")["last_epoch"] == 6


def test_a_run_that_goes_on_after_it_was_told_to_stop_is_finished(client: Client) -> None:
    tuner = client.tuner(SPACE, objective="gain", max_trials=1, stopper={"type": "threshold", "min": 0.5})
    for trial in tuner.trials():
        with trial.run() as run:
            run.log(0, gain=0.1)
            run.flush()
            assert run.should_stop
            run.log(1, gain=0.9)
    (ended,) = tuner.history()
    assert (ended["state"], ended["score"]) == ("completed", 0.9)


def test_an_exception_ends_the_run_as_failed_and_comes_out(client: Client) -> None:
    tuner = client.tuner(SPACE, budget={"max_trials": 1, "max_attempts": 1})
    for trial in tuner.trials():
        with pytest.raises(ZeroDivisionError), trial.run():
            _ = 1 / 0
    (ended,) = tuner.history()
    assert ended["state"] == "failed"


def test_a_trial_that_fails_says_why(client: Client) -> None:
    tuner = client.tuner(SPACE, objective="gain", max_trials=1, budget={"max_attempts": 1})
    (trial,) = tuner.suggest()
    with pytest.raises(ZeroDivisionError), trial.run() as run:
        run.log(0, gain=1 / 0)
    client.flush()
    (failed,) = tuner.history()
    assert (failed["state"], failed["reason"]) == ("failed", "ZeroDivisionError: division by zero")


@pytest.mark.parametrize("is_tracked", [False, True])
@pytest.mark.parametrize("outcome", ["fail", "infeasible"])
def test_the_reason_of_an_outcome_may_be_an_exception(client: Client, outcome: str, is_tracked: bool) -> None:
    tuner = client.tuner(SPACE, max_trials=1, budget={"max_attempts": 1})
    (trial,) = tuner.suggest()
    run = trial.run() if is_tracked else None
    getattr(trial, outcome)(MemoryError("16 GiB"))
    assert client.flush()
    (told,) = tuner.history()
    assert told["reason"] == "MemoryError: 16 GiB"
    assert run is None or client.get(f"/v1/runs/{run.run_id}")["status"] == "failed"


def test_a_reason_that_is_longer_than_the_service_takes_is_cut(client: Client) -> None:
    tuner = client.tuner(SPACE, max_trials=1, budget={"max_attempts": 1})
    for trial in tuner.trials():
        trial.fail("m" * 10_001)
    assert [told["reason"] for told in tuner.history()] == ["m" * 10_000]


def test_the_outcome_of_a_trial_ends_its_run(client: Client) -> None:
    tuner = client.tuner(SPACE, objective="gain", budget={"max_attempts": 1})
    trials, runs = tuner.suggest(4), []
    for trial in trials:
        with trial.run() as run:
            runs.append(run)
            run.log(0, gain=1.0)
            if trial.number == 0:
                trial.infeasible("OOM")
            elif trial.number == 1:
                trial.fail("no data")
            elif trial.number == 2:
                trial.result(0.5)
    client.flush()
    assert [(one["state"], one["score"], one["reason"]) for one in tuner.history()] == [
        ("infeasible", None, "OOM"),
        ("failed", None, "no data"),
        ("completed", 0.5, None),
        ("completed", 1.0, None),
    ]
    statuses = [client.get(f"/v1/runs/{run.run_id}")["status"] for run in runs]
    assert statuses == ["failed", "failed", "finished", "finished"]
    assert all(run.error is None for run in runs)


def test_an_interrupted_run_hands_its_trial_back(client: Client) -> None:
    tuner = client.tuner(SPACE, max_trials=1)
    (trial,) = tuner.suggest()
    with pytest.raises(KeyboardInterrupt), trial.run():
        raise KeyboardInterrupt
    client.flush()
    (waiting,) = tuner.history()
    assert waiting["state"] == "queued"
    (again,) = tuner.suggest()
    assert again.trial_id == trial.trial_id
    again.result(1)


def test_a_loop_that_is_left_hands_its_trial_back(client: Client) -> None:
    tuner = client.tuner(SPACE, max_trials=2)
    for trial in tuner.trials():
        if trial.number == 1:
            break
        trial.result(0.5)
    client.flush()
    assert [trial["state"] for trial in tuner.history()] == ["completed", "queued"]


def test_a_program_that_catches_the_errors_of_its_loop_and_loops_again_comes_to_an_end(client: Client) -> None:
    tuner = client.tuner(SPACE, budget={"max_trials": 2, "max_attempts": 3})
    attempts = []
    while tuner.state == "active":
        with contextlib.suppress(ZeroDivisionError):
            for trial in tuner.trials():
                attempts.append((trial.number, trial.attempt))
                assert len(attempts) < 9
                trial.result(1 / trial.number)
    assert attempts == [(0, 1), (0, 2), (0, 3), (1, 1)]
    assert [(trial["state"], trial["reason"]) for trial in tuner.history()] == [
        ("failed", "its loop was left again without an outcome"),
        ("completed", None),
    ]


def test_a_turn_without_an_outcome_fails_its_trial_and_the_search_still_ends(client: Client) -> None:
    tuner = client.tuner(SPACE, budget={"max_trials": 2, "max_attempts": 2})
    attempts = [(trial.number, trial.attempt) for trial in tuner.trials()]
    assert attempts == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert [trial["state"] for trial in tuner.history()] == ["failed", "failed"]


def test_a_run_that_never_logged_the_objective_says_so_at_its_end(client: Client) -> None:
    tuner = client.tuner(SPACE, objective="accuracy", budget={"max_trials": 1, "max_attempts": 1})
    (trial,) = tuner.suggest()
    with pytest.raises(errors.MissingObjective, match=r"'accuracy'.*it logged loss"), trial.run() as run:
        run.log(0, loss=1.0)
    client.flush()
    (found,) = tuner.history()
    assert found["state"] == "failed"
    assert "never logged; it logged loss" in found["reason"]


def test_results_of_every_kind_are_told(client: Client) -> None:
    tuner = client.tuner(SPACE, max_trials=2)
    first, second = tuner.suggest(2)
    first.result(0.5)
    second.infeasible("too small")
    client.flush()
    assert [(one["state"], one["score"], one["reason"]) for one in tuner.history()] == [
        ("completed", 0.5, None),
        ("infeasible", None, "too small"),
    ]
    objectives = [{"metric": "gain"}, {"metric": "cost", "direction": "minimize"}]
    several = client.tuner(SPACE, objectives=objectives, max_trials=1)
    for trial in several.trials():
        trial.result(gain=1, cost=2)
    assert [one["scores"] for one in several.history()] == [{"gain": 1, "cost": 2}]


def test_a_result_is_one_value_of_each_objective(client: Client) -> None:
    tuner = client.tuner(SPACE, objective="gain", max_trials=2)
    several = client.tuner(SPACE, objectives=["gain", "size"], max_trials=1)
    one, other = tuner.suggest(2)
    (both,) = several.suggest()
    wrong: list[tuple[Any, tuple[float, ...], dict[str, float]]]
    wrong = [(one, (), {}), (one, (), {"loss": 1}), (both, (0.5,), {}), (both, (), {"gain": 1})]
    for trial, score, scores in wrong:
        with pytest.raises(TypeError, match="a value of gain"):
            trial.result(*score, **scores)
    with pytest.raises(TypeError, match="a value of gain and one of size"):
        several.observe({"x": 0.5}, gain=1)
    one.result(gain=0.25)
    other.result(0.5)
    both.result(gain=1, size=2)
    client.flush()
    assert [trial["score"] for trial in tuner.history()] == [0.25, 0.5]
    assert [trial["scores"] for trial in several.history()] == [{"gain": 1, "size": 2}]


def test_tuners_are_found_by_a_filter(client: Client) -> None:
    tag = str(uuid.uuid4())
    ours, _ = client.tuner(SPACE, tags=[tag]), client.tuner(SPACE)
    assert [found["tuner_id"] for found in client.tuners(f'"{tag}" in tags')] == [ours.tuner_id]
    assert [found["tuner_id"] for found in client.tuners()][1:2] == [ours.tuner_id]
    with pytest.raises(errors.BadFilter):
        list(client.tuners("tags ="))


def test_results_may_come_as_a_mapping(client: Client) -> None:
    """A metric's name need not be one that Python takes for a keyword's."""
    tuner = client.tuner(SPACE, objective="val/gain")
    several = client.tuner(SPACE, objectives=["val/gain", "size"])
    (one,), (both,) = tuner.suggest(), several.suggest()
    no_number: Any = {"val/gain": 1, "size": [2]}
    for wrong in ({}, {"val/gain": 1}, {"val/gain": 1, "size": 2, "loss": 3}):
        with pytest.raises(TypeError, match="a value of val/gain and one of size is expected, and "):
            both.result(wrong)
    with pytest.raises(TypeError, match="metric 'size' is no number"):
        both.result(no_number)
    one.result({"val/gain": 0.25})
    both.result({"val/gain": 1}, size=2)
    several.observe({"x": 0.5}, {"val/gain": 3, "size": 4})
    client.flush()
    assert [trial["score"] for trial in tuner.history()] == [0.25]
    assert [trial["scores"] for trial in several.history()] == [
        {"val/gain": 1, "size": 2},
        {"val/gain": 3, "size": 4},
    ]


def test_proposals_and_observations_of_ones_own(client: Client) -> None:
    tuner = client.tuner(SPACE, max_trials=1)
    tuner.enqueue({"x": 0.25})
    tuner.observe({"x": 0.75}, 2.0)
    tuner.observe({"x": 0.75}, 2.0)
    for trial in tuner.trials():
        assert trial.params == {"x": 0.25}
        trial.result(1.0)
    assert [one["score"] for one in tuner.history()] == [1.0, 2.0]


def test_some_of_the_parameters_may_be_ones_own(client: Client) -> None:
    tuner = client.tuner({"x": float_range(0, 1), "y": float_range(0, 1)})
    with pytest.raises(Refused, match="missing"):
        tuner.enqueue({"x": 0.25})
    tuner.enqueue({"x": 0.25}, partial=True)
    (trial,) = tuner.suggest()
    assert trial.params["x"] == 0.25
    assert trial.why["drawn"] == ["y"]


def test_a_worker_that_waits_for_others_says_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    tuner = client.tuner(SPACE, name="busy", max_trials=1)
    (held,) = tuner.suggest()
    told: list[str] = []

    def hear(record: logging.LogRecord) -> bool:
        told.append(record.getMessage())
        held.result(1.0)
        return True

    monkeypatch.setattr("tunetrack_client.tuner._TOLD_AFTER_S", 0.1)
    log = logging.getLogger("tunetrack_client")
    log.addFilter(hear)
    try:
        assert list(tuner.trials()) == []
    finally:
        log.removeFilter(hear)
    assert told[0].startswith("Tuner(busy) is active and has no trial to give just now; waiting.")
    assert "its 600 s are over" in told[0]


def test_a_search_that_is_over_goes_on_with_a_larger_budget(client: Client) -> None:
    tuner = client.tuner(SPACE, max_trials=1, budget={"max_failures": 3})
    for trial in tuner.trials():
        trial.result(trial.params["x"])
    assert tuner.state == "completed"
    tuner.edit(max_trials=12, name="longer", tags=["t"])
    for trial in tuner.trials():
        trial.result(trial.params["x"])
    found = tuner.fetch()
    assert (found["name"], found["tags"], found["counts"]["completed"]) == ("longer", ["t"], 12)
    assert (found["budget"]["max_trials"], found["budget"]["max_failures"]) == (12, 3)
    assert [trial["number"] for trial in tuner.history("number < 3", order_by="number desc")] == [2, 1, 0]
    assert tuner.importance() == {"x": 1.0}
    assert tuner.pareto() == [tuner.best]


def test_objectives_are_named_and_share_a_direction(client: Client) -> None:
    accuracy = {"metric": "accuracy", "direction": "maximize"}
    tuner = client.tuner(SPACE, objectives=["loss", accuracy], direction="minimize", max_trials=2)
    assert tuner.fetch()["objectives"] == [{"metric": "loss", "direction": "minimize"}, accuracy]
    for trial in tuner.trials():
        trial.result(loss=trial.number, accuracy=trial.number)
    assert [trial["number"] for trial in tuner.pareto()] == [0, 1]
    assert tuner.importance("loss") == {}
    with pytest.raises(ValueError, match="either an objective or several"):
        client.tuner(SPACE, objective="loss", objectives=["loss", "size"])


def test_what_is_no_list_of_objectives_is_refused_rather_than_taken_apart(client: Client) -> None:
    wrong: Any
    for wrong in ("ab", {"loss": "minimize", "size": "minimize"}):
        with pytest.raises(TypeError, match="objectives are a list, each like "):
            client.tuner(SPACE, objectives=wrong)
    wrong = ["loss", "size"]
    with pytest.raises(TypeError, match=r"an objective is like .* several are objectives=\["):
        client.tuner(SPACE, objective=wrong)


def test_workers_with_the_same_key_share_a_tuner(client: Client, request: pytest.FixtureRequest) -> None:
    key = request.node.nodeid
    tuners = [client.tuner(SPACE, key=key, max_trials=12) for _ in range(4)]
    assert len({tuner.tuner_id for tuner in tuners}) == 1
    taken: list[int] = []

    def work(number: int) -> None:
        for trial in tuners[number].trials():
            taken.append(trial.number)
            trial.result(trial.params["x"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(12))
    assert client.tuner(key=key).fetch()["counts"]["completed"] == 12
    joins = r"tuner\(key='.*'\) joins it"
    with pytest.raises(errors.IdConflict, match=rf"another budget: {joins}, its edit\(…\) changes that"):
        client.tuner(SPACE, key=key, max_trials=13)
    with pytest.raises(errors.IdConflict, match=rf"another space and another seed: {joins}, a new search"):
        client.tuner({"y": flag()}, key=key, max_trials=12, seed=-1)
    client.tuner(key=key).edit(max_trials=13)
    assert client.tuner(SPACE, key=key, max_trials=13).state == "active"


def test_a_worker_that_comes_again_gets_the_trial_that_it_held(client: Client) -> None:
    tuner = client.tuner(SPACE, max_trials=3)
    (before,) = tuner.suggest(worker="phoenix")
    (after,) = tuner.suggest(worker="phoenix")
    assert (after.trial_id, after.attempt) == (before.trial_id, before.attempt)
    for trial in tuner.trials("phoenix", limit=1):
        assert trial.trial_id == before.trial_id
        trial.result(1)


def test_mistakes_are_told_where_they_are_made(client: Client) -> None:
    with pytest.raises(errors.InvalidSpace, match="x"):
        client.tuner({"x": float_range(1.0, 0.0)})
    with pytest.raises(errors.UnknownStrategy) as caught:
        client.tuner(SPACE, strategy="oracle")
    assert "random" in caught.value.problem["known"]
    with pytest.raises(errors.UnknownTuner, match="'nobody made this'"):
        client.tuner(key="nobody made this")
    with pytest.raises(ValueError, match="needs a space"):
        client.tuner()
    with client.run() as run:
        with pytest.raises(TypeError, match="'loss' is no number"):
            run.log(0, loss=[1])  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="'loss' is no number"):
            run.log(0, loss="high")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="from 0 on"):
            run.log(-1, loss=1)
    with pytest.raises(RuntimeError, match="has ended"):
        run.log(0, loss=1)


def test_params_may_be_scalars_of_numpy(client: Client) -> None:
    given = {"lr": numpy.float32(0.5), "layers": numpy.int64(3), "bias": numpy.bool_(True), "name": "mlp"}
    with client.run(given) as run:
        pass
    client.flush()
    assert client.get(f"/v1/runs/{run.run_id}")["params"] == run.params
    assert run.params == {"lr": 0.5, "layers": 3, "bias": True, "name": "mlp"}
    tuner = client.tuner({"layers": int_range(1, 9)})
    tuner.enqueue({"layers": numpy.int64(3)})
    tuner.observe({"layers": numpy.array(4)}, 0.5)
    assert [trial["params"] for trial in tuner.history()] == [{"layers": 3}, {"layers": 4}]


@pytest.mark.parametrize(
    ("value", "instead"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (2**63, "64 bits"),
        (None, "leave it out"),
        ([1], r"or say str\(…\) of it"),
        (numpy.array([1, 2]), r"or say str\(…\) of it"),
        ({}, "leave it out"),
        ({"layers": 3}, r"say each of its parts, as p\.layers"),
        (Path("data"), r"or say str\(…\) of it"),
    ],
)
def test_a_param_that_is_no_scalar_is_told_where_it_is_said(client: Client, value: Any, instead: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"param 'p' .*{instead}"):
        client.run({"p": value})


def test_a_blank_key_is_none(client: Client) -> None:
    """As of a variable that is set to nothing: all that came with it would share one search, or one run."""
    for begin in (client.run, client.tuner, partial(client.tuner, SPACE)):
        with pytest.raises(ValueError, match="the key is blank: ' '"):
            begin(key=" ")


def test_what_is_too_much_for_a_run_is_told_where_it_is_said(client: Client) -> None:
    (trial,) = client.tuner(SPACE, max_trials=1).suggest()
    for begin in (client.run, trial.run):
        with pytest.raises(ValueError, match="the note has 10,001 characters, and at most 10,000 are kept"):
            begin(note="n" * 10_001)
        with pytest.raises(ValueError, match="the name has 251 characters, and at most 250 are kept"):
            begin(name="n" * 251)
        with pytest.raises(ValueError, match="a tag has 251 characters"):
            begin(tags=["demo", "t" * 251])
        with pytest.raises(ValueError, match="a tag is blank"):
            begin(tags=[" "])
        with pytest.raises(TypeError, match="a tag is a text, not 3"):
            begin(tags=[3])  # type: ignore[list-item]
        with pytest.raises(ValueError, match="at most 1,000 tags are kept, and these are 1,001"):
            begin(tags=[str(number) for number in range(1001)])
    with pytest.raises(ValueError, match="the key has 251 characters"):
        client.run(key="k" * 251)
    for name, why in (("", "is blank"), ("p" * 251, "has 251 characters")):
        with pytest.raises(ValueError, match=f"the name of a param {why}"):
            client.run({name: 1})
    with pytest.raises(ValueError, match="param 'command' has 10,001 characters"):
        client.run({"command": "c" * 10_001})
    with pytest.raises(ValueError, match="at most 1,000 params, and these are 1,001"):
        client.run({f"p{number}": number for number in range(1001)})
    longest = "c" * 10_000
    with client.run() as run, pytest.raises(ValueError, match="param 'command'"):
        run.edit({"command": longest + "c"})
    name = longest[:250]
    with client.run({"command": longest}, key=longest, name=name, tags=[name], note=longest) as run:
        with pytest.raises(ValueError, match="the name has 251 characters"):
            run.edit(name=name + "c")
        with pytest.raises(ValueError, match="a tag has 251 characters"):
            run.edit(tags=[name + "c"])
    trial.result(1.0)
    client.flush()
    assert client.get(f"/v1/trials/{trial.trial_id}")["score"] == 1
    assert client.get(f"/v1/runs/{run.run_id}")["params"] == {"command": longest}


def test_what_no_json_holds_is_told_where_it_is_said_and_stops_nothing_else(client: Client) -> None:
    with pytest.raises(TypeError):
        client.run(name=Path("data"))  # type: ignore[arg-type]
    with client.run() as run:
        run.log(0, loss=1)
    assert client.flush()
    assert client.get(f"/v1/runs/{run.run_id}")["status"] == "finished"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("m" * 251, "the name of a metric has 251 characters, and at most 250 are kept: 'mmm"),
        (" ", "the name of a metric is blank: ' '"),
        ("loss\udcff", r"the name of a metric is no text: 'loss\udcff'"),
        ("loss\0", r"the name of a metric is no text: 'loss\x00'"),
    ],
)
def test_a_metric_of_a_name_that_the_service_does_not_take_is_left_out_alone(
    client: Client, caplog: pytest.LogCaptureFixture, name: str, why: str
) -> None:
    (trial,) = client.tuner(SPACE, objective="loss", max_trials=1).suggest()
    with caplog.at_level("WARNING"), trial.run() as run:
        for epoch in range(3):
            run.log(epoch, {"loss": 1 / (epoch + 1), name: 2.0})
        run.log(3, {name: 2.0})
        run.final({"loss": 0.25, name: 1.0})
    assert client.flush()
    (told,) = caplog.messages
    assert told.startswith(why)
    assert told.endswith("it is left out, and all else is kept")
    assert isinstance(run.error, errors.InvalidRequest)
    assert run.error.detail == told
    found = client.get(f"/v1/runs/{run.run_id}")
    assert (found["status"], found["metrics"], found["last_epoch"]) == ("finished", {"loss": 0.25}, 3)
    assert found["summary"]["loss"]["count"] == 3
    assert client.get(f"/v1/trials/{trial.trial_id}")["score"] == 0.25


def test_more_metrics_than_a_run_has_are_left_out_alone(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING"), client.run() as run:
        for epoch in range(2):
            run.log(epoch, {f"m{number}": float(epoch) for number in range(1002)})
        run.final({"accuracy": 1.0, "m0": 2.0})
    assert client.flush()
    assert caplog.messages == ["a run has at most 1,000 metrics, by name: 'm1000' is left out, and so are later ones"]
    found = client.get(f"/v1/runs/{run.run_id}")
    assert (found["status"], len(found["summary"]), found["last_epoch"]) == ("finished", 1000, 1)
    assert (found["metrics"]["m0"], found["metrics"]["m999"]) == (2.0, 1.0)


def test_text_that_is_none_is_told_where_it_is_said(client: Client) -> None:
    for text in ("data/\udcff", "data\0"):
        with pytest.raises(ValueError, match="param 'data' is no text: 'data"):
            client.run({"data": text})
        with pytest.raises(ValueError, match="the name of a param is no text"):
            client.run({text: 1})
        with pytest.raises(ValueError, match="a tag is no text"):
            client.run(tags=[text])
        with pytest.raises(ValueError, match="the note is no text"):
            client.run(note=text)


@pytest.mark.parametrize("path", ["data/\udcff", "data/\0"])
def test_a_training_that_fails_at_what_is_no_text_has_failed(client: Client, path: str) -> None:
    (trial,) = client.tuner(SPACE, budget={"max_attempts": 1}).suggest()
    with pytest.raises(OSError, match="cannot read"), trial.run() as run:
        raise OSError(f"cannot read {path}")
    assert client.flush()
    assert run.error is None
    assert client.get(f"/v1/runs/{run.run_id}")["status"] == "failed"
    assert client.get(f"/v1/trials/{trial.trial_id}")["reason"].startswith("OSError: cannot read data/")


def test_a_run_that_was_deleted_begins_again_under_its_key(client: Client) -> None:
    run = client.run(key=(key := str(uuid.uuid4())))
    assert run.flush()
    client.ask("DELETE", f"/v1/runs/{run.run_id}")
    run.log(0, loss=1)
    assert run.flush()
    assert isinstance(run.error, errors.UnknownRun)
    with client.run(key=key) as again:  # in the same process, as the cell of a notebook that is run anew
        again.log(0, loss=2)
    assert client.flush()
    assert again.error is None
    assert client.get(f"/v1/runs/{again.run_id}")["metrics"] == {"loss": 2}


def test_a_run_that_the_service_does_not_begin_keeps_the_reason(client: Client) -> None:
    with client.run({f"p{number}": "c" * 10_000 for number in range(110)}) as run:
        run.log(0, loss=1)
    assert client.flush()
    assert isinstance(run.error, errors.TooLarge)


@pytest.mark.parametrize("epoch", [1.5, 2**63, -1, True, math.inf, math.nan])
def test_an_epoch_that_is_none_is_told_where_it_is_said(client: Client, epoch: Any) -> None:
    with client.run() as run, pytest.raises(ValueError, match="an epoch is a whole number"):
        run.log(epoch, loss=1)


class Loss:
    """A tensor that has its gradient still, as PyTorch's: it warns when it is made a float by `float`."""

    def __init__(self, *values: float) -> None:
        self._values = values

    def __float__(self) -> float:
        warnings.warn("Converting a tensor with requires_grad=True to a scalar", UserWarning, stacklevel=2)
        return self.item()

    def item(self) -> float:
        """The value, where it is one."""
        if len(self._values) > 1:
            raise RuntimeError(f"a Tensor with {len(self._values)} elements cannot be converted to Scalar")
        return self._values[0]


def test_a_loss_may_be_logged_with_its_gradient(client: Client) -> None:
    with client.run() as run:
        run.log(0, loss=Loss(0.5))
        with pytest.raises(ValueError, match="'loss' is no number"):
            run.log(1, loss=Loss(0.5, 0.25))
    client.flush()
    assert client.curves(run.run_id)["loss"]["values"] == [0.5]
    assert numbers({"loss": Loss(0.5), "each": Loss(0.5, 0.25)}) == {"loss": 0.5}


def test_what_a_notebook_shows_says_what_it_is(client: Client) -> None:
    assert repr(client) == f"Client({client.url!r})"
    with client.run({"lr": 0.5}) as run:
        assert repr(run) == f"Run(run_id='{run.run_id}', params={{'lr': 0.5}}, is_open=True)"
        assert copy.deepcopy({"callbacks": [run]}) == {"callbacks": [run]}  # as scikit-learn's clone does
    assert "is_open=False" in repr(run)


def test_a_metric_beyond_all_floats_is_told_where_it_is_said(client: Client) -> None:
    with client.run() as run, pytest.raises(ValueError, match="metric 'loss' is no number"):
        run.log(0, loss=10**400)


def test_a_search_goes_on_when_an_epoch_was_refused(client: Client) -> None:
    tuner = client.tuner(SPACE, objective="loss", max_trials=2)
    refusals = []
    for trial in tuner.trials():
        with trial.run() as run:
            run.log(0, loss=1.0)
            run.log(0, loss=2.0)
            run.log(1, loss=0.5)
            run.flush()
            refusals.append(type(run.error))
    assert refusals == 2 * [errors.DuplicateMetricKey]
    assert tuner.fetch()["counts"]["completed"] == 2


def test_a_value_that_contradicts_one_before_is_refused_and_its_neighbours_are_kept(client: Client) -> None:
    with client.run() as run:
        run.log(0, loss=1.0)
        run.flush()
        for epoch, loss in ((0, 2.0), (1, 0.5), (2, 0.25)):
            run.log(epoch, loss=loss)
    client.flush()
    assert isinstance(run.error, errors.DuplicateMetricKey)
    found = client.get(f"/v1/runs/{run.run_id}/metrics")["series"]["loss"]
    assert found == {"epochs": [0, 1, 2], "values": [1.0, 0.5, 0.25]}


def test_batches_that_are_logged_under_their_epoch_are_told_once_and_left_out(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with client.run() as run:
        for epoch in range(3):
            for batch in range(500):
                run.log(epoch, loss=1 / (batch + 1), other=math.nan)
    client.flush()
    assert client.curves(run.run_id, "loss")["loss"] == {"epochs": [0, 1, 2], "values": [1.0, 1.0, 1.0]}
    assert isinstance(run.error, errors.DuplicateMetricKey)
    assert (run.error.problem["epoch"], run.error.problem["sent"]) == (0, 0.5)
    (told,) = [record.getMessage() for record in caplog.records]
    assert "count batches" in told


def test_what_is_sent_leaves_no_line_in_the_log_of_the_training(
    client: Client, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="httpx"):
        for trial in client.tuner(SPACE, max_trials=2).trials():
            with trial.run() as run:
                run.log(0, score=1)
        httpx.get(f"{server.url}/healthz", trust_env=False)  # somebody else's
    (line,) = [record.getMessage() for record in caplog.records]
    assert "/healthz" in line


def test_the_curve_of_a_metric_with_a_comma_in_its_name_is_read(client: Client) -> None:
    with client.run() as run:
        run.log(0, {"mAP@[0.5,0.95]": 0.25, "loss": 1})
    client.flush()
    assert client.curves(run.run_id, "mAP@[0.5,0.95]", "none") == {
        "mAP@[0.5,0.95]": {"epochs": [0], "values": [0.25]},
        "none": {"epochs": [], "values": []},
    }


def test_a_client_goes_to_other_processes_without_its_key_and_a_trial_stays_in_its_own(client: Client) -> None:
    (trial,) = client.tuner(SPACE, max_trials=1).suggest()
    for held in (trial, trial.run()):
        with pytest.raises(TypeError, match="stays in its process: give others its params"):
            pickle.dumps(held)
    trial.result(1.0)
    with Client("http://ada:password@127.0.0.1:9", "secret-key") as keyed:
        told = pickle.dumps(keyed)
    assert b"127.0.0.1:9" in told
    assert b"secret-key" not in told  # which may lie in a file, for others
    assert b"password" not in told


def test_events_are_read_from_where_one_likes(client: Client) -> None:
    with client.run(tags=["watched"]) as run:
        run.log(0, loss=1.0)
    client.flush()
    events = client.events(after=0, run_id=run.run_id)
    assert [next(events).type for _ in range(3)] == ["run_start", "epoch_end", "training_end"]
    middle = next(client.events(after=0, type="epoch_end", run_id=run.run_id))
    assert middle["metrics"] == {"loss": 1.0}
    assert next(client.events(after=middle.event_id, run_id=[run.run_id])).type == "training_end"


def test_events_from_now_on_begin_now(client: Client) -> None:
    with client.run():
        pass
    client.flush()
    heard: list[str] = []
    opened = threading.Event()

    def listen(events: Iterator[object]) -> None:
        opened.set()
        heard.append(getattr(next(events), "type"))  # noqa: B009 -- an Event

    thread = threading.Thread(target=listen, args=(client.events(tag="later"),), daemon=True)
    thread.start()
    opened.wait()
    while thread.is_alive():  # until the stream is open
        with client.run(tags=["later"]):
            client.flush()
        thread.join(0.05)
    assert len(heard) == 1


def test_events_with_a_senseless_filter_are_refused(client: Client) -> None:
    with pytest.raises(Refused):
        next(client.events(type="no_such_type"))


def test_a_refusal_comes_out_of_another_process_as_it_was(client: Client) -> None:
    with pytest.raises(errors.UnknownRun) as raised:
        client.get(f"/v1/runs/{uuid.uuid4()}")
    refusal = copy.copy(raised.value)  # goes the way of pickle, as between the processes of a pool
    assert type(refusal) is errors.UnknownRun
    assert (refusal.problem, str(refusal)) == (raised.value.problem, str(raised.value))
