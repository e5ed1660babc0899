"""A database that is set back under a running service: restored, or failed over to a standby that lacked something."""

from contextlib import suppress

import httpx
from sqlalchemy import text

from app.store.engines import open_writer, parse
from tests.calls import list_events, start_run
from tests.conftest import open_client
from tests.server import Server
from tests.subscriber import Subscriber
from tests.waiting import eventually


def set_back(server: Server, last: int) -> None:
    """Nothing that came after this event has been."""
    engine = open_writer(parse(server.database))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM events WHERE event_id > :last"), {"last": last})
        if engine.dialect.name == "postgresql":
            name = "pg_get_serial_sequence('events', 'event_id')"
            connection.execute(text(f"SELECT setval({name}, :last)"), {"last": last})
        else:
            connection.execute(text("UPDATE sqlite_sequence SET seq = :last WHERE name = 'events'"), {"last": last})
    engine.dispose()


def begins_anew(server: Server) -> None:
    """It ends by itself, says why, and starts again."""
    eventually(lambda: None if server.is_alive else "gone")
    assert server.terminate() == 1
    assert "the database was set back" in server.log.splitlines()[-1]
    assert "Traceback" not in server.log
    server.start()


def test_a_service_whose_database_was_set_back_ends_and_the_next_one_tells_all(fresh_server: Server) -> None:
    with open_client(fresh_server) as client:
        for _ in range(3):
            start_run(client)
    set_back(fresh_server, 1)
    begins_anew(fresh_server)
    with open_client(fresh_server) as client, Subscriber(fresh_server.url, after=1) as subscriber:
        start_run(client)
        assert subscriber.wait_for_id(2)[-1].data == list_events(client)[-1]


def test_so_does_one_that_writes_on_before_it_looks(fresh_server: Server) -> None:
    def writes_on() -> bool:
        with open_client(fresh_server) as client:
            for _ in range(3):
                start_run(client)
            last = list_events(client)[-1]["event_id"]
        set_back(fresh_server, last - 1)
        with suppress(httpx.TransportError):
            return httpx.post(f"{fresh_server.url}/v1/runs", json={}, trust_env=False).status_code == 201
        return False

    while not writes_on():  # it looks once a second, which may have been just then
        begins_anew(fresh_server)
    begins_anew(fresh_server)


def test_one_that_goes_on_stays(fresh_server: Server) -> None:
    with open_client(fresh_server) as client:
        run = start_run(client)
        client.delete(f"/v1/runs/{run['run_id']}")
        for _ in range(3):
            start_run(client)
        set_back(fresh_server, list_events(client)[-1]["event_id"])
        start_run(client)
        assert fresh_server.is_alive
    assert "set back" not in fresh_server.log
