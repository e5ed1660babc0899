"""What every strategy must do. A new one gets these tests by its line in the table of strategies."""

import itertools
import json
import math
import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InvalidRequest
from app.domain.space import Space
from app.domain.states import TrialState
from app.domain.values import Params
from app.tuning.registry import STRATEGIES
from app.tuning.strategy import Draws, Observation, Proposal, Strategy, generator
from tests.spaces import EXAMPLE, law, params_of, spaces, typed

every_strategy = pytest.mark.parametrize("kind", STRATEGIES.values(), ids=STRATEGIES.keys())

BACKWARDS = dict(reversed(EXAMPLE.items()))


def generators(numbers: Sequence[int], seed: int = 7) -> list[Draws]:
    return [generator(seed, number) for number in numbers]


def ended(number: int, params: Params) -> Observation:
    """A trial with an outcome that depends on its number; every fifth failed, and one was infinitely bad."""
    if number % 5 == 4:
        return Observation(number, params, TrialState.failed, None)
    return Observation(number, params, TrialState.completed, (math.inf if number == 7 else math.sin(number),))


def some_history(space: Space, n: int) -> list[Observation]:
    draws = STRATEGIES["random"](space, {}).propose([], [], generators(range(n), seed=1))
    return [ended(number, draw.params) for number, draw in enumerate(draws)]


def as_text(proposals: Sequence[Proposal]) -> list[str]:
    return [repr((proposal.params, proposal.why)) for proposal in proposals]


@every_strategy
@law
@given(data=st.data(), space=spaces())
def test_proposals_lie_in_the_space(kind: type[Strategy], data: st.DataObject, space: Space) -> None:
    tried = data.draw(st.lists(params_of(space), max_size=5))
    # Twice over, they are enough for models of small populations.
    history = [ended(number, params) for number, params in enumerate(tried * 6)]
    assert_in(space, kind(space, {}).propose(history, tried[:1], generators(range(30, 33))))


def assert_in(space: Space, proposals: Sequence[Proposal]) -> None:
    assert len(proposals) <= 3
    for proposal in proposals:
        assert typed(space.coerce(proposal.params)) == typed(proposal.params)


def scored(draws: Sequence[Params], *losses: float) -> list[Observation]:
    """The draws, all completed, with these losses in turn."""
    values = itertools.cycle(losses)
    return [Observation(n, params, TrialState.completed, (next(values),)) for n, params in enumerate(draws)]


def unscored(draws: Sequence[Params], state: TrialState) -> list[Observation]:
    return [Observation(number, params, state, None) for number, params in enumerate(draws)]


def stopped(draws: Sequence[Params]) -> list[Observation]:
    return [
        replace(trial, state=TrialState.stopped) if trial.number % 3 else replace(trial, values=(0.1 * trial.number,))
        for trial in scored(draws, 5.0, 6.0, 7.0)
    ]


def with_strangers(draws: Sequence[Params]) -> list[Observation]:
    """Parameters that are inactive, and active ones that are missing: an earlier version may have thought otherwise."""
    strange = [
        {**params, "nesterov": True} if number % 2 else {key: params[key] for key in list(params)[1:]}
        for number, params in enumerate(draws)
    ]
    return scored(strange, 3.0, 1.0, 2.0)


def off_the_grid(draws: Sequence[Params]) -> list[Observation]:
    return scored([{**params, "dropout": float(params["dropout"]) + 1e-11} for params in draws], 3.0, 1.0, 2.0)


def from_number(values: Callable[[int], tuple[float, ...]]) -> Callable[[Sequence[Params]], list[Observation]]:
    return lambda draws: [
        Observation(number, params, TrialState.completed, values(number)) for number, params in enumerate(draws)
    ]


def of_several(n_objectives: int) -> Callable[[Sequence[Params]], list[Observation]]:
    return from_number(lambda number: tuple(math.sin(number * (i + 1)) for i in range(n_objectives)))


