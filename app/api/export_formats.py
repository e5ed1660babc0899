"""How a download is written: each format begins, takes rows as they come, and ends."""

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import orjson

from app.domain.csv_cells import write_number, write_scalar, write_text
from app.domain.errors import InvalidRequest
from app.domain.values import from_json_number, to_rfc3339
from app.service.export import Column, Kind, Row

if TYPE_CHECKING:
    import pyarrow as pa

_CELLS_A_GROUP = 200_000
"""So many values lie in memory before they are written as a group of rows: readers are slow with many small ones."""


class Format(Protocol):
    """A file that grows."""

    def begin(self) -> bytes:
        """Its first bytes."""
        ...

    def add(self, rows: Sequence[Row]) -> bytes:
        """The next bytes, maybe none yet."""
        ...

    def end(self) -> bytes:
        """Its last bytes."""
        ...


class Ndjson:
    """A JSON object a line, as the API shows it."""

    def begin(self) -> bytes:
        return b""

    def add(self, rows: Sequence[Row]) -> bytes:
        return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)

    def end(self) -> bytes:
        return b""


class Csv:
    """A header, and a line a row, as RFC 4180 has it. What is missing is an empty cell."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def begin(self) -> bytes:
        return self._write([[column.name for column in self._columns]])

    def add(self, rows: Sequence[Row]) -> bytes:
        return self._write([[_cell(column, row.get(column.name)) for column in self._columns] for row in rows])

    def end(self) -> bytes:
        return b""

    def _write(self, lines: Sequence[Sequence[str]]) -> bytes:
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(lines)
        return text.getvalue().encode()


def _cell(column: Column, value: Any) -> str:
    if value is None:
        return ""
    if column.name.startswith("params."):
        return write_scalar(value)
    match column.kind:
        case Kind.time:
            return to_rfc3339(value)
        case Kind.texts:
            return orjson.dumps(value).decode()
        case Kind.number:
            return write_number(value)
        case Kind.integer:
            return str(value)
    return write_text(str(value))


class Parquet:
    """Typed columns, in groups of rows.

    Raises:
        InvalidRequest: what writes it is not installed.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        try:
            import pyarrow
            import pyarrow.parquet as parquet
        except ImportError as error:
            detail = "Parquet needs a library that is not installed beside the service: pip install tunetrack[parquet]"
            raise InvalidRequest(detail, "query", "format") from error
        self._pa = pyarrow
        types = {
            Kind.text: pyarrow.string(),
            Kind.texts: pyarrow.list_(pyarrow.string()),
            Kind.time: pyarrow.timestamp("us", tz="UTC"),
            Kind.integer: pyarrow.int64(),
            Kind.number: pyarrow.float64(),
            Kind.boolean: pyarrow.bool_(),
            Kind.mixed: pyarrow.string(),
        }
        self._columns = columns
        self._schema = pyarrow.schema([(column.name, types[column.kind]) for column in columns])
        self._sink = _Sink()
        self._writer = parquet.ParquetWriter(self._sink, self._schema)
        self._waiting: list[Row] = []
        self._most = max(1, _CELLS_A_GROUP // len(columns))

    def begin(self) -> bytes:
        return b""

    def add(self, rows: Sequence[Row]) -> bytes:
        self._waiting += rows
        if len(self._waiting) >= self._most:
            self._write_group()
        return self._sink.take()

    def end(self) -> bytes:
        if self._waiting:
            self._write_group()
        self._writer.close()
        return self._sink.take()

    def _write_group(self) -> None:
        arrays = [self._array(column) for column in self._columns]
        self._writer.write_table(self._pa.Table.from_arrays(arrays, schema=self._schema))
        self._waiting = []

    def _array(self, column: Column) -> "pa.Array[Any]":
        values = [_typed(column.kind, row.get(column.name)) for row in self._waiting]
        return self._pa.array(values, self._schema.field(column.name).type)


_TYPES: dict[Kind, type | tuple[type, ...]] = {Kind.text: str, Kind.integer: int, Kind.boolean: bool}


def _typed(kind: Kind, value: Any) -> Any:
    """The value as its column takes it; None where it came later than the column and is of another type."""
    if kind is Kind.number:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if is_number else from_json_number(value) if value in _NOT_FINITE else None
    if kind is Kind.mixed and value is not None:
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    if isinstance(value, UUID):
        return str(value)
    if kind is Kind.integer and isinstance(value, bool):
        return None
    return value if isinstance(value, _TYPES.get(kind, object)) else None


_NOT_FINITE = ("NaN", "Infinity", "-Infinity")


class _Sink(io.RawIOBase):
    """What was written and not yet taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, part: Any) -> int:
        self._parts.append(bytes(part))
        self._size += len(self._parts[-1])
        return len(self._parts[-1])

    def take(self) -> bytes:
        """All of it, once."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
