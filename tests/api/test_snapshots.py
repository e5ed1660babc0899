"""Snapshots: a tuner as JSON, and from JSON a tuner that goes on."""

import uuid
from hashlib import sha256

import httpx
import orjson
import pytest

from tests.calls import (
    JSON,
    SPACE,
    answer,
    ask,
    create_tuner,
    get_tuner,
    list_all,
    problem,
    report,
    suggest,
)
from tests.conftest import BACKENDS, Shared

SEARCH: JSON = {
    "name": "résumé 🚀",
    "space": {
        "lr": {"type": "float_range", "min": 1e-4, "max": 1e-1, "log": True},
        "layers": {"type": "int_range", "min": 1, "max": 6},
        "optimizer": {"type": "choice", "options": ["adam", "sgd", 3, 3.0, True]},
        "nesterov": {"type": "flag", "when": {"optimizer": ["sgd"]}},
    },
    "objective": {"metric": "loss", "direction": "minimize"},
    "strategy": "random",
    "seed": 2**60 + 1,
    "budget": {"max_trials": 40, "max_parallel": 20, "max_attempts": 2},
    "tags": ["snap"],
}
SAME = ("number", "params", "state", "score", "reason", "attempt", "why")


def snapshot(client: httpx.Client, tuner: JSON) -> JSON:
    return answer(client.get(f"/v1/tuners/{tuner['tuner_id']}/snapshot"))


def restore(client: httpx.Client, taken: JSON, **body: object) -> JSON:
    return answer(client.post("/v1/tuners", json={"snapshot": taken} | body), 201)


def trials_of(client: httpx.Client, tuner: JSON) -> list[JSON]:
    return list_all(client, f"/v1/tuners/{tuner['tuner_id']}/trials")


def with_history(client: httpx.Client, **body: object) -> JSON:
    """A tuner that has seen something of everything, and of which nothing runs."""
    tuner = create_tuner(client, **SEARCH | body)
    trials = suggest(client, tuner, 6)
    for number, trial in enumerate(trials[:4]):
        report(client, tuner, trial_id=trial["trial_id"], score=[0.3, 0.1, "NaN", -0.0][number])
    report(client, tuner, trial_id=trials[4]["trial_id"], state="infeasible", reason="no")
    report(client, tuner, trial_id=trials[5]["trial_id"], score=0.2)
    report(client, tuner, params={"lr": 0.01, "layers": 2, "optimizer": 3.0}, score=0.15)
    return get_tuner(client, tuner)


def test_a_snapshot_is_versioned(client: httpx.Client) -> None:
    assert any("version" in name for name in snapshot(client, create_tuner(client)))


def test_a_restored_tuner_is_the_same_under_another_id(client: httpx.Client) -> None:
    tuner = with_history(client)
    restored = restore(client, snapshot(client, tuner))
    assert restored["tuner_id"] != tuner["tuner_id"]
    apart = {"tuner_id", "best", "create_time", "update_time"}
    assert {k: v for k, v in restored.items() if k not in apart} == {k: v for k, v in tuner.items() if k not in apart}
    assert [restored["best"][name] for name in SAME] == [tuner["best"][name] for name in SAME]


def test_a_restored_tuner_has_the_same_trials_with_ids_of_its_own(client: httpx.Client) -> None:
    tuner = with_history(client)
    restored = restore(client, snapshot(client, tuner))
    before, after = trials_of(client, tuner), trials_of(client, restored)
    assert [[trial[name] for name in SAME] for trial in after] == [[trial[name] for name in SAME] for trial in before]
    assert not {trial["trial_id"] for trial in before} & {trial["trial_id"] for trial in after}
    assert {trial["tuner_id"] for trial in after} == {restored["tuner_id"]}


def test_a_restored_tuner_goes_on_with_the_same_proposals(client: httpx.Client) -> None:
    tuner = with_history(client)
    restored = restore(client, snapshot(client, tuner))
    for count in (1, 5):
        expected, found = suggest(client, tuner, count), suggest(client, restored, count)
        assert [(one["number"], one["params"]) for one in found] == [(one["number"], one["params"]) for one in expected]


