"""What is written into a cell is read back as it was, and is no formula."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.csv_cells import read_number, read_scalar, read_text, write_number, write_scalar, write_text
from app.domain.values import INT64_MAX, INT64_MIN, Number, Scalar

# Texts that look like something else are what goes wrong.
texts = st.text() | st.from_regex(
    r"['=+@\t\r\n-]?(-?[0-9]{1,25}(\.[0-9]+)?(e[+-]?[0-9]+)?|true|NaN|inf|)", fullmatch=True
)
integers = st.integers(INT64_MIN, INT64_MAX)
floats = st.floats(allow_nan=False, allow_infinity=False)
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@given(texts | integers | floats | st.booleans())
def test_a_param_is_read_back_with_its_type(value: Scalar) -> None:
    cell = write_scalar(value)
    read = read_scalar(cell)
    assert (type(read), repr(read)) == (type(value), repr(value))
    assert cell != ""
    assert isinstance(value, int | float) or not cell.startswith(FORMULA)


@given(texts)
def test_a_text_is_read_back(text: str) -> None:
    assert read_text(write_text(text)) == text
    assert not write_text(text).startswith(FORMULA)


@given(floats | st.sampled_from(["NaN", "Infinity", "-Infinity"]))
def test_a_metric_is_read_back(value: Number) -> None:
    assert repr(read_number(write_number(value))) == repr(value)


def test_what_others_write_is_read_as_what_it_looks_like() -> None:
    cells = ["007", "1.50", "1e999", "-0", "9" * 30, "True", " 1", "nan", "0x1", "1_000"]
    assert [read_scalar(cell) for cell in cells] == [
        "007",
        1.5,
        "1e999",
        "-0",
        "9" * 30,
        "True",
        " 1",
        "nan",
        "0x1",
        "1_000",
    ]
