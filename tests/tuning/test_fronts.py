"""Fronts, by their definition: whom nobody dominates, then whom only these dominate, and so on."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tuning.encoding import Array
from app.tuning.fronts import best_first, non_dominated
from tests.spaces import law


def ranks_of(losses: list[tuple[float, ...]]) -> list[float]:
    """The number of each trial's front, found pair by pair; infinite for those without sound losses."""
    ranks = [math.inf] * len(losses)
    left = {index for index, own in enumerate(losses) if all(map(math.isfinite, own))}
    rank = 0
    while left:
        front = {i for i in left if not any(dominates(losses[j], losses[i]) for j in left)}
        for index in front:
            ranks[index] = rank
        left, rank = left - front, rank + 1
    return ranks


def dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


few = st.sampled_from([0.0, 1.0, 2.0, 3.0, 1e300, -1e300, math.inf, math.nan])
histories = st.integers(1, 4).flatmap(lambda m: st.lists(st.tuples(*[few] * m), min_size=1, max_size=14))


@law
@given(histories)
def test_trials_come_front_by_front_and_each_once(losses: list[tuple[float, ...]]) -> None:
    order = best_first(np.array(losses), len(losses)).tolist()
    assert sorted(order) == list(range(len(losses)))
    ranks = ranks_of(losses)
    assert [ranks[index] for index in order] == sorted(ranks)


@law
@given(histories, st.integers(0, 20))
def test_the_best_few_are_the_first_of_all(losses: list[tuple[float, ...]], n: int) -> None:
    array: Array = np.array(losses)
    assert best_first(array, n).tolist() == best_first(array, len(losses)).tolist()[:n]


@law
@given(histories)
def test_the_first_front_is_whom_nobody_dominates(losses: list[tuple[float, ...]]) -> None:
    sound = [own for own in losses if all(map(math.isfinite, own))]
    assert non_dominated(sound) == [rank == 0 for rank in ranks_of(sound)]


@law
@given(st.lists(st.tuples(*[st.integers(0, 9).map(float)] * 3), min_size=1, max_size=50))
def test_the_first_front_of_many_trials_with_three_objectives(losses: list[tuple[float, ...]]) -> None:
    assert non_dominated(losses) == [not any(dominates(other, own) for other in losses) for own in losses]


@pytest.mark.parametrize(("n_objectives", "n"), [(1, 20_000), (2, 20_000), (3, 50_000), (4, 5_000)])
def test_all_of_many_trials_may_be_on_the_front(n_objectives: int, n: int) -> None:
    losses = np.random.default_rng(0).random((n, n_objectives))
    losses[:, -1] = -losses[:, :-1].sum(axis=1)  # what is lost in one is won in another
    assert all(non_dominated([tuple(own) for own in losses.tolist()]))


def test_with_one_objective_the_loss_decides_and_equal_ones_keep_their_order() -> None:
    assert best_first(np.array([[3.0], [1.0], [math.inf], [1.0], [2.0]]), 9).tolist() == [1, 3, 4, 0, 2]


def test_within_a_front_the_ends_come_first_and_then_those_with_room() -> None:
    # Four on the front, the third with room beside it; the others, dominated, lie where the room is.
    front = [(0.0, 9.0), (1.0, 8.0), (2.0, 7.0), (9.0, 0.0)]
    others = [(3.0 + i, 10.0 + i) for i in range(4)]
    assert best_first(np.array(front + others), 4).tolist() == [0, 3, 2, 1]