def test_a_restored_grid_goes_on_where_it_was(client: httpx.Client) -> None:
    space = {"a": {"type": "int_range", "min": 1, "max": 3}, "b": {"type": "flag"}}
    tuner = create_tuner(client, space=space, strategy="grid")
    done = suggest(client, tuner, 4)
    for trial in done:
        report(client, tuner, trial_id=trial["trial_id"], score=1.0)
    restored = restore(client, snapshot(client, tuner))
    rest = suggest(client, restored, 2)
    assert len({(one["params"]["a"], one["params"]["b"]) for one in done + rest}) == 6
    states = [report(client, restored, trial_id=trial["trial_id"], score=1.0)["tuner_state"] for trial in rest]
    assert states == ["active", "completed"]


def test_the_running_trials_of_a_snapshot_come_back_as_queued(client: httpx.Client) -> None:
    tuner = create_tuner(client, **SEARCH)
    running = suggest(client, tuner, 3, worker="gone")
    report(client, tuner, trial_id=running[1]["trial_id"], score=0.5)
    restored = restore(client, snapshot(client, tuner))
    states = [trial["state"] for trial in trials_of(client, restored)]
    assert states == ["queued", "completed", "queued"]
    counts = {state: count for state, count in restored["counts"].items() if count}
    assert counts == {"queued": 2, "completed": 1}
    handed_out = suggest(client, restored, 3, worker="new")
    assert [trial["number"] for trial in handed_out] == [0, 2, 3]
    assert [trial["params"] for trial in handed_out[:2]] == [running[0]["params"], running[2]["params"]]


def test_a_snapshot_of_a_restored_tuner_restores_the_same_again(client: httpx.Client) -> None:
    first = restore(client, snapshot(client, with_history(client)))
    second = restore(client, snapshot(client, first))
    assert [[trial[name] for name in SAME] for trial in trials_of(client, second)] == [
        [trial[name] for name in SAME] for trial in trials_of(client, first)
    ]


def test_a_completed_tuner_is_restored_as_completed(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 1})
    report(client, tuner, trial_id=suggest(client, tuner)[0]["trial_id"], score=1.0)
    restored = restore(client, snapshot(client, tuner))
    assert (restored["state"], restored["stop_reason"]) == ("completed", "max_trials")


def test_an_exhausted_tuner_stays_so_where_it_is_restored(client: httpx.Client) -> None:
    tuner = create_tuner(client, space={"a": {"type": "flag"}}, strategy="grid")
    for trial in suggest(client, tuner, 2):
        report(client, tuner, trial_id=trial["trial_id"], score=1.0)
    restored = restore(client, snapshot(client, tuner))
    edited = answer(client.patch(f"/v1/tuners/{restored['tuner_id']}", json={"name": "again"}))
    assert (edited["state"], edited["stop_reason"]) == ("completed", "exhausted")


def test_imported_trials_count_against_no_budget_where_they_are_restored(client: httpx.Client) -> None:
    tuner = create_tuner(client, budget={"max_trials": 1})
    report(client, tuner, params={"x": 0.5}, score=1.0)
    suggest(client, restore(client, snapshot(client, tuner)), 1)


def test_restoring_into_a_chosen_id_is_safe_to_repeat(client: httpx.Client) -> None:
    taken = snapshot(client, with_history(client))
    chosen = str(uuid.uuid4())
    restored = restore(client, taken, tuner_id=chosen)
    assert restored["tuner_id"] == chosen
    assert answer(client.post("/v1/tuners", json={"snapshot": taken, "tuner_id": chosen}), 200) == restored
    problem(client.post("/v1/tuners", json={"space": SPACE, "tuner_id": chosen}), 409, "id-conflict")


def test_a_snapshot_of_a_big_tuner_comes_back_whole(client: httpx.Client) -> None:
    tuner = create_tuner(client)
    trials = [{"params": {"x": number / 300}, "score": number * 7 % 300} for number in range(300)]
    answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/trials", json={"trials": trials}), 201)
    restored = restore(client, snapshot(client, tuner))
    assert restored["counts"]["completed"] == 300
    assert restored["best"]["score"] == get_tuner(client, tuner)["best"]["score"]


@pytest.mark.parametrize("field", ["space", "name", "seed", "strategy"])
def test_a_snapshot_stands_instead_of_a_definition(client: httpx.Client, field: str) -> None:
    taken = snapshot(client, create_tuner(client))
    value = {"space": SPACE, "name": "n", "seed": 1, "strategy": "grid"}[field]
    problem(client.post("/v1/tuners", json={"snapshot": taken, field: value}), 422, "invalid-request")


