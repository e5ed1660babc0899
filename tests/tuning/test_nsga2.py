"""Parents are the best trials, and children resemble them."""

import numpy as np

from app.domain.space import Space
from app.domain.states import TrialState
from app.tuning.nsga2 import Nsga2, _jump, _spread
from app.tuning.strategy import Observation, generator

SPACE = Space.from_json({f"p{i}": {"type": "float_range", "min": 0, "max": 1} for i in range(10)})


def test_parents_are_of_the_first_fronts() -> None:
    draws = np.random.default_rng(1).random((40, 10))
    # The even ones are as good as each other; each odd one is worse than one of them in both objectives.
    losses = [(i, 40 - i) if i % 2 == 0 else (i + 40, 80 - i) for i in range(40)]
    history = [
        Observation(i, {f"p{k}": x for k, x in enumerate(row)}, TrialState.completed, (float(a), float(b)))
        for i, (row, (a, b)) in enumerate(zip(draws.tolist(), losses, strict=True))
    ]
    strategy = Nsga2(SPACE, {"population": 20})
    proposals = strategy.propose(history, [], [generator(1, number) for number in range(40, 60)])
    parents = [number for proposal in proposals for number in proposal.why["parents"]]
    assert all(number % 2 == 0 for number in parents)
    # Of two drawn the one who stands first wins, and the ends of the front stand first.
    assert parents.count(0) + parents.count(38) > 2 * len(parents) / 20


def test_until_there_is_a_population_the_sequence_goes_on() -> None:
    history = [Observation(i, {f"p{k}": 0.1 for k in range(10)}, TrialState.completed, (1.0, 2.0)) for i in range(20)]
    for n, phase in ((19, "startup"), (20, "model")):
        (proposal,) = Nsga2(SPACE, {"population": 20}).propose(history[:n], [], [generator(1, n)])
        assert proposal.why["phase"] == phase


def test_a_child_has_what_its_parents_agree_on_but_for_one_mutation_in_ten() -> None:
    strategy = Nsga2(SPACE, {})
    same = np.full((2, 10), 0.3)
    children = np.array([strategy._child(same, generator(1, number)) for number in range(200)])
    is_changed = children != 0.3
    assert 0.07 < is_changed.mean() < 0.13
    assert ((children >= 0) & (children <= 1)).all()


def test_what_neither_parent_has_is_drawn_anew_and_what_one_has_comes_from_it() -> None:
    strategy = Nsga2(SPACE, {})
    first, second = np.full(10, np.nan), np.full(10, np.nan)
    first[0], second[1] = 0.25, 0.75
    children = np.array([strategy._child(np.array([first, second]), generator(2, number)) for number in range(60)])
    assert np.median(children[:, 0]) == 0.25
    assert np.median(children[:, 1]) == 0.75
    assert not np.isnan(children).any()
    assert children[:, 2:].std() > 0.2


def test_the_usual_child_is_where_its_parents_are_and_no_mutation_leaves_the_range() -> None:
    uniform = np.linspace(0, 1, 101)
    spread, jump = _spread(uniform, 10.0), _jump(uniform, 10.0)
    assert (np.diff(spread) > 0).all()
    assert spread[50] == 1
    assert (np.diff(jump) > 0).all()
    np.testing.assert_allclose(jump[[0, 50, 100]], [-1, 0, 1], atol=1e-12)