ODD: dict[str, Callable[[Sequence[Params]], list[Observation]]] = {
    "all failed": lambda draws: unscored(draws, TrialState.failed),
    "all infeasible": lambda draws: unscored(draws, TrialState.infeasible),
    "all but one failed": lambda draws: scored(draws[:1], 1.0) + unscored(draws, TrialState.failed)[1:],
    "one observation": lambda draws: scored(draws[:1], 1.0),
    "all scores equal": lambda draws: scored(draws, 1.0),
    "huge scores": lambda draws: scored(draws, 1.7e308, -1.7e308, 1e300, 0.0),
    "tiny scores": lambda draws: scored(draws, 5e-324, -5e-324, 1e-300, 0.0),
    "scores that are not finite": lambda draws: scored(draws, math.inf, math.nan, -math.inf, 1.0),
    "the same parameters over and over": lambda draws: scored([draws[0]] * len(draws), 1.0, 2.0),
    "stopped trials": stopped,
    "most train still": lambda draws: [
        replace(trial, state=TrialState.running) if trial.number > 3 else trial for trial in scored(draws, 3.0, 1.0)
    ],
    "parameters that do not belong there": with_strangers,
    "values beside the grid": off_the_grid,
    "two objectives": of_several(2),
    "three objectives": of_several(3),
    "ten objectives": of_several(10),
    "two objectives, all equal": lambda draws: [replace(t, values=(1.0, 1.0)) for t in scored(draws, 1.0)],
    "two objectives, one of them constant": from_number(lambda n: (math.sin(n), 1.0)),
    "two objectives, opposed and huge": from_number(lambda n: (1.7e308 * math.sin(n), -1.7e308 * math.sin(n))),
    "two objectives, alike but for their scale": from_number(lambda n: (1e300 * math.sin(n), 1e-300 * math.sin(n))),
    "two objectives, one score not finite": from_number(lambda n: (math.sin(n), math.nan if n % 3 else 1.0 * n)),
}


@every_strategy
@pytest.mark.parametrize("make", ODD.values(), ids=ODD.keys())
def test_every_odd_history_is_survived(
    kind: type[Strategy], make: Callable[[Sequence[Params]], list[Observation]]
) -> None:
    space = Space.from_json(EXAMPLE)
    history = make([trial.params for trial in some_history(space, 60)])
    pending = [trial.params for trial in some_history(space, 3)]
    once, again = (kind(space, {}).propose(history, pending, generators(range(60, 63))) for _ in range(2))
    assert_in(space, once)
    assert len(once) == 3
    assert as_text(once) == as_text(again)
    json.dumps([proposal.why for proposal in once], allow_nan=False)


@every_strategy
def test_nothing_but_pending_trials_is_survived(kind: type[Strategy]) -> None:
    space = Space.from_json(EXAMPLE)
    pending = [trial.params for trial in some_history(space, 60)]
    assert_in(space, kind(space, {}).propose([], pending, generators(range(60, 63))))


ONE_VALUE: dict[str, dict[str, Any]] = {
    "int": {"type": "int_range", "min": 3, "max": 3},
    "float": {"type": "float_range", "min": 0.5, "max": 0.5},
    "log float": {"type": "float_range", "min": 0.5, "max": 0.5, "log": True},
    "choice": {"type": "choice", "options": ["a"]},
    "ordered choice": {"type": "choice", "options": ["a"], "ordered": True},
}


@every_strategy
@pytest.mark.parametrize("spec", ONE_VALUE.values(), ids=ONE_VALUE.keys())
def test_a_space_of_one_value_is_survived(kind: type[Strategy], spec: dict[str, Any]) -> None:
    space = Space.from_json({"x": spec})
    for n in (0, 60):
        assert_in(space, kind(space, {}).propose(some_history(space, n), [], generators(range(n, n + 3))))


@every_strategy
@pytest.mark.parametrize("n", [0, 1, 3, 12, 60])
def test_the_same_history_gives_the_same_proposals(kind: type[Strategy], n: int) -> None:
    space = Space.from_json(EXAMPLE)
    history = some_history(space, n)
    once, again = (kind(space, {}).propose(history, [], generators(range(n, n + 4))) for _ in range(2))
    assert as_text(once) == as_text(again)


