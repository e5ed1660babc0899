"""Functions whose optimum is known. Each seed has another one: shifted, rotated, and with other effects of the options.

A function is written for numbers z that are 0 at the optimum. A parameter's place on its line (in the logarithm, where
it is a logarithmic one) within [0, 1] minus the optimum's place, rotated, times the function's `reach`, is z. Options
and flags add an effect each, and move the optimum of the numbers a little, so that they cannot be judged one by one.
Source of most: Hansen, Finck, Ros, Auger 2009, INRIA RR-6829 (the functions of BBOB).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from app.domain.space import Choice, Flag, Space
from app.domain.values import Params
from app.tuning.columns import Columns
from app.tuning.random import Random
from app.tuning.strategy import generator
from benchmarks.search_quality.problem import N_EPOCHS, Problem, Task

Array = npt.NDArray[np.float64]
Function = Callable[[Array], float]
Json = dict[str, dict[str, Any]]


def _weights(z: Array, condition: float) -> Array:
    weights: Array = condition ** (np.arange(len(z)) / max(len(z) - 1, 1))
    return weights


def ellipsoid(z: Array) -> float:
    """A quadratic bowl, a thousand times as steep in one direction as in another."""
    return float(_weights(z, 1e3) @ z**2)


def steps(z: Array) -> float:
    """A bowl of terraces: no gradient anywhere."""
    return float(_weights(z, 10.0) @ np.floor(np.abs(z) * 4 + 0.5) ** 2)


def rosenbrock(z: Array) -> float:
    """A bent valley."""
    x = z + 1
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())


def ackley(z: Array) -> float:
    """A funnel with dents, steepest at the end."""
    root = math.sqrt(float((z**2).mean()))
    return 20 - 20 * math.exp(-0.2 * root) + math.e - math.exp(float(np.cos(2 * math.pi * z).mean()))


def levy(z: Array) -> float:
    """A wavy bowl."""
    w = 1 + z / 4
    middle = (w[:-1] - 1) ** 2 * (1 + 10 * np.sin(math.pi * w[:-1] + 1) ** 2)
    # Shifted by what it is at the optimum, where the middle terms vanish anyhow.
    return float(
        math.sin(math.pi * w[0]) ** 2 + middle.sum() + (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
    )


def rastrigin(z: Array) -> float:
    """A bowl with a dent at each whole number."""
    return float((z**2 - 10 * np.cos(2 * math.pi * z) + 10).sum())


def powers(z: Array) -> float:
    """Flat near the optimum, differently in each direction."""
    exponents = 2 + 4 * np.arange(len(z)) / max(len(z) - 1, 1)
    return math.sqrt(float((np.abs(z) ** exponents).sum()))


def ridge(z: Array) -> float:
    """A sharp ridge to walk down along."""
    return float(z[0] ** 2 + 100 * math.sqrt(float((z[1:] ** 2).sum())))


def cliff(z: Array) -> float:
    """Better and better towards a point right after which training diverges; the other directions are gentle."""
    if z[0] > 0.15:
        return 10 + 30 * min(float(z[0]), 3.0)
    return float(math.sqrt(abs(z[0])) + (z[1:] ** 2).sum())


def bowl(z: Array) -> float:
    """The plainest function."""
    return float((z**2).sum())


def _floats(n: int) -> Json:
    return {f"x{i}": {"type": "float_range", "min": 0.0, "max": 1.0} for i in range(n)}


_RATE = {"type": "float_range", "min": 1e-5, "max": 1.0, "log": True}
_SHARE = {"type": "float_range", "min": 0.0, "max": 1.0, "step": 0.05}
_WIDTH = {"type": "int_range", "min": 8, "max": 1024, "log": True}
_DEPTH = {"type": "int_range", "min": 1, "max": 12}
_FLAG = {"type": "flag"}


def _options(n: int, **more: Any) -> dict[str, Any]:
    return {"type": "choice", "options": [f"option {i}" for i in range(n)], **more}


_MIXED: Json = {
    "a": _RATE,
    "b": _SHARE,
    "c": _WIDTH,
    "d": _DEPTH,
    "kind": _options(4),
    "mode": _options(3),
    "on": _FLAG,
}
_BRANCHES: Json = {
    "model": _options(3),
    "rate": _RATE,
    "a": {**_RATE, "when": {"model": ["option 0"]}},
    "b": {**_SHARE, "when": {"model": ["option 0"]}},
    "c": {**_WIDTH, "when": {"model": ["option 1"]}},
    "d": {**_DEPTH, "when": {"model": ["option 1", "option 2"]}},
    "e": {"type": "float_range", "min": -2.0, "max": 2.0, "when": {"model": ["option 2"]}},
}
_CLIFF: Json = {"a": _RATE, "b": _RATE, "c": _SHARE, "d": _WIDTH, "e": _options(3)}
_CHOICES: Json = {
    **{f"c{i}": _options(3 + i) for i in range(4)},
    **{f"f{i}": _FLAG for i in range(3)},
    "size": _options(6, ordered=True),
    "x": {"type": "float_range", "min": 0.0, "max": 1.0},
}
_TREE: Json = {
    "booster": _options(2),
    "rate": _RATE,
    "drop": {**_FLAG, "when": {"booster": ["option 0"]}},
    "share": {**_SHARE, "when": {"drop": [True]}},
    "shape": {**_options(3), "when": {"drop": [True]}},
    "depth": {**_DEPTH, "when": {"booster": ["option 0"]}},
    "width": {**_WIDTH, "when": {"booster": ["option 0"]}},
    "decay": {**_RATE, "when": {"booster": ["option 1"]}},
    "warm": {**_FLAG, "when": {"booster": ["option 1"]}},
}
_STEPS: Json = {
    "a": {"type": "float_range", "min": 0.0, "max": 1.0},
    "b": {"type": "float_range", "min": 0.0, "max": 1.0},
    "c": _SHARE,
    "d": {"type": "int_range", "min": 1, "max": 64},
    "e": _DEPTH,
}


def _problem(space_json: Json, function: Function, seed: int, *, reach: float, key: int, noise: float = 0.0) -> Problem:
    """The function over the space with the shift, the rotation and the effects of this seed."""
    space = Space.from_json(space_json)
    rng = np.random.default_rng([key, seed])
    columns = Columns(space)
    numeric = ~columns.is_unordered
    n = int(numeric.sum())
    # The optimum is a point that exists: a value of each counted parameter.
    best = columns.settle(rng.uniform(0.15, 0.85, (1, columns.size)))
    drawn = columns.encode([columns.decode(best[0])])[0]
    shift = np.where(np.isnan(drawn), rng.uniform(0.15, 0.85, columns.size), drawn)
    is_conditional = any(space.specs[name].when for name in space.order)
    rotation = np.eye(n) if is_conditional else np.linalg.qr(rng.normal(size=(n, n)))[0]
    effects = _effects(space, rng, n, columns.decode(best[0]))

    def loss(params: Params) -> float:
        row = columns.encode([params])[0]
        z = np.where(np.isnan(row), 0.0, row - shift)[numeric]
        extra = 0.0
        for name, by_value in effects.items():
            if name in params:
                effect, move = by_value[params[name]]
                z, extra = z + move, extra + effect
        return function(reach * (rotation @ z)) + extra * scale

    # Effects are a tenth of what the function is at a point of medium distance.
    scale = 1.0
    if effects:
        scale = 0.1 * float(np.median([function(reach * rotation @ z) for z in rng.uniform(-0.5, 0.5, (200, n))]))
    return Problem(space, loss, 0.0, noise * scale if effects else noise)


def _effects(
    space: Space, rng: np.random.Generator, n: int, best: Params
) -> dict[str, Mapping[Any, tuple[float, Array]]]:
    """For each option of each choice and flag what it adds, and how it moves the others; the best ones do neither."""
    effects: dict[str, Mapping[Any, tuple[float, Array]]] = {}
    for name in space.order:
        spec = space.specs[name]
        if isinstance(spec, Flag) or (isinstance(spec, Choice) and not spec.ordered):
            options = [False, True] if isinstance(spec, Flag) else list(spec.options)
            favourite = best.get(name, options[0])
            effects[name] = {
                option: (0.0, np.zeros(n))
                if option == favourite
                else (float(rng.uniform(0.2, 1.5)), rng.normal(0, 0.08, n))
                for option in options
            }
    return effects


def _task(
    name: str, held_out: bool, space: Json, function: Function, reach: float, noise: float = 0.0
) -> Task[Problem]:
    key = sum(ord(letter) * 31**i for i, letter in enumerate(name)) % 2**31

    def instance(seed: int) -> Problem:
        return _problem(space, function, seed, reach=reach, key=key, noise=noise)

    return Task(name, "synthetic", held_out, instance)


TASKS = [
    _task("ellipsoid, 5 floats", False, _floats(5), ellipsoid, 4.0),
    _task("ackley, 6 floats", False, _floats(6), ackley, 8.0),
    _task("rosenbrock, 4 floats", False, _floats(4), rosenbrock, 3.0),
    _task("levy, 8 floats", False, _floats(8), levy, 12.0),
    _task("steps, 5 mixed numbers", False, _STEPS, steps, 3.0),
    _task("bowl, 7 mixed", False, _MIXED, bowl, 2.0),
    _task("bowl, 3 branches", False, _BRANCHES, bowl, 2.0),
    _task("powers, 5 floats", True, _floats(5), powers, 4.0),
    _task("ridge, 10 floats", True, _floats(10), ridge, 4.0),
    _task("rastrigin, 4 floats", True, _floats(4), rastrigin, 3.0),
    _task("cliff, 5 mixed, noisy", True, _CLIFF, cliff, 2.0, 0.3),
    _task("bowl, 9 mostly choices", True, _CHOICES, bowl, 2.0),
    _task("bowl, tree of 9", True, _TREE, bowl, 2.0),
]


def _by_epoch(task: Task[Problem], held_out: bool) -> Task[Problem]:
    """The same task, whose trials come to their losses at a pace, and from a start, that depend on the parameters."""

    def instance(seed: int) -> Problem:
        problem = task.instance(seed)
        columns = Columns(problem.space)
        draws = Random(problem.space, {}).propose([], [], [generator(-2, number) for number in range(200)])
        good, middle, bad = np.quantile([problem.loss(draw.params) for draw in draws], [0.1, 0.5, 0.9])
        directions = np.random.default_rng([7, seed]).normal(size=(2, columns.size))
        epochs = np.arange(1, N_EPOCHS + 1)

        def course(params: Params) -> Array:
            row = np.nan_to_num(columns.encode([params])[0] - 0.5)
            haste, luck = np.tanh(2 * directions @ row)
            loss = problem.loss(params)
            left = np.exp(-epochs / (2 * math.exp(1.8 * haste)))
            above = max(bad * (1 + 0.3 * luck) - loss, 0.0) * (left - left[-1])
            # Some are at their best after a third of the epochs, and get worse again.
            worse = max(luck, 0.0) * 0.3 * (middle - good) * (np.maximum(epochs - 3, 0) / (N_EPOCHS - 3) - 1)
            found: Array = loss + above + worse
            return found

        return replace(problem, noise=0.05 * float(middle - good), course=course)

    return Task(f"{task.name}, by epoch", task.kind, held_out, instance)


_DESIGNED_WITH = ("ellipsoid, 5 floats", "levy, 8 floats", "bowl, 7 mixed", "bowl, 3 branches")
_NEW = ("powers, 5 floats", "ridge, 10 floats", "rastrigin, 4 floats", "bowl, 9 mostly choices", "bowl, tree of 9")
GRADUAL_TASKS = [_by_epoch(task, task.name in _NEW) for task in TASKS if task.name in (*_DESIGNED_WITH, *_NEW)]
