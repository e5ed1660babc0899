"""How the domain's values are kept: as natively as each database can, and exactly."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import BigInteger, Dialect, Double, LargeBinary, SmallInteger, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from app.domain.summary import MetricSummary

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Id(TypeDecorator[UUID]):
    """A UUID: native on PostgreSQL, 16 bytes on SQLite (36 as text, and it stands in every index)."""

    impl = LargeBinary(16)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(postgresql.UUID() if dialect.name == "postgresql" else LargeBinary(16))

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else value.bytes

    def process_result_value(self, value: Any, dialect: Dialect) -> UUID | None:
        return value if value is None or dialect.name == "postgresql" else UUID(bytes=value)


class Instant(TypeDecorator[datetime]):
    """A time in UTC to the microsecond: `timestamptz` on PostgreSQL, microseconds since 1970 on SQLite."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        postgres = dialect.name == "postgresql"
        return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True) if postgres else BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        microseconds = to_microseconds(value)
        return value if dialect.name == "postgresql" else microseconds

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        time: datetime = value.astimezone(UTC) if dialect.name == "postgresql" else _EPOCH + value * _MICROSECOND
        return time


class _Untyped(UserDefinedType[Any]):
    """A column of SQLite that keeps what it is given; one of numbers would lose the sign of -0.0."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "BLOB"


def to_microseconds(time: datetime) -> int:
    """How SQLite keeps a time.

    Raises:
        ValueError: the time has no time zone.
    """
    if time.tzinfo is None:
        raise ValueError(f"a stored time needs a time zone: {time!r}")
    return (time - _EPOCH) // _MICROSECOND


EVENT_CODES = {
    "run_start": 1,
    "epoch_end": 2,
    "training_end": 3,
    "trial_start": 4,
    "trial_end": 5,
    "tuner_end": 6,
    "run_crash": 7,
    "run_resume": 8,
    "run_delete": 9,
    "trial_stale": 10,
    "observer_off": 20,
}
_EVENT_NAMES = {code: name for name, code in EVENT_CODES.items()}


class EventType(TypeDecorator[str]):
    """An event's type, as a number: it stands in every row of the largest table."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> int | None:
        return None if value is None else EVENT_CODES[value]

    def process_result_value(self, value: int | None, dialect: Dialect) -> str | None:
        return None if value is None else _EVENT_NAMES[value]


class Score(TypeDecorator[float]):
    """A double, exactly. SQLite would turn NaN into NULL: there it is kept as text."""

    impl = Double
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Double() if dialect.name == "postgresql" else _Untyped())

    def process_bind_param(self, value: float | None, dialect: Dialect) -> Any:
        is_lost = value is not None and math.isnan(value) and dialect.name != "postgresql"
        return "NaN" if is_lost else value

    def process_result_value(self, value: Any, dialect: Dialect) -> float | None:
        return None if value is None else float(value)


def read_summary(stored: str) -> dict[str, MetricSummary]:
    """A run's summary, as it is kept."""
    return {key: MetricSummary._make(numbers) for key, numbers in orjson.loads(stored).items()}


class Summary(TypeDecorator[dict[str, MetricSummary]]):
    """A run's summary: seven numbers a metric."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: dict[str, MetricSummary] | None, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps({key: list(one) for key, one in value.items()}).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> dict[str, MetricSummary] | None:
        return None if value is None else read_summary(value)


class Json(TypeDecorator[Any]):
    """JSON as text, byte for byte: `3` and `3.0` stay apart, the order of keys stays, -0.0 keeps its sign."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)
