"""The strategy for those who do not want to choose one."""

import pytest

from app.domain.space import Space
from app.tuning.auto import Auto
from app.tuning.gp import Gp
from app.tuning.strategy import generator
from tests.spaces import EXAMPLE


def test_auto_proposes_as_its_choice_does_and_says_what_it_chose_and_why() -> None:
    space = Space.from_json(EXAMPLE)
    (proposal,) = Auto(space, {}).propose([], [], [generator(7, 0)])
    (chosen,) = Gp(space, {}).propose([], [], [generator(7, 0)])
    assert proposal.params == chosen.params
    assert proposal.why == {
        "strategy": "gp",
        "phase": "startup",
        "chosen_by": "auto",
        "because": "5 parameters are not more than 100",
    }


@pytest.mark.parametrize(("n", "strategy"), [(100, "gp"), (101, "tpe")])
def test_auto_takes_tpe_where_parameters_are_very_many(n: int, strategy: str) -> None:
    space = Space.from_json({f"x{i}": {"type": "float_range", "min": 0, "max": 1} for i in range(n)})
    (proposal,) = Auto(space, {}).propose([], [], [generator(7, 0)])
    assert proposal.why["strategy"] == strategy


def test_it_takes_forecasts_where_what_it_chose_does() -> None:
    few, many = (
        Auto(Space.from_json({f"x{i}": {"type": "flag"} for i in range(n)}), {}).takes_forecasts for n in (100, 101)
    )
    assert (few, many) == (True, False)
