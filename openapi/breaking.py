"""Says what in openapi/openapi.json would break a client of openapi/released.json: `python openapi/breaking.py`.

A client breaks where it may no longer send what it may send now, or where it may no longer count on an answer that it
counts on now. More answers' fields, more optional fields to send, more operations break nobody.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

JSON = dict[str, Any]

HERE = Path(__file__).parent
_METHODS = ("get", "put", "post", "patch", "delete")


def breaks(old: JSON, new: JSON) -> list[str]:
    """What would break, one line each."""
    return list(dict.fromkeys(_Comparison(old, new).operations()))


class _Comparison:
    def __init__(self, old: JSON, new: JSON) -> None:
        self._old, self._new = old, new
        self._under_way: set[tuple[str, str, bool]] = set()

    def operations(self) -> Iterator[str]:
        for path, item in self._old["paths"].items():
            for method in filter(item.__contains__, _METHODS):
                place = f"{method.upper()} {path}"
                now = self._new["paths"].get(path, {}).get(method)
                if now is None:
                    yield f"{place}: it is gone"
                else:
                    yield from self._operation(place, item[method], now)

    def _operation(self, place: str, old: JSON, new: JSON) -> Iterator[str]:
        if old["operationId"] != new["operationId"]:
            yield f"{place}: operationId {old['operationId']} is {new['operationId']} now"
        before, after = ({(one["in"], one["name"]): one for one in each.get("parameters", ())} for each in (old, new))
        for key, parameter in before.items():
            if key not in after:
                yield f"{place}: the parameter {key[1]} is gone"
            else:
                yield from self._schema(f"{place} {key[1]}", parameter["schema"], after[key]["schema"], is_sent=True)
        for key, parameter in after.items():
            if parameter.get("required") and not before.get(key, {}).get("required"):
                yield f"{place}: the parameter {key[1]} is required now"
        if new.get("requestBody", {}).get("required") and not old.get("requestBody", {}).get("required"):
            yield f"{place}: a body is required now"
        yield from self._content(f"{place} body", old.get("requestBody", {}), new.get("requestBody", {}), is_sent=True)
        for status, answer in old["responses"].items():
            if status.startswith("2"):
                if status not in new["responses"]:
                    yield f"{place}: {status} is no answer any more"
                else:
                    yield from self._content(f"{place} {status}", answer, new["responses"][status], is_sent=False)

    def _content(self, place: str, old: JSON, new: JSON, *, is_sent: bool) -> Iterator[str]:
        for media, body in old.get("content", {}).items():
            if media not in new.get("content", {}):
                yield f"{place}: {media} is gone"
            else:
                yield from self._schema(place, body["schema"], new["content"][media]["schema"], is_sent=is_sent)

    def _schema(self, place: str, old: JSON, new: JSON, *, is_sent: bool) -> Iterator[str]:
        key = (json.dumps(old, sort_keys=True), json.dumps(new, sort_keys=True), is_sent)
        if key in self._under_way:
            return  # seen, perhaps from within itself
        self._under_way.add(key)
        old_kinds, new_kinds = _kinds(self._old, old), _kinds(self._new, new)
        kept, asked = (old_kinds, new_kinds) if is_sent else (new_kinds, old_kinds)
        for name in kept.keys() - asked.keys():
            if not (name == "integer" and "number" in asked):
                yield f"{place}: {name} is {'not taken any more' if is_sent else 'a new kind of answer'}"
        for name in old_kinds.keys() & new_kinds.keys():
            yield from self._kind(place, old_kinds[name], new_kinds[name], is_sent=is_sent)

    def _kind(self, place: str, old: JSON, new: JSON, *, is_sent: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        required_before, required_after = set(old.get("required", ())), set(new.get("required", ()))
        for name in before.keys() - after.keys():
            yield f"{place}.{name}: it is gone"
        for name in sorted(required_after - required_before if is_sent else required_before - required_after):
            if is_sent or name in after:
                yield f"{place}.{name}: it is {'required' if is_sent else 'not always there'} now"
        for name in before.keys() & after.keys():
            yield from self._schema(f"{place}.{name}", before[name], after[name], is_sent=is_sent)
        for inner in ("items", "additionalProperties"):
            if isinstance(old.get(inner), dict) and isinstance(new.get(inner), dict):
                yield from self._schema(f"{place}[]", old[inner], new[inner], is_sent=is_sent)
        if is_sent:
            for bound, is_tighter in (
                ("maximum", float.__lt__),
                ("maxLength", float.__lt__),
                ("maxItems", float.__lt__),
            ):
                if bound in new and is_tighter(float(new[bound]), float(old.get(bound, "inf"))):
                    yield f"{place}: {bound} is {new[bound]} now"
            for bound in ("minimum", "minLength", "minItems"):
                if bound in new and float(new[bound]) > float(old.get(bound, "-inf")):
                    yield f"{place}: {bound} is {new[bound]} now"


def _kinds(document: JSON, schema: JSON) -> JSON:
    """What a value may be, by name: a type, a member of a union by its discriminating constant, a value of an enum."""
    if "$ref" in schema:
        return _kinds(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return {name: kind for one in schema[union] for name, kind in _kinds(document, one).items()}
    if "enum" in schema:
        return {repr(value): {} for value in schema["enum"]}
    if "const" in schema:
        return {repr(schema["const"]): {}}
    types = schema.get("type", "anything")
    tag = schema.get("properties", {}).get("type", {}).get("const")
    return {
        f"{one} {tag}" if tag and one == "object" else one: schema
        for one in ([types] if isinstance(types, str) else types)
    }


def main() -> int:
    """Compare; the exit status."""
    released, present = (json.loads((HERE / name).read_text()) for name in ("released.json", "openapi.json"))
    found = breaks(released, present)
    for line in found:
        sys.stderr.write(f"{line}\n")
    if found:
        sys.stderr.write("These break clients of the last release: find another way, or release /v2.\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
