"""Densities that are densities, and proposals from where good trials lie."""

import math

import numpy as np
import pytest

from app.domain.space import Space
from app.domain.states import TrialState
from app.domain.values import Params
from app.tuning.columns import Columns
from app.tuning.encoding import Array
from app.tuning.parzen import Parzen
from app.tuning.strategy import Observation, generator
from app.tuning.tpe import TPE

SPACE = Space.from_json(
    {
        "x": {"type": "float_range", "min": 0.0, "max": 1.0},
        "colour": {"type": "choice", "options": ["red", "green", "blue"]},
    }
)
COLUMNS = Columns(SPACE)
TRIALS: list[Params] = [{"x": 0.2, "colour": "red"}, {"x": 0.25, "colour": "red"}, {"x": 0.9, "colour": "blue"}]
X, COLOUR = SPACE.order.index("x"), SPACE.order.index("colour")


@pytest.fixture
def density() -> Parzen:
    return Parzen(COLUMNS, COLUMNS.encode(TRIALS), np.array([1.0, 2.0, 1.0]))


def shares(density: Parzen) -> tuple[Array, Array]:
    """The density by cells: 400 of x times 3 colours; and what is in each."""
    cells = np.array(
        [[x, c] if X == 0 else [c, x] for c in COLUMNS.middles(COLOUR) for x in (np.arange(400) + 0.5) / 400]
    )
    return cells, np.exp(density.log_mass(cells)) / density.mass / 400


def test_a_density_adds_up_to_one(density: Parzen) -> None:
    assert shares(density)[1].sum() == pytest.approx(1, abs=1e-4)


def test_what_a_point_lacks_takes_nothing_from_its_density() -> None:
    kinds = {"type": "choice", "options": ["plain", "deep"]}
    depths = {"type": "choice", "options": ["a", "b", "c"], "when": {"kind": ["deep"]}}
    columns = Columns(Space.from_json({"kind": kinds, "depth": depths}))
    every: list[Params] = [{"kind": "plain"}, *({"kind": "deep", "depth": depth} for depth in "abc")]
    density = Parzen(columns, columns.encode(every[:2]), np.ones(2))
    assert np.exp(density.log_mass(columns.encode(every))).sum() / density.mass == pytest.approx(1)


def test_draws_are_as_dense_as_the_density_says(density: Parzen) -> None:
    drawn = density.sample([generator(3, number) for number in range(10)], 400)
    cells, share = shares(density)
    for colour in COLUMNS.middles(COLOUR):
        for low in (0.0, 0.25, 0.5, 0.75):
            expected, found = (
                ((rows[:, COLOUR] == colour) & (rows[:, X] >= low) & (rows[:, X] < low + 0.25))
                for rows in (cells, drawn)
            )
            p = share[expected].sum()
            assert abs(found.mean() - p) < 4 * math.sqrt(p / len(drawn))


def test_it_is_dense_where_trials_are_by_their_weight(density: Parzen) -> None:
    red, blue, nowhere = density.log_mass(COLUMNS.encode([TRIALS[1], TRIALS[2], {"x": 0.6, "colour": "green"}]))
    assert red > blue > nowhere


def history(n: int) -> list[Observation]:
    """Good near 0.3 and green."""
    rng = np.random.default_rng(2)
    draws = [(float(rng.random()), str(rng.choice(["red", "green", "blue"]))) for _ in range(n)]
    return [
        Observation(i, {"x": x, "colour": colour}, TrialState.completed, ((x - 0.3) ** 2 + (colour != "green"),))
        for i, (x, colour) in enumerate(draws)
    ]


def test_proposals_come_from_where_good_trials_lie() -> None:
    proposals = TPE(SPACE, {}).propose(history(60), [], [generator(1, number) for number in range(60, 80)])
    assert {proposal.why["phase"] for proposal in proposals} == {"model"}
    assert sum(abs(float(proposal.params["x"]) - 0.3) < 0.2 for proposal in proposals) >= 16
    assert sum(proposal.params["colour"] == "green" for proposal in proposals) >= 16


def test_of_the_good_trials_the_best_count_most() -> None:
    # Three are best, six are nearly as good elsewhere; the others are everywhere.
    xs = [0.2] * 3 + [0.8] * 6 + [number / 50 for number in range(51)]
    trials = [Observation(n, {"x": x, "colour": "red"}, TrialState.completed, (float(n),)) for n, x in enumerate(xs)]
    proposals = TPE(SPACE, {}).propose(trials, [], [generator(1, number) for number in range(60, 80)])
    assert sum(float(proposal.params["x"]) < 0.5 for proposal in proposals) > 10


def test_what_is_pending_keeps_others_away() -> None:
    (alone,) = TPE(SPACE, {}).propose(history(60), [], [generator(1, 60)])
    (beside,) = TPE(SPACE, {}).propose(history(60), [alone.params] * 20, [generator(1, 60)])
    assert beside.params != alone.params


def test_the_startup_ends_with_as_many_scores_as_are_asked_for() -> None:
    for n, phase in ((2, "startup"), (3, "model")):
        (proposal,) = TPE(SPACE, {"startup": 3}).propose(history(n), [], [generator(1, n)])
        assert proposal.why["phase"] == phase