@every_strategy
def test_an_instance_that_was_used_before_proposes_like_a_new_one(kind: type[Strategy]) -> None:
    space = Space.from_json(EXAMPLE)
    history = some_history(space, 60)
    used = kind(space, {})
    used.propose(history[:40], [history[41].params], generators([40, 41]))
    new = kind(space, {})
    assert as_text(used.propose(history, [], generators([60]))) == as_text(new.propose(history, [], generators([60])))


LEARNING = [key for key, kind in STRATEGIES.items() if kind.needs_history and not kind.is_finite]


@pytest.mark.parametrize("key", LEARNING)
def test_what_was_tried_is_not_proposed_again_while_much_is_left(key: str) -> None:
    space = Space.from_json({"x": {"type": "int_range", "min": 0, "max": 99}})
    history = scored([{"x": x} for x in range(0, 32, 2)], *range(16))
    (first,) = STRATEGIES[key](space, {}).propose(history, [], generators([16]))
    others = STRATEGIES[key](space, {}).propose(history, [first.params], generators(range(17, 25)))
    proposed = [proposal.params["x"] for proposal in (first, *others)]
    assert len({*proposed, *(trial.params["x"] for trial in history)}) == 25


FEW = {"a": {"type": "flag"}, "b": {"type": "choice", "options": [1, 1.0, True]}, "c": {"type": "flag"}}


@every_strategy
@pytest.mark.parametrize("specs", [EXAMPLE, FEW], ids=["example", "few values"])
@pytest.mark.parametrize(("n", "n_pending"), [(0, 0), (7, 2), (12, 0), (60, 0), (60, 5)])
def test_proposals_asked_for_together_are_those_asked_for_one_by_one(
    kind: type[Strategy], specs: dict[str, dict[str, Any]], n: int, n_pending: int
) -> None:
    space = Space.from_json(specs)
    history = some_history(space, n + n_pending)
    history, open_trials = history[:n], [trial.params for trial in history[n:]]
    numbers = range(n + n_pending, n + n_pending + 8)
    together = kind(space, {}).propose(history, open_trials, generators(numbers))
    one_by_one: list[Proposal] = []
    for number in numbers:
        pending = [*open_trials, *(proposal.params for proposal in one_by_one)]
        one_by_one += kind(space, {}).propose(history, pending, generators([number]))
    assert as_text(together) == as_text(one_by_one)


@every_strategy
def test_proposals_do_not_depend_on_how_the_space_was_written(kind: type[Strategy]) -> None:
    one, other = Space.from_json(EXAMPLE), Space.from_json(BACKWARDS)
    history = some_history(one, 60)
    turned = [Observation(o.number, dict(reversed(list(o.params.items()))), o.state, o.values) for o in history]
    first = kind(one, {}).propose(history, [], generators(range(60, 64)))
    second = kind(other, {}).propose(turned, [], generators(range(60, 64)))
    assert [proposal.params for proposal in first] == [proposal.params for proposal in second]
    assert [list(proposal.params) for proposal in second] == [list(reversed(proposal.params)) for proposal in first]


@every_strategy
def test_history_and_pending_are_left_as_they_were(kind: type[Strategy]) -> None:
    space = Space.from_json(EXAMPLE)
    history, pending = some_history(space, 60), [dict(o.params) for o in some_history(space, 2)]
    before = deepcopy((history, pending))
    kind(space, {}).propose(history, pending, generators(range(60, 63)))
    assert (history, pending) == before


@pytest.mark.parametrize("key", [key for key, kind in STRATEGIES.items() if not kind.needs_history])
def test_a_strategy_that_needs_no_history_ignores_it(key: str) -> None:
    kind = STRATEGIES[key]
    space = Space.from_json(EXAMPLE)
    with_history = kind(space, {}).propose(some_history(space, 12), [], generators([12, 13]))
    assert as_text(with_history) == as_text(kind(space, {}).propose([], [], generators([12, 13])))


