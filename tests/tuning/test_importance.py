"""How the scores' variance is shared out."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from app.domain.space import Space
from app.domain.states import TrialState
from app.domain.values import Params
from app.tuning.importance import importance, mean_importance
from app.tuning.registry import STRATEGIES
from app.tuning.strategy import Observation, generator

SPACE = Space.from_json({name: {"type": "float_range", "min": 0, "max": 1} for name in "abcd"})


def search(strategy: str, space: Space, n: int, loss: Callable[[Params], float]) -> list[Observation]:
    chosen, history = STRATEGIES[strategy](space, {}), list[Observation]()
    for number in range(n):
        (proposal,) = chosen.propose(history, [], [generator(3, number)])
        history.append(Observation(number, proposal.params, TrialState.completed, (loss(proposal.params),)))
    return history


def weighted(params: Params) -> float:
    """Of its variance 100 parts are of a, 25 of b and 1 of c; d does nothing."""
    return 10 * float(params["a"]) - 5 * float(params["b"]) + float(params["c"])


@pytest.mark.parametrize(("n", "tolerance"), [(50, 0.12), (200, 0.05), (1000, 0.03)])
def test_shares_are_those_of_the_variance(n: int, tolerance: float) -> None:
    found = importance(SPACE, search("random", SPACE, n, weighted))
    for name, part in {"a": 100, "b": 25, "c": 1, "d": 0}.items():
        assert abs(found[name] - part / 126) < tolerance


def test_eight_trials_are_enough_to_say_something() -> None:
    assert next(iter(importance(SPACE, search("random", SPACE, 8, weighted)))) == "a"


def test_a_search_that_stays_where_it_is_good_does_not_mislead() -> None:
    found = importance(SPACE, search("tpe", SPACE, 300, weighted))
    assert list(found)[:2] == ["a", "b"]
    assert found["c"] + found["d"] < 0.25


def narrow(params: Params) -> float:
    """Of its variance 4 parts are of a and 1 of b."""
    return 2 * (float(params["a"]) - 0.3) ** 2 + (float(params["b"]) - 0.7) ** 2


@pytest.mark.parametrize("strategy", ["random", "tpe", "gp"])
@pytest.mark.parametrize("loss", [weighted, narrow])
def test_ten_trials_tell_what_matters_most_whoever_searched(strategy: str, loss: Callable[[Params], float]) -> None:
    found = importance(SPACE, search(strategy, SPACE, 12, loss))
    assert list(found)[:2] == ["a", "b"]
    assert abs(found["a"] - 0.8) < 0.2


def test_trials_that_were_stopped_early_do_not_hide_what_matters() -> None:
    history = search("random", SPACE, 40, weighted)
    was_stopped = np.random.default_rng(0).random(40) < 0.5
    early = [
        Observation(one.number, one.params, TrialState.stopped, (60.0,)) if is_early else one
        for one, is_early in zip(history, was_stopped, strict=True)
    ]
    assert list(importance(SPACE, early))[:2] == ["a", "b"]


def test_most_histories_of_random_scores_tell_nothing() -> None:
    said = 0
    for seed in range(20):
        scores = iter(np.random.default_rng(seed).random(20).tolist())
        said += importance(SPACE, search("random", SPACE, 20, lambda _, scores=scores: next(scores))) != {}  # type: ignore[misc]
    assert said < 10


def test_shares_sum_to_one_largest_first() -> None:
    shares = list(importance(SPACE, search("random", SPACE, 30, weighted)).values())
    assert math.isclose(sum(shares), 1)
    assert shares == sorted(shares, reverse=True)
    assert min(shares) >= 0


def test_a_conditional_parameter_counts_as_often_as_it_exists() -> None:
    space = Space.from_json(
        {
            "kind": {"type": "choice", "options": ["a", "b", "c", "d"]},
            "deep": {"type": "float_range", "min": 0, "max": 1, "when": {"kind": ["a"]}},
            "wide": {"type": "float_range", "min": 0, "max": 1},
        }
    )
    history = search("random", space, 800, lambda p: float(p.get("deep", 0.5)) + float(p["wide"]))
    found = importance(space, history)
    assert abs(found["deep"] - 0.2) < 0.05
    assert abs(found["wide"] - 0.8) < 0.05


@pytest.mark.parametrize(
    "history",
    [
        [],
        search("random", SPACE, 7, weighted),
        search("random", SPACE, 60, lambda _: 0.1),
        search("random", SPACE, 60, lambda _: math.inf),
        search("random", SPACE, 100, lambda p: hash((p["a"], 1)) % 1000),
    ],
    ids=["none", "few", "equal", "not finite", "noise"],
)
def test_nothing_is_said_where_there_is_nothing_to_tell(history: list[Observation]) -> None:
    assert importance(SPACE, history) == {}


def test_huge_scores_and_outliers_do_no_harm() -> None:
    history = search("random", SPACE, 100, lambda p: 1.7e308 if float(p["d"]) > 0.97 else weighted(p) * 1e300)
    assert next(iter(importance(SPACE, history))) == "a"


def test_each_of_several_objectives_has_its_own_and_there_is_a_mean() -> None:
    history = [
        Observation(o.number, o.params, o.state, (float(o.params["a"]), float(o.params["b"]), 0.5))
        for o in search("random", SPACE, 200, weighted)
    ]
    by_objective = [importance(SPACE, history, objective) for objective in range(3)]
    assert by_objective[0]["a"] > 0.95
    assert by_objective[1]["b"] > 0.95
    assert by_objective[2] == {}
    found = mean_importance(by_objective)
    assert found["a"] == (by_objective[0]["a"] + by_objective[1]["a"]) / 2
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert mean_importance([{}, {}]) == {}
