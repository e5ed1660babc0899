"""What is not plain at once is said: several objectives, silent workers, absent parameters, times; to all senses."""

import re
from datetime import UTC, datetime, timedelta

import httpx
from playwright.sync_api import Page, Route, expect

from tests.calls import answer, end_run, log_epoch, report, start_run, suggest
from tests.dashboard.browser import Chromium, Seen
from tests.dashboard.scenes import OBJECTIVES, finish_trial, new_tuner, varied_tuner
from tests.server import Server
from tests.waiting import SHORT_S


def test_the_list_of_tuners_shows_what_is_best_at_each_objective(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client, name="two wishes", objectives=OBJECTIVES)  # read as written, though it is drawn in parts

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        row = page.get_by_role("row", name=re.compile("^two wishes"))
        cells = row.get_by_role("cell")
        expect(cells.first).to_have_text("– accuracy– latency")
        expect(page.locator("#connection")).to_have_text("Live")
        for accuracy, latency in ((0.9, 30.0), (0.5, 10.5), (0.6, 40.0)):
            finish_trial(client, tuner, accuracy, latency=latency)
        expect(cells.first).to_have_text(re.compile(r"^0\.90+ accuracy\s+10\.50+ latency$"), use_inner_text=True)
        expect(cells.nth(1)).to_have_text("2 unbeaten trials")

    chromium.run(server.url, scenario)


def test_runs_are_sorted_with_those_that_are_not_read_yet(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    for number in range(30):
        log_epoch(client, start_run(client, name=f"sorted {number}", tags=["sorted"]), 0, **{"val/`hits`": 30 - number})

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        page.goto("/#/?filter=%22sorted%22+in+tags")
        runs = page.get_by_role("region", name="Runs")
        links = runs.locator("tbody tr .name")
        expect(links.first).to_have_text("sorted 29")
        runs.get_by_role("button", name="val/`hits`").click()
        expect(links.first).to_have_text("sorted 0")
        expect(links).to_have_count(25)
        expect(runs.get_by_role("button", name="val/`hits`")).to_be_focused()
        expect(page.get_by_label("Order by")).to_have_value("metrics.`val/``hits``` desc")
        page.wait_for_url(re.compile("order_by="))
        page.go_back()
        expect(page.get_by_label("Order by")).to_have_value("")
        page.go_forward()
        expect(page.get_by_label("Order by")).to_have_value("metrics.`val/``hits``` desc")
        page.reload()
        expect(links.first).to_have_text("sorted 0")
        expect(runs.locator("[aria-sort=descending]")).to_have_text("val/`hits`")
        # Where all are there, none is asked for.
        page.get_by_role("button", name="More runs").click()
        expect(links).to_have_count(30)
        seen.requests.clear()
        runs.get_by_role("button", name=re.compile("^Run")).click()
        expect(links.first).to_have_text("sorted 0")
        runs.get_by_role("button", name=re.compile("^Run")).click()
        expect(links.first).to_have_text("sorted 29")
        assert not [one for one in seen.requests if "/v1/runs" in one]

    chromium.run(server.url, scenario)


def test_a_trial_whose_worker_fell_silent_and_its_runs_are_told_apart(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client, lease_s=SHORT_S)
    (trial,) = suggest(client, tuner, worker="dies")
    silent = start_run(client, trial_id=trial["trial_id"])
    log_epoch(client, silent, 0, accuracy=0.25)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        row = page.get_by_role("region", name="Trials").get_by_role("row", name=re.compile("^0 "))
        expect(row).to_contain_text("stale its worker fell silent; it waits for another")
        expect(page.locator(".facts > div", has_text="Stale")).to_have_text("Stale1")
        page.goto(f"/#/runs/{silent['run_id']}")
        facts = page.locator(".facts > div")
        expect(facts.filter(has_text="Took")).to_have_text("Took–")
        expect(facts.filter(has_text="Its trial")).to_have_text("Its trialstale")
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.locator("#connection")).to_have_text("Live")
        finish_trial(client, tuner, 0.9)
        names = page.locator(".legend a")
        expect(names).to_have_text(["Trial 0", "Trial 0, an earlier run"])
        page.get_by_role("link", name="Compare the best 2").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("is best of 2 runs: accuracy 0.9;")
        expect(names.nth(1)).to_have_text(f"Trial 0 {silent['run_id'][-8:]}")

    chromium.run(server.url, scenario)


