"""Fixtures that start the real service; a test that asks for none of them starts nothing.

backend ──> server ──> client      one service per backend and test process, shared: rely on no emptiness
        └─> fresh_server           one of your own: kill it, restart it, fill it
        ├─> new_database           the URL of a database of your own, each time it is called
        └─> empty_database         likewise, without a schema
"""

import gc
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest
from hypothesis import settings

import app.tuning  # noqa: F401 -- before anybody loads numpy: it says with how few threads
from app.store.engines import parse
from app.store.migrate import migrate
from tests import documented, nursery, receiver
from tests.databases import Postgres, memory, running_postgres
from tests.server import CLEAN_EXITS, Server

settings.register_profile("tunetrack", deadline=None)  # no test asserts a duration
settings.load_profile("tunetrack")

Server.launch = staticmethod(nursery.launch)  # imports alone cost each start a second and more

BACKENDS = ["sqlite", "postgres"]
"""Each contract test runs once on each of these."""

WEBHOOKS = {
    "TUNETRACK_WEBHOOK_ALLOW": receiver.ALLOW,
    "TUNETRACK_SECRET_KEY": "dGhlIHRlc3RzJyBvd24ga2V5LCBvZiAzMiBieXRlcyE=",
}
"""What a service needs to call the receivers of the tests."""

BRIEF_S = 600.0
"""No test lasts as long as what lasts longer than this."""

NewDatabase = Callable[[], str]


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are processors: some of the tests wait."""
    return (os.cpu_count() or 1) + 2


def pytest_configure(config: pytest.Config) -> None:
    """What the processes of a run share.

    All temporary files go to memory, where there is plenty: what waits for a disk is not what is tested. A shell has
    what it starts in the background ignore SIGINT, and so would do what the tests start and interrupt.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "TMPDIR" not in os.environ and (place := memory()) is not None:
        os.environ["TMPDIR"] = place
        tempfile.tempdir = None
    if config.getoption("numprocesses", None):
        nursery.found()
    else:
        gc.disable()  # until all is collected: what was imported would be looked through again and again


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow tests come first: whoever came to one last would be alone with it at the end.

    Each process of a run is given a part of the list, as it lies, and takes from the others when that is done.
    """
    n_parts = int(getattr(config, "workerinput", {}).get("workercount", 1))
    slow = [item for item in items if item.get_closest_marker("slow")]
    others = [item for item in items if not item.get_closest_marker("slow")]
    items.clear()
    for part in range(n_parts):
        begin, end = (place * len(others) // n_parts for place in (part, part + 1))
        items += [*slow[part::n_parts], *others[begin:end]]


def pytest_collection_finish() -> None:
    """What was imported and collected stays: no later collection of garbage need look through it."""
    gc.collect()
    gc.freeze()
    gc.enable()


class Shared:
    """What the tests of one process share: at most one PostgreSQL, and one service and client per backend."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        self._exits = ExitStack()
        self._postgres: Postgres | None = None
        self._templates: dict[str, str] = {}
        self._servers: dict[str, Server] = {}
        self._clients: dict[str, httpx.Client] = {}
        self._restless: list[tuple[str, str]] = []

    def empty_database(self, backend: str) -> str:
        """The URL of a database without anything."""
        return self.postgres().create_database() if backend == "postgres" else f"sqlite:///{self._new_file()}"

    def new_database(self, backend: str) -> str:
        """The URL of a database with its schema and no rows: a copy, which costs less than to migrate an empty one."""
        template = self._template(backend)
        if backend == "postgres":
            return self.postgres().copy_database(template)
        file = self._new_file()
        shutil.copyfile(template.removeprefix("sqlite:///"), file)
        return f"sqlite:///{file}"

    def _template(self, backend: str) -> str:
        if backend not in self._templates:
            url = self._templates[backend] = self.empty_database(backend)
            migrate(parse(url))
        return self._templates[backend]

    def _new_file(self) -> Path:
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        return folder / "tunetrack.db"

    def postgres(self) -> Postgres:
        """The PostgreSQL server, started when it is first wanted."""
        if self._postgres is None:
            self._postgres = self._exits.enter_context(running_postgres())
        return self._postgres

    def server(self, backend: str) -> Server:
        """The shared service on this backend, started when it is first wanted."""
        if backend not in self._servers:
            server = Server(self.new_database(backend), env=WEBHOOKS)
            self._servers[backend] = self._exits.enter_context(server)
        return self._servers[backend]

    def client(self, backend: str) -> httpx.Client:
        """A client of the shared service."""
        if backend not in self._clients:
            client = self._clients[backend] = self._exits.enter_context(open_client(self.server(backend)))
            client.event_hooks["response"].append(lambda response: self._note_restless(backend, response))
        return self._clients[backend]

    def _note_restless(self, backend: str, response: httpx.Response) -> None:
        """Remember a tuner with a short lease, a run that is soon taken to be dead, a webhook."""
        request, path = response.request, response.request.url.path
        if response.status_code != 201 or path not in ("/v1/tuners", "/v1/runs", "/v1/observers"):
            return
        asked = json.loads(request.content or "{}") if "content-length" in request.headers else {}
        made = response.json()
        lasts_s = made.get("lease_s", asked.get("stale_after_s"))
        if path == "/v1/observers" or (lasts_s is not None and lasts_s < BRIEF_S):
            self._restless.append((backend, response.headers["location"]))

    @contextmanager
    def ending_restless(self) -> Iterator[None]:
        """What is made meanwhile and would do something by itself, later on, is deleted: others look there by then."""
        self._restless.clear()
        yield
        while self._restless:
            backend, path = self._restless.pop()
            assert self._clients[backend].delete(path).status_code in (204, 404)

    def close(self) -> None:
        """Stop everything; what the services wrote meanwhile must hold no trace of an unexpected error."""
        with self._exits:
            for client in self._clients.values():
                client.close()
            for backend, server in self._servers.items():
                status = server.terminate()
                assert status in CLEAN_EXITS, f"the service on {backend} ended with {status}:\n{server.log}"
                assert "Traceback" not in server.log, f"the service on {backend} logged a trace:\n{server.log}"


