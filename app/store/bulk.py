"""Many rows at once, past SQLAlchemy's compiler, which would cost more than the database does.

On PostgreSQL a statement takes an array for each column; on SQLite, rows of values, in blocks of few sizes so that few
statements are ever prepared. Never one row after the other: the driver hands the interpreter to other threads with
each, and waits to get it back.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnClause, Connection, Dialect, Table

from app.store import driver

_Process = Callable[[Any], Any] | None
_Row = tuple[Any, ...]

_MOST_IN_A_BLOCK = 256
_MOST_MARKS = 2**14
"""SQLite takes 32,766 values in a statement, unless it was built to take more."""
# What PostgreSQL calls a double; SQLAlchemy asks, for columns of numbers, and doubles are all that there are.
_FLOAT8 = 701


def select(
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    key: str,
    values: Collection[Any],
    *,
    computed: tuple[ColumnClause[Any], ...] = (),
    is_locked: bool = False,
) -> list[_Row]:
    """These columns of the rows whose key is one of the values, by key; if wanted, locked until the commit.

    Args:
        computed: what else to read of each row, as SQL for both databases.
    """
    if not values:
        return []
    dialect = connection.dialect
    read = (*names, *(one.name for one in computed))
    (process,) = _bind_processes(table, (key,), dialect)
    in_order = sorted(values)  # one block's rows come after those of the block before
    wanted = in_order if process is None else list(map(process, in_order))
    if dialect.name == "postgresql":
        rows = driver.fetch(connection, _select_postgresql(table, read, key, dialect, is_locked), (wanted,))
    else:
        rows = []
        for begin in range(0, len(wanted), _MOST_MARKS):
            block = wanted[begin : begin + _MOST_MARKS]
            n_marks = 1 << (len(block) - 1).bit_length()
            padding = [block[-1]] * (n_marks - len(block))
            rows += driver.fetch(connection, _select_sqlite(table, read, key, n_marks), [*block, *padding])
    processes = _result_processes(table, names, computed, dialect)
    columns = [
        column if process is None else list(map(process, column))
        for column, process in zip(zip(*rows, strict=True), processes, strict=False)
    ]
    return list(zip(*columns, strict=True))


def insert(connection: Connection, table: Table, names: tuple[str, ...], things: Sequence[object]) -> None:
    """Insert a row for each thing, its columns being the attributes of these names."""
    if not things:
        return
    columns = _columns(table, names, connection.dialect, things)
    if connection.dialect.name == "postgresql":
        driver.send(connection, _insert_postgresql(table, names, connection.dialect), columns)
    else:
        insert_rows(connection, table.name, names, list(zip(*columns, strict=True)))


def insert_rows(connection: Connection, table: str, names: tuple[str, ...], rows: Sequence[_Row]) -> None:
    """On SQLite: insert rows of values as they are stored."""
    for block in _blocks(rows):
        driver.send(connection, _insert_sqlite(table, names, len(block)), [value for row in block for value in row])


def update(connection: Connection, table: Table, names: tuple[str, ...], things: Sequence[object]) -> None:
    """Write these attributes of each thing into its row; the first name is that of the key."""
    if not things:
        return
    columns = _columns(table, names, connection.dialect, things)
    if connection.dialect.name == "postgresql":
        driver.send(connection, _update_postgresql(table, names, connection.dialect), columns)
    else:
        for block in _blocks(list(zip(*columns, strict=True))):
            driver.send(connection, _update_sqlite(table, names, len(block)), [value for row in block for value in row])


def _columns(table: Table, names: tuple[str, ...], dialect: Dialect, things: Sequence[object]) -> list[list[Any]]:
    processes = _bind_processes(table, names, dialect)
    values = zip(*map(attrgetter(*names), things), strict=True)
    return [
        list(column) if process is None else list(map(process, column))
        for column, process in zip(values, processes, strict=True)
    ]


def _blocks(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    """The rows in blocks whose sizes are powers of two, the largest first."""
    begin = 0
    while begin < len(rows):
        size = min(_MOST_IN_A_BLOCK, 1 << (len(rows) - begin).bit_length() - 1)
        yield rows[begin : begin + size]
        begin += size


@cache
def _bind_processes(table: Table, names: tuple[str, ...], dialect: Dialect) -> list[_Process]:
    return [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]


@cache
def _result_processes(
    table: Table, names: tuple[str, ...], computed: tuple[ColumnClause[Any], ...], dialect: Dialect
) -> list[_Process]:
    types = [one.type for one in (*(table.c[name] for name in names), *computed)]
    return [one.dialect_impl(dialect).result_processor(dialect, _FLOAT8) for one in types]


def _array(table: Table, name: str, dialect: Dialect) -> str:
    return f"%b::{table.c[name].type.compile(dialect)}[]"


def _marks(n_columns: int, n_rows: int) -> str:
    row = f"({', '.join('?' * n_columns)})"
    return ", ".join([row] * n_rows)


@cache
def _select_postgresql(table: Table, names: tuple[str, ...], key: str, dialect: Dialect, is_locked: bool) -> str:
    which = f"{key} = ANY({_array(table, key, dialect)}) ORDER BY {key}"
    lock = " FOR NO KEY UPDATE" if is_locked else ""
    return f"SELECT {', '.join(names)} FROM {table.name} WHERE {which}{lock}"


@cache
def _select_sqlite(table: Table, names: tuple[str, ...], key: str, n_values: int) -> str:
    # There is one writer, and it holds the lock of the whole database already.
    return f"SELECT {', '.join(names)} FROM {table.name} WHERE {key} IN {_marks(n_values, 1)} ORDER BY {key}"


@cache
def _insert_postgresql(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    arrays = ", ".join(_array(table, name, dialect) for name in names)
    return f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM unnest({arrays})"


@cache
def _insert_sqlite(table: str, names: tuple[str, ...], n_rows: int) -> str:
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES {_marks(len(names), n_rows)}"


@cache
def _update_postgresql(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    key, *changing = names
    settings = ", ".join(f"{name} = new.{name}" for name in changing)
    arrays = ", ".join(_array(table, name, dialect) for name in names)
    new = f"unnest({arrays}) AS new ({', '.join(names)})"
    return f"UPDATE {table.name} SET {settings} FROM {new} WHERE {table.name}.{key} = new.{key}"


@cache
def _update_sqlite(table: Table, names: tuple[str, ...], n_rows: int) -> str:
    key, *changing = names
    settings = ", ".join(f"{name} = new.column{number}" for number, name in enumerate(changing, 2))
    new = f"(VALUES {_marks(len(names), n_rows)}) AS new"
    return f"UPDATE {table.name} SET {settings} FROM {new} WHERE {table.name}.{key} = new.column1"
