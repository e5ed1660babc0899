"""How the OpenAPI document says "a map from names to values": so that generated clients know the type of the values."""

from typing import Any


def spell_out(schema: Any) -> None:
    """`patternProperties` with one pattern becomes `additionalProperties` and `propertyNames`, which means the same.

    Generators look at the former only to find that they do not know it, and leave the values without a type.
    """
    if isinstance(schema, list):
        for one in schema:
            spell_out(one)
    if isinstance(schema, dict):
        if isinstance(patterns := schema.get("patternProperties"), dict) and len(patterns) == 1:
            ((pattern, values),) = schema.pop("patternProperties").items()
            schema["additionalProperties"] = values
            schema["propertyNames"] = schema.get("propertyNames", {}) | {"pattern": pattern}
        for one in schema.values():
            spell_out(one)
