"""The strategy for those who do not want to choose one."""

from app.domain.space import Space
from app.tuning.auto import Auto
from app.tuning.random import Random
from app.tuning.strategy import generator
from tests.spaces import EXAMPLE


def test_auto_proposes_as_its_choice_does_and_says_what_it_chose() -> None:
    space = Space.from_json(EXAMPLE)
    (proposal,) = Auto(space, {}).propose([], [], [generator(7, 0)])
    (chosen,) = Random(space, {}).propose([], [], [generator(7, 0)])
    assert proposal.params == chosen.params
    assert proposal.why == {"strategy": "random", "phase": "startup", "chosen_by": "auto"}
