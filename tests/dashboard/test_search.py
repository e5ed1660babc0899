"""Tuners are found as runs are: by a filter in the address, with what is wrong with it, live, and page after page."""

import re
from urllib.parse import urlencode

import httpx
from playwright.sync_api import Locator, Page, Route, expect

from tests.calls import answer, create_tuner, log_epoch, start_run
from tests.dashboard.browser import Chromium, Seen
from tests.dashboard.scenes import finish_trial, new_tuner
from tests.server import Server


def field(page: Page, of: str) -> Locator:
    """Where somebody says what to look for."""
    return page.get_by_role("search", name=f"Search {of}").get_by_label("Filter")


def names(page: Page, of: str) -> Locator:
    """What a table lists."""
    return page.get_by_role("region", name=of).locator("tbody tr .name")


def test_tuners_are_found_beside_the_runs_that_are_found(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    there, elsewhere = (new_tuner(client, name=f"sought {one}", tags=["sought", one]) for one in ("here", "elsewhere"))
    finish_trial(client, elsewhere, 0.5)
    of_runs = urlencode({"filter": f'tuner_id = "{elsewhere["tuner_id"]}"'})

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/?{of_runs}")
        field(page, "tuners").fill('"sought" in tags')
        page.keyboard.press("Enter")
        expect(names(page, "Tuners")).to_have_text(["sought elsewhere", "sought here"])
        field(page, "tuners").fill('"sought" in tags and not name like "%elsewhere"')
        page.keyboard.press("Enter")
        expect(names(page, "Tuners")).to_have_text(["sought here"])
        # A run is called by its tuner, whether that is listed or not.
        expect(names(page, "Runs")).to_have_text(["sought elsewhere, trial 0"])
        assert of_runs in page.url
        page.reload()
        expect(names(page, "Tuners")).to_have_text(["sought here"])
        expect(names(page, "Runs")).to_have_text(["sought elsewhere, trial 0"])
        expect(page.locator("#connection")).to_have_text("Live")
        new_tuner(client, name="sought too", tags=["sought"])
        finish_trial(client, there, 0.75)
        expect(page.get_by_role("row", name=re.compile("^sought here"))).to_contain_text("0.75")
        expect(names(page, "Tuners")).to_have_text(["sought too", "sought here"])
        page.go_back()
        expect(names(page, "Tuners")).to_have_text(["sought too", "sought elsewhere", "sought here"])
        field(page, "tuners").fill('name = "nobody at all"')
        page.keyboard.press("Enter")
        expect(page.get_by_text("Nothing matches.")).to_be_visible()

    chromium.run(server.url, scenario)


def test_a_filter_of_tuners_that_is_refused_leaves_the_runs_alone(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    create_tuner(client, name="never refused")
    run = start_run(client, name="beside a refusal")
    log_epoch(client, run, 0, loss=9.5)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/#/?filter=name+%3D+%22beside+a+refusal%22&tuner_filter=state+%3D+%22running%22")
        expect(page.locator("#tuners-failure mark")).to_have_text('"')
        expect(page.locator("#tuners-failure")).to_contain_text("active")
        expect(field(page, "tuners")).to_have_attribute("aria-invalid", "true")
        expect(page.locator("#runs-failure")).to_be_empty()
        expect(page.locator("#connection")).to_have_text("Live")
        log_epoch(client, run, 1, loss=8.5)
        expect(page.get_by_role("region", name="Runs")).to_contain_text("8.5")
        field(page, "tuners").fill('name = "never refused"')
        page.keyboard.press("Enter")
        expect(names(page, "Tuners")).to_have_text(["never refused"])
        expect(page.locator("#tuners-failure")).to_be_empty()

    chromium.run(server.url, scenario, may_complain_of=("422",))


def test_whoever_searched_can_type_on(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    create_tuner(client, name="typed on")
    start_run(client, name="typed on")

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        for of in ("tuners", "runs"):
            field(page, of).press_sequentially('name = "typed"')
            page.keyboard.press("Enter")
            expect(page.get_by_text("Nothing matches.")).to_be_visible()
            expect(field(page, of)).to_be_focused()
            page.keyboard.press("ArrowLeft")
            page.keyboard.type(" on")
            page.keyboard.press("Enter")
            expect(names(page, of.capitalize())).to_have_text(["typed on"])
            expect(field(page, of)).to_be_focused()
            expect(field(page, of)).to_have_value('name = "typed on"')
            button = page.get_by_role("search", name=f"Search {of}").get_by_role("button")
            field(page, of).fill("")
            button.focus()
            page.keyboard.press("Enter")
            expect(field(page, of)).to_have_value("")
            expect(page).not_to_have_url(re.compile("typed"))
            expect(button).to_be_focused()

    chromium.run(server.url, scenario)


def test_what_was_typed_and_not_sent_outlives_a_search_of_the_other_list(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    for of in ("here", "there"):
        create_tuner(client, name=f"sent {of}")
        log_epoch(client, start_run(client, name=f"sent {of}"), 0, loss=1.5)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        field(page, "runs").fill('name = "half')
        order = page.get_by_label("Order by")
        order.fill("metrics.")
        field(page, "tuners").fill('name like "sent %"')
        page.keyboard.press("Enter")
        expect(names(page, "Tuners")).to_have_text(["sent there", "sent here"])
        expect(field(page, "runs")).to_have_value('name = "half')
        expect(order).to_have_value("metrics.")
        expect(field(page, "tuners")).to_have_value('name like "sent %"')
        # What is sent is in the address, and what the address says then is shown.
        field(page, "tuners").fill("state")
        order.fill("")
        field(page, "runs").fill('name = "sent here"')
        page.keyboard.press("Enter")
        expect(names(page, "Runs")).to_have_text(["sent here"])
        expect(field(page, "tuners")).to_have_value("state")
        expect(names(page, "Tuners")).to_have_text(["sent there", "sent here"])
        page.go_back()
        expect(field(page, "runs")).to_have_value("")
        expect(field(page, "tuners")).to_have_value("state")

    chromium.run(server.url, scenario)


def test_what_is_typed_while_a_search_is_answered_stays(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    create_tuner(client, name="typed meanwhile")

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        held: list[Route] = []
        page.route("**/v1/overview?*filter*", lambda route: held.append(route), times=1)
        field(page, "tuners").fill('name = "typed')
        with page.expect_request("**/v1/overview?*filter*"):
            page.keyboard.press("Enter")
        page.keyboard.type(' meanwhile"')
        held[0].continue_()
        expect(page.locator("#tuners-failure")).not_to_be_empty()
        expect(field(page, "tuners")).to_have_value('name = "typed meanwhile"')
        expect(field(page, "tuners")).to_be_focused()
        page.keyboard.press("Enter")
        expect(names(page, "Tuners")).to_have_text(["typed meanwhile"])

    chromium.run(server.url, scenario, may_complain_of=("422",))


def test_what_is_chosen_in_a_list_while_a_search_is_answered_is_chosen_in_what_it_finds(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    for number in range(30):
        start_run(client, name=f"choice {number:02}", tags=["choice"], params={"chosen": number})

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/#/?filter=%22choice%22+in+tags")
        expect(names(page, "Runs")).to_have_count(25)
        held: list[Route] = []
        is_chosen = False

        def hold(route: Route) -> None:
            route.continue_() if is_chosen else held.append(route)

        page.route(re.compile("v1/runs.*(page_token=|filter=name)"), hold)
        with page.expect_request(re.compile("page_token=")):
            page.get_by_role("button", name="More runs").click()
        field(page, "runs").fill('name like "choice %"')
        with page.expect_request(re.compile("v1/runs.filter=name")):
            page.keyboard.press("Enter")
        with page.expect_response(re.compile("page_token=")):
            held[0].continue_()  # more of those that nobody looks for any more
        page.get_by_role("checkbox", name="Compare choice 29").check()
        page.locator(".chooser summary").click()
        page.get_by_role("checkbox", name="chosen", exact=True).check()
        expect(page.get_by_role("search", name="Search runs").get_by_label("Filter")).to_have_value(
            'name like "choice %"'
        )
        expect(page).to_have_url(re.compile("filter=name.*picked=.*columns="))
        is_chosen = True
        for route in held[1:]:
            route.continue_()
        expect(page.get_by_role("main")).not_to_have_attribute("aria-busy", "true")
        expect(names(page, "Runs")).to_have_count(25)
        expect(page.get_by_role("checkbox", name="Compare choice 29")).to_be_checked()
        expect(page.get_by_role("columnheader", name="chosen")).to_be_visible()

    chromium.run(server.url, scenario)


def test_what_is_typed_while_a_search_fails_stays_until_it_is_answered(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    create_tuner(client, name="tried again")
    start_run(client, name="so that runs can be ordered")

    def scenario(page: Page, seen: Seen) -> None:
        page.clock.install()
        page.goto("/")
        expect(page.locator("#connection")).to_have_text("Live")
        ordering = page.get_by_role("search", name="Search runs").get_by_label("Order by")
        ordering.fill("name")
        held: list[Route] = []
        page.route("**/v1/overview?*", lambda route: held.append(route), times=1)
        field(page, "tuners").fill('name = "tried again"')
        with page.expect_request("**/v1/overview?*"):
            page.keyboard.press("Enter")
        page.keyboard.type(" and")
        held[0].abort()
        expect(page.get_by_role("alert").filter(has_text="The service does not answer.")).to_be_visible()
        page.clock.fast_forward(3000)
        expect(names(page, "Tuners")).to_have_text(["tried again"])
        expect(field(page, "tuners")).to_have_value('name = "tried again" and')
        expect(ordering).to_have_value("name")

    chromium.run(server.url, scenario, may_complain_of=("ERR_FAILED", "does not answer"), is_alone=True)


def test_a_search_of_each_list_before_either_is_answered(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    for of in ("here", "there"):
        create_tuner(client, name=f"quick {of}")
        start_run(client, name=f"quick {of}")

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/#/?tuner_filter=name+%3D+%22quick+here%22")
        expect(names(page, "Tuners")).to_have_text(["quick here"])
        held: list[Route] = []
        page.route("**/v1/overview?*", lambda route: held.append(route), times=1)
        field(page, "tuners").fill('name = "quick there"')
        with page.expect_request("**/v1/overview?*"):
            page.keyboard.press("Enter")
        field(page, "runs").fill('name = "quick there"')
        page.keyboard.press("Enter")
        expect(names(page, "Runs")).to_have_text(["quick there"])
        expect(names(page, "Tuners")).to_have_text(["quick there"])
        held[0].abort()

    chromium.run(server.url, scenario, may_complain_of=("ERR_FAILED",))


def test_an_answer_that_comes_just_as_the_next_search_is_sent_is_not_shown(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    create_tuner(client, name="just sent")

    def scenario(page: Page, seen: Seen) -> None:
        page.add_init_script(HOLD_ANSWERS)
        page.goto("/#/?tuner_filter=name+%3D+%22just+sent%22")
        expect(names(page, "Tuners")).to_have_text(["just sent"])
        page.evaluate("hold()")
        field(page, "tuners").fill("")
        page.keyboard.press("Enter")
        expect(page.locator("html[data-held='2']")).to_be_attached()
        field(page, "tuners").fill('name = "just"')
        page.evaluate("sendAndRelease()")
        expect(page.get_by_text("Nothing matches.")).to_be_visible()
        page.keyboard.press("ArrowLeft")
        page.keyboard.type(" sent")
        page.keyboard.press("Enter")
        expect(names(page, "Tuners")).to_have_text(["just sent"])

    chromium.run(server.url, scenario)


# The address changes with a search at once, and the page is told of it a little later: between the two comes an answer.
HOLD_ANSWERS = """
  let held = null, release = null, n = 0;
  const ask = fetch;
  fetch = async (...asked) => {
    const response = await ask(...asked);
    if (!response.headers.get("content-type").includes("json")) return response;
    const { ok, status } = response, body = await response.json();
    if (held) document.documentElement.dataset.held = ++n;
    await held;
    return { ok, status, json: async () => body };
  };
  hold = () => { held = new Promise((resolve) => (release = resolve)); };
  sendAndRelease = () => { document.querySelector("form[role=search] button").click(); release(); };
"""


def test_more_runs_that_are_asked_for_while_they_are_put_in_another_order_come_in_that(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    made = [start_run(client, name=f"put {number:03}", tags=["put"]) for number in range(30)]

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/#/?filter=%22put%22+in+tags")
        expect(names(page, "Runs")).to_have_count(25)
        held: list[Route] = []
        page.route("**/v1/runs?*order_by=name*", lambda route: held.append(route), times=1)
        with page.expect_request("**/v1/runs?*order_by=name*"):
            page.get_by_role("table", name="Runs").get_by_role("button", name="Run", exact=True).click()
        page.get_by_role("button", name="More runs").click()
        page.evaluate("new Promise(requestAnimationFrame)")
        held[0].continue_()
        expect(names(page, "Runs")).to_have_text([run["name"] for run in made])

    chromium.run(server.url, scenario)


def test_more_tuners_come_and_stay(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    made = [create_tuner(client, name=f"leafed {number}", tags=["leafed"]) for number in range(103)]

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/#/?tuner_filter=%22leafed%22+in+tags")
        expect(names(page, "Tuners")).to_have_count(100)
        page.get_by_role("button", name="More tuners").click()
        expect(names(page, "Tuners").last).to_have_text("leafed 0")
        expect(page.get_by_role("button", name="More tuners")).to_be_hidden()
        answer(client.patch(f"/v1/tuners/{made[0]['tuner_id']}", json={"name": "leafed to"}))
        page.evaluate("dispatchEvent(new Event('edit'))")
        expect(names(page, "Tuners").last).to_have_text("leafed to")
        page.wait_for_url(re.compile("tuners=103"))
        page.reload()
        expect(names(page, "Tuners").last).to_have_text("leafed to")

    chromium.run(server.url, scenario)
