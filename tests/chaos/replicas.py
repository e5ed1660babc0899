"""Three services on one PostgreSQL, which behave as one."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests.chaos.search import check_database
from tests.server import CLEAN_EXITS, Server

N_REPLICAS = 3


@contextmanager
def running_replicas(database: str, env: Mapping[str, str] | None = None) -> Iterator[list[Server]]:
    """Three services, started at once. At the end: no trace, no deadlock, and a store that agrees with itself."""
    servers = [Server(database, env=env) for _ in range(N_REPLICAS)]
    with ExitStack() as exits:
        for server in servers:
            exits.callback(server.close)
        with ThreadPoolExecutor(N_REPLICAS) as pool:
            list(pool.map(Server.start, servers))
        yield servers
        for server in servers:
            assert server.terminate() in CLEAN_EXITS
            assert "Traceback" not in server.log, server.log
    assert _n_deadlocks(database) == 0, "the replicas locked rows in different orders"
    check_database(database)


def _n_deadlocks(database: str) -> int:
    """How many there were; connections tell when they are closed, as all of them are now."""
    name = conninfo_to_dict(database)["dbname"]
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = %s", [name]).fetchone()
    assert row is not None
    return int(row[0])
