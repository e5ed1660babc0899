"""Replicas behind the load balancer of the Compose file are restarted one after the other, and clients notice nothing.

The topology as processes: a PostgreSQL, two replicas, and nginx with `deploy/nginx.conf`, but for addresses.
"""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.calls import create_tuner
from tests.chaos.load import SteadyLoad
from tests.chaos.search import Search, check_database, check_search
from tests.conftest import Shared, open_client
from tests.server import CLEAN_EXITS, Server
from tests.subscriber import Subscriber

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
CONFIGURATION = Path(__file__).parent.parent.parent / "deploy" / "nginx.conf"
N_CLIENTS = 8

pytestmark = pytest.mark.skipif(NGINX is None, reason="NO NGINX HERE: install nginx-light")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _balancer(folder: Path, replicas: list[Server]) -> Iterator[str]:
    """nginx in front of the replicas; its address."""
    port = _free_port()
    text = CONFIGURATION.read_text().replace("listen 8000", f"listen 127.0.0.1:{port}")
    for number, replica in enumerate(replicas, 1):
        assert f"tunetrack-{number}:8000" in text
        text = text.replace(f"tunetrack-{number}:8000", f"127.0.0.1:{replica.port}")
    text = text.replace("/tmp/", f"{folder}/").replace("/dev/stderr", f"{folder}/errors.log")
    written = folder / "nginx.conf"
    written.write_text(text)
    process = subprocess.Popen([str(NGINX), "-c", str(written), "-g", "daemon off;"])
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=10), trust_env=False) as client:
            client.get(f"http://127.0.0.1:{port}/healthz").raise_for_status()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def test_a_rolling_restart_under_load_is_seen_by_nobody_who_retries(shared: Shared, tmp_path: Path) -> None:
    database = shared.new_database("postgres")
    with ExitStack() as exits:
        replicas = [exits.enter_context(Server(database)) for _ in range(2)]
        url = exits.enter_context(_balancer(tmp_path, replicas))
        client = exits.enter_context(open_client(replicas[0]))
        search = Search(create_tuner(client, seed=1))
        with SteadyLoad([url], search, N_CLIENTS, also=(502, 504)) as load:
            for replica in replicas:
                load.wait_for_more(100)
                assert replica.terminate() in CLEAN_EXITS
                load.wait_for_more(100)  # the other one works on alone
                replica.start()
            load.wait_for_more(100)
        assert load.refusals.keys() <= {"503 store-busy", "502 of a proxy", "504 of a proxy"}, load.refusals
        check_search(client, search, load.operations)
        # Streams come through the proxy as they are written.
        with Subscriber(url, after=0) as watcher:
            watcher.wait_for(100)
    check_database(database)
