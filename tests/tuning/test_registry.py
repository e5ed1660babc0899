"""Strategies are found by name."""

import pytest

from app.domain.errors import UnknownStrategy
from app.tuning.registry import STRATEGIES, find


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("random", "random"),
        ("random_search", "random"),
        ("Random", "random"),
        ("GRID", "grid"),
        ("Grid_Search", "grid"),
        ("auto", "auto"),
    ],
)
def test_names_and_aliases_are_found_in_any_case(name: str, key: str) -> None:
    assert find(name).key == key


@pytest.mark.parametrize("name", ["", "anneal", "random ", "randomsearch"])
def test_an_unknown_name_is_answered_with_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownStrategy) as refused:
        find(name)
    assert refused.value.facts == {"known": list(STRATEGIES)}


def test_no_two_strategies_share_a_name() -> None:
    names = [name for strategy in STRATEGIES.values() for name in (strategy.key, *strategy.aliases)]
    assert len(names) == len(set(names))
    assert names == [name.lower() for name in names]
