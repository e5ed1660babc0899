"""Every combination once, in a fixed order."""

import time
from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.errors import InvalidRequest
from app.domain.space import Space
from app.domain.states import TrialState
from app.domain.values import INT64_MAX, Params, Scalar, params_key
from app.tuning.grid import Grid
from app.tuning.strategy import Observation, generator
from tests.spaces import EXAMPLE, law, spaces


def combinations(
    specs: dict[str, dict[str, Any]] | Space, n: int, tried: Sequence[Params] = (), **options: Any
) -> list[dict[str, Scalar]]:
    """The next n that the grid proposes."""
    space = specs if isinstance(specs, Space) else Space.from_json(specs)
    history = [Observation(i, params, TrialState.completed, (0.0,)) for i, params in enumerate(tried)]
    proposals = Grid(space, options).propose(history, [], [generator(0, i) for i in range(n)])
    return [proposal.params for proposal in proposals]


def values(spec: dict[str, Any], **options: Any) -> list[Scalar]:
    """The values of a single parameter that are on the grid."""
    return [params["x"] for params in combinations({"x": spec}, 2000, **options)]


def test_all_combinations_come_once_the_last_name_changing_fastest() -> None:
    specs: dict[str, dict[str, Any]] = {
        "b": {"type": "choice", "options": ["u", "v"]},
        "a": {"type": "int_range", "min": 1, "max": 3},
    }
    assert combinations(specs, 100) == [{"b": b, "a": a} for a, b in product([1, 2, 3], ["u", "v"])]


def test_conditional_parameters_count_only_where_they_are_active() -> None:
    specs = {name: EXAMPLE[name] for name in ("nesterov", "optimizer")}
    assert combinations(specs, 100) == [
        {"optimizer": "adam"},
        {"nesterov": False, "optimizer": "sgd"},
        {"nesterov": True, "optimizer": "sgd"},
    ]


def test_the_child_of_an_inactive_parameter_is_left_out() -> None:
    specs: dict[str, dict[str, Any]] = {
        "a": {"type": "flag"},
        "b": {"type": "flag", "when": {"a": [False]}},
        "c": {"type": "flag", "when": {"b": [True]}},
    }
    assert combinations(specs, 100) == [
        {"a": False, "b": False},
        {"a": False, "b": True, "c": False},
        {"a": False, "b": True, "c": True},
        {"a": True},
    ]


@law
@given(spaces(), st.integers(1, 12))
def test_walked_step_by_step_or_at_once_the_grid_is_the_same_and_repeats_nothing(space: Space, n: int) -> None:
    at_once = combinations(space, n, points=3)
    step_by_step: list[dict[str, Scalar]] = []
    while len(step_by_step) < n and (found := combinations(space, 1, tried=step_by_step, points=3)):
        step_by_step += found
    assert step_by_step == at_once
    assert len({params_key(params) for params in at_once}) == len(at_once)


@law
@given(st.data(), spaces())
def test_what_was_tried_in_any_order_is_left_out_and_nothing_else(data: st.DataObject, space: Space) -> None:
    whole = combinations(space, 200, points=3)
    assume(len(whole) < 200)
    tried = data.draw(st.lists(st.sampled_from(whole)))
    tried_keys = set(map(params_key, tried))
    left = [params for params in whole if params_key(params) not in tried_keys]
    assert combinations(space, 200, tried=tried, points=3) == left


def test_pending_parameters_are_left_out() -> None:
    space = Space.from_json({"x": {"type": "flag"}})
    (proposal,) = Grid(space, {}).propose([], [{"x": False}], [generator(0, 0), generator(0, 1)])
    assert proposal.params == {"x": True}


def test_look_alike_options_are_different() -> None:
    spec = {"type": "choice", "options": [1, 1.0, True]}
    left = combinations({"x": spec}, 3, tried=[{"x": 1.0}])
    assert [(type(params["x"]), params["x"]) for params in left] == [(int, 1), (bool, True)]


def test_a_stepped_float_that_was_tried_with_a_rounding_error_is_left_out() -> None:
    spec = {"type": "float_range", "min": 0.1, "max": 0.3, "step": 0.1}
    assert combinations({"x": spec}, 3, tried=[{"x": 0.1 + 0.2}, {"x": 0.1}]) == [{"x": 0.2}]


