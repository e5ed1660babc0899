"""Independent draws, uniform over the space."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.space import Space
from app.domain.values import INT64_MAX, INT64_MIN, Scalar
from app.tuning.random import Random, complete
from app.tuning.strategy import generator
from tests.spaces import EXAMPLE, law, params_of, spaces, typed


def draws(spec: dict[str, Any], n: int) -> list[Scalar]:
    rngs = [generator(7, number) for number in range(n)]
    return [proposal.params["x"] for proposal in Random(Space.from_json({"x": spec}), {}).propose([], [], rngs)]


@pytest.mark.parametrize("step", [None, 3])
def test_the_widest_integers_are_drawn_to_their_last_bit(step: int | None) -> None:
    spec = {"type": "int_range", "min": INT64_MIN, "max": INT64_MAX, "step": step}
    remainders = Counter(((int(value) - INT64_MIN) // (step or 1)) % 8 for value in draws(spec, 4000))
    assert sorted(remainders) == list(range(8))
    assert all(400 < count < 600 for count in remainders.values())


def test_the_ends_of_a_small_range_are_drawn() -> None:
    assert set(draws({"type": "int_range", "min": 1, "max": 3}, 100)) == {1, 2, 3}


def test_trials_of_one_tuner_differ() -> None:
    assert len(set(draws({"type": "float_range", "min": 0.0, "max": 1.0}, 1000))) == 1000


def test_a_wide_integer_that_is_inactive_stays_absent() -> None:
    wide = {"type": "int_range", "min": 0, "max": INT64_MAX, "when": {"f": [True]}}
    space = Space.from_json({"f": {"type": "flag"}, "x": wide})
    proposals = Random(space, {}).propose([], [], [generator(7, number) for number in range(20)])
    assert {(proposal.params["f"], "x" in proposal.params) for proposal in proposals} == {(False, False), (True, True)}


def test_a_seed_gives_these_proposals_for_ever() -> None:
    (proposal,) = Random(Space.from_json(EXAMPLE), {}).propose([], [], [generator(7, 0)])
    learning_rate = pytest.approx(0.000769300729991897, rel=1e-12)  # the last bits of exp are the platform's
    assert proposal.params == {
        "learning_rate": learning_rate,
        "num_layers": 3,
        "dropout": 0.45,
        "optimizer": "adam",
    }
    assert proposal.why == {"strategy": "random", "phase": "startup"}


@law
@given(st.data(), spaces())
def test_some_parameters_are_completed_to_ones_of_the_space_and_whole_ones_stay(
    data: st.DataObject, space: Space
) -> None:
    whole = data.draw(params_of(space))
    assert typed(complete(space, whole, generator(7, 0))) == typed(whole)
    # The first ones in the space's order, so that no value is there without its parents.
    named = [name for name in space.order if name in whole][: data.draw(st.integers(0, len(whole)))]
    fixed = space.coerce({name: whole[name] for name in named}, is_whole=False)
    completed = complete(space, fixed, generator(7, 0))
    assert typed(space.coerce(completed)) == typed(completed)
    assert {name: completed[name] for name in fixed} == fixed
