"""At each rung the best part goes on."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given

from app.domain.errors import InvalidRequest
from app.domain.goal import Direction
from app.domain.values import INT64_MAX
from app.tuning.stopping.asha import Asha, ordinal
from app.tuning.stopping.stopper import Decision
from tests.spaces import law
from tests.tuning.stopping.curves import CURVES, Curve, add_all, run_of, verdicts


def asha(curves: Sequence[Curve], direction: Direction = Direction.maximize, **options: Any) -> Asha:
    stopper = Asha(options, direction)
    add_all(stopper, curves)
    return stopper


def flat(value: float, n_epochs: int) -> Curve:
    return dict.fromkeys(range(n_epochs), value)


def test_the_reason_says_rank_rung_and_how_many_are_kept() -> None:
    stopper = asha([flat(-number, 3) for number in range(9)])
    assert stopper.decide(run_of(6)) == Decision("asha", "7th of 9 at rung 3, keeps 3", 2)
    assert [decision is None for decision in verdicts(stopper, 9)] == [True] * 3 + [False] * 6


@pytest.mark.parametrize(("n_epochs", "rung"), [(1, 2), (2, 2), (5, 2), (6, 6), (17, 6), (18, 18), (30, 18)])
def test_rungs_are_epochs_seen(n_epochs: int, rung: int) -> None:
    stopper = asha([flat(-number, n_epochs) for number in range(3)], min_epochs=2)
    decision = stopper.decide(run_of(2))
    if n_epochs < 2:
        assert decision is None
    else:
        assert decision == Decision("asha", f"3rd of 3 at rung {rung}, keeps 1", rung - 1)


def test_all_go_on_while_fewer_than_the_factor_have_reached_a_rung() -> None:
    stopper = asha([flat(-number, 3) for number in range(4)], reduction_factor=5)
    assert verdicts(stopper, 4) == [None] * 4
    stopper.add(run_of(4), 0, -4.0)
    assert verdicts(stopper, 1) == [None]
    assert stopper.decide(run_of(1)) == Decision("asha", "2nd of 5 at rung 1, keeps 1", 0)
    assert stopper.decide(run_of(4)) == Decision("asha", "5th of 5 at rung 1, keeps 1", 0)


@pytest.mark.parametrize(("n_runs", "n_kept"), [(3, 1), (5, 1), (6, 2), (8, 2), (9, 3), (10, 3), (90, 30)])
def test_the_part_that_goes_on_is_rounded_down(n_runs: int, n_kept: int) -> None:
    stopper = asha([flat(number, 1) for number in range(n_runs)])
    assert sum(decision is None for decision in verdicts(stopper, n_runs)) == n_kept


def test_equal_runs_go_on_together() -> None:
    stopper = asha([flat(value, 1) for value in (1.0, 1.0, 1.0, 1.0, 0.0)])
    assert [decision is None for decision in verdicts(stopper, 5)] == [True] * 4 + [False]


def test_the_best_value_up_to_the_rung_counts_not_a_later_one() -> None:
    curves: list[Curve] = [{0: 0.1, 1: 0.9, 2: 0.2}, {0: 0.1, 1: 0.1, 2: 0.8}, {0: 0.1, 1: 0.1, 2: 0.1, 3: 5.0}]
    assert [decision is None for decision in verdicts(asha(curves), 3)] == [True, False, False]


def test_a_gap_is_passed_with_the_next_epoch() -> None:
    curves: list[Curve] = [{0: 0.5, 1: 0.5, 2: 0.5}, {0: 0.5, 7: 0.9}, {0: 0.5, 4: 0.1}]
    stopper = asha(curves)
    assert [decision is None for decision in verdicts(stopper, 3)] == [False, True, False]
    assert stopper.decide(run_of(2)) == Decision("asha", "2nd of 3 at rung 3, keeps 1", 4)


def test_an_epoch_that_comes_late_corrects_what_counts_at_the_rung() -> None:
    stopper = asha([{0: 0.5, 2: 0.5}, {0: 0.5, 2: 0.4}, {0: 0.5, 7: 0.9}])
    assert stopper.decide(run_of(0)) is not None
    stopper.add(run_of(2), 2, 0.1)  # it was here that it reached rung 3
    assert stopper.decide(run_of(0)) is None
    stopper.add(run_of(0), 1, 0.0)
    stopper.add(run_of(1), 1, 0.6)
    assert stopper.decide(run_of(1)) is None
    assert stopper.decide(run_of(0)) == Decision("asha", "2nd of 3 at rung 3, keeps 1", 2)


def test_an_early_bird_is_judged_by_those_who_come_later() -> None:
    stopper = asha([flat(0.1, 5)])
    assert stopper.decide(run_of(0)) is None
    for number in (1, 2):
        for epoch in range(3):
            stopper.add(run_of(number), epoch, 0.5)
    assert stopper.decide(run_of(0)) == Decision("asha", "3rd of 3 at rung 3, keeps 1", 2)


def test_there_is_no_rung_at_the_last_epoch_or_beyond() -> None:
    many = asha([flat(-number, 200) for number in range(9)], max_epochs=27)
    assert next(decision.reason for decision in verdicts(many, 9) if decision) == "4th of 9 at rung 9, keeps 3"
    assert asha([], max_epochs=28)._ladder.rungs == [1, 3, 9, 27]


@pytest.mark.parametrize("max_epochs", [2, 4, 5])
def test_rules_without_a_rung_are_refused(max_epochs: int) -> None:
    with pytest.raises(InvalidRequest, match="max_epochs must be greater than min_epochs"):
        Asha({"min_epochs": 5, "max_epochs": max_epochs}, Direction.maximize)


def test_the_largest_numbers_are_harmless() -> None:
    stopper = Asha({"min_epochs": INT64_MAX, "reduction_factor": INT64_MAX}, Direction.maximize)
    stopper.add(run_of(0), INT64_MAX, 1.0)
    assert stopper.decide(run_of(0)) is None


def naive(curves: Sequence[Curve], number: int, factor: int) -> tuple[int, int, int] | None:
    """Rung, rank and population, by the words of the docstring."""

    def at(curve: Curve, rung: int) -> float | None:
        reached = min((epoch for epoch in curve if epoch + 1 >= rung), default=None)
        if reached is None:
            return None
        finite = [v for epoch, v in curve.items() if epoch <= reached and math.isfinite(v)]
        return max(finite, default=-math.inf)

    rungs = [rung for rung in (factor**k for k in range(8)) if at(curves[number], rung) is not None]
    if not rungs:
        return None
    values = [value for curve in curves if (value := at(curve, rungs[-1])) is not None]
    mine = at(curves[number], rungs[-1])
    assert mine is not None
    rank = 1 + sum(value > mine for value in values)
    stops = len(values) >= factor and rank > len(values) // factor
    return (rungs[-1], rank, len(values)) if stops else None


@law
@given(CURVES)
def test_a_look_at_all_curves_says_the_same(curves: Sequence[Curve]) -> None:
    stopper = asha(curves, reduction_factor=2)
    for number in range(len(curves)):
        expected = naive(curves, number, 2)
        decision = stopper.decide(run_of(number))
        if expected is None:
            assert decision is None
        else:
            rung, rank, n_runs = expected
            assert decision is not None
            assert decision.reason == f"{ordinal(rank)} of {n_runs} at rung {rung}, keeps {n_runs // 2}"


def test_about_one_in_the_factor_gets_to_each_next_rung() -> None:
    rng = random.Random(7)
    stopper = Asha({"max_epochs": 81}, Direction.minimize)
    levels = [rng.random() for _ in range(600)]
    seen: Counter[int] = Counter()
    running = list(range(20))
    waiting = iter(range(20, 600))
    epochs = dict.fromkeys(range(600), 0)
    while running:
        number = rng.choice(running)
        epoch = epochs[number]
        stopper.add(run_of(number), epoch, levels[number] + 1 / (epoch + 1))
        epochs[number] += 1
        if epochs[number] in (1, 3, 9, 27):
            seen[epochs[number]] += 1
        if epochs[number] == 81 or stopper.decide(run_of(number)) is not None:
            running.remove(number)
            running += [number for number in [next(waiting, None)] if number is not None]
    assert seen[1] == 600
    for below, above in ((1, 3), (3, 9), (9, 27)):
        assert 0.2 < seen[above] / seen[below] < 0.5
    assert epochs[min(range(600), key=levels.__getitem__)] == 81


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"), (21, "21st")],
)
def test_ordinals(number: int, text: str) -> None:
    assert ordinal(number) == text
    assert ordinal(number + 100) == f"{number + 100}{text[-2:]}"
