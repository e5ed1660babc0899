"""What every stopper must do. A new one gets these tests by its line in the table of stoppers."""

import math
import re
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import InvalidRequest
from app.domain.goal import Direction
from app.tuning.stopping.registry import STOPPERS
from app.tuning.stopping.stopper import Decision, Stopper
from tests.tuning.stopping.curves import CURVES, AnyStopper, Curve, add_all, points_of, run_of, verdicts

QUICK_TO_STOP: dict[str, dict[str, Any]] = {
    "none": {},
    "median": {"warmup_epochs": 1, "min_trials": 2},
    "asha": {"reduction_factor": 2},
    "hyperband": {"max_epochs": 8, "reduction_factor": 2},
    "patience": {"epochs": 3, "min_delta": 0.1},
    "threshold": {"min": -1.0, "max": 1.0, "from_epoch": 2},
}
"""Options under which a few short curves are enough for a decision."""

AMONG_OTHERS = ("median", "asha", "hyperband")

law = settings(deadline=None, max_examples=25)
"""Fewer than elsewhere: each holds for every stopper, and those have laws of their own."""

every_stopper = pytest.mark.parametrize("key", STOPPERS)

ENDED = st.sets(st.integers(0, 11))


def quick(key: str, direction: Direction = Direction.maximize) -> Stopper:
    return STOPPERS[key](QUICK_TO_STOP[key], direction)


def loaded(
    key: str, curves: Sequence[Curve], ended: set[int], direction: Direction = Direction.maximize
) -> list[Decision | None]:
    """What a new stopper says of all runs when it has been told everything in the order of the trials."""
    stopper = quick(key, direction)
    add_all(stopper, curves)
    end_all(stopper, ended, len(curves))
    return verdicts(stopper, len(curves))


def end_all(stopper: AnyStopper, ended: set[int], n_runs: int) -> None:
    for number in sorted(ended):
        if number < n_runs:
            stopper.end(run_of(number).run_id)


def epochs_of(decisions: Sequence[Decision | None]) -> list[int | None]:
    return [None if decision is None else decision.epoch for decision in decisions]


def test_the_tests_know_every_stopper() -> None:
    assert QUICK_TO_STOP.keys() == STOPPERS.keys()


@pytest.mark.parametrize("key", [key for key in STOPPERS if key != "none"])
def test_it_stops_somebody(key: str) -> None:
    curves: list[Curve] = [dict.fromkeys(range(8), 0.1 * number) for number in range(12)]
    curves[0] = dict.fromkeys(range(8), math.nan)
    decisions = loaded(key, curves, ended={9, 10, 11})
    assert decisions[0] is not None


@every_stopper
@law
@given(data=st.data(), curves=CURVES, ended=ENDED)
def test_the_order_of_arrival_does_not_matter(
    key: str, data: st.DataObject, curves: Sequence[Curve], ended: set[int]
) -> None:
    stopper = quick(key)
    steps: list[Callable[[], object]] = [
        lambda number=number, epoch=epoch, value=value: stopper.add(run_of(number), epoch, value)  # type: ignore[misc]
        for number, epoch, value in points_of(curves)
    ]
    steps += [
        lambda number=number: stopper.end(run_of(number).run_id)  # type: ignore[misc]
        for number in ended
        if number < len(curves)
    ]
    steps += [lambda number=number: stopper.decide(run_of(number)) for number in range(len(curves))]  # type: ignore[misc]
    for step in data.draw(st.permutations(steps)):
        step()
    assert verdicts(stopper, len(curves)) == loaded(key, curves, ended)


