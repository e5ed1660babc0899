"""Several ashas side by side."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InvalidRequest
from app.domain.goal import Direction
from app.domain.values import INT64_MAX
from app.tuning.stopping.asha import Asha
from app.tuning.stopping.hyperband import Hyperband, shares
from app.tuning.stopping.stopper import Decision
from tests.spaces import law
from tests.tuning.stopping.curves import run_of

DEFAULT = Hyperband({}, Direction.maximize)


def test_the_shares_are_those_of_the_paper() -> None:
    assert shares(5, 3) == [81, 34, 15, 8, 5]


def test_each_bracket_begins_a_factor_later_and_the_last_never() -> None:
    assert [ladder.rungs for ladder in DEFAULT._brackets] == [[1, 3, 9, 27], [3, 9, 27], [9, 27], [27], []]
    uneven = Hyperband({"min_epochs": 2, "max_epochs": 19}, Direction.maximize)
    assert [ladder.rungs for ladder in uneven._brackets] == [[2, 6, 18], [6, 18], []]


@law
@given(st.integers(0, 10**6), st.integers(1, 2000))
def test_any_stretch_of_trials_has_about_these_shares(start: int, length: int) -> None:
    counts = Counter(DEFAULT.bracket_of(number) for number in range(start, start + length))
    for bracket, share in enumerate(shares(5, 3)):
        assert abs(counts[bracket] - length * share / 143) < 4


def test_every_second_or_ninth_trial_has_all_brackets_too() -> None:
    for stride in (2, 3, 4, 5, 8, 9, 10, 16, 100):
        counts = Counter(DEFAULT.bracket_of(number) for number in range(0, 1430 * stride, stride))
        assert all(abs(counts[bracket] - 10 * share) < 25 for bracket, share in enumerate(shares(5, 3)))


def test_a_trial_has_this_bracket_for_ever() -> None:
    assert [DEFAULT.bracket_of(number) for number in range(12)] == [0, 1, 0, 2, 0, 0, 1, 0, 3, 0, 0, 1]
    assert DEFAULT.bracket_of(INT64_MAX) in range(5)


def test_a_run_is_compared_with_those_of_its_bracket_only() -> None:
    stopper = Hyperband({}, Direction.maximize)
    first = [number for number in range(100) if stopper.bracket_of(number) == 0][:4]
    second = [number for number in range(100) if stopper.bracket_of(number) == 1][:2]
    for number in (*first, *second):
        for epoch in range(3):
            stopper.add(run_of(number), epoch, -float(number))
    assert stopper.decide(run_of(first[0])) is None
    assert stopper.decide(run_of(first[3])) == Decision("hyperband", "4th of 4 at rung 3 of bracket 0, keeps 1", 2)
    assert stopper.decide(run_of(second[1])) is None  # two of three that it takes to compare


def test_the_last_bracket_stops_nobody() -> None:
    stopper = Hyperband({}, Direction.maximize)
    last = [number for number in range(1000) if stopper.bracket_of(number) == 4]
    for number in last:
        for epoch in range(200):
            stopper.add(run_of(number), epoch, float(number))
    assert [stopper.decide(run_of(number)) for number in last] == [None] * len(last)


def test_a_bracket_is_an_asha() -> None:
    stopper = Hyperband({}, Direction.minimize)
    asha = Asha({"min_epochs": 3, "max_epochs": 81}, Direction.minimize)
    mine = [number for number in range(100) if stopper.bracket_of(number) == 1]
    for number in mine:
        for epoch in range(number):
            stopper.add(run_of(number), epoch, (number * 7 % 11) / (epoch + 1))
            asha.add(run_of(number), epoch, (number * 7 % 11) / (epoch + 1))
    for number in mine:
        one, other = stopper.decide(run_of(number)), asha.decide(run_of(number))
        assert (one and one.reason.replace(" of bracket 1", "")) == (other and other.reason)


def test_a_single_bracket_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="for two brackets") as refused:
        Hyperband({"min_epochs": 10, "max_epochs": 29}, Direction.maximize)
    assert refused.value.facts["errors"][0]["loc"] == ["stopper", "max_epochs"]
    assert len(Hyperband({"min_epochs": 10, "max_epochs": 30}, Direction.maximize)._brackets) == 2


def test_the_most_brackets_there_can_be_are_harmless() -> None:
    stopper = Hyperband({"max_epochs": INT64_MAX, "reduction_factor": 2}, Direction.maximize)
    stopper.add(run_of(5), INT64_MAX, 1.0)
    assert stopper.decide(run_of(5)) is None