def test_a_training_that_lives_and_comes_to_no_epoch_can_be_seen(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    hung, goes_on, ended = (start_run(client, name=name, tags=["hung"]) for name in ("hangs", "goes on", "has ended"))
    for run, hours in ((hung, 3), (goes_on, 3), (ended, 2)):
        time = (datetime.now(UTC) - timedelta(hours=hours, minutes=5)).isoformat()
        epoch = {"epoch": 7, "metrics": {"loss": 0.5}, "timestamp": time}
        answer(client.post(f"/v1/runs/{run['run_id']}/epochs/batch", json={"epochs": [epoch]}))
    end_run(client, ended)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{goes_on['run_id']}")
        fact = page.locator(".facts > div", has_text="Epoch")
        expect(fact).to_have_text("Epoch73 h ago")
        expect(page.locator("#connection")).to_have_text("Live")
        log_epoch(client, goes_on, 8, loss=0.25)
        expect(fact).to_have_text("Epoch8now")
        page.goto(f"/#/runs/{ended['run_id']}")
        expect(fact).to_have_text("Epoch7")
        page.goto("/#/?filter=%22hung%22+in+tags")
        runs = page.get_by_role("region", name="Runs")
        expect(runs.locator("tbody tr .name")).to_have_text(["has ended", "goes on", "hangs"])
        runs.get_by_role("button", name="Last epoch").click()
        expect(runs.locator("tbody tr .name")).to_have_text(["hangs", "has ended", "goes on"])
        expect(runs.locator("tbody tr").first.get_by_role("cell").last).to_have_text("3 h ago")

    chromium.run(server.url, scenario)


def test_where_a_parameter_is_absent_can_be_seen(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    space = {
        "optimizer": {"type": "choice", "options": ["adam", "sgd", "lion"]},
        "momentum": {
            "type": "float_range",
            "min": 0.1,
            "max": 1.0,
            "log": True,
            "when": {"optimizer": ["sgd", "lion"]},
        },
    }
    tuner = new_tuner(client, space=space)
    for params, score in (({"optimizer": "adam"}, 0.5), ({"optimizer": "sgd", "momentum": 0.9}, 0.25)):
        report(client, tuner, params=params, score=score)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.locator("figure", has_text="momentum").last).to_contain_text("log; only with optimizer sgd or lion")
        expect(page.get_by_role("group", name=re.compile("^Parameters and score")).get_by_text("absent")).to_have_count(
            1
        )

    chromium.run(server.url, scenario)


def test_times_are_those_of_where_the_reader_is(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    run = start_run(client, start_time="2026-01-31T20:15:30Z")
    zones = {"Asia/Kolkata": "1 Feb 2026, 01:45:30 GMT+5:30", "America/New_York": "31 Jan 2026, 15:15:30 GMT-5"}

    def scenario(page: Page, seen: Seen) -> str:
        page.goto(f"/#/runs/{run['run_id']}")
        started = page.locator(".facts > div", has_text="Started")
        hover = started.locator("time").get_attribute("title")
        told = started.locator(".note").inner_text()
        assert hover == f"{told} (2026-01-31T20:15:30.000000Z)"
        return told

    for zone, told in zones.items():
        assert chromium.run(server.url, scenario, timezone_id=zone, locale="en-GB") == told


def test_who_walks_with_the_keyboard_can_pass_the_charts(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = varied_tuner(client)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        skip = page.get_by_role("link", name="Skip the charts")
        page.get_by_role("button", name="Copy", exact=True).focus()
        page.keyboard.press("Tab")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.get_by_role("region", name="Trials", exact=True)).to_be_focused()
        # Many charts have a table each: which is meant is said.
        expect(page.get_by_role("button", name="Best so far as a table")).to_have_text("Table")

    chromium.run(server.url, scenario)


def test_more_runs_come_once_and_in_the_order_that_is_asked_for_by_then(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    runs = [start_run(client, name=f"more {number}", tags=["more"]) for number in range(30)]

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/#/?filter=%22more%22+in+tags")
        table = page.get_by_role("region", name="Runs")
        links, more = table.locator("tbody tr .name"), page.get_by_role("button", name="More runs")
        expect(links.first).to_have_text("more 29")
        held: list[Route] = []
        page.route("**/v1/runs?*page_token=*", lambda route: held.append(route), times=1)
        with page.expect_request("**/v1/runs?*page_token=*"):
            more.click()
        table.get_by_role("button", name="Started").click()
        expect(links.first).to_have_text("more 0")
        held[0].continue_()
        expect(links).to_have_count(30)
        assert links.all_inner_texts() == [f"more {number}" for number in range(30)]
        # Those that were read before they came do not take them away.
        page.goto("/")
        page.goto("/#/?filter=%22more%22+in+tags")
        expect(links).to_have_count(25)
        expect(page.locator("#connection")).to_have_text("Live")
        page.route("**/v1/runs?*", lambda route: held.append(route), times=1)
        with page.expect_request("**/v1/runs?*"):
            log_epoch(client, runs[-1], 0, loss=1.0)
        more.click()
        expect(links).to_have_count(30)
        with page.expect_response(held[1].request.url):
            held[1].continue_()
        expect(table.get_by_role("cell", name="1.0000", exact=True)).to_be_visible()
        expect(links).to_have_count(30)

    chromium.run(server.url, scenario)
