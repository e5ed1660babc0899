"""The service below a path of somebody else's host, with the configuration that docs/operations.md shows."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.calls import log_epoch, start_run
from tests.dashboard.browser import Chromium, Seen
from tests.keys import make_key
from tests.nginx import needs_nginx, nginx, serving
from tests.server import Server
from tunetrack_client import Client, float_range

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"

pytestmark = needs_nginx


@pytest.fixture
def key(fresh_server: Server) -> str:
    """One that may do everything."""
    return make_key(fresh_server, "admin")


@pytest.fixture
def url(fresh_server: Server, tmp_path: Path) -> Iterator[str]:
    """Where the service is, through the proxy."""
    (location,) = re.findall(r"```nginx\n(.*?)```", OPERATIONS.read_text(), re.DOTALL)
    assert "127.0.0.1:8000" in location
    location = location.replace("127.0.0.1:8000", f"127.0.0.1:{fresh_server.port}")
    with nginx(tmp_path, serving(f"server {{ listen 8000; {location} }}"), "/tunetrack/healthz") as host:
        yield f"{host}/tunetrack"


def test_all_of_the_dashboard_works_below_a_path(chromium: Chromium, url: str, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        run = start_run(client, name="under way")

        def scenario(page: Page, seen: Seen) -> None:
            page.goto(url)  # without the slash at its end
            page.get_by_label("API key").fill(key)
            page.get_by_role("button", name="Sign in").click()
            page.get_by_role("link", name="under way").click()
            expect(page.locator("code", has_text="curl")).to_contain_text(f"curl {url}/v1/runs/{run['run_id']}/epochs")
            expect(page.locator("#connection")).to_have_text("Live")
            log_epoch(client, run, 7, loss=0.5)
            expect(page.locator(".facts")).to_contain_text("7")
            (cookie,) = page.context.cookies()
            assert cookie.get("path") == "/tunetrack/"
            page.goto(f"{url}/docs")
            page.get_by_role("link", name="/openapi.json").click()
            assert page.url == f"{url}/openapi.json"

        chromium.run(url, scenario, may_complain_of=("401",))


def test_clients_work_below_a_path(url: str, key: str, tmp_path: Path) -> None:
    with Client(url, key, spool=tmp_path / "spool") as client:
        tuner = client.tuner({"x": float_range(0, 1)}, max_trials=1)
        for trial in tuner.trials():
            trial.result(1.0)
        assert next(client.events(after=0)).type == "trial_start"
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(headers=headers, trust_env=False) as bare:
        made = bare.post(f"{url}/v1/runs", json={})
        assert bare.get(str(made.url.join(made.headers["location"]))).json() == made.json()
