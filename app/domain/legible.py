"""Texts of others as a terminal may be given them: to that, some characters are commands."""

from typing import Any

_SIGNS = {
    **{code: 0x2400 + code for code in range(0x20)},  # ␛ and the like
    0x7F: 0x2421,
    **dict.fromkeys([*range(0x80, 0xA0), 0x2028, 0x2029], 0xFFFD),
}


def legible(said: Any) -> Any:
    """What JSON holds, with a sign in its texts for what would move the cursor, begin a line or give an order."""
    if isinstance(said, str):
        return said.translate(_SIGNS)
    if isinstance(said, dict):
        return {legible(name): legible(value) for name, value in said.items()}
    if isinstance(said, list):
        return [legible(one) for one in said]
    return said
