"""Valid bodies, broken: in their values, in their text, in their bytes, and in how they are sent."""

import json
import random
from collections.abc import Callable
from typing import Any

JSON = dict[str, Any]

_RAW = {
    "@1e999@": "1e999",
    "@-1e999@": "-1e999",
    "@long@": "9" * 5_000,
    "@deep@": "[" * 2_000 + "]" * 2_000,
    "@deeper@": '{"a":' * 40 + "1" + "}" * 40,
    "@just deep@": "[" * 20 + "]" * 20,
    "@comment@": "/**/ 1",
    "@hex@": "0x10",
}
"""What no value of Python becomes: it stands in its place until the text is made."""

VALUES: list[Any] = [
    *(None, True, False, 0, -0.0, -1, 1.5, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**40),
    *(5e-324, 1.7976931348623157e308, float("nan"), float("inf"), float("-inf")),
    *("", " ", "NaN", "Infinity", "1.5", "true", "null", "\u0000", "a\u0000b", "\ud800", "\udc00\ud800", "\u0085", "é"),
    *(
        "🚀",
        "\u202e",
        "__proto__",
        "'; DROP TABLE runs; --",
        "%s%n",
        "../../etc/passwd",
        "{{7*7}}",
        "a\r\nb",
        "\x1b[31m",
    ),
    *("x" * 251, "x" * 10_001, "x" * 200_000, "2026-11-24T10:00:00Z", "2026-11-24", "0001-01-01T00:00:00Z"),
    *("00000000-0000-0000-0000-000000000000", "01890a5d-ac96-774b-bcce-b302099a8057x", "running", "auto", "asha"),
    *([], {}, [[]], [None], [1, "a", {}], {"": 1}, {"a": None}, {"type": "flag"}, {"type": ["flag"]}, {"$ref": "#"}),
    *(list(range(1_001)), {f"k{number}": number for number in range(1_001)}, ["t"] * 5_000),
    *_RAW,
]
KEYS = ["", " ", "x" * 251, "x" * 100_000, "__proto__", "\u0000", "\ud800", "type", "trial_id", "params", "typo"]

_Change = Callable[[random.Random, Any], Any]


def mutate(chance: random.Random, body: JSON) -> tuple[bytes, dict[str, str]]:
    """A broken body, and the headers to send it with; sometimes it is still one that is taken."""
    changed: Any = json.loads(json.dumps(body))
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        changed = _change_somewhere(chance, changed)
    text = json.dumps(changed)
    for name, raw in _RAW.items():
        text = text.replace(f'"{name}"', raw)
    if chance.random() < 0.1:
        text = _repeat_a_key(chance, text)
    content = text.encode()
    if chance.random() < 0.25:
        content = chance.choice(_BYTES)(chance, content)
    headers = {"Content-Type": "application/json"}
    if chance.random() < 0.05:
        headers = chance.choice(_HEADERS)
    return content, headers


def _change_somewhere(chance: random.Random, value: Any) -> Any:
    """One change, at any depth."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        kind = chance.random()
        if kind < 0.1:
            return {name: one for name, one in value.items() if name != key}
        if kind < 0.2:
            return {chance.choice(KEYS) if name == key else name: one for name, one in value.items()}
        if kind < 0.3:
            return value | {chance.choice(KEYS): chance.choice(VALUES)}
        return value | {key: _change_somewhere(chance, value[key])}
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        return [*value[:place], _change_somewhere(chance, value[place]), *value[place + chance.randrange(2) :]]
    return chance.choice((chance.choice(VALUES), chance.choice(VALUES), [value], {"a": value}, str(value)))


def _repeat_a_key(chance: random.Random, text: str) -> str:
    """The same key twice in one object: the last one counts."""
    places = [place for place, letter in enumerate(text) if letter == "{" and text[place + 1 : place + 2] == '"']
    if not places:
        return text
    place = chance.choice(places[:100]) + 1
    key = text[place : text.index('"', place + 1) + 1]
    return f"{text[:place]}{key}: 1, {text[place:]}"


def _truncate(chance: random.Random, content: bytes) -> bytes:
    return content[: chance.randrange(len(content))]


def _flip(chance: random.Random, content: bytes) -> bytes:
    place = chance.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << chance.randrange(8))]) + content[place + 1 :]


def _insert(chance: random.Random, content: bytes) -> bytes:
    place = chance.randrange(len(content))
    return (
        content[:place]
        + chance.choice((b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\x00", b"\\u0000", b","))
        + content[place:]
    )


_BYTES: list[Callable[[random.Random, bytes], bytes]] = [
    _truncate,
    _flip,
    _insert,
    lambda _, content: content * 2,
    lambda _, content: b"\xef\xbb\xbf" + content,
    lambda _, content: content.decode().encode("utf-16"),
    lambda chance, content: chance.randbytes(chance.randrange(1_000)),
    lambda _, __: b"",
    lambda _, content: content + b" " * 2**20,
]
_HEADERS: list[dict[str, str]] = [
    {},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    {"Content-Type": "multipart/form-data"},
    {"Content-Type": "application/json", "Idempotency-Key": "the same for all"},
    {"Content-Type": "application/json", "Idempotency-Key": "x" * 251},
    {"Content-Type": "application/json", "If-Match": '"nonsense'},
]