@every_stopper
@law
@given(data=st.data(), curves=CURVES, ended=ENDED)
def test_a_removed_run_was_never_there(key: str, data: st.DataObject, curves: Sequence[Curve], ended: set[int]) -> None:
    removed = data.draw(st.sets(st.integers(0, 11)))
    stopper = quick(key)
    add_all(stopper, curves)
    end_all(stopper, ended, len(curves))
    for number in removed:
        stopper.remove(run_of(number).run_id)
    without = [{} if number in removed else curve for number, curve in enumerate(curves)]
    assert verdicts(stopper, len(curves)) == loaded(key, without, ended - removed)
    for number in removed & set(range(len(curves))):
        for epoch, value in curves[number].items():
            stopper.add(run_of(number), epoch, value)
    end_all(stopper, ended & removed, len(curves))
    assert verdicts(stopper, len(curves)) == loaded(key, curves, ended)


@every_stopper
@law
@given(CURVES, ENDED)
def test_minimizing_is_maximizing_the_negative(key: str, curves: Sequence[Curve], ended: set[int]) -> None:
    mirrored = [{epoch: -value for epoch, value in curve.items()} for curve in curves]
    up, down = loaded(key, curves, ended), loaded(key, mirrored, ended, Direction.minimize)
    assert epochs_of(up) == epochs_of(down)


@every_stopper
@law
@given(CURVES, ENDED, st.sampled_from([math.nan, math.inf, -math.inf]))
def test_what_is_not_finite_is_all_the_same(key: str, curves: Sequence[Curve], ended: set[int], bad: float) -> None:
    same = [{epoch: v if math.isfinite(v) else bad for epoch, v in curve.items()} for curve in curves]
    assert epochs_of(loaded(key, same, ended)) == epochs_of(loaded(key, curves, ended))


@pytest.mark.parametrize("key", AMONG_OTHERS)
@law
@given(curves=CURVES, ended=ENDED, number=st.integers(12, 30), direction=st.sampled_from(Direction))
def test_a_run_that_is_best_at_every_epoch_is_never_stopped(
    key: str, curves: Sequence[Curve], ended: set[int], number: int, direction: Direction
) -> None:
    stopper = quick(key, direction)
    curves = [dict(enumerate(curve.values())) for curve in curves]
    add_all(stopper, curves)
    end_all(stopper, ended, len(curves))
    best_of = max if direction is Direction.maximize else min
    for epoch in range(max(map(len, curves), default=0)):
        values = [curve[epoch] for curve in curves if epoch in curve and math.isfinite(curve[epoch])]
        stopper.add(run_of(number), epoch, best_of(values, default=math.nan))
        assert stopper.decide(run_of(number)) is None


@pytest.mark.parametrize("key", AMONG_OTHERS)
@law
@given(curves=CURVES, ended=ENDED, number=st.integers(12, 30), epochs=st.sets(st.integers(0, 100), max_size=10))
def test_a_run_that_is_best_of_all_is_never_stopped_whatever_the_gaps(
    key: str, curves: Sequence[Curve], ended: set[int], number: int, epochs: set[int]
) -> None:
    stopper = quick(key)
    add_all(stopper, curves)
    end_all(stopper, ended, len(curves))
    best = max((value for _, _, value in points_of(curves) if math.isfinite(value)), default=math.nan)
    for epoch in sorted(epochs):
        stopper.add(run_of(number), epoch, best)
        assert stopper.decide(run_of(number)) is None


@every_stopper
@law
@given(CURVES, ENDED)
def test_a_decision_tells_rule_reason_and_an_epoch_of_the_run(
    key: str, curves: Sequence[Curve], ended: set[int]
) -> None:
    for curve, decision in zip(curves, loaded(key, curves, ended), strict=True):
        if decision is not None:
            assert decision.rule == key
            assert decision.reason
            assert decision.epoch in curve


@every_stopper
def test_a_run_that_nobody_knows_goes_on_and_can_be_forgotten(key: str) -> None:
    stopper = quick(key)
    stopper.remove(run_of(0).run_id)
    stopper.end(run_of(1).run_id)
    assert verdicts(stopper, 2) == [None, None]


