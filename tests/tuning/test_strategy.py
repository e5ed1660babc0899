"""The random numbers that strategies are given."""

from itertools import pairwise

import pytest

from app.domain.values import INT64_MAX, INT64_MIN
from app.tuning.strategy import generator


def test_a_seed_and_a_number_give_the_same_random_numbers_on_every_platform() -> None:
    assert generator(7, 3).integers(0, 1000, 5).tolist() == [524, 482, 293, 724, 85]
    assert generator(-7, 3).integers(0, 1000, 5).tolist() == [155, 611, 9, 955, 290]


@pytest.mark.parametrize("seed", [INT64_MIN, -1, 0, INT64_MAX])
def test_any_signed_64_bit_seed_will_do(seed: int) -> None:
    assert 0 <= generator(seed, 0).random() < 1


def test_every_seed_and_every_number_has_random_numbers_of_its_own() -> None:
    seeds = [INT64_MIN, -2, -1, 0, 1, 2, INT64_MAX]
    first = {generator(seed, number).random() for seed in seeds for number in range(100)}
    assert len(first) == len(seeds) * 100


def test_neighbouring_trials_are_not_correlated() -> None:
    first = [generator(7, number).random() for number in range(5000)]
    mean = sum(first) / len(first)
    products = [(a - mean) * (b - mean) for a, b in pairwise(first)]
    assert abs(mean - 0.5) < 0.015
    assert abs(sum(products) / len(products)) < 4 / 12 / 5000**0.5
