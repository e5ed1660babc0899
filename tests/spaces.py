"""Spaces of every kind, for tests of laws that hold in all of them."""

import math
from fractions import Fraction
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from app.domain.space import FloatRange, Space, Spec
from app.domain.values import INT64_MAX, INT64_MIN, Scalar

law = settings(deadline=None, max_examples=50)
"""For tests with `given`: quick, and no failures because the machine is busy."""

EXAMPLE: dict[str, dict[str, Any]] = {
    "learning_rate": {"type": "float_range", "min": 0.0001, "max": 0.1, "log": True},
    "num_layers": {"type": "int_range", "min": 1, "max": 6},
    "dropout": {"type": "float_range", "min": 0.0, "max": 0.5, "step": 0.05},
    "optimizer": {"type": "choice", "options": ["adam", "sgd"]},
    "nesterov": {"type": "flag", "when": {"optimizer": ["sgd"]}},
}
"""The space that the contract shows."""

_ANY_FLOAT = st.floats(allow_nan=False, allow_infinity=False)
_HUNDREDTHS = st.integers(-1000, 1000).map(lambda n: n / 100)


@st.composite
def _int_ranges(draw: st.DrawFn) -> dict[str, Any]:
    ends = st.integers(-20, 20) | st.integers(INT64_MIN, INT64_MAX)
    low, high = sorted([draw(ends), draw(ends)])
    step = draw(st.none() | st.integers(1, min(INT64_MAX, max(1, high - low))))
    return {"type": "int_range", "min": low, "max": high, "log": low > 0 and draw(st.booleans()), "step": step}


@st.composite
def _float_ranges(draw: st.DrawFn) -> dict[str, Any]:
    ends = draw(st.sampled_from([_HUNDREDTHS, _ANY_FLOAT]))
    low, high = sorted([draw(ends), draw(ends)])
    is_log = low > 0 and draw(st.booleans())
    step = None
    if draw(st.booleans()) and math.isfinite(high - low):
        widest = (high - low) or 1.0
        step = draw(st.sampled_from([0.01, 0.05, 0.3, widest / 3, widest / 1000]))
        width = Fraction(repr(high)) - Fraction(repr(low))  # a step is counted in decimals
        if step < math.ulp(max(abs(low), abs(high))) or 0 < width < Fraction(repr(step)):
            step = None
    return {"type": "float_range", "min": low, "max": high, "log": is_log, "step": step}


_NAMES = st.sampled_from(["a", "b", "c", "Z", "é", "learning rate", "x.y", "__proto__"])

_SCALARS: st.SearchStrategy[Scalar] = (
    st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 3.0, 0.5]) | st.text(max_size=3)
)


@st.composite
def _choices(draw: st.DrawFn) -> dict[str, Any]:
    options = draw(st.lists(_SCALARS, min_size=1, max_size=4, unique_by=lambda option: (type(option), option)))
    return {"type": "choice", "options": options, "ordered": draw(st.booleans())}


_SPECS = st.one_of(_int_ranges(), _float_ranges(), _choices(), st.just({"type": "flag"}))


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Any space: small and extreme ranges, look-alike options, conditions on conditional parameters."""
    names = draw(st.lists(_NAMES, min_size=1, max_size=4, unique=True))
    specs: dict[str, dict[str, Any]] = {}
    parents: dict[str, list[Scalar]] = {}
    for name in names:
        spec = dict(draw(_SPECS))
        chosen = draw(st.lists(st.sampled_from(sorted(parents)), max_size=2, unique=True)) if parents else []
        if chosen:
            spec["when"] = {parent: draw(_some_of(parents[parent])) for parent in chosen}
        if spec["type"] in ("choice", "flag"):
            parents[name] = spec.get("options", [False, True])
        specs[name] = spec
    return Space.from_json({name: specs[name] for name in draw(st.permutations(names))})


def _some_of(values: list[Scalar]) -> st.SearchStrategy[list[Scalar]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3)


def _values(spec: Spec) -> st.SearchStrategy[Scalar]:
    size = spec.size
    if size is None:
        assert isinstance(spec, FloatRange)
        return st.floats(spec.min + 0.0, spec.max + 0.0)  # no range begins at 0.0 and ends at -0.0
    return st.integers(0, size - 1).map(spec.value_at)


@st.composite
def params_of(draw: st.DrawFn, space: Space) -> dict[str, Scalar]:
    """Any parameters of a space, in the order of the space."""
    params: dict[str, Scalar] = {}
    for name in space.order:
        if space.is_active(name, params):
            params[name] = draw(_values(space.specs[name]))
    return space.arrange(params)


def typed(params: dict[str, Scalar]) -> list[tuple[str, type, Scalar]]:
    """Parameters as something that compares order and types too."""
    return [(name, type(value), value) for name, value in params.items()]