@every_stopper
def test_a_new_attempt_of_a_trial_has_a_curve_of_its_own(key: str) -> None:
    first, second = quick(key), quick(key)
    bad: Curve = dict.fromkeys(range(8), math.nan)
    good: list[Curve] = [{epoch: float(epoch) for epoch in range(8)} for _ in range(6)]
    add_all(first, [*good, bad])
    first.remove(run_of(6).run_id)
    for stopper in (first, second):
        add_all(stopper, good[:6] if stopper is second else [])
        stopper.add(run_of(7), 0, 1.0)
    assert verdicts(first, 8) == verdicts(second, 8)


def steps(act: Callable[[], object]) -> int:
    """How many lines of Python run. What is done in C is not counted: it is few microseconds at the sizes there are."""
    n = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal n
        n += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return n


@every_stopper
def test_points_and_decisions_cost_no_more_steps_among_many_runs(key: str) -> None:
    def cost(n_runs: int) -> tuple[int, int]:
        stopper = STOPPERS[key]({}, Direction.maximize)
        curves: list[Curve] = [{epoch: math.sin(number + epoch) for epoch in range(12)} for number in range(n_runs)]
        add_all(stopper, curves)
        end_all(stopper, set(range(n_runs - 1)), n_runs)
        last = run_of(10**6)

        def live() -> None:
            for epoch in range(12):
                stopper.add(last, epoch, -2.0)
                stopper.decide(last)

        def end() -> None:
            stopper.end(last.run_id)
            stopper.remove(last.run_id)

        return steps(live), steps(end)

    assert cost(1000) == cost(50)


@every_stopper
def test_unknown_options_are_refused(key: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        STOPPERS[key]({"no_such_option": 1}, Direction.maximize)
    assert refused.value.facts["errors"][0]["loc"] == ["stopper", "no_such_option"]


@pytest.mark.parametrize(
    ("key", "option"), [(k, o) for k in STOPPERS for o in STOPPERS[k].options_schema["properties"]]
)
@pytest.mark.parametrize("value", [True, "3", math.nan, math.inf, -math.inf, [3], {}, 10**400])
def test_values_that_make_no_sense_are_refused(key: str, option: str, value: object) -> None:
    with pytest.raises(InvalidRequest, match=f"^{option} must be ") as refused:
        STOPPERS[key]({option: value}, Direction.maximize)
    assert refused.value.facts["errors"][0]["loc"] == ["stopper", option]


@pytest.mark.parametrize(
    ("key", "option"), [(k, o) for k in STOPPERS for o in STOPPERS[k].options_schema["properties"]]
)
def test_null_and_what_is_too_small_are_refused_as_the_schema_says(key: str, option: str) -> None:
    schema = STOPPERS[key].options_schema["properties"][option]
    if "null" in schema["type"]:
        assert STOPPERS[key]({option: None}, Direction.maximize).options[option] is None
    else:
        with pytest.raises(InvalidRequest, match=f"^{option} must be "):
            STOPPERS[key]({option: None}, Direction.maximize)
    if "minimum" in schema:
        with pytest.raises(InvalidRequest, match=f"^{option} must be .* of at least {schema['minimum']}"):
            STOPPERS[key]({option: schema["minimum"] - 1}, Direction.maximize)
    if "integer" in schema["type"]:
        with pytest.raises(InvalidRequest, match=f"^{option} must be an integer"):
            STOPPERS[key]({option: 3.0}, Direction.maximize)


@every_stopper
def test_a_stopper_describes_itself(key: str) -> None:
    kind = STOPPERS[key]
    assert re.fullmatch(r"[a-z]+", kind.key)
    assert kind.key == key
    assert kind.description.endswith(".")
    assert kind.options_schema["type"] == "object"
    assert kind.options_schema["additionalProperties"] is False
    for option in kind.options_schema["properties"].values():
        assert {"type", "description", "default"} <= option.keys()


@every_stopper
def test_the_defaults_of_its_schema_are_valid_options(key: str) -> None:
    defaults = {name: option["default"] for name, option in STOPPERS[key].options_schema["properties"].items()}
    assert (
        STOPPERS[key](defaults, Direction.minimize).options == STOPPERS[key]({}, Direction.minimize).options == defaults
    )
