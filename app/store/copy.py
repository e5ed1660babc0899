"""All that is stored, copied into an empty database: from SQLite on a laptop to the PostgreSQL of a team, or back."""

from sqlalchemy import Connection, func, insert, select, text

from app.store.migrate import names_taken
from app.store.tables import events, metadata

_AT_ONCE = 1000


def is_empty(connection: Connection) -> bool:
    """Whether nothing of ours is stored there, by whatever release."""
    tables = [metadata.tables[name] for name in names_taken(connection)]
    return not any(connection.execute(select(text("1")).select_from(table).limit(1)).first() for table in tables)


def copy_all(source: Connection, target: Connection) -> int:
    """Copy each row of each table, and answer how many these are. Both have the schema of this release.

    Ids and the numbers of events stay what they are: who followed the one database goes on with the other.
    """
    n_rows = 0
    for table in metadata.sorted_tables:  # what others refer to comes first
        found = source.execute(select(table), execution_options={"yield_per": _AT_ONCE})
        for rows in found.mappings().partitions():
            target.execute(insert(table), [dict(row) for row in rows])
            n_rows += len(rows)
    if target.dialect.name == "postgresql":  # whose next event would else be the first again
        last = select(func.setval(func.pg_get_serial_sequence("events", "event_id"), func.max(events.c.event_id)))
        target.execute(last)
    return n_rows
