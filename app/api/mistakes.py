"""What a body of the wrong shape is told where the framework's words would not say what would be right.

The messages begin with a capital letter, as the framework's do: so the fuzzer tells them from those of our own rules.
"""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Tag
from typing_extensions import TypeAliasType

_TAG = "type"
"""The field that tells the members of a union apart."""
_KEY = "[key]"
"""The last step to what is wrong with the name of an entry, not with its value."""


def what_is_right(kind: str, loc: Sequence[str | int], body: Any) -> str | None:
    """A better message; None where the framework's is as good.

    Args:
        kind: of the mistake, as pydantic calls it.
        loc: where it is in the body, outermost first.
        body: the annotation of what was expected.
    """
    if kind == "extra_forbidden":
        known = [name for model in _models_at(body, loc[:-1]) for name in model.model_fields]
        near = get_close_matches(str(loc[-1]), known, n=1)
        return f"No such field{f' (did you mean {near[0]}?)' if near else ''}; there are: {', '.join(known)}"
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        tags = [tag for model in _models_at(body, loc) for tag in get_args(model.model_fields[_TAG].annotation)]
        return f"Its {_TAG} must be one of {', '.join(tags)}"
    if kind == "string_pattern_mismatch":  # the only one that there is wants something to be seen
        return "It must not be blank"
    if kind == "int_type":
        return "An integer is expected, written without a point"
    if kind.startswith("datetime_") or kind == "timezone_aware":  # what languages write by themselves is often neither
        return "A time with its zone is expected, such as 2026-11-24T07:00:00Z"
    return "An object is expected" if kind in ("dict_type", "model_attributes_type", "model_type") else None


def place_in(sent: Any, kind: str, loc: Sequence[str | int]) -> list[str | int]:
    """Where in what was sent a mistake is: the framework's place names the members of unions that it chose, too.

    Args:
        kind, loc: as above.
    """
    place: list[str | int] = []
    for step in loc:
        entries = dict(enumerate(sent)) if isinstance(sent, list) else sent
        if isinstance(entries, dict) and step in entries:
            sent = entries[step]
            place.append(step)
    last = loc[-1:]
    return [*place, *last] if kind == "missing" or _KEY in last else place


def _models_at(annotation: Any, loc: Sequence[str | int]) -> list[type[BaseModel]]:
    found = [annotation]
    for step in loc:
        # A place names the member of a union that was chosen, too: where nothing is called so, it is that.
        found = (
            [inner for one in found for kind in _kinds(one) for inner in _inside(kind, step)]
            or [member for one in found for member in _tagged(one, step)]
            or found
        )
    return [kind for one in found for kind in _kinds(one) if _is_model(kind)]


def _tagged(annotation: Any, tag: str | int) -> Iterator[Any]:
    """The members of a union that are called so."""
    if get_origin(annotation) is Annotated:
        inner, *notes = get_args(annotation)
        yield from (inner,) if any(isinstance(note, Tag) and note.tag == tag for note in notes) else _tagged(inner, tag)
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from _tagged(member, tag)


def _kinds(annotation: Any) -> Iterator[Any]:
    """What an annotation stands for: each member of a union, without names and constraints."""
    if isinstance(annotation, TypeAliasType):
        yield from _kinds(annotation.__value__)
    elif get_origin(annotation) is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from _kinds(member)
    else:
        yield annotation


def _inside(kind: Any, step: str | int) -> Iterator[Any]:
    if _is_model(kind):
        if step in kind.model_fields:
            yield kind.model_fields[step].annotation
        elif _TAG in kind.model_fields and step in get_args(kind.model_fields[_TAG].annotation):
            yield kind
    elif get_origin(kind) in (list, dict):
        yield get_args(kind)[-1]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
