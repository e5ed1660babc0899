"""Conditions on runs, trials, tuners and events: a small tree, and what it means.

    Condition
    ├── And, Or, Not
    ├── Compare     params.layers >= 3
    ├── OneOf       params.optimizer in ("adam", "sgd")
    ├── Like        name like "base%"
    ├── Is          metrics.loss is nan
    ├── HasTag      "baseline" in tags
    └── IsTrue      params.nesterov

A condition is true or false, never unknown: what compares something that is missing, not a number, or of another
type than the literal is false, and `not` makes it true. Integers and floats are both numbers, and compare exactly.
The databases answer the same from bound SQL (`store/filter_sql.py`); this is what their answers must equal.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from app.domain.events import EVENT_TYPES
from app.domain.patterns import matches
from app.domain.states import RunStatus, TrialState, TunerState, TunerStopReason
from app.domain.values import Scalar, from_json_number


class Kind(Enum):
    """What a field holds, and so what a literal beside it means."""

    text = "text"
    number = "number"
    time = "time"
    id = "id"
    tags = "tags"
    params = "a map of parameters"
    metrics = "a map of metrics"
    other = "a map of anything"


Vocabulary = Mapping[str, Kind]
"""The fields that a condition may name."""

RUN_FIELDS: Vocabulary = {
    "run_id": Kind.id,
    "name": Kind.text,
    "note": Kind.text,
    "status": Kind.text,
    "start_time": Kind.time,
    "end_time": Kind.time,
    "duration_s": Kind.number,
    "last_epoch": Kind.number,
    "last_epoch_time": Kind.time,
    "tuner_id": Kind.id,
    "trial_id": Kind.id,
    "tags": Kind.tags,
    "params": Kind.params,
    "metrics": Kind.metrics,
}
TRIAL_FIELDS: Vocabulary = {
    "number": Kind.number,
    "state": Kind.text,
    "score": Kind.number,
    "scores": Kind.metrics,
    "worker": Kind.text,
    "attempt": Kind.number,
    "create_time": Kind.time,
    "end_time": Kind.time,
    "params": Kind.params,
}
WORDS: Mapping[str, tuple[str, ...]] = {"status": tuple(RunStatus), "state": tuple(TrialState)}
"""Fields of runs and trials that are one of these words, so that another one beside them is a mistake."""

TUNER_FIELDS: Vocabulary = {
    "tuner_id": Kind.id,
    "name": Kind.text,
    "strategy": Kind.text,
    "state": Kind.text,
    "stop_reason": Kind.text,
    "create_time": Kind.time,
    "update_time": Kind.time,
    "tags": Kind.tags,
}
TUNER_WORDS: Mapping[str, tuple[str, ...]] = {"state": tuple(TunerState), "stop_reason": tuple(TunerStopReason)}
"""The same of tuners."""

EVENT_FIELDS: Vocabulary = {
    "event_id": Kind.number,
    "type": Kind.text,
    "timestamp": Kind.time,
    "run_id": Kind.id,
    "tuner_id": Kind.id,
    "trial_id": Kind.id,
    "observer_id": Kind.id,
    "epoch": Kind.number,
    "last_epoch": Kind.number,
    "status": Kind.text,
    "state": Kind.text,
    "reason": Kind.text,
    "worker": Kind.text,
    "number": Kind.number,
    "attempt": Kind.number,
    "score": Kind.number,
    "duration_s": Kind.number,
    "tags": Kind.tags,
    "params": Kind.params,
    "metrics": Kind.metrics,
    "final_metrics": Kind.metrics,
    "scores": Kind.metrics,
}
EVENT_WORDS: Mapping[str, tuple[str, ...]] = {
    "type": tuple(EVENT_TYPES),
    "status": tuple(RunStatus),
    "state": (*TrialState, *TunerState),
}
"""The same of events."""

MAPS = frozenset({Kind.params, Kind.metrics})
_NUMBERS = frozenset({Kind.number, Kind.metrics})


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a thing, or the entry `key` of one that is a map."""

    name: str
    kind: Kind
    key: str | None = None

    def __str__(self) -> str:
        return self.name if self.key is None else f"{self.name}.{self.key}"


@dataclass(frozen=True, slots=True)
class And:
    """All of these."""

    items: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of these."""

    items: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not this."""

    item: "Condition"


@dataclass(frozen=True, slots=True)
class Compare:
    """The field has a value of the literal's type that stands so to it. `operator`: one of = != < <= > >=."""

    field: Field
    operator: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field equals one of these."""

    field: Field
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """The field is a text of this pattern: % is any characters, _ one, after a backslash they are themselves."""

    field: Field
    pattern: str
    ignores_case: bool


@dataclass(frozen=True, slots=True)
class Is:
    """The field is missing (`null`), not a number (`nan`), or a number that is finite (`finite`)."""

    field: Field
    what: str


@dataclass(frozen=True, slots=True)
class HasTag:
    """One of the tags is this."""

    tag: str


@dataclass(frozen=True, slots=True)
class IsTrue:
    """The field is the boolean true."""

    field: Field


Condition = And | Or | Not | Compare | OneOf | Like | Is | HasTag | IsTrue

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(condition: Condition, thing: Mapping[str, Any]) -> bool:
    """Whether the condition is true of a thing in its JSON form, as the API and the events show it."""
    match condition:
        case And(items):
            return all(holds(item, thing) for item in items)
        case Or(items):
            return any(holds(item, thing) for item in items)
        case Not(item):
            return not holds(item, thing)
        case HasTag(tag):
            return tag in (thing.get("tags") or ())
        case Compare(field, sign, literal):
            value = value_of(field, thing)
            return _are_comparable(value, literal) and bool(OPERATORS[sign](value, literal))
        case OneOf(field, literals):
            value = value_of(field, thing)
            return any(_are_comparable(value, literal) and value == literal for literal in literals)
        case Like(field, pattern, ignores_case):
            value = value_of(field, thing)
            return isinstance(value, str) and matches(value, pattern, ignores_case=ignores_case)
        case Is(field, what):
            return _is(value_of(field, thing), what)
        case IsTrue(field):
            return value_of(field, thing) is True


def value_of(field: Field, thing: Mapping[str, Any]) -> Scalar | None:
    """What a thing has there; None where there is nothing. Numbers that are spelled are numbers."""
    value = thing.get(field.name)
    if field.key is not None:
        value = value.get(field.key) if isinstance(value, Mapping) else None
    if isinstance(value, str) and field.kind in _NUMBERS:
        return from_json_number(value)
    return value if isinstance(value, bool | int | float | str) else None


def _is_finite(value: Scalar | None) -> bool:
    return type(value) is int or (type(value) is float and abs(value) < float("inf"))


def _are_comparable(value: Scalar | None, literal: Scalar) -> bool:
    if type(literal) in (int, float):
        return _is_finite(value)
    if isinstance(literal, str):
        return isinstance(value, str)  # a status is one, too
    return type(value) is type(literal)


def _is(value: Scalar | None, what: str) -> bool:
    if what == "null":
        return value is None
    return _is_finite(value) if what == "finite" else type(value) is float and value != value


def fields_of(condition: Condition | None) -> Iterator[Field]:
    """The fields that a condition names, besides tags."""
    match condition:
        case None | HasTag():
            return
        case And(items) | Or(items):
            for item in items:
                yield from fields_of(item)
        case Not(item):
            yield from fields_of(item)
        case _:
            yield condition.field


def conjuncts(condition: Condition | None) -> Sequence[Condition]:
    """The parts of which each must hold."""
    if condition is None:
        return ()
    return condition.items if isinstance(condition, And) else (condition,)