@every_strategy
def test_no_generators_ask_for_no_proposals(kind: type[Strategy]) -> None:
    assert kind(Space.from_json(EXAMPLE), {}).propose([], [], []) == []


@every_strategy
def test_a_proposal_tells_why(kind: type[Strategy]) -> None:
    space = Space.from_json(EXAMPLE)
    for n in (0, 60):
        (proposal,) = kind(space, {}).propose(some_history(space, n), [], generators([n]))
        assert proposal.why["strategy"] in STRATEGIES
        assert proposal.why["phase"] in ("startup", "model")
        assert kind.key in (proposal.why["strategy"], proposal.why.get("chosen_by"))
        assert json.loads(json.dumps(proposal.why, allow_nan=False)) == proposal.why


@every_strategy
def test_a_thousand_parameters_are_no_problem(kind: type[Strategy]) -> None:
    chain: dict[str, Any] = {"p0": {"type": "flag"}}
    for i in range(1, 1000):
        chain[f"p{i}"] = {"type": "flag", "when": {f"p{i - 1}": [False, True]}}
    space = Space.from_json(chain)
    (proposal,) = kind(space, {}).propose([], [], generators([0]))
    assert list(proposal.params) == list(chain)


@every_strategy
def test_a_thousand_numbers_with_a_history_are_no_problem(kind: type[Strategy]) -> None:
    space = Space.from_json({f"p{i}": {"type": "float_range", "min": 0, "max": 1} for i in range(1000)})
    history = some_history(space, 60)
    assert_in(space, kind(space, {}).propose(history, [history[0].params], generators([61])))


def bowl(params: Params) -> float:
    """Smooth, with its bottom off the centre; the parameters matter together and unequally."""
    a, b, c = (float(params[name]) for name in "abc")
    return (a - 0.7 * b - 1) ** 2 + 4 * (b + 2) ** 2 + 9 * (c - 1) ** 2


def best_of(kind: type[Strategy], seed: int, n: int) -> float:
    """The lowest loss in a search of n trials, six at a time: what is learnt, once for all six, costs most."""
    space = Space.from_json({name: {"type": "float_range", "min": -5, "max": 5} for name in "abc"})
    strategy, history = kind(space, {}), list[Observation]()
    for number in range(0, n, 6):
        for proposal in strategy.propose(history, [], generators(range(number, number + 6), seed)):
            values = (bowl(proposal.params),)
            history.append(Observation(len(history), proposal.params, TrialState.completed, values))
    return min(trial.values[0] for trial in history if trial.values)


@pytest.mark.parametrize("key", LEARNING)
def test_a_strategy_that_learns_beats_random_on_a_smooth_function(key: str) -> None:
    n = 72 if key in ("auto", "gp") else 150  # these learn sooner, and pay for each trial with all those before it
    losses = [(best_of(STRATEGIES[key], seed, n), best_of(STRATEGIES["random"], seed, n)) for seed in range(8)]
    # By luck alone that happens once in 256 times.
    assert all(own < other for own, other in losses)


@every_strategy
def test_unknown_options_are_refused(kind: type[Strategy]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        kind(Space.from_json(EXAMPLE), {"no_such_option": 1})
    assert refused.value.facts["errors"][0]["loc"] == ["options", "no_such_option"]


@every_strategy
def test_a_strategy_describes_itself(kind: type[Strategy]) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", kind.key)
    assert kind.description
    assert kind.options_schema["type"] == "object"
    assert kind.options_schema["additionalProperties"] is False
    for option in kind.options_schema["properties"].values():
        assert {"type", "description", "default"} <= option.keys()


@every_strategy
def test_the_defaults_of_its_schema_are_valid_options(kind: type[Strategy]) -> None:
    defaults = {name: option["default"] for name, option in kind.options_schema["properties"].items()}
    space = Space.from_json(EXAMPLE)
    history = some_history(space, 12)
    explicit, implicit = (kind(space, o).propose(history, [], generators([12])) for o in (defaults, {}))
    assert as_text(explicit) == as_text(implicit)
