"""One service for all tests that do not kill it, a client with its own spool folder, and a service to be killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Shared, shared
from tests.server import Server
from tunetrack_client import Client

__all__ = ["shared"]


@pytest.fixture
def server(shared: Shared) -> Server:
    """The shared service: leave it running."""
    return shared.server("sqlite")


@pytest.fixture
def fresh_server(shared: Shared) -> Iterator[Server]:
    """A service of the test's own."""
    with Server(shared.new_database("sqlite")) as own:
        yield own


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Where undelivered messages go."""
    return tmp_path / "spool"


@pytest.fixture
def client(server: Server, spool: Path) -> Iterator[Client]:
    """A client of the shared service; all that it said must have arrived in the end."""
    with Client(server.url, spool=spool) as own:
        yield own
    assert not list(spool.glob("*")), "something was left undelivered"
