"""Replicas behind the load balancer of the Compose file are restarted one after the other, and clients notice nothing.

The topology as processes: a PostgreSQL, two replicas, and nginx with `deploy/nginx.conf`, but for addresses.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.calls import create_tuner
from tests.chaos.load import SteadyLoad
from tests.chaos.search import Search, check_database, check_search
from tests.conftest import Shared, open_client
from tests.nginx import needs_nginx, nginx
from tests.server import CLEAN_EXITS, Server
from tests.subscriber import Subscriber

CONFIGURATION = Path(__file__).parent.parent.parent / "deploy" / "nginx.conf"
N_CLIENTS = 8

pytestmark = needs_nginx


@contextmanager
def _balancer(folder: Path, replicas: list[Server]) -> Iterator[str]:
    """nginx in front of the replicas; its address."""
    text = CONFIGURATION.read_text()
    for number, replica in enumerate(replicas, 1):
        assert f"tunetrack-{number}:8000" in text
        text = text.replace(f"tunetrack-{number}:8000", f"127.0.0.1:{replica.port}")
    with nginx(folder, text) as url:
        yield url


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
