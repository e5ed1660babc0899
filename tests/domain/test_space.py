"""What a space is, and which parameters lie in it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InvalidSpace, ParamsOutOfSpace
from app.domain.space import FloatRange, IntRange, Space
from app.domain.spec_json import spec_from_json
from app.domain.values import INT64_MAX, INT64_MIN
from tests.spaces import EXAMPLE, law, params_of, spaces, typed

A_CHOICE = {"type": "choice", "options": ["adam", "sgd"]}
A_FLAG = {"type": "flag"}


def ints(low: Any, high: Any, **more: Any) -> dict[str, Any]:
    return {"type": "int_range", "min": low, "max": high, **more}


def floats(low: Any, high: Any, **more: Any) -> dict[str, Any]:
    return {"type": "float_range", "min": low, "max": high, **more}


def choice(*options: Any) -> dict[str, Any]:
    return {"type": "choice", "options": list(options)}


SENSELESS_SPECS = {
    "no object": 3,
    "no type": {"min": 1, "max": 2},
    "unknown type": {"type": "range", "min": 1, "max": 2},
    "type of another type": {"type": ["flag"]},
    "unknown field": ints(1, 2, stepp=1),
    "field of another type of spec": {"type": "flag", "min": 0},
    "no max": {"type": "int_range", "min": 1},
    "int min > max": ints(2, 1),
    "float min > max": floats(0.2, 0.1),
    "float as int bound": ints(1.0, 2),
    "bool as int bound": ints(False, True),
    "text as bound": floats("0", 1.0),
    "int above 64 bits": ints(0, INT64_MAX + 1),
    "int below 64 bits": ints(INT64_MIN - 1, 0),
    "NaN bound": floats(float("nan"), 1.0),
    "infinite bound": floats(0.0, float("inf")),
    "huge integer as float bound": floats(0, 10**400),
    "integer that no float equals": floats(0, 2**53 + 1),
    "int log from 0": ints(0, 10, log=True),
    "float log from a negative": floats(-1.0, 1.0, log=True),
    "log that is no boolean": ints(1, 10, log=1),
    "int step 0": ints(0, 10, step=0),
    "float step 0": floats(0.0, 1.0, step=0.0),
    "negative int step": ints(0, 10, step=-1),
    "negative float step": floats(0.0, 1.0, step=-0.1),
    "int step wider than the range": ints(0, 10, step=11),
    "float step wider than the range": floats(0.0, 1.0, step=1.1),
    "infinite step": floats(0.0, 1.0, step=float("inf")),
    "float step for ints": ints(0, 10, step=0.5),
    "step below what floats can tell apart": floats(1e16, 2e16, step=1.0),
    "no options": choice(),
    "options that are no list": {"type": "choice", "options": "ab"},
    "an option twice": choice("a", "b", "a"),
    "NaN option": choice(1.0, float("nan")),
    "list as option": choice([1]),
    "null as option": choice(None),
    "option above 64 bits": choice(2**63),
    "when that is no object": {"type": "flag", "when": ["other"]},
    "when with a bare value": {"type": "flag", "when": {"other": True}},
    "when on an unknown parameter": {"type": "flag", "when": {"nobody": [True]}},
    "when on itself": {"type": "flag", "when": {"x": [True]}},
    "when on a range": {"type": "flag", "when": {"number": [1]}},
    "when without values": {"type": "flag", "when": {"other": []}},
    "when with a value that the parent cannot take": {"type": "flag", "when": {"other": [1]}},
}


@pytest.mark.parametrize("spec", SENSELESS_SPECS.values(), ids=SENSELESS_SPECS.keys())
def test_senseless_specs_are_refused_with_the_parameters_name(spec: Any) -> None:
    with pytest.raises(InvalidSpace) as refused:
        Space.from_json({"other": A_FLAG, "number": ints(1, 2), "x": spec})
    assert refused.value.facts == {"name": "x"}


def test_conditions_in_a_circle_are_refused() -> None:
    circle = {name: A_FLAG | {"when": {parent: [True]}} for name, parent in ("ab", "bc", "ca")}
    with pytest.raises(InvalidSpace, match="circle") as refused:
        Space.from_json({"free": A_FLAG, **circle})
    assert refused.value.facts["name"] in circle


@pytest.mark.parametrize("name", ["", "  ", "\t", "x" * 251], ids=["empty", "blank", "tab", "too long"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidSpace):
        Space.from_json({name: A_FLAG})


@pytest.mark.parametrize("n", [0, 1001])
def test_spaces_with_no_or_too_many_parameters_are_refused(n: int) -> None:
    with pytest.raises(InvalidSpace):
        Space.from_json({f"p{i}": A_FLAG for i in range(n)})


def test_a_thousand_parameters_in_one_chain_are_fine() -> None:
    chain = {f"p{i}": A_FLAG | ({"when": {f"p{i - 1}": [True]}} if i else {}) for i in range(1000)}
    assert Space.from_json(chain).order == tuple(chain)


@pytest.mark.parametrize(
    "spec",
    [
        ints(3, 3),
        ints(3, 3, step=5),
        floats(0.5, 0.5),
        floats(2.0, 2.0, log=True, step=0.1),
        ints(INT64_MIN, INT64_MAX),
        floats(-1.7976931348623157e308, 1.7976931348623157e308),
        floats(5e-324, 1.0, log=True),
        floats(0.1, 0.3, step=0.2),
        choice(3, 3.0, True, "3"),
        A_FLAG | {"when": {}},
        A_FLAG | {"when": None},
    ],
)
def test_unusual_specs_that_make_sense_are_taken(spec: dict[str, Any]) -> None:
    Space.from_json({"x": spec})


@law
@given(spaces())
def test_a_space_comes_back_from_its_json(space: Space) -> None:
    stored = json.dumps(space.to_json())
    again = Space.from_json(json.loads(stored))
    assert json.dumps(again.to_json()) == stored
    assert again.order == space.order


def test_json_keeps_the_order_sent_and_fills_defaults_in() -> None:
    shown = Space.from_json(EXAMPLE).to_json()
    assert list(shown) == list(EXAMPLE)
    assert shown["num_layers"] == ints(1, 6, log=False, step=None, when=None)
    assert shown["optimizer"] == {**A_CHOICE, "ordered": False, "when": None}
    assert shown["nesterov"] == {"type": "flag", "when": {"optimizer": ["sgd"]}}


@law
@given(spaces(), st.randoms())
def test_the_order_depends_only_on_names_and_conditions(space: Space, random: Any) -> None:
    items = list(space.to_json().items())
    random.shuffle(items)
    assert Space.from_json(dict(items)).order == space.order


def test_parents_come_before_children_and_names_in_alphabetical_order() -> None:
    child = {"when": {"z": [True]}}
    assert Space.from_json({"z": A_FLAG, "a": A_FLAG | child, "b": A_FLAG}).order == ("b", "z", "a")


@law
@given(st.data(), spaces())
def test_parameters_of_the_space_pass_unchanged(data: st.DataObject, space: Space) -> None:
    params = data.draw(params_of(space))
    shuffled = dict(data.draw(st.permutations(list(params.items()))))
    assert typed(space.coerce(shuffled)) == typed(params)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        (ints(1, 6), 0),
        (ints(1, 6), 7),
        (ints(1, 6), 1.5),
        (ints(1, 6), 3.0),
        (ints(0, 1), True),
        (ints(1, 6), "3"),
        (ints(1, 6), None),
        (ints(1, 10, step=3), 5),
        (ints(1, 9, step=3), 9),
        (ints(INT64_MIN, INT64_MAX), INT64_MAX + 1),
        (floats(0.0, 1.0), 1.0000000000000002),
        (floats(0.0, 1.0), -5e-324),
        (floats(0.0, 1.0), float("nan")),
        (floats(0.0, 1.0), True),
        (floats(0.0, 1.0), "0.5"),
        (floats(0.0, 1e30), 2**53 + 1),
        (floats(0.0, 1e30), 10**400),
        (floats(0.0, 0.5, step=0.05), 0.12),
        (floats(0.0, 1.0, step=0.3), 1.0),
        (floats(0.0, 1.0, step=0.3), 1.2),
        (floats(0.0, 1.0, step=0.3), float("inf")),
        (floats(1e6, 2e6, step=1e-4), 1000000.00005),
        (choice(3, "a"), 3.0),
        (choice(1, 0), True),
        (choice("1"), 1),
        (choice("a"), None),
        (choice("a"), ["a"]),
        (A_FLAG, 1),
        (A_FLAG, "true"),
    ],
)
def test_values_outside_of_the_space_are_refused(spec: dict[str, Any], value: Any) -> None:
    with pytest.raises(ParamsOutOfSpace) as refused:
        Space.from_json({"ok": A_FLAG, "x": spec}).coerce({"ok": True, "x": value})
    assert refused.value.facts == {"name": "x"}


def test_an_integer_with_a_point_is_told_from_one_beyond_the_range() -> None:
    space = Space.from_json({"x": ints(1, 9)})
    for value, is_told in ((3.0, True), (12, False), ("3", False)):
        with pytest.raises(ParamsOutOfSpace) as refused:
            space.coerce({"x": value})
        assert ("without a point" in str(refused.value)) is is_told


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"optimizer": "sgd"}, "nesterov"),
        ({"optimizer": "adam", "nesterov": True}, "nesterov"),
        ({}, "optimizer"),
        ({"optimizer": "adam", "lr": 0.1}, "lr"),
    ],
    ids=["missing child", "inactive child", "missing parent", "unknown"],
)
def test_params_hold_exactly_the_active_parameters(params: dict[str, Any], name: str) -> None:
    space = Space.from_json({"nesterov": EXAMPLE["nesterov"], "optimizer": A_CHOICE})
    with pytest.raises(ParamsOutOfSpace) as refused:
        space.coerce(params)
    assert refused.value.facts == {"name": name}


def test_a_child_of_an_inactive_parameter_is_inactive() -> None:
    space = Space.from_json(
        {"a": A_FLAG, "b": A_FLAG | {"when": {"a": [True]}}, "c": A_FLAG | {"when": {"b": [False]}}}
    )
    assert space.coerce({"a": False}) == {"a": False}
    assert space.coerce({"a": True, "b": False, "c": True}) == {"a": True, "b": False, "c": True}


def test_a_condition_on_two_parents_needs_both() -> None:
    space = Space.from_json({"a": A_FLAG, "b": A_FLAG, "c": A_FLAG | {"when": {"a": [True], "b": [False, True]}}})
    assert space.is_active("c", {"a": True, "b": False})
    assert not space.is_active("c", {"a": False, "b": False})


def test_conditions_compare_types() -> None:
    space = Space.from_json({"a": choice(1, 1.0, True), "b": A_FLAG | {"when": {"a": [1.0]}}})
    assert [space.is_active("b", {"a": value}) for value in (1, 1.0, True)] == [False, True, False]


def test_an_integer_for_a_float_becomes_the_equal_float() -> None:
    space = Space.from_json({"x": floats(0, 10), "y": floats(0, 10, step=2)})
    assert typed(space.coerce({"x": 1, "y": 4})) == [("x", float, 1.0), ("y", float, 4.0)]


@pytest.mark.parametrize("value", [0.15, 0.15000000000000002, 0.1 + 0.2, 0.49999999999999994, 0.5000000001, -1e-12])
def test_a_number_that_is_on_the_grid_but_for_rounding_is_kept_as_sent(value: float) -> None:
    space = Space.from_json({"x": floats(0.0, 0.5, step=0.05)})
    assert space.coerce({"x": value})["x"] == value


def test_stepped_floats_are_what_a_person_would_write() -> None:
    twentieths = [FloatRange(0.0, 0.5, step=0.05).value_at(i) for i in range(11)]
    assert twentieths == [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5]
    assert [FloatRange(-0.3, 0.3, step=0.1).value_at(i) for i in range(7)] == [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3]
    assert [FloatRange(1e-5, 3.5e-5, step=1e-5).value_at(i) for i in range(3)] == [1e-5, 2e-5, 3e-5]


def test_steps_count_from_min_and_do_not_pass_max() -> None:
    assert (IntRange(1, 9, step=3).size, IntRange(1, 10, step=3).size) == (3, 4)
    assert (FloatRange(0.0, 1.0, step=0.3).size, FloatRange(0.0, 0.9, step=0.3).size) == (4, 4)


def test_a_choice_looks_its_options_up_however_many_are_asked_for() -> None:
    class Counted(str):
        """A text that counts how often it is compared."""

        n_compared = 0
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            Counted.n_compared += 1
            return str.__eq__(self, other)

    options = [Counted(number) for number in range(1000)]
    choice_of_many = spec_from_json({"type": "choice", "options": options})
    assert all(choice_of_many.check(Counted(option)) is option for option in options)
    space = Space.from_json({"x": {"type": "choice", "options": options}, "y": A_FLAG | {"when": {"x": options}}})
    assert all(space.is_active("y", {"x": Counted(option)}) for option in options)
    assert Counted.n_compared < 10 * len(options)
