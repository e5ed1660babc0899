"""Patterns of `like`: % is any characters, _ is one, and after a backslash they are themselves."""

import re
from functools import lru_cache


def matches(text: str, pattern: str, *, ignores_case: bool) -> bool:
    """Whether the whole text is of this pattern; case is ignored in A to Z only, as the databases do."""
    if ignores_case:
        text, pattern = lower_ascii(text), lower_ascii(pattern)
    return _compiled(pattern).fullmatch(text) is not None


_UPPER_TO_LOWER = {ord(letter): ord(letter.lower()) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def lower_ascii(text: str) -> str:
    """The text with A to Z in lower case."""
    return text.translate(_UPPER_TO_LOWER)


def split_pattern(pattern: str) -> list[str | None]:
    """The characters of a pattern: None for %, "" for _, all else as it is."""
    parts: list[str | None] = []
    characters = iter(pattern)
    for character in characters:
        if character == "%":
            parts.append(None)
        elif character == "_":
            parts.append("")
        else:
            parts.append(next(characters, "\\") if character == "\\" else character)
    return parts


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    # What follows a % is taken where it is found first, and never looked for again: the last piece alone stands at
    # the end. So a hostile pattern costs no more than its length times that of the text.
    pieces: list[str] = [""]
    for part in split_pattern(pattern):
        if part is None:
            pieces.append("")
        else:
            pieces[-1] += "." if part == "" else re.escape(part)
    first, *rest = pieces
    if not rest:
        return re.compile(first, re.DOTALL)
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1] if piece)
    return re.compile(f"{first}{middle}.*{rest[-1]}", re.DOTALL)
