"""Cells of a CSV file that no spreadsheet runs as a formula, and that are read back as exactly what they were.

A cell that begins with an apostrophe is the text behind it. It stands before texts that a spreadsheet would take for a
formula, before texts that begin with one, and, where a cell may be of any type, before texts that would be read as a
number, a boolean or nothing.
"""

import math
import re

from app.domain.values import INT64_MAX, INT64_MIN, Number, Scalar

_MARK = "'"
_MARKED = (_MARK, "=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_INFINITIES = {"Infinity": "inf", "-Infinity": "-inf"}
_SPELLINGS = {"NaN": "NaN", "nan": "NaN", **{name: name for name in _INFINITIES}}
_SPELLINGS |= {spelling: name for name, spelling in _INFINITIES.items()}
_BOOLEANS = {"true": True, "false": False}


def write_number(value: Number) -> str:
    """The cell of a metric; infinity is spelled as data frames read it."""
    return _INFINITIES.get(value, value) if isinstance(value, str) else repr(value)


def read_number(cell: str) -> Number | None:
    """The metric in a cell, None where it holds none."""
    if cell in _SPELLINGS:
        return _SPELLINGS[cell]
    number = guess_scalar(cell)
    return None if isinstance(number, str | bool) else number


def write_text(text: str) -> str:
    """The cell of a text."""
    return _MARK + text if text.startswith(_MARKED) else text


def read_text(cell: str) -> str:
    """The text of a cell that holds one."""
    return cell.removeprefix(_MARK)


def write_scalar(value: Scalar) -> str:
    """The cell of a parameter's value; it is never empty."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return repr(value)
    return _MARK + value if value == "" or not isinstance(guess_scalar(value), str) else write_text(value)


def read_scalar(cell: str) -> Scalar:
    """The parameter's value in a cell that is not empty."""
    return cell[1:] if cell.startswith(_MARK) else guess_scalar(cell)


def guess_scalar(text: str) -> Scalar:
    """What a text without a type stands for: a number if JSON would take it for one, true, false, else itself."""
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        fits = len(text) <= 20 and INT64_MIN <= int(text) <= INT64_MAX and text != "-0"
        return int(text) if fits else text
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    return number if math.isfinite(number) else text
