"""Whether the database keeps what it has acknowledged."""

from sqlalchemy import Connection, text

_SAFE = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "local", "remote_write", "remote_apply"),
}


def doubts(connection: Connection) -> list[str]:
    """What an operator should know: settings of PostgreSQL under which an acknowledged write may be lost.

    SQLite's settings are ours, and asserted on every connection.
    """
    if connection.dialect.name != "postgresql":
        return []
    found = []
    for name, safe in _SAFE.items():
        actual = connection.execute(text("SELECT setting FROM pg_settings WHERE name = :name"), {"name": name}).scalar()
        if actual not in safe:
            found.append(f"PostgreSQL runs with {name} = {actual}: a power loss may take acknowledged writes with it")
    return found
