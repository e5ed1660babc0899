"""Values as bytes that sort as the values do: one order for numbers, texts and booleans, the same in every database.

    -Infinity < finite numbers < Infinity < texts < booleans < NaN

Integers and floats stand in one order, exactly: 2**53 + 1 lies between the doubles beside it. Texts are ordered by
code point. The first byte says what kind a value is, so a range of bytes never holds two kinds.
"""

import math
import struct

from app.domain.values import INT64_MAX, INT64_MIN, Number, Scalar, from_json_number

MINUS_INFINITY, FINITE, INFINITY, TEXT, BOOLEAN, NAN = (bytes([kind]) for kind in range(1, 7))

_SIGN = 1 << 63
_ALL = (1 << 64) - 1
# From here on not every integer is a double: two more bytes say how far this one lies from the nearest.
_WHOLE = 2**53
_MIDDLE = 2**15


def encode_number(value: Number) -> bytes:
    """A metric or score in its JSON form, the three strings being the numbers that they spell."""
    return encode(from_json_number(value))


def encode(value: Scalar) -> bytes:
    """A parameter's value."""
    if isinstance(value, bool):
        return BOOLEAN + bytes([value])
    if isinstance(value, str):
        return TEXT + value.encode()
    if isinstance(value, float) and not math.isfinite(value):
        return NAN if math.isnan(value) else INFINITY if value > 0 else MINUS_INFINITY
    double = float(value) + 0.0  # -0.0 becomes 0.0
    (bits,) = struct.unpack(">Q", struct.pack(">d", double))
    place = FINITE + struct.pack(">Q", bits ^ (_ALL if bits & _SIGN else _SIGN))
    if abs(double) < _WHOLE:
        return place
    return place + struct.pack(">H", int(value) - int(double) + _MIDDLE if isinstance(value, int) else _MIDDLE)


def decode(place: bytes) -> Scalar:
    """The value that stands there; a number is a float, where one can be."""
    kind, rest = place[:1], place[1:]
    if kind == TEXT:
        return rest.decode()
    if kind == BOOLEAN:
        return rest == b"\x01"
    if kind != FINITE:
        return math.nan if kind == NAN else math.inf if kind == INFINITY else -math.inf
    (bits,) = struct.unpack(">Q", rest[:8])
    (double,) = struct.unpack(">d", struct.pack(">Q", bits ^ (_SIGN if bits & _SIGN else _ALL)))
    distance = struct.unpack(">H", rest[8:])[0] - _MIDDLE if rest[8:] else 0
    return int(double) + distance if distance else float(double)


def decode_integer(place: bytes) -> int:
    """The number that stands there, or the integer of 64 bits that is nearest to it towards zero."""
    value = decode(place)
    assert isinstance(value, int | float), "no text stands among numbers"
    return int(max(INT64_MIN, min(value, INT64_MAX)))


def after_kind(kind: bytes) -> bytes:
    """The first place behind all values of a kind."""
    return bytes([kind[0] + 1])
