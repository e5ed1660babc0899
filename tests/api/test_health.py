"""Whether the service is alive and ready."""

import httpx
import pytest
from sqlalchemy import text

from app.store.engines import open_writer, parse
from tests.calls import answer, problem
from tests.conftest import NewDatabase
from tests.server import Server


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_the_service_says_that_it_is_well(client: httpx.Client, path: str) -> None:
    answer(client.get(path))


def test_a_replica_is_ready_until_it_is_its_turn_to_be_upgraded(new_database: NewDatabase) -> None:
    """The first that is upgraded brings the schema up to date for all; the others serve, or one alone would."""
    with Server(new_database()) as server:
        assert readiness(server, "29991231_2359").status_code == 200
        problem(readiness(server, "20261124_0745"), 503, "not-ready")


def readiness(server: Server, revision: str) -> httpx.Response:
    """What is answered while the schema is at this revision."""
    engine = open_writer(parse(server.database))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    engine.dispose()
    return httpx.get(f"{server.url}/readyz", trust_env=False)
