"""The laws of rows: what is encoded comes back, and what is settled is settled."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.space import Space
from app.tuning.columns import Columns
from app.tuning.encoding import Array, line_of
from tests.spaces import EXAMPLE, law, params_of, spaces, typed


def some_points(columns: Columns) -> Array:
    """Inside of the cube, and a little outside."""
    return np.random.default_rng(5).uniform(-0.1, 1.1, (20, columns.size))


@law
@given(st.data(), spaces())
def test_counted_values_come_back_as_they_were(data: st.DataObject, space: Space) -> None:
    columns = Columns(space)
    params = data.draw(params_of(space))
    again = columns.decode(columns.encode([params])[0])
    assert list(again) == list(params)
    counted = {name for name, n in zip(space.order, columns.n_levels, strict=True) if n}
    one, other = ({name: p[name] for name in p if name in counted} for p in (params, again))
    assert typed(one) == typed(other)


@law
@given(spaces())
def test_what_is_settled_stays_and_is_what_its_parameters_encode_to(space: Space) -> None:
    columns = Columns(space)
    rows = columns.settle(some_points(columns))
    assert ((rows >= 0) & (rows <= 1) | np.isnan(rows)).all()
    np.testing.assert_array_equal(columns.settle(rows), rows)
    trials = [columns.decode(row) for row in rows]
    for row, params in zip(rows, trials, strict=True):
        assert {name for name, place in zip(space.order, row, strict=True) if not np.isnan(place)} == set(params)
    is_counted = columns.n_levels > 0
    np.testing.assert_array_equal(columns.encode(trials)[:, is_counted], rows[:, is_counted])


@law
@given(st.data(), spaces())
def test_whole_columns_are_encoded_as_each_value_is(data: st.DataObject, space: Space) -> None:
    columns = Columns(space)
    trials = data.draw(st.lists(params_of(space), min_size=1, max_size=4))
    for params, row in zip(trials, columns.encode(trials), strict=True):
        for name, place in zip(space.order, row, strict=True):
            if name in params:
                expected = line_of(space.specs[name]).encode(params[name])[0]
                np.testing.assert_allclose(place, np.clip(expected, 0, 1), atol=1e-9)
            else:
                assert np.isnan(place)


def test_what_is_missing_is_nan_and_what_is_too_much_is_left_out() -> None:
    columns = Columns(Space.from_json(EXAMPLE))
    row = dict(zip(columns.space.order, columns.encode([{"num_layers": 1, "stranger": 7}])[0], strict=True))
    assert row["num_layers"] == columns.middles(columns.space.order.index("num_layers"))[0]
    assert np.isnan([place for name, place in row.items() if name != "num_layers"]).all()
