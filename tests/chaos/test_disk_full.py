"""A disk without room: writes are refused, reads go on, and writes too, by themselves, as soon as there is room."""

import os
import resource
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.calls import create_tuner, get_run, get_series, list_all, list_events, log_epoch, problem, start_run
from tests.chaos.load import SteadyLoad
from tests.chaos.search import Search, check_database, check_search
from tests.chaos.sizes import size
from tests.last_will import LastWill
from tests.server import COMMAND, Server

N_CLIENTS = size(4, 32)
N_TIMES = size(2, 20)


class Disk(ABC):
    """Where a database lies, and how it runs out of room."""

    refusals: frozenset[str]
    """How writes may be refused while there is none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = Server(f"sqlite:///{folder / 'tunetrack.db'}")

    @abstractmethod
    def fill(self) -> None:
        """Leave no room."""

    @abstractmethod
    def free(self) -> None:
        """Make room again."""


class TinyDisk(Disk):
    """A file system of a few megabytes: the real thing, where one may be mounted."""

    refusals = frozenset({"507 storage-full"})

    def fill(self) -> None:
        with suppress(OSError), open(self.folder / "filler", "wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))

    def free(self) -> None:
        (self.folder / "filler").unlink()


class LimitedProcess(Disk):
    """A limit on the size of the files that the service writes: works anywhere, and looks like a disk that fails."""

    refusals = frozenset({"507 storage-full", "503 store-busy"})

    def fill(self) -> None:
        self._limit((self.folder / "tunetrack.db-wal").stat().st_size)

    def free(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size_bytes: int) -> None:
        resource.prlimit(self.server.pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


@pytest.fixture(params=[TinyDisk, LimitedProcess])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A disk with room, and a service on it."""
    if sys.platform != "linux":
        pytest.skip("neither a tiny file system nor a limit on another process")
    with LastWill('umount -l "$0"', str(tmp_path)):
        if request.param is TinyDisk:
            command = ["mount", "-t", "tmpfs", "-o", f"size={size(12, 32)}m", "tunetrack-test", str(tmp_path)]
            if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
                pytest.skip("a file system can be mounted only by root")
        found: Disk = request.param(tmp_path)
        with found.server:
            yield found


def open_client(server: Server) -> httpx.Client:
    """A client that takes any answer."""
    return httpx.Client(base_url=server.url, timeout=30.0, trust_env=False)


def test_reads_go_on_and_writes_again_once_there_is_room(disk: Disk) -> None:
    with open_client(disk.server) as client:
        run = start_run(client)
        logged = [log_epoch(client, run, epoch, loss=float(epoch)) for epoch in range(20)]
        disk.fill()
        path, epoch = f"/v1/runs/{run['run_id']}/epochs", len(logged)
        while (response := client.post(path, json={"epoch": epoch, "metrics": {"loss": 0.0}})).status_code == 200:
            logged.append(response.json())
            epoch += 1
        refused = problem(response, response.status_code)
        assert f"{response.status_code} {refused['code']}" in disk.refusals
        assert int(response.headers["Retry-After"]) >= 1

        assert client.get("/healthz").status_code == 200
        assert get_run(client, run)["last_epoch"] == epoch - 1
        assert get_series(client, run)["loss"]["epochs"] == list(range(epoch))
        assert [event["event_id"] for event in list_events(client, type="epoch_end")] == [
            one["event_id"] for one in logged
        ]
        assert list_all(client, "/v1/runs")

        disk.free()
        assert log_epoch(client, run, epoch, loss=0.0)["accepted"] == 1
        assert log_epoch(client, run, 0, loss=0.0)["event_id"] == logged[0]["event_id"]
    assert "Traceback" not in disk.server.log, disk.server.log


def test_nothing_that_was_acknowledged_is_lost_when_the_disk_fills_up_in_mid_load(disk: Disk) -> None:
    with open_client(disk.server) as client:
        search = Search(create_tuner(client, seed=1))
        with SteadyLoad([disk.server.url], search, N_CLIENTS, also=[507]) as load:
            for _ in range(N_TIMES):
                load.wait_for_more(30)
                disk.fill()
                load.wait_for_refusal()
                assert list_all(client, "/v1/runs")
                disk.free()
            load.wait_for_more(30)
        assert load.refusals.keys() <= disk.refusals
        check_search(client, search, load.operations)
    check_database(disk.server.database)
    assert "Traceback" not in disk.server.log, disk.server.log


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_read_only_database_is_refused_at_start_in_one_line(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "data"
    database = f"sqlite:///{folder / 'tunetrack.db'}"
    with Server(database):
        pass
    paths = [folder] if what == "folder" else list(folder.iterdir())
    for path in paths:
        path.chmod(0o555)
    try:
        done = subprocess.run(
            [*_without_privileges(), COMMAND, "serve", "--port", "0", "--database", database],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        for path in paths:
            path.chmod(0o755)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.strip().splitlines()
    assert str(folder) in line


def _without_privileges() -> list[str]:
    """What makes a command one that modes of files hold for: root's writes pass them by."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root can write anything")
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
