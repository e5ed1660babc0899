"""A tuner for tests that speak to the service without the API."""

from app.domain.goal import Budget, Direction, Objective
from app.domain.space import Space
from app.service.create import CreateTuner, define

_NO_LIMITS = Budget()


def of_one_number(budget: Budget = _NO_LIMITS, lease_s: float = 60.0) -> CreateTuner:
    """One of `x` from 0 to 1, whose strategy needs no history, and so may think ahead."""
    definition = define(
        name="",
        strategy="random",
        space=Space.from_json({"x": {"type": "float_range", "min": 0.0, "max": 1.0}}),
        objectives=[Objective("score", Direction.maximize)],
        seed=1,
        options={},
        budget=budget,
        stopper={"type": "none"},
        lease_s=lease_s,
        tags=[],
    )
    return CreateTuner(None, definition, b"")
