"""Many rows at once, past SQLAlchemy's compiler, which would cost more than the database does.

On PostgreSQL one statement with an array for each column, in one round trip; on SQLite the driver's `executemany`.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Table

_Values = Sequence[Any]
_Process = Callable[[Any], Any] | None


def insert(connection: Connection, table: Table, names: tuple[str, ...], things: Sequence[object]) -> None:
    """Insert a row for each thing, its columns being the attributes of these names."""
    _run(connection, _insert_statement, table, names, things)


def update(connection: Connection, table: Table, names: tuple[str, ...], things: Sequence[object]) -> None:
    """Write these attributes of each thing into its row; the first name is that of the key."""
    _run(connection, _update_statement, table, names, things)


def _run(
    connection: Connection,
    statement: Callable[[Table, tuple[str, ...], Dialect], str],
    table: Table,
    names: tuple[str, ...],
    things: Sequence[object],
) -> None:
    if not things:
        return
    dialect = connection.dialect
    sql = statement(table, names, dialect)
    processes = _processes(table, names, dialect)
    get = attrgetter(*names)
    columns = [
        values if process is None else [process(value) for value in values]
        for values, process in zip(zip(*map(get, things), strict=True), processes, strict=True)
    ]
    if dialect.name == "postgresql":
        connection.exec_driver_sql(sql, tuple(list(values) for values in columns))
    else:
        if statement is _update_statement:
            columns = [*columns[1:], columns[0]]  # the key comes last there
        connection.exec_driver_sql(sql, list(zip(*columns, strict=True)))


@lru_cache
def _processes(table: Table, names: tuple[str, ...], dialect: Dialect) -> list[_Process]:
    return [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]


def _arrays(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    return ", ".join(f"%b::{table.c[name].type.compile(dialect)}[]" for name in names)


@lru_cache
def _insert_statement(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    columns = ", ".join(names)
    if dialect.name == "postgresql":
        return f"INSERT INTO {table.name} ({columns}) SELECT * FROM unnest({_arrays(table, names, dialect)})"
    return f"INSERT INTO {table.name} ({columns}) VALUES ({', '.join('?' * len(names))})"


@lru_cache
def _update_statement(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    key, *changing = names
    if dialect.name == "postgresql":
        settings = ", ".join(f"{name} = new.{name}" for name in changing)
        new = f"unnest({_arrays(table, names, dialect)}) AS new ({', '.join(names)})"
        return f"UPDATE {table.name} SET {settings} FROM {new} WHERE {table.name}.{key} = new.{key}"
    return f"UPDATE {table.name} SET {', '.join(f'{name} = ?' for name in changing)} WHERE {key} = ?"
