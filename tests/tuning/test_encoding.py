"""The laws of the way from spaces to the unit cube and back."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.space import FloatRange, IntRange, Space, Spec
from app.domain.values import INT64_MAX, INT64_MIN, Scalar
from app.tuning.encoding import Encoding
from tests.spaces import EXAMPLE, law, params_of, spaces, typed

N_DRAWS = 20_000


def line(spec: dict[str, Any]) -> Encoding:
    """The encoding of a space with one parameter, x."""
    return Encoding(Space.from_json({"x": spec}))


def uniform_values(spec: dict[str, Any]) -> list[Any]:
    """What uniform points decode to."""
    encoding = line(spec)
    points = np.random.default_rng(20261123).random((N_DRAWS, encoding.size))
    return [encoding.decode(point)["x"] for point in points]


def is_exact(spec: Spec) -> bool:
    """Whether a coordinate is promised to tell neighbouring values apart."""
    if not isinstance(spec, IntRange | FloatRange):
        return True
    if spec.size is None:
        return False
    return spec.size <= (2**40 if spec.log else 2**52)


def is_narrow(spec: IntRange | FloatRange) -> bool:
    """Whether its floats need all of their digits to be told apart."""
    return spec.max / 2 - spec.min / 2 < 1e-3 * max(abs(spec.min), abs(spec.max)) / 2


@law
@given(st.data(), spaces())
def test_decoding_what_was_encoded_gives_the_same_parameters(data: st.DataObject, space: Space) -> None:
    params = data.draw(params_of(space))
    encoding = Encoding(space)
    again = encoding.decode(encoding.encode(params))
    assert [key[:2] for key in typed(again)] == [key[:2] for key in typed(params)]
    for name, value in params.items():
        spec = space.specs[name]
        if is_exact(spec):
            assert again[name] == value
        else:
            assert isinstance(spec, IntRange | FloatRange)
            found, sent = float(again[name]), float(value)
            scale = abs(sent) * 2**-40 if spec.log else (spec.max / 2 - spec.min / 2) * 2**-50
            if not is_narrow(spec):
                scale += abs(sent) * 1e-9  # ten digits
            # Far from 0, a narrow range has few floats, and the next one may be it.
            assert abs(found / 2 - sent / 2) <= max(scale, math.ulp(sent)) / 2 + (spec.step or 0) + 5e-324


@law
@given(st.data(), spaces())
def test_every_point_decodes_to_parameters_of_the_space(data: st.DataObject, space: Space) -> None:
    encoding = Encoding(space)
    coordinate = st.floats(0, 1) | st.sampled_from([0.0, 1.0, 0.5, -0.1, 1.5])
    point = data.draw(st.lists(coordinate, min_size=encoding.size, max_size=encoding.size))
    params = encoding.decode(np.array(point))
    assert typed(space.coerce(params)) == typed(params)


@law
@given(st.data(), spaces())
def test_floats_survive_a_language_that_writes_14_digits(data: st.DataObject, space: Space) -> None:
    encoding = Encoding(space)
    point = data.draw(st.lists(st.floats(0, 1), min_size=encoding.size, max_size=encoding.size))
    for name, value in encoding.decode(np.array(point)).items():
        spec = space.specs[name]
        if isinstance(spec, FloatRange) and spec.size is None and value not in (spec.min, spec.max):
            assert is_narrow(spec) or float(f"{value:.14g}") == value


def test_a_narrow_range_keeps_floats_apart() -> None:
    spec = {"type": "float_range", "min": 1e9, "max": 1e9 + 1e-4}
    assert len(set(uniform_values(spec))) > 500  # of some 840 floats that it has
    assert len(set(uniform_values({**spec, "log": True}))) > 500


@law
@given(st.data(), spaces())
def test_points_lie_in_the_cube(data: st.DataObject, space: Space) -> None:
    encoding = Encoding(space)
    point = encoding.encode(data.draw(params_of(space)))
    assert point.shape == (encoding.size,)
    assert ((point >= 0) & (point <= 1)).all()


@law
@given(spaces())
@example(Space.from_json({"x": {"type": "int_range", "min": INT64_MIN, "max": INT64_MAX}}))
@example(Space.from_json({"x": {"type": "int_range", "min": 267, "max": 11789282424826787, "log": True}}))
@example(Space.from_json({"x": {"type": "int_range", "min": 2**62, "max": 2**62 + 3, "log": True}}))
@example(Space.from_json({"x": {"type": "float_range", "min": -1.7e308, "max": 1.7e308}}))
@example(Space.from_json({"x": {"type": "float_range", "min": 1.0, "max": 1.79e308, "log": True, "step": 0.85e308}}))
def test_the_ends_of_ranges_are_exact(space: Space) -> None:
    for name, spec in space.specs.items():
        if isinstance(spec, IntRange | FloatRange):
            encoding = line({**space.to_json()[name], "when": None})
            ends = [spec.min, spec.max] if spec.size is None else [spec.value_at(0), spec.value_at(spec.size - 1)]
            for end, side in zip(ends, [0.0, 1.0], strict=True):
                assert encoding.decode(encoding.encode({"x": end}))["x"] == end
                assert encoding.decode(np.array([side]))["x"] == end


def test_a_parameter_takes_one_coordinate_but_a_choice_without_order_one_per_option() -> None:
    colours = {"type": "choice", "options": ["red", "green", "blue"]}
    assert Encoding(Space.from_json(EXAMPLE)).size == 6
    assert line(colours).size == 3
    assert line({**colours, "ordered": True}).size == 1


@pytest.mark.parametrize("log", [False, True])
def test_a_range_of_one_number_decodes_to_it_everywhere(log: bool) -> None:
    encoding = line({"type": "float_range", "min": 0.1, "max": 0.1, "log": log})
    assert {encoding.decode(np.array([place]))["x"] for place in np.linspace(0, 1, 1000)} == {0.1}


def test_large_log_integers_that_are_close_together_are_told_apart() -> None:
    encoding = line({"type": "int_range", "min": 2**62, "max": 2**62 + 9, "log": True})
    for value in range(2**62, 2**62 + 10):
        assert encoding.decode(encoding.encode({"x": value})) == {"x": value}


def test_options_without_an_order_are_equally_far_from_each_other() -> None:
    encoding = line({"type": "choice", "options": [3, 3.0, True]})
    points = [encoding.encode({"x": option}) for option in (3, 3.0, True)]
    assert {math.dist(a, b) for a in points for b in points if a is not b} == {math.sqrt(2)}


def test_inactive_parameters_are_neutral_and_never_read() -> None:
    encoding = Encoding(Space.from_json(EXAMPLE))
    params: dict[str, Scalar] = {"learning_rate": 0.01, "num_layers": 2, "dropout": 0.1, "optimizer": "adam"}
    point = encoding.encode(params)
    nesterov = next(i for i in range(6) if encoding.encode({**params, "nesterov": True})[i] != point[i])
    assert point[nesterov] == 0.5
    point[nesterov] = math.nan
    again = encoding.decode(point)
    assert "nesterov" not in again
    assert again["num_layers"] == 2


def test_points_do_not_depend_on_the_order_in_which_the_space_was_written() -> None:
    backwards = dict(reversed(EXAMPLE.items()))
    point = np.random.default_rng(0).random(6)
    one, other = (Encoding(Space.from_json(specs)).decode(point) for specs in (EXAMPLE, backwards))
    assert one == other
    assert list(one) == list(reversed(other))


EQUALLY_LIKELY = {
    "ints": {"type": "int_range", "min": -2, "max": 7},
    "stepped ints": {"type": "int_range", "min": 1, "max": 12, "step": 3},
    "stepped floats": {"type": "float_range", "min": 0.0, "max": 0.5, "step": 0.05},
    "stepped floats that miss max": {"type": "float_range", "min": 0.0, "max": 1.0, "step": 0.3},
    "choice": {"type": "choice", "options": ["a", "b", "c", "d", "e"]},
    "ordered choice": {"type": "choice", "options": [16, 32, 64], "ordered": True},
    "flag": {"type": "flag"},
}


@pytest.mark.parametrize("spec", EQUALLY_LIKELY.values(), ids=EQUALLY_LIKELY.keys())
def test_counted_values_are_equally_likely(spec: dict[str, Any]) -> None:
    size = Space.from_json({"x": spec}).specs["x"].size
    assert size is not None
    assert_follows(Counter(uniform_values(spec)), [1 / size] * size)


@pytest.mark.parametrize(("low", "step"), [(1, 1), (3, 1), (2, 2)])
def test_log_integers_share_the_line_by_the_logarithm_of_their_surroundings(low: int, step: int) -> None:
    counts = Counter(uniform_values({"type": "int_range", "min": low, "max": 12, "log": True, "step": step}))
    values = range(low, 13, step)
    parts = [math.log((value + step / 2) / (value - step / 2)) for value in values]
    assert_follows(counts, [part / sum(parts) for part in parts])
    assert sorted(counts) == list(values)


@pytest.mark.parametrize(
    ("low", "high", "log", "place"),
    [
        (-2.0, 6.0, False, lambda x: (x + 2) / 8),
        (-1.7e308, 1.7e308, False, lambda x: x / 1.7e308 / 2 + 0.5),
        (1e-4, 1e-1, True, lambda x: math.log10(x) / 3 + 4 / 3),
        (1e-300, 1e300, True, lambda x: math.log10(x) / 600 + 0.5),
    ],
    ids=["linear", "widest", "log", "wide log"],
)
def test_floats_are_uniform_on_their_scale(low: float, high: float, log: bool, place: Callable[[float], float]) -> None:
    values = uniform_values({"type": "float_range", "min": low, "max": high, "log": log})
    places = np.sort([place(value) for value in values])
    # Kolmogorov's distance; beyond 1.95 / sqrt(n) lies one uniform sample in a thousand, and the seed is fixed.
    distance = np.abs(places - (np.arange(N_DRAWS) + 0.5) / N_DRAWS).max() + 0.5 / N_DRAWS
    assert distance < 1.95 / math.sqrt(N_DRAWS)


def assert_follows(counts: Counter[Any], shares: list[float]) -> None:
    """Pearson's chi-square at about one in ten thousand, with the values in ascending order (or of equal shares)."""
    assert len(counts) == len(shares)
    observed = np.array([counts[value] for value in sorted(counts)])
    expected = np.array(shares) * N_DRAWS
    degrees = len(shares) - 1
    # Wilson and Hilferty's approximation of the quantile.
    limit = degrees * (1 - 2 / (9 * degrees) + 3.72 * math.sqrt(2 / (9 * degrees))) ** 3
    assert ((observed - expected) ** 2 / expected).sum() < limit