def open_client(server: Server) -> httpx.Client:
    """A client of a service, which takes neither a 5xx nor an undocumented answer."""
    hooks = {"response": [_refuse_5xx, documented.check]}
    # To read which certificates are trusted takes longer than ten requests.
    return httpx.Client(base_url=server.url, timeout=30.0, trust_env=False, verify=False, event_hooks=hooks)


def _refuse_5xx(response: httpx.Response) -> None:
    if response.status_code >= 500:
        response.read()
        request = response.request
        raise AssertionError(f"{request.method} {request.url} -> {response.status_code} {response.text}")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """What the tests of this process share; ask for the fixtures below instead."""
    everything = Shared(tmp_path_factory.mktemp("databases"))
    yield everything
    everything.close()


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The database that this test runs on."""
    return str(request.param)


@pytest.fixture
def new_database(shared: Shared, backend: str) -> NewDatabase:
    """Makes databases on the backend, as a first start leaves them, and answers their URLs."""
    return lambda: shared.new_database(backend)


@pytest.fixture
def empty_database(shared: Shared, backend: str) -> NewDatabase:
    """Makes databases on the backend, without a schema, and answers their URLs."""
    return lambda: shared.empty_database(backend)


@pytest.fixture
def server(shared: Shared, backend: str) -> Server:
    """The shared service: leave it running."""
    return shared.server(backend)


@pytest.fixture
def client(shared: Shared, backend: str) -> Iterator[httpx.Client]:
    """A client of the shared service, in which nothing that it leaves happens later by itself."""
    client = shared.client(backend)
    with shared.ending_restless():
        yield client


@pytest.fixture
def fresh_server(new_database: NewDatabase) -> Iterator[Server]:
    """A service of the test's own, on an empty database."""
    with Server(new_database()) as server:
        yield server


@pytest.fixture
def fresh_client(fresh_server: Server) -> Iterator[httpx.Client]:
    """A client of the test's own service; it works again after a restart."""
    with open_client(fresh_server) as client:
        yield client