def test_what_was_tried_beside_the_grid_changes_nothing() -> None:
    specs = {"x": {"type": "float_range", "min": 0.0, "max": 1.0}}
    assert combinations(specs, 9, tried=[{"x": 0.3}]) == combinations(specs, 9)


@pytest.mark.parametrize(
    ("spec", "options", "expected"),
    [
        ({"type": "float_range", "min": 0.0, "max": 1.0}, {}, [0.0, 0.25, 0.5, 0.75, 1.0]),
        ({"type": "float_range", "min": 0.0, "max": 1.0}, {"points": 2}, [0.0, 1.0]),
        ({"type": "float_range", "min": 0.5, "max": 0.5}, {}, [0.5]),
        ({"type": "float_range", "min": 0.0, "max": 0.5, "step": 0.2}, {"points": 2}, [0.0, 0.2, 0.4]),
        ({"type": "int_range", "min": 1, "max": 5}, {}, [1, 2, 3, 4, 5]),
        ({"type": "int_range", "min": 1, "max": 20}, {"points": 2}, [*range(1, 21)]),
        ({"type": "int_range", "min": 1, "max": 21}, {}, [1, 6, 11, 16, 21]),
        ({"type": "int_range", "min": 1, "max": 30}, {"points": 30}, [*range(1, 31)]),
        ({"type": "int_range", "min": 0, "max": 100}, {}, [0, 25, 50, 75, 100]),
        ({"type": "int_range", "min": 1, "max": 16, "log": True}, {}, [1, 2, 4, 8, 16]),
        ({"type": "int_range", "min": 1, "max": 10000, "log": True}, {}, [1, 10, 100, 1000, 10000]),
        ({"type": "int_range", "min": 1, "max": 8, "log": True}, {"points": 7}, [1, 2, 3, 4, 6, 8]),
        ({"type": "int_range", "min": 0, "max": 9, "step": 2}, {"points": 2}, [0, 2, 4, 6, 8]),
        ({"type": "int_range", "min": 0, "max": INT64_MAX}, {"points": 2}, [0, INT64_MAX]),
        ({"type": "choice", "options": ["c", "a", "b"]}, {"points": 2}, ["c", "a", "b"]),
        ({"type": "flag"}, {}, [False, True]),
    ],
)
def test_ranges_give_evenly_spaced_values_with_both_ends(
    spec: dict[str, Any], options: dict[str, Any], expected: list[Scalar]
) -> None:
    assert values(spec, **options) == expected


def test_logarithmic_floats_are_spaced_by_factors() -> None:
    found = values({"type": "float_range", "min": 1e-4, "max": 1.0, "log": True})
    assert found == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
    assert (found[0], found[-1]) == (1e-4, 1.0)


@pytest.mark.parametrize("points", [1, 0, -5, 1001, 10**9, 2.0, True, "5", None])
def test_bad_points_are_refused(points: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Grid(Space.from_json(EXAMPLE), {"points": points})
    assert refused.value.facts["errors"][0]["loc"] == ["options", "points"]


def test_a_grid_of_10_to_the_30_is_walked_without_being_built() -> None:
    specs: dict[str, dict[str, Any]] = {
        f"p{i}": {"type": "float_range", "min": 0.0, "max": 1.0, "step": 1e-6} for i in range(5)
    }
    found = combinations(specs, 3, tried=combinations(specs, 1000))
    assert [params["p4"] for params in found] == [0.001, 0.001001, 0.001002]


def test_a_proposal_after_10_000_trials_takes_time_in_proportion() -> None:
    space = Space.from_json(EXAMPLE)
    tried = combinations(space, 10_000, points=100)
    history = [Observation(i, params, TrialState.completed, (0.0,)) for i, params in enumerate(tried)]
    assert len(history) == 10_000
    assert cost_s(space, history) < 40 * cost_s(space, history[:1000])


def cost_s(space: Space, history: list[Observation]) -> float:
    """The processor time of a proposal by a new instance; the least of a few, as the machine is busy elsewhere too."""
    costs: list[float] = []
    for _ in range(5):
        begin = time.thread_time()
        Grid(space, {"points": 100}).propose(history, [], [generator(0, 0)])
        costs.append(time.thread_time() - begin)
    return min(costs)
