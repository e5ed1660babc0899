"""A page that stays open: it keeps the focus, forgets what it left, comes back by itself, and tells what is so now."""

import re
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
from playwright.sync_api import APIResponse, Locator, Page, Route, expect

from tests.calls import JSON, answer, end_run, log_batch, log_epoch, start_run, suggest
from tests.dashboard.browser import Chromium, Seen
from tests.dashboard.scenes import OBJECTIVES, finish_trial, new_tuner, varied_tuner
from tests.server import Server
from tests.waiting import eventually

N_VISITS = 10


def stays(place: Locator, change: Callable[[], object], told: Locator, text: str) -> None:
    """What has the focus keeps it while the page changes."""
    place.focus()
    expect(place).to_be_focused()
    change()
    expect(told).to_contain_text(text)
    expect(place).to_be_focused()


def test_whoever_walks_with_the_keyboard_stays_where_they_are_while_numbers_come(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner, run = new_tuner(client), start_run(client, name="walked through")
    finish_trial(client, tuner, 0.5)
    log_epoch(client, run, 0, loss=9.0)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        epoch = page.locator(".facts > div", has_text="Epoch")
        stays(page.get_by_role("button", name="Stop"), lambda: log_epoch(client, run, 1, loss=8.0), epoch, "1")
        chart = page.get_by_role("img", name=re.compile("^loss"))
        stays(chart, lambda: log_epoch(client, run, 2, loss=7.0), epoch, "2")
        page.goto("/#/?filter=name+%3D+%22walked+through%22")  # alone, the run shows all its metrics
        row = page.get_by_role("row", name=re.compile("walked through"))
        stays(row.get_by_role("link"), lambda: log_epoch(client, run, 3, loss=6.5), row, "6.5")
        stays(row.get_by_role("checkbox"), lambda: log_epoch(client, run, 4, loss=5.5), row, "5.5")
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        pause = page.get_by_role("button", name="Pause")
        stays(pause, lambda: finish_trial(client, tuner, 0.9), page.locator("#headline"), "accuracy 0.9")

    chromium.run(server.url, scenario)


def test_whoever_is_far_down_a_long_list_of_runs_stays_there_when_a_metric_is_new(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    runs = [start_run(client, name=f"long {number}", tags=["long"]) for number in range(240)]
    log_epoch(client, runs[0], 0, loss=1.0)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/#/?filter=%22long%22+in+tags&runs=240&order_by=start_time")
        table = page.get_by_role("region", name="Runs")
        expect(table.get_by_role("table")).to_have_attribute("aria-rowcount", "241")
        expect(page.locator("#connection")).to_have_text("Live")
        table.evaluate("one => one.scrollTo(0, 4000)")
        link = table.get_by_role("link", name="long 110", exact=True)
        places = [
            link,
            table.get_by_role("checkbox", name="Compare long 110", exact=True),
            table.get_by_role("button", name="Epoch", exact=True),
            table,
            page.locator(".chooser summary"),
        ]
        link.scroll_into_view_if_needed()
        table.get_by_role("checkbox", name="Compare long 109", exact=True).check()
        scrolled = table.evaluate("one => one.scrollTop")
        for number, place in enumerate(places):
            fresh = f"new {number}"
            column = page.locator(".chooser label", has_text=fresh)
            stays(place, partial(log_epoch, client, runs[1], number, **{fresh: 1.0}), column, fresh)
            assert table.evaluate("one => one.scrollTop") == scrolled
        expect(table.get_by_role("checkbox", name="Compare long 109", exact=True)).to_be_checked()

    chromium.run(server.url, scenario)


def test_a_click_on_a_row_and_what_is_selected_in_it_outlive_what_comes_meanwhile(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner, run = new_tuner(client), start_run(client, name="clicked on", tags=["selected"])
    of_trial, *_ = [finish_trial(client, tuner, 0.5 + better / 10) for better in range(5)]  # those that have a colour
    log_epoch(client, run, 0, loss=9.0)

    def scenario(page: Page, seen: Seen) -> None:
        def outlive(name: str, row: Locator, change: Callable[[float], object], *values: float) -> None:
            expect(page.locator("#connection")).to_have_text("Live")
            row.locator(".badge").last.evaluate("badge => getSelection().selectAllChildren(badge)")
            selected = page.evaluate("getSelection().toString()")
            row.get_by_role("link").hover()
            for value in values:
                change(value)
                expect(page.get_by_role("table", name=name)).to_contain_text(str(value))
                if value == values[0]:
                    assert page.evaluate("getSelection().toString()") == selected != ""
                    page.mouse.down()
            page.mouse.up()
            expect(page.get_by_role("heading", name="Parameters", exact=True)).to_be_visible()

        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        row = page.locator(f"tr:has(a[href='#/runs/{of_trial['run_id']}'])")
        # The last one in more digits than those before.
        outlive("Trials", row, lambda score: finish_trial(client, tuner, score), 0.25, 0.125, 0.499995)
        page.goto("/#/?filter=%22selected%22+in+tags")
        row = page.locator(f"tr:has(a[href='#/runs/{run['run_id']}'])")
        outlive("Runs", row, lambda loss: log_epoch(client, run, int(loss), loss=loss), 2.5, 3.5)

    chromium.run(server.url, scenario)


def test_what_is_selected_in_the_table_of_a_chart_stays_so_while_points_come(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    run = start_run(client, name="read off")
    log_epoch(client, run, 0, loss=0.125)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        expect(page.locator("#connection")).to_have_text("Live")
        page.get_by_role("button", name="loss as a table").click()
        cell = page.get_by_role("cell", name="0.125", exact=True)
        cell.evaluate("cell => getSelection().selectAllChildren(cell)")
        log_epoch(client, run, 1, loss=0.0625)
        expect(page.get_by_role("cell", name="0.0625", exact=True)).to_be_visible()
        assert page.evaluate("getSelection().toString()") == "0.125"

    chromium.run(server.url, scenario)


def test_what_takes_the_place_of_a_button_takes_its_focus_over(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner, run = new_tuner(client), start_run(client, name="copied", params={"lr": 0.5})
    finish_trial(client, tuner, 0.5)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        expect(page.locator("#connection")).to_have_text("Live")
        for number in range(2):
            page.get_by_role("button", name="Copy as JSON").focus()
            page.keyboard.press("Enter")
            expect(page.get_by_role("button", name="Copied")).to_be_focused()
            log_epoch(client, run, number, **{f"loss {number}": 1.0})  # another fact moves those after it
            expect(page.get_by_role("button", name="Copy as JSON")).to_be_focused()
        page.locator(".facts").get_by_role("button", name="Copy").focus()
        log_epoch(client, run, 2, **{"loss 2": 1.0})
        expect(page.locator(".facts")).to_contain_text("loss 2")
        expect(page.locator(".facts").get_by_role("button", name="Copy")).to_be_focused()
        page.get_by_role("button", name="Stop", exact=True).focus()
        page.keyboard.press("Enter")
        stopped = page.get_by_role("button", name="Told to stop")
        expect(stopped).to_be_focused()
        expect(stopped).to_be_disabled()
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        page.get_by_role("button", name="Pause").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Resume")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Pause")).to_be_focused()
        best = page.get_by_role("link", name="Open trial 0")
        best.focus()
        finish_trial(client, tuner, 0.75)
        expect(page.get_by_role("link", name="Open trial 1")).to_be_focused()

    chromium.run(server.url, scenario, permissions=["clipboard-read", "clipboard-write"])


def test_what_is_used_up_by_using_it_leaves_its_focus_nearby(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = varied_tuner(client)
    runs = [start_run(client, name=name, tags=["used"]) for name in ("first", "second", "third")]

    def scenario(page: Page, seen: Seen) -> None:
        def use(one: Locator, heir: Locator) -> None:
            one.focus()
            page.keyboard.press("Enter")
            expect(one).to_be_hidden()
            expect(heir).to_be_focused()

        button = partial(page.get_by_role, "button")
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        chart = page.get_by_role("img", name=re.compile("^Best so far"))
        expect(page.locator("figure[data-drawn]").first).to_be_visible()
        chart.focus()
        page.keyboard.press("+")
        use(button(name="Reset zoom"), chart)
        page.get_by_role("slider").first.focus()
        page.keyboard.press("ArrowUp")
        use(button(name="Clear filters"), page.get_by_role("group", name=re.compile("^Parameters and score")))
        page.once("dialog", lambda dialog: dialog.accept())
        use(button(name="Stop", exact=True), button(name="Edit", exact=True))
        page.goto("/#/?filter=%22used%22+in+tags")
        page.get_by_role("checkbox", name="Compare first").check()
        use(button(name="Untick all"), page.get_by_role("region", name="Runs"))
        page.goto("/#/compare?" + "&".join(f"run={run['run_id']}" for run in runs))
        use(page.get_by_role("link", name="Remove second"), page.get_by_role("main"))

    chromium.run(server.url, scenario)


def test_a_tip_stays_with_what_it_tells_of_while_points_come(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    runs = [start_run(client, name=name) for name in ("grows", "is pointed at")]
    for run in runs:
        log_batch(client, run, [(epoch, {"loss": 4.0 - epoch}) for epoch in range(3)])
    tuner = new_tuner(client)
    path, params = f"/v1/tuners/{tuner['tuner_id']}/trials", {"learning_rate": 0.05, "optimizer": "adam"}
    answer(client.post(path, json={"params": params, "score": 0.5}), 201)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/#/compare?" + "&".join(f"run={run['run_id']}" for run in runs))
        chart = page.locator("figure[data-drawn]").get_by_role("img", name=re.compile("^loss"))
        chart.focus()
        page.keyboard.press("End")
        tip = page.locator(".tip:visible")
        expect(tip).to_have_text("is pointed at2 at epoch 2")
        log_batch(client, runs[0], [(3, {"loss": 0.75}), (4, {"loss": 0.5})])
        expect(chart).to_have_accessible_name(re.compile("grows at 0.5"))
        expect(tip).to_have_text("is pointed at2 at epoch 2")
        page.keyboard.press("Home")
        expect(tip).to_have_text("grows4 at epoch 0")
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        chart = page.locator("figure[data-drawn]").get_by_role("img", name=re.compile("^learning_rate"))
        chart.focus()
        page.keyboard.press("End")
        expect(tip).to_contain_text("Trial 0")
        answer(client.post(path, json={"params": params | {"learning_rate": 0.001}, "score": 0.25}), 201)
        expect(chart).to_have_accessible_name(re.compile("2 trials"))
        expect(tip).to_contain_text("Trial 0")

    chromium.run(server.url, scenario)


def test_what_is_compared_is_as_it_is_now(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    runs = [start_run(client, name=name, params={"lr": lr}) for name, lr in (("one", 0.1), ("two", 0.2))]
    for run in runs:
        log_batch(client, run, [(epoch, {"loss": 4.0 - epoch}) for epoch in range(3)])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/#/compare?" + "&".join(f"run={run['run_id']}" for run in runs))
        expect(page.get_by_role("heading", level=1)).to_have_text("2 runs; 1 of 1 parameter differs.")
        loss = page.get_by_role("row", name=re.compile("^loss"))
        expect(loss.get_by_role("cell")).to_have_text(["2", "2"])
        expect(page.locator("#connection")).to_have_text("Live")
        log_epoch(client, runs[0], 3, loss=1.5)
        expect(loss.get_by_role("cell")).to_have_text(["1.5", "2"])
        end_run(client, runs[1], final_metrics={"loss": 1.25})
        expect(loss.get_by_role("cell")).to_have_text(["1.5", "1.25"])

    chromium.run(server.url, scenario)


def test_what_comes_while_the_comparison_is_read_is_shown_too(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    runs = [start_run(client, name=name) for name in ("one", "two")]
    for run in runs:
        log_epoch(client, run, 0, loss=4.0)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/#/compare?" + "&".join(f"run={run['run_id']}" for run in runs))
        expect(page.locator("#connection")).to_have_text("Live")

        def slowly(route: Route) -> None:
            answered = route.fetch()
            log_epoch(client, runs[0], 2, loss=2.0)
            expect(page.get_by_role("img", name=re.compile("one at 2, two at 4"))).to_be_attached()  # it was heard of
            route.fulfill(response=answered)

        page.route("**/v1/runs/compare?*", slowly, times=1)
        log_epoch(client, runs[0], 1, loss=3.0)
        cells = page.get_by_role("row", name=re.compile("^loss")).get_by_role("cell")
        expect(cells).to_have_text(["2", "4"])

    chromium.run(server.url, scenario)


def test_an_old_answer_that_comes_late_does_not_hide_how_a_run_ended(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    run = start_run(client, name="ends while it is read")
    log_epoch(client, run, 0, loss=4.0)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        expect(page.locator("#connection")).to_have_text("Live")
        late: list[Route] = []

        def slowly(route: Route) -> None:
            answered = route.fetch()
            end_run(client, run)
            page.wait_for_timeout(1500)  # so long that whoever reads again at once has read again
            route.fulfill(response=answered)
            late.append(route)

        page.route("**/overview?max_points=0", slowly, times=1)
        log_epoch(client, run, 1, loss=3.0)
        while not late:
            page.wait_for_timeout(100)
        expect(page.locator(".title-line .badge")).to_have_text("finished")

    chromium.run(server.url, scenario)


_OUT_OF_PAGE = "function () { return this.filter((one) => !one.isConnected && one.matches('.plot')).length; }"


def test_who_comes_back_is_where_they_were(
    chromium: Chromium, fresh_server: Server, fresh_client: httpx.Client
) -> None:
    tuner = new_tuner(fresh_client)
    for number in range(60):
        start_run(fresh_client, name=f"run {number}")

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        page.get_by_role("button", name="More runs").click()
        link = page.get_by_role("link", name="run 3", exact=True)
        link.scroll_into_view_if_needed()
        place = page.evaluate("scrollY")
        assert place > 500
        link.click()
        expect(page.get_by_role("heading", name="run 3", exact=True)).to_be_visible()
        assert page.evaluate("scrollY") == 0
        page.go_back()
        expect(link).to_be_in_viewport()
        assert page.evaluate("scrollY") == place
        page.reload()
        expect(link).to_be_in_viewport()
        # What is selected stays selected, whatever is told anew.
        finish_trial(fresh_client, tuner, 0.5)
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.locator("#connection")).to_have_text("Live")
        page.evaluate("getSelection().selectAllChildren(document.getElementById('headline'))")
        (trial,) = suggest(fresh_client, tuner)
        start_run(fresh_client, trial_id=trial["trial_id"])
        expect(page.get_by_role("row", name=re.compile("^1 "))).to_be_visible()
        assert "Trial 0 is best" in page.evaluate("getSelection().toString()")

    chromium.run(fresh_server.url, scenario)


def test_a_start_page_that_did_not_come_reads_nothing_once_another_has(chromium: Chromium, server: Server) -> None:
    def scenario(page: Page, seen: Seen) -> None:
        def n_reads() -> int:
            return sum("/v1/overview?" in one for one in seen.requests)

        page.clock.install()
        page.route("**/v1/overview?*", lambda route: route.abort())
        page.goto("/")
        for _ in range(2):
            expect(page.get_by_role("heading", name="That did not work")).to_be_visible()
            with page.expect_request("**/v1/overview?*"):
                page.clock.fast_forward(3000)
        page.unroute("**/v1/overview?*")
        page.clock.fast_forward(3000)
        expect(page.locator("#connection")).to_have_text("Live")
        seen.requests.clear()
        with page.expect_response("**/v1/runs?*"):
            page.clock.fast_forward(31_000)
            page.clock.fast_forward(3000)
        assert n_reads() == 1

    chromium.run(server.url, scenario, may_complain_of=("ERR_FAILED", "does not answer"), is_alone=True)


def test_a_page_that_was_left_is_forgotten(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = new_tuner(client)
    finish_trial(client, tuner, 0.5)

    def scenario(page: Page, seen: Seen) -> None:
        session = page.context.new_cdp_session(page)

        def n_held() -> int:
            """Charts that are in the page no more, and that something still holds."""
            prototype = session.send("Runtime.evaluate", {"expression": "SVGSVGElement.prototype"})["result"]
            found = session.send("Runtime.queryObjects", {"prototypeObjectId": prototype["objectId"]})["objects"]
            count = {"objectId": found["objectId"], "functionDeclaration": _OUT_OF_PAGE}
            told: int = session.send("Runtime.callFunctionOn", count)["result"]["value"]
            session.send("Runtime.releaseObject", {"objectId": found["objectId"]})
            return told

        def growth() -> int:
            """How many more of them are held after some visits."""
            before = n_held()
            for _ in range(N_VISITS):
                page.evaluate(f"location.hash = '#/tuners/{tuner['tuner_id']}'")
                expect(page.locator("figure[data-drawn]").first).to_be_visible()
                page.evaluate("location.hash = '#/'")
                expect(page.get_by_role("heading", name="Recent runs")).to_be_visible()
            return n_held() - before

        page.goto("/")
        # Some visits still wait for answers, and a page may be held for other reasons, once. A leak holds six of each.
        assert any(growth() < 4 * N_VISITS for _ in range(5))

    chromium.run(server.url, scenario)


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


def test_runs_that_cannot_be_read_just_now_stay_and_are_read_again(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    run = start_run(client, name="still there")
    log_epoch(client, run, 0, loss=9.5)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/#/?filter=name+%3D+%22still+there%22")  # alone, the run shows all its metrics
        row = page.get_by_role("row", name=re.compile("still there"))
        expect(row).to_contain_text("9.5")
        expect(page.locator("#connection")).to_have_text("Live")
        page.route("**/v1/runs?*", lambda route: route.abort())
        with page.expect_request_finished(lambda one: "/v1/overview" in one.url):
            log_epoch(client, run, 1, loss=8.5)
        page.wait_for_timeout(500)
        expect(row).to_contain_text("9.5")
        expect(page.get_by_role("search", name="Search runs").get_by_label("Filter")).not_to_have_attribute(
            "aria-invalid", "true"
        )
        page.unroute("**/v1/runs?*")
        expect(row).to_contain_text("8.5")

    chromium.run(server.url, scenario, may_complain_of=("ERR_FAILED",))


def test_a_refusal_is_gone_when_it_worked_after_all(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = new_tuner(client)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        page.route("**/pause", lambda route: route.abort())
        page.get_by_role("button", name="Pause").click()
        refusal = page.get_by_role("alert")
        expect(refusal).to_have_text("The service does not answer.")
        page.unroute("**/pause")
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("button", name="Resume")).to_be_visible()
        expect(refusal).to_have_count(0)

    chromium.run(server.url, scenario, may_complain_of=("ERR_FAILED",))


def test_the_second_click_of_two_does_not_undo_the_first(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        page.get_by_role("button", name="Pause").hover()
        for number, there in enumerate(("Pause", "Resume"), 1):
            expect(page.get_by_role("button", name=there)).to_be_visible()
            page.mouse.down(click_count=number)
            page.mouse.up(click_count=number)
        page.get_by_role("button", name="Edit", exact=True).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert [one.rpartition("/")[2] for one in seen.requests if one.endswith(("/pause", "/resume"))] == ["pause"]

    chromium.run(server.url, scenario)


def test_a_refusal_is_gone_when_the_service_is_back(
    chromium: Chromium, fresh_server: Server, fresh_client: httpx.Client
) -> None:
    tuner, run = new_tuner(fresh_client), start_run(fresh_client, name="asked for in vain")
    for number in range(30):
        start_run(fresh_client, name=f"run {number}")

    def scenario(page: Page, seen: Seen) -> None:
        pages = {"/": "More runs", f"/#/tuners/{tuner['tuner_id']}": "Pause", f"/#/runs/{run['run_id']}": "Stop"}
        for path, button in pages.items():
            page.goto(path)
            expect(page.locator("#connection")).to_have_text("Live")
            fresh_server.kill()
            page.get_by_role("button", name=button).click()
            refusal = page.get_by_text("The service does not answer.")
            expect(refusal).to_be_visible()
            expect(page.locator("#connection")).to_contain_text("Connection lost")
            fresh_server.start()
            expect(page.locator("#connection")).to_contain_text("Live")
            expect(refusal).to_have_count(0)

    chromium.run(fresh_server.url, scenario, may_complain_of=("ERR_",))


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
        page.get_by_role("search", name="Search runs").get_by_label("Filter").fill("params.chosen_lr > 0")
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="left out")).to_have_count(0)
        expect(page.get_by_role("button", name="chosen_lr", exact=True)).to_be_visible()

    chromium.run(server.url, scenario)


def test_of_a_run_that_is_deleted_nothing_stays(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    run = start_run(client, name="doomed", params={"lr": 0.1})
    log_epoch(client, run, 0, loss=1.0)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        expect(page.locator("figure")).to_have_count(1)
        expect(page.locator("#connection")).to_have_text("Live")
        assert client.delete(f"/v1/runs/{run['run_id']}").status_code == 204
        expect(page.get_by_role("heading")).to_have_text(["This run was deleted"])
        expect(page.get_by_role("status").filter(has_text="doomed")).to_be_visible()
        expect(page.locator("figure, .facts, .failure")).to_have_count(0)
        expect(page.locator("#connection")).to_be_empty()
        page.get_by_role("link", name="To the runs").click()
        expect(page.get_by_role("heading", name="Recent runs")).to_be_visible()

    chromium.run(server.url, scenario, may_complain_of=("404",))


def test_of_a_tuner_that_is_deleted_nothing_stays(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = new_tuner(client, name="doomed search")
    finish_trial(client, tuner, 0.5)

    def scenario(page: Page, seen: Seen) -> None:
        page.clock.install()
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.locator("figure[data-drawn]").first).to_be_visible()
        expect(page.locator("#connection")).to_have_text("Live")
        assert client.delete(f"/v1/tuners/{tuner['tuner_id']}").status_code == 204
        page.clock.fast_forward(60_000)
        expect(page.get_by_role("heading")).to_have_text(["This tuner was deleted"])
        expect(page.get_by_role("status").filter(has_text="doomed search")).to_be_visible()
        expect(page.locator("figure, .facts, .failure")).to_have_count(0)
        expect(page.locator("#connection")).to_be_empty()
        page.get_by_role("link", name="To the tuners").click()
        expect(page.get_by_role("heading", name="Recent runs")).to_be_visible()

    chromium.run(server.url, scenario, may_complain_of=("404",), is_alone=True)


# Tabs of a real browser are hidden by each other, those of one that is driven never.
_HIDEABLE = """
    let isHidden = false;
    Object.defineProperty(document, "hidden", { get: () => isHidden });
    window.turn = (next) => { isHidden = next; document.dispatchEvent(new Event("visibilitychange")); };
"""


def test_more_tabs_can_be_open_than_a_browser_has_connections(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    run = start_run(client, name="seen in many tabs")
    log_epoch(client, run, 0, loss=1.0)

    def scenario(page: Page, seen: Seen) -> None:
        page.context.add_init_script(_HIDEABLE)
        tabs = [page, *(page.context.new_page() for _ in range(7))]
        for tab in tabs:
            tab.goto(f"/#/runs/{run['run_id']}")
            expect(tab.locator("#connection")).to_have_text("Live")
            if tab is not tabs[-1]:
                tab.evaluate("turn(true)")
        # Whoever comes back misses nothing, and is told of what comes.
        log_epoch(client, run, 1, loss=0.5)
        tabs[-1].evaluate("turn(true)")
        page.evaluate("turn(false)")
        chart = page.get_by_role("img", name=re.compile("^loss"))
        expect(chart).to_have_accessible_name(re.compile(r"2 epochs, now 0\.5"))
        log_epoch(client, run, 2, loss=0.25)
        expect(chart).to_have_accessible_name(re.compile(r"3 epochs, now 0\.25"))

    chromium.run(server.url, scenario, is_alone=True)


def test_a_tab_that_was_left_for_long_is_read_again_where_it_was(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    runs = [start_run(client, name=name, params={f"p{n}": n for n in range(60)}) for name in ("left", "right")]
    for run in runs:
        log_epoch(client, run, 0, loss=1.0)

    def scenario(page: Page, seen: Seen) -> None:
        page.add_init_script(_HIDEABLE)
        page.clock.install()
        compared = "/#/compare?" + "&".join(f"run={run['run_id']}" for run in runs)
        for epoch, (path, loss) in enumerate((("/", 0.125), (compared, 0.0625)), 1):
            page.goto(path)
            expect(page.locator("#connection")).to_have_text("Live")
            page.evaluate("scrollTo(0, 300)")
            place = page.evaluate("scrollY")
            page.evaluate("turn(true)")
            for run in runs:
                log_epoch(client, run, epoch, loss=loss)
            page.clock.fast_forward(3_600_000)
            seen.requests.clear()
            page.evaluate("turn(false)")
            expect(page.get_by_role("cell", name=re.compile(f"^{loss}")).first).to_be_visible()
            expect(page.locator("#connection")).to_have_text("Live")
            assert any("/v1/overview" in one for one in seen.requests)
            assert page.evaluate("scrollY") == place
            assert place == 300 or path == "/"

    chromium.run(server.url, scenario, is_alone=True)


# One that hangs, or ends without a word, does not say so.
_MUTE = """
    const say = BroadcastChannel.prototype.postMessage;
    window.isMute = false;
    BroadcastChannel.prototype.postMessage = function (said) { if (!isMute) say.call(this, said); };
"""


def test_more_windows_can_be_seen_than_a_browser_has_connections(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    run = start_run(client, name="seen in many windows")
    log_epoch(client, run, 0, loss=9.0)

    def shows(window: Page, n_epochs: int) -> None:
        chart = window.get_by_role("img", name=re.compile("^loss"))
        expect(chart).to_have_accessible_name(re.compile(f"{n_epochs} epochs, now {9 - n_epochs}"))

    def scenario(page: Page, seen: Seen) -> None:
        windows = [page, *(page.context.new_page() for _ in range(7))]
        windows[1].add_init_script(_MUTE)
        for window in windows:
            if window is windows[5]:
                window.clock.install()
            window.goto(f"/#/runs/{run['run_id']}")
            expect(window.locator("#connection")).to_have_text("Live")
        for epoch in (1, 2):
            log_epoch(client, run, epoch, loss=8 - epoch)
        for window in windows:
            shows(window, 3)
        # Where one is closed another one has its seat, also while much happens.
        log_epoch(client, run, 3, loss=5)
        with windows[4].expect_request(re.compile("/events/stream")):
            windows.pop(0).close()
            log_epoch(client, run, 4, loss=4)
        log_epoch(client, run, 5, loss=3)
        for window in windows:
            shows(window, 6)
        # Where one is not heard of for long another one has its seat, until it is heard of again.
        windows[0].evaluate("isMute = true")
        with windows[4].expect_request(re.compile("/events/stream")):
            windows[4].clock.fast_forward(60_000)
        log_epoch(client, run, 6, loss=2)
        for window in windows:
            shows(window, 7)
        with windows[4].expect_request(re.compile("/events[?]")):
            windows[0].evaluate("isMute = false")
        log_epoch(client, run, 7, loss=1)
        for window in windows:
            shows(window, 8)
            window.get_by_role("button", name="Table").click()
            told = window.locator(".chart-table td:nth-child(2)")
            expect(told).to_have_text([str(epoch) for epoch in range(8)])

    chromium.run(server.url, scenario, is_alone=True)


def test_what_takes_long_to_read_is_read_less_often(chromium: Chromium, server: Server) -> None:
    def scenario(page: Page, seen: Seen) -> None:
        page.clock.install()
        page.goto("/")
        page.clock.pause_at(time.time() + 3600)
        script = str(page.locator("script[type=module]").evaluate("script => script.src")).replace("main.js", "api.js")
        page.evaluate(f"import('{script}').then((api) => {{ {_READ_FOR_100_MS} }})")
        page.clock.run_for(100)
        page.evaluate("again.soon(20)")
        page.clock.run_for(850)
        assert page.evaluate("nRead") == 1
        page.clock.run_for(200)
        assert page.evaluate("nRead") == 2

    chromium.run(server.url, scenario, is_alone=True)


def test_what_somebody_does_while_the_page_is_read_is_shown_right_after_that(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client)

    def scenario(page: Page, seen: Seen) -> None:
        page.clock.install()
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.locator("#connection")).to_have_text("Live")
        page.clock.pause_at(time.time() + 3600)
        late: list[tuple[Route, APIResponse]] = []
        page.route("**/overview*", lambda route: late.append((route, route.fetch())), times=1)
        page.evaluate("dispatchEvent(new Event('edit'))")
        eventually(lambda: (page.evaluate("1") and late) or None)
        with page.expect_response("**/pause"):
            page.get_by_role("button", name="Pause").click()
        route, before = late[0]
        route.fulfill(response=before)
        expect(page.get_by_role("button", name="Resume")).to_be_visible()  # no time has passed

    chromium.run(server.url, scenario, is_alone=True)


_READ_FOR_100_MS = """
window.nRead = 0;
window.again = api.refresher(() => new Promise((done) => setTimeout(() => { nRead += 1; done(); }, 100)));
again.now();
"""


_TELLS_STREAMS = """
    window.streams = [];
    window.EventSource = class extends EventSource {
        constructor(url) { super(url); streams.push(url); }
    };
"""


def test_a_page_that_comes_late_says_nothing_on_the_one_that_is_open(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner, run = new_tuner(client, name="slow"), start_run(client, name="quick")

    def scenario(page: Page, seen: Seen) -> None:
        page.add_init_script(_TELLS_STREAMS)
        page.goto("/")
        held: list[Route] = []
        overview = f"/v1/tuners/{tuner['tuner_id']}/overview"
        page.route(f"**{overview}", lambda route: held.append(route), times=1)
        with page.expect_request(f"**{overview}"):
            page.evaluate(f"location.hash = '#/tuners/{tuner['tuner_id']}'")
        page.evaluate(f"location.hash = '#/runs/{run['run_id']}'")
        expect(page.get_by_role("heading", name="quick")).to_be_visible()
        expect(page.locator("#connection")).to_have_text("Live")
        held[0].continue_()
        has_come = "streams.some((url) => url.includes('tuner_id='))"  # the last that it does
        eventually(lambda: page.evaluate(has_come) or None)
        page.evaluate("new Promise(requestAnimationFrame)")
        assert page.title() == "quick · tunetrack"
        assert page.locator("#crumbs").inner_text().endswith("quick")
        assert page.locator("#connection").inner_text() == "Live"

    chromium.run(server.url, scenario)


def test_dots_that_a_filter_leaves_out_stay_pale_while_the_page_is_read(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = varied_tuner(client)

    def scenario(page: Page, seen: Seen) -> None:
        page.clock.install()
        page.goto(f"/#/tuners/{tuner['tuner_id']}?only.=%5B0.6%2C1%5D")
        chart = page.locator("figure[data-drawn]", has_text="Best so far")
        expect(chart).to_be_visible()
        expect(page.locator("#connection")).to_have_text("Live")
        page.clock.fast_forward(4000)
        before = _painted(chart)
        held: list[Route] = []
        page.route("**/importance", lambda route: held.append(route), times=1)
        with page.expect_request("**/importance"):
            page.evaluate("dispatchEvent(new Event('edit'))")
        assert _painted(chart) == before
        held[0].continue_()

    chromium.run(server.url, scenario, is_alone=True)


def _painted(chart: Locator) -> str:
    """The picture of a chart, painted anew."""
    drawn = chart.get_attribute("data-drawn") or ""
    chart.evaluate("dispatchEvent(new Event('redraw'))")
    expect(chart).not_to_have_attribute("data-drawn", drawn)
    chart.evaluate("new Promise(requestAnimationFrame)")
    return str(chart.evaluate("chart => chart.querySelector('canvas').toDataURL()"))


def test_what_matters_most_is_told_once_the_last_trials_have_come(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client)

    def observe(*scores: float) -> None:
        params = {"optimizer": "adam"}
        trials = [{"params": params | {"learning_rate": score / 10}, "score": score} for score in scores]
        answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/trials", json={"trials": trials}), 201)

    def scenario(page: Page, seen: Seen) -> None:
        rows = page.get_by_role("region", name="Trials").locator("tbody tr")

        def come(n: int) -> bool | None:
            page.clock.run_for(300)
            return rows.count() == n or None

        page.clock.install()
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.locator("#connection")).to_have_text("Live")
        page.clock.pause_at(time.time() + 3600)
        observe(0.99)
        eventually(lambda: come(1))
        observe(*(number / 30 for number in range(1, 30)))
        eventually(lambda: come(30))
        page.clock.run_for(3000)
        expect(page.locator("#headline")).to_contain_text("matters most")

    chromium.run(server.url, scenario, is_alone=True)


def test_of_several_objectives_the_front_is_read_again_too(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client, objectives=OBJECTIVES)
    finish_trial(client, tuner, 0.5, latency=10.0)

    def scenario(page: Page, seen: Seen) -> None:
        page.add_init_script(_HIDEABLE)
        page.clock.install()
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.locator("#connection")).to_have_text("Live")
        page.evaluate("turn(true)")
        finish_trial(client, tuner, 0.75, latency=5.0)
        page.clock.fast_forward(3_600_000)
        page.evaluate("turn(false)")
        expect(page.locator("#connection")).to_have_text("Live")
        told = page.locator("#headline").inner_text()
        assert told.startswith("1 of 2 trials is unbeaten, found just now. Best: accuracy 0.75 in trial 1"), told

    chromium.run(server.url, scenario, is_alone=True)


def test_of_trials_that_a_restored_store_has_no_more_nothing_stays(
    chromium: Chromium, fresh_server: Server, fresh_client: httpx.Client, tmp_path: Path
) -> None:
    tuner, file = new_tuner(fresh_client), Path(fresh_server.database.removeprefix("sqlite:///"))

    def observe(n: int) -> None:
        params = {"learning_rate": 0.05, "optimizer": "adam"}
        body = {"trials": [{"params": params, "score": number / n + n} for number in range(n)]}
        answer(fresh_client.post(f"/v1/tuners/{tuner['tuner_id']}/trials", json=body), 201)

    observe(1000)
    fresh_server.terminate()
    for part in file.parent.glob(f"{file.name}*"):
        shutil.copy(part, tmp_path)
    fresh_server.start()
    observe(200)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        told = page.locator(".card-head .note")
        expect(told).to_have_text("1,200 trials")
        expect(page.locator("#connection")).to_have_text("Live")
        fresh_server.terminate()
        for part in file.parent.glob(f"{file.name}*"):
            part.unlink()
        for part in tmp_path.glob(f"{file.name}*"):
            shutil.copy(part, file.parent)
        fresh_server.start()
        expect(told).to_have_text("1,000 trials")

    chromium.run(fresh_server.url, scenario, may_complain_of=("ERR_", "Failed to fetch"))
