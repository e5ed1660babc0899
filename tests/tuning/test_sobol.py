"""The sequence covers the cube evenly, and each trial's point depends on nothing but its number."""

import numpy as np
import pytest

from app.tuning.encoding import Array
from app.tuning.sobol import sobol_point
from app.tuning.strategy import generator


def points(seed: int, numbers: range, size: int) -> Array:
    return np.array([sobol_point(generator(seed, number), size) for number in numbers])


@pytest.mark.parametrize("size", [2, 5])
def test_it_is_more_even_than_random_points_are(size: int) -> None:
    from scipy.stats import qmc

    for seed in range(4):
        random = np.random.default_rng(seed).random((64, size))
        assert qmc.discrepancy(points(seed, range(64), size)) < 0.5 * qmc.discrepancy(random)


@pytest.mark.parametrize("first", [0, 64, 640])
def test_in_each_direction_every_part_gets_one_point(first: int) -> None:
    found = points(7, range(first, first + 64), 6)
    for column in found.T:
        assert sorted(np.floor(64 * column).astype(int)) == list(range(64))


def test_blocks_go_on_where_the_one_before_ended() -> None:
    for column in points(7, range(256), 3).T:
        assert sorted(np.floor(256 * column).astype(int)) == list(range(256))


def test_a_point_depends_on_seed_and_number_alone() -> None:
    forward, back = points(1, range(60, 70), 3), points(1, range(69, 59, -1), 3)
    np.testing.assert_array_equal(forward, back[::-1])
    assert len(np.unique(np.vstack([forward, points(2, range(60, 70), 3)]), axis=0)) == 20
