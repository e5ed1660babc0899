"""What the framework's OpenAPI document says clumsily: maps from names to values, and where 64-bit integers end."""

from typing import Any

from app.domain.values import INT64_MAX, INT64_MIN


def spell_out(schema: Any) -> None:
    """`patternProperties` with one pattern becomes `additionalProperties` and `propertyNames`, which means the same.

    Generators look at the former only to find that they do not know it, and leave the values without a type.
    And a bound that is an integer of 64 bits becomes exact.
    """
    if isinstance(schema, list):
        for one in schema:
            spell_out(one)
    if isinstance(schema, dict):
        if isinstance(patterns := schema.get("patternProperties"), dict) and len(patterns) == 1:
            ((pattern, values),) = schema.pop("patternProperties").items()
            schema["additionalProperties"] = values
            schema["propertyNames"] = schema.get("propertyNames", {}) | {"pattern": pattern}
        # The framework makes them floats, and the upper one is one more.
        if schema.get("maximum") == float(INT64_MAX):
            schema["maximum"] = INT64_MAX
        if schema.get("minimum") == float(INT64_MIN):
            schema["minimum"] = INT64_MIN
        for one in schema.values():
            spell_out(one)
