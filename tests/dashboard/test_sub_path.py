"""The service below a path of somebody else's host, with the configuration that docs/operations.md shows."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.calls import log_epoch, start_run
from tests.conftest import NewDatabase
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
    with nginx(tmp_path, serving(f"server {{ listen 8000; {location(fresh_server)} }}"), "/tunetrack/healthz") as host:
        yield f"{host}/tunetrack"


def location(server: Server, path: str = "/tunetrack/") -> str:
    """The part of the proxy's configuration that puts a service below a path."""
    blocks: list[str] = re.findall(r"```nginx\n(.*?)```", OPERATIONS.read_text(), re.DOTALL)
    (shown,) = blocks
    assert "127.0.0.1:8000" in shown
    return shown.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}").replace("/tunetrack/", path)


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


def test_of_two_services_below_a_host_each_is_signed_in_to(
    chromium: Chromium, fresh_server: Server, new_database: NewDatabase, tmp_path: Path
) -> None:
    def sign_in(page: Page, key: str) -> None:
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Sign in").click()

    def is_signed_in(page: Page, scope: str) -> None:
        button = page.get_by_role("button", name="Sign out")
        expect(button).to_have_attribute("title", f"Signed in as {scope} key ({scope})")

    def scenario(page: Page, seen: Seen) -> None:
        other = page.context.new_page()
        page.goto("/one/")
        other.goto("/two/")
        expect(other.get_by_role("dialog")).to_be_visible()
        sign_in(page, keys["tune"])
        is_signed_in(page, "tune")
        sign_in(other, keys["read"])
        is_signed_in(other, "read")
        page.reload()
        is_signed_in(page, "tune")

    with Server(new_database()) as second:
        keys = {scope: make_key(one, scope) for one, scope in ((fresh_server, "tune"), (second, "read"))}
        both = f"server {{ listen 8000; {location(fresh_server, '/one/')} {location(second, '/two/')} }}"
        with nginx(tmp_path, serving(both), "/one/healthz") as url:
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
