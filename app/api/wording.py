"""What the OpenAPI document says to people: nothing that only repeats a name, and no name without a word."""

import re
from typing import Any

JSON = dict[str, Any]

_UNSAID = "Successful Response"
"""What the framework says of an answer that nobody describes."""

_FIRST_SENTENCE = re.compile(r"(.+?[.])(?:\s+(.+))?", re.DOTALL)


def word(document: JSON) -> None:
    """Take away the titles that the framework makes of names; summarise each operation by its own first sentence, and
    describe each answer as what it is.
    """
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        _drop_titles(schema)
    for item in document["paths"].values():
        for operation in item.values():
            _summarise(operation)
            for answer in operation["responses"].values():
                if answer["description"] == _UNSAID:
                    answer["description"] = _what_it_is(answer, schemas)
            for parameter in operation.get("parameters", []):
                _drop_titles(parameter["schema"])
                if parameter["in"] == "path":
                    parameter.setdefault("description", f"The id of the {parameter['name'].removesuffix('_id')}.")
            for one in (operation.get("requestBody", {}), *operation["responses"].values()):
                for content in one.get("content", {}).values():
                    _drop_titles(content.get("schema", {}))


def _summarise(operation: JSON) -> None:
    sentence = _FIRST_SENTENCE.fullmatch(operation.get("description", "").strip())
    if sentence is not None:
        operation["summary"], rest = " ".join(sentence[1].split()).removesuffix("."), sentence[2]
        operation.pop("description")
        if rest:
            operation["description"] = rest


def _what_it_is(answer: JSON, schemas: JSON) -> str:
    for content in answer.get("content", {}).values():
        said: str = schemas[content["schema"]["$ref"].rpartition("/")[2]]["description"]
        return said
    return "Done; the answer has no body."


def _drop_titles(schema: Any) -> None:
    """Wherever a schema stands in a schema; a property may well be called "title", and an example is no schema."""
    if isinstance(schema, list):
        for one in schema:
            _drop_titles(one)
    elif isinstance(schema, dict):
        schema.pop("title", None)
        for keyword, value in schema.items():
            if keyword in ("properties", "$defs"):
                for one in value.values():
                    _drop_titles(one)
            elif keyword not in ("examples", "example", "enum", "const", "default"):
                _drop_titles(value)
