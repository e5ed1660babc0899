"""A tuner's list of stoppers becomes one."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.domain.errors import InvalidRequest
from app.domain.goal import Direction
from app.domain.values import INT64_MAX
from app.tuning.stopping.registry import MAX_STOPPERS, STOPPERS, build, defaults_filled
from tests.tuning.stopping.curves import run_of

IMPATIENT: dict[str, Any] = {"type": "patience", "epochs": 2}
STRICT: dict[str, Any] = {"type": "threshold", "min": 0.5}


@pytest.mark.parametrize(
    ("spec", "filled"),
    [
        ({"type": "none"}, {"type": "none"}),
        ({"type": "median"}, {"type": "median", "warmup_epochs": 4, "min_trials": 5}),
        ({"type": "asha"}, {"type": "asha", "min_epochs": 1, "max_epochs": None, "reduction_factor": 3}),
        (
            {"max_epochs": 27, "type": "asha"},
            {"type": "asha", "min_epochs": 1, "max_epochs": 27, "reduction_factor": 3},
        ),
        ({"type": "hyperband"}, {"type": "hyperband", "min_epochs": 1, "max_epochs": 81, "reduction_factor": 3}),
        ({"type": "patience"}, {"type": "patience", "epochs": 10, "min_delta": 0.0}),
        ({"type": "threshold", "max": 3}, {"type": "threshold", "min": None, "max": 3.0, "from_epoch": 0}),
    ],
)
def test_the_defaults_are_those_of_the_contract(spec: Mapping[str, Any], filled: dict[str, Any]) -> None:
    assert defaults_filled(spec) == filled
    assert list(defaults_filled(spec)) == list(filled)
    assert defaults_filled(filled) == filled


@pytest.mark.parametrize("kind", ["", "Asha", "pbt", None, 3, ["asha"], {}])
def test_an_unknown_type_is_answered_with_the_known_ones(kind: object) -> None:
    for refuse in (defaults_filled, lambda spec: build([spec], Direction.maximize)):
        with pytest.raises(InvalidRequest) as refused:
            refuse({"type": kind})
        assert refused.value.facts["errors"][0]["loc"] == ["stopper", "type"]
        assert all(key in refused.value.detail for key in STOPPERS)


def test_a_spec_without_type_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="Known are: none, median, asha, hyperband, patience, threshold"):
        build([{"min_epochs": 1}], Direction.maximize)


@pytest.mark.parametrize(("specs", "rule"), [([IMPATIENT, STRICT], "patience"), ([STRICT, IMPATIENT], "threshold")])
def test_the_first_that_says_stop_is_heard(specs: list[dict[str, Any]], rule: str) -> None:
    stopper = build([{"type": "none"}, *specs], Direction.maximize)
    for epoch in range(3):
        stopper.add(run_of(0), epoch, 0.1)
    decision = stopper.decide(run_of(0))
    assert decision is not None
    assert decision.rule == rule


def test_a_later_one_is_heard_when_the_first_is_silent() -> None:
    stopper = build([IMPATIENT, STRICT], Direction.maximize)
    stopper.add(run_of(0), 0, 0.1)
    decision = stopper.decide(run_of(0))
    assert decision is not None
    assert decision.rule == "threshold"
    stopper.remove(run_of(0).run_id)
    assert stopper.decide(run_of(0)) is None


def test_the_end_of_a_run_reaches_those_who_care() -> None:
    stopper = build([STRICT, {"type": "median", "warmup_epochs": 0, "min_trials": 1}], Direction.maximize)
    stopper.add(run_of(0), 0, 0.9)
    stopper.add(run_of(1), 0, 0.8)
    assert stopper.decide(run_of(1)) is None
    stopper.end(run_of(0).run_id)
    assert stopper.decide(run_of(1)) is not None


@pytest.mark.parametrize(
    ("specs", "is_idle"), [([], True), ([{"type": "none"}] * 2, True), ([{"type": "asha"}], False)]
)
def test_a_stopper_without_rules_is_idle_and_never_stops(specs: list[dict[str, Any]], is_idle: bool) -> None:
    stopper = build(specs, Direction.maximize)
    assert stopper.is_idle is is_idle
    stopper.add(run_of(0), 0, float("nan"))
    assert stopper.decide(run_of(0)) is None


def test_there_is_an_end_to_a_list() -> None:
    build([STRICT] * MAX_STOPPERS, Direction.maximize)
    with pytest.raises(InvalidRequest, match="at most 10 stoppers"):
        build([STRICT] * (MAX_STOPPERS + 1), Direction.maximize)


def test_whole_numbers_fit_into_64_bits() -> None:
    defaults_filled({"type": "patience", "epochs": INT64_MAX})
    with pytest.raises(InvalidRequest, match=f"epochs must be an integer .* at most {INT64_MAX}"):
        defaults_filled({"type": "patience", "epochs": INT64_MAX + 1})
