"""A page that stays open: it keeps the focus, forgets what it left, comes back by itself, and tells what is so now."""

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.calls import JSON, log_epoch, start_run
from tests.dashboard.browser import TIMEOUT_MS, Chromium, Seen
from tests.dashboard.scenes import finish_trial, new_tuner
from tests.server import Server


@pytest.fixture
def backend() -> str:
    """What the browser does is the same on any database."""
    return "sqlite"


@pytest.fixture(autouse=True)
def _patience() -> None:
    expect.set_options(timeout=TIMEOUT_MS)


def stays(place: Locator, change: Callable[[], object], told: Locator, text: str) -> None:
    """What has the focus keeps it while the page changes."""
    place.focus()
    expect(place).to_be_focused()
    change()
    expect(told).to_contain_text(text)
    expect(place).to_be_focused()


def test_a_page_that_was_left_is_forgotten(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = new_tuner(client)
    finish_trial(client, tuner, 0.5)

    def scenario(page: Page, seen: Seen) -> list[int]:
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")

        def n_nodes() -> int:
            session.send("HeapProfiler.collectGarbage")
            session.send("HeapProfiler.collectGarbage")
            metrics = session.send("Performance.getMetrics")["metrics"]
            return next(int(one["value"]) for one in metrics if one["name"] == "Nodes")

        page.goto("/")
        told = []
        for _ in range(2):
            for _ in range(8):
                page.evaluate(f"location.hash = '#/tuners/{tuner['tuner_id']}'")
                expect(page.locator("figure[data-drawn]").first).to_be_visible()
                page.evaluate("location.hash = '#/'")
                expect(page.get_by_role("heading", name="Recent runs")).to_be_visible()
            told.append(n_nodes())
        return told

    first, second = chromium.run(server.url, scenario)
    assert second < first * 1.3, (first, second)


def test_a_page_that_was_asked_for_while_nobody_answers_comes_when_somebody_does(
    chromium: Chromium, fresh_server: Server, fresh_client: httpx.Client
) -> None:
    run: JSON = start_run(fresh_client, name="patient")
    log_epoch(fresh_client, run, 0, loss=1.0)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        expect(page.locator("#connection")).to_have_text("Live")
        fresh_server.kill()
        page.get_by_role("link", name="tunetrack").click()
        expect(page.get_by_role("alert").first).to_contain_text("The service does not answer.")
        fresh_server.start()
        expect(page.get_by_role("link", name="patient")).to_be_visible()

    chromium.run(fresh_server.url, scenario, may_complain_of=("ERR_", "does not answer", "Failed to fetch"))


def test_the_columns_that_were_chosen_stay_when_a_filter_is_asked_for(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    log_epoch(client, start_run(client, name="chosen", params={"chosen_lr": 0.25}), 0, loss=1.0)
    start_run(client, name="left out")

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        page.locator(".chooser summary").click()
        page.get_by_role("checkbox", name="chosen_lr", exact=True).check()
        expect(page.get_by_role("button", name="chosen_lr", exact=True)).to_be_visible()
        page.keyboard.press("Escape")
        page.wait_for_url(re.compile("columns="))
        page.get_by_label("Filter").fill("params.chosen_lr > 0")
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="left out")).to_have_count(0)
        expect(page.get_by_role("button", name="chosen_lr", exact=True)).to_be_visible()

    chromium.run(server.url, scenario)
