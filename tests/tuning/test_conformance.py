"""What every strategy must do. A new one gets these tests by its line in the table of strategies."""

import math
import re
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InvalidRequest
from app.domain.space import Space
from app.domain.states import TrialState
from app.domain.values import Params
from app.tuning.registry import STRATEGIES
from app.tuning.strategy import Observation, Proposal, Strategy, generator
from tests.spaces import EXAMPLE, law, params_of, spaces, typed

every_strategy = pytest.mark.parametrize("kind", STRATEGIES.values(), ids=STRATEGIES.keys())

BACKWARDS = dict(reversed(EXAMPLE.items()))


def generators(numbers: Sequence[int], seed: int = 7) -> list[np.random.Generator]:
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
    history = [ended(number, params) for number, params in enumerate(tried)]
    proposals = kind(space, {}).propose(history, tried[:1], generators(range(5, 8)))
    assert len(proposals) <= 3
    for proposal in proposals:
        assert typed(space.coerce(proposal.params)) == typed(proposal.params)


@every_strategy
@pytest.mark.parametrize("n", [0, 1, 3, 12])
def test_the_same_history_gives_the_same_proposals(kind: type[Strategy], n: int) -> None:
    space = Space.from_json(EXAMPLE)
    history = some_history(space, n)
    once, again = (kind(space, {}).propose(history, [], generators(range(n, n + 4))) for _ in range(2))
    assert as_text(once) == as_text(again)


@every_strategy
def test_an_instance_that_was_used_before_proposes_like_a_new_one(kind: type[Strategy]) -> None:
    space = Space.from_json(EXAMPLE)
    history = some_history(space, 12)
    used = kind(space, {})
    used.propose(history[:6], [history[7].params], generators([6, 7]))
    new = kind(space, {})
    assert as_text(used.propose(history, [], generators([12]))) == as_text(new.propose(history, [], generators([12])))


@every_strategy
def test_proposals_asked_for_together_are_those_asked_for_one_by_one(kind: type[Strategy]) -> None:
    space = Space.from_json(EXAMPLE)
    history = some_history(space, 12)
    together = kind(space, {}).propose(history, [], generators(range(12, 16)))
    one_by_one: list[Proposal] = []
    for number in range(12, 16):
        pending = [proposal.params for proposal in one_by_one]
        one_by_one += kind(space, {}).propose(history, pending, generators([number]))
    assert as_text(together) == as_text(one_by_one)


@every_strategy
def test_proposals_do_not_depend_on_how_the_space_was_written(kind: type[Strategy]) -> None:
    one, other = Space.from_json(EXAMPLE), Space.from_json(BACKWARDS)
    history = some_history(one, 12)
    turned = [Observation(o.number, dict(reversed(list(o.params.items()))), o.state, o.values) for o in history]
    first = kind(one, {}).propose(history, [], generators(range(12, 16)))
    second = kind(other, {}).propose(turned, [], generators(range(12, 16)))
    assert [proposal.params for proposal in first] == [proposal.params for proposal in second]
    assert [list(proposal.params) for proposal in second] == [list(reversed(proposal.params)) for proposal in first]


@every_strategy
def test_history_and_pending_are_left_as_they_were(kind: type[Strategy]) -> None:
    space = Space.from_json(EXAMPLE)
    history, pending = some_history(space, 12), [dict(o.params) for o in some_history(space, 2)]
    before = deepcopy((history, pending))
    kind(space, {}).propose(history, pending, generators(range(12, 15)))
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
    (proposal,) = kind(Space.from_json(EXAMPLE), {}).propose([], [], generators([0]))
    assert proposal.why["strategy"] in STRATEGIES
    assert proposal.why["phase"] in ("startup", "model")
    assert kind.key in (proposal.why["strategy"], proposal.why.get("chosen_by"))


@every_strategy
def test_a_thousand_parameters_are_no_problem(kind: type[Strategy]) -> None:
    chain: dict[str, Any] = {"p0": {"type": "flag"}}
    for i in range(1, 1000):
        chain[f"p{i}"] = {"type": "flag", "when": {f"p{i - 1}": [False, True]}}
    space = Space.from_json(chain)
    (proposal,) = kind(space, {}).propose([], [], generators([0]))
    assert list(proposal.params) == list(chain)


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
