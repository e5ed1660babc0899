"""A thinned curve keeps what one looks for in a curve, with pieces and without them."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.curve import Column, Thinner, piece_of
from app.domain.values import Number

numbers: st.SearchStrategy[Number] = st.one_of(st.floats(-10, 10), st.sampled_from(["NaN", "Infinity", "-Infinity"]))
curves = st.lists(numbers, min_size=1, max_size=300)


def _thin(values: list[Number], max_points: int, epochs_a_piece: int, are_pieces: bool) -> list[tuple[int, Number]]:
    thinner = Thinner(max_points, 0, len(values))
    for start in range(0, len(values), epochs_a_piece):
        part = values[start : start + epochs_a_piece]
        points = Column(range(start, start + len(part)), part)
        if are_pieces:
            thinner.add_piece(piece_of(points))
        else:
            thinner.add(points)
    return thinner.points()


@given(values=curves, max_points=st.integers(2, 50), epochs_a_piece=st.integers(1, 20), are_pieces=st.booleans())
def test_a_thinned_curve_keeps_its_ends_and_its_order_and_fits(
    values: list[Number], max_points: int, epochs_a_piece: int, are_pieces: bool
) -> None:
    points = _thin(values, max_points, epochs_a_piece, are_pieces)
    epochs = [epoch for epoch, _ in points]
    assert len(points) <= max_points or len(values) <= max_points
    assert (epochs[0], epochs[-1]) == (0, len(values) - 1)
    assert epochs == sorted(set(epochs))
    assert all(values[epoch] == value for epoch, value in points)


@given(values=curves, max_points=st.integers(4, 50), epochs_a_piece=st.integers(1, 20), are_pieces=st.booleans())
def test_a_thinned_curve_keeps_the_highest_and_the_lowest_value(
    values: list[Number], max_points: int, epochs_a_piece: int, are_pieces: bool
) -> None:
    kept = [value for _, value in _thin(values, max_points, epochs_a_piece, are_pieces) if not isinstance(value, str)]
    finite = [value for value in values if not isinstance(value, str)]
    assert not finite or (min(kept), max(kept)) == (min(finite), max(finite))


@given(values=curves)
def test_a_curve_that_fits_stays_as_it_is(values: list[Number]) -> None:
    assert _thin(values, max(2, len(values)), 20, are_pieces=False) == list(enumerate(values))