def paths_of(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a JSON value."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += paths_of(inner, (*path, key))
    if isinstance(value, list):
        for position, inner in enumerate(value):
            found += paths_of(inner, (*path, position))
    return found


def replaced(value: object, path: tuple[str | int, ...], new: object) -> object:
    """A JSON value with another one at a place."""
    if not path:
        return new
    first, *rest = path
    if isinstance(value, dict):
        return value | {first: replaced(value[first], tuple(rest), new)}
    assert isinstance(value, list)
    assert isinstance(first, int)
    return [*value[:first], replaced(value[first], tuple(rest), new), *value[first + 1 :]]


def respelled(value: object) -> object:
    """As JavaScript and jq write what they have read: they know one kind of number."""
    if isinstance(value, dict):
        return {name: respelled(one) for name, one in value.items()}
    if isinstance(value, list):
        return [respelled(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**63 else value


def signed(content: JSON) -> JSON:
    """A snapshot with the checksum of what it is now: what somebody would send who wants it to be taken."""
    rest = {name: value for name, value in content.items() if name != "checksum"}
    written = orjson.dumps(respelled(rest), option=orjson.OPT_SORT_KEYS)
    return rest | {"checksum": "sha256:" + sha256(written).hexdigest()}


def test_a_snapshot_that_was_changed_is_refused(client: httpx.Client) -> None:
    taken = snapshot(client, with_history(client))
    assert signed(taken) == taken
    for damaged in (taken | {"checksum": "sha256:" + "0" * 64}, replaced(taken, ("trials", 0, "score"), 0.31)):
        problem(client.post("/v1/tuners", json={"snapshot": damaged}), 422)


def test_a_snapshot_may_pass_through_what_knows_one_kind_of_number(client: httpx.Client) -> None:
    space: JSON = {"lr": SEARCH["space"]["lr"], "momentum": {"type": "float_range", "min": 0.0, "max": 1.0}}
    tuner = create_tuner(client, **SEARCH | {"space": space, "lease_s": 60.0})
    answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/trials", json={"params": {"lr": 0.01, "momentum": 1.0}}), 201)
    for score, trial in zip((2.0, 1e18, -0.0), suggest(client, tuner, 3), strict=True):
        report(client, tuner, trial_id=trial["trial_id"], score=score)
    taken = snapshot(client, tuner)
    restored = restore(client, respelled(taken))  # type: ignore[arg-type]
    assert [[trial[name] for name in SAME] for trial in trials_of(client, restored)] == [
        [trial[name] for name in SAME] for trial in trials_of(client, tuner)
    ]
    assert snapshot(client, restored) == taken


def works(client: httpx.Client, restored: JSON) -> None:
    """A tuner that was restored can be read and asked."""
    assert get_tuner(client, restored) == restored
    ask(client, restored)
    assert len(trials_of(client, restored)) == sum(get_tuner(client, restored)["counts"].values())
    answer(client.get(f"/v1/tuners/{restored['tuner_id']}/snapshot"))


@pytest.mark.parametrize("new", [None, "x", -1, 2**63, [], {}, 1e308], ids=repr)
def test_a_damaged_snapshot_is_refused_or_still_makes_sense(shared: Shared, new: object) -> None:
    """What is refused is refused before a database is asked, so one will do; what is taken must work on each."""
    client, *others = (shared.client(backend) for backend in BACKENDS)
    tuner = create_tuner(client, **SEARCH)
    trials = suggest(client, tuner, 2)
    report(client, tuner, trial_id=trials[0]["trial_id"], score=0.5)
    taken = snapshot(client, tuner)
    n_restored = 0
    for path in paths_of(taken):
        damaged = replaced(taken, path, new)
        assert isinstance(damaged, dict)
        body = {"snapshot": damaged if path == ("checksum",) else signed(damaged)}
        response = client.post("/v1/tuners", json=body)
        if response.status_code == 201:
            # Not every change is damage; but what was taken must work.
            n_restored += 1
            works(client, response.json())
            for other in others:
                works(other, answer(other.post("/v1/tuners", json=body), 201))
        else:
            problem(response, 422)
    assert n_restored < len(paths_of(taken)) / 2


@pytest.mark.parametrize("taken", [{}, {"version": 1}, {"version": 10**6, "trials": []}, [], "x", None, 1])
def test_what_is_no_snapshot_is_refused(client: httpx.Client, taken: object) -> None:
    problem(client.post("/v1/tuners", json={"snapshot": taken}), 422)
