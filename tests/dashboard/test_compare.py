"""Runs side by side: which are there, which of them are looked at, and which is best at what."""

import re

import httpx
from playwright.sync_api import Page, Route, expect

from tests.calls import JSON, log_batch, log_epoch, start_run, suggest
from tests.dashboard.browser import Chromium, Seen
from tests.dashboard.scenes import finish_trial, new_tuner
from tests.server import Server

MOST_COMPARED = 100


def compare_path(runs: list[JSON]) -> str:
    """Where these are side by side."""
    return "/#/compare?" + "&".join(f"run={run['run_id']}" for run in runs)


def delete_run(client: httpx.Client, run: JSON) -> None:
    """It is gone."""
    assert client.delete(f"/v1/runs/{run['run_id']}").status_code == 204


def test_runs_are_compared_without_those_that_are_gone(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    runs = [start_run(client, name=name, params={"lr": lr}) for name, lr in (("a", 1), ("b", 2), ("c", 3), ("d", 4))]
    for run in runs:
        log_batch(client, run, [(0, {"loss": 1.0}), (1, {"loss": 0.5})])
    delete_run(client, runs[1])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(compare_path([*runs, {"run_id": "nonsense"}]))
        expect(page.get_by_role("heading", level=1)).to_have_text("3 runs; 1 of 1 parameter differs.")
        gone = page.locator(".headline + .note")
        expect(gone).to_have_text(f"No longer there: run {runs[1]['run_id'][-8:]}, run nonsense.")
        # One that goes while they are looked at is told, too.
        expect(page.locator("#connection")).to_have_text("Live")
        delete_run(client, runs[2])
        expect(page.get_by_role("heading", level=1)).to_have_text("2 runs; 1 of 1 parameter differs.")
        delete_run(client, runs[3])
        expect(page.get_by_role("heading", name="Nothing to compare")).to_be_visible()
        expect(page.get_by_role("status").filter(has_text="No longer there")).to_contain_text(runs[3]["run_id"][-8:])
        page.get_by_role("link", name="To the run that is left").click()
        expect(page.get_by_role("heading", name="a", exact=True)).to_be_visible()

    chromium.run(server.url, scenario)


def test_two_runs_that_are_removed_before_either_answer_are_both_gone_and_the_zoom_stays(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    runs = [start_run(client, name=name) for name in ("one", "two", "three", "four")]
    for run in runs:
        log_batch(client, run, [(epoch, {"loss": 1.0 / (epoch + 1)}) for epoch in range(9)])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(compare_path(runs))
        expect(page.locator("figure[data-drawn]")).to_have_count(1)
        page.get_by_role("img", name=re.compile("^loss")).focus()
        page.keyboard.press("+")
        held: list[Route] = []
        page.route("**/v1/runs?*", lambda route: held.append(route), times=1)
        with page.expect_request("**/v1/runs?*"):
            page.get_by_role("link", name="Remove two").click()
        page.get_by_role("link", name="Remove three").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("2 runs")
        expect(page.get_by_role("columnheader")).to_have_text(["Name", "one", "four"])
        expect(page.get_by_role("button", name="Reset zoom")).to_be_visible()
        held[0].abort()

    chromium.run(server.url, scenario, may_complain_of=("ERR_FAILED",))


def test_more_runs_than_can_be_compared_are_left_out(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    runs = [start_run(client) for _ in range(MOST_COMPARED + 2)]

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(compare_path(runs))
        expect(page.get_by_role("heading", level=1)).to_contain_text(f"{MOST_COMPARED} runs")
        expect(page.get_by_role("status").filter(has_text="At most")).to_have_text(
            re.compile(f"At most {MOST_COMPARED} runs can be compared; the last 2 are left out")
        )

    chromium.run(server.url, scenario)


def test_runs_that_were_ticked_stay_ticked(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    for name in ("tick one", "tick two", "tick three"):
        start_run(client, name=name, tags=["ticked"])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        # At once: what was ticked last is in the address before the link leads away.
        page.get_by_label("Compare tick one").check()
        page.get_by_label("Compare tick two").check()
        page.get_by_role("link", name="Compare 2 runs").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("2 runs; 0 of 0 parameters differ.")
        page.go_back()
        expect(page.get_by_label("Compare tick one")).to_be_checked()
        expect(page.get_by_label("Compare tick two")).to_be_checked()
        expect(page.get_by_label("Compare tick three")).not_to_be_checked()
        page.get_by_role("search", name="Search runs").get_by_label("Filter").fill('"ticked" in tags')
        page.keyboard.press("Enter")
        expect(page.get_by_role("region", name="Runs").locator("tbody tr")).to_have_count(3)
        expect(page.get_by_role("link", name="Compare 2 runs")).to_be_visible()
        page.get_by_role("button", name="Untick all").click()
        expect(page.get_by_label("Compare tick one")).not_to_be_checked()
        expect(page).not_to_have_url(re.compile("picked"))
        expect(page.get_by_role("link", name=re.compile("^Compare"))).to_have_count(0)

    chromium.run(server.url, scenario)


def test_no_more_runs_can_be_ticked_than_compared(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    picked = [start_run(client)["run_id"] for _ in range(MOST_COMPARED - 1)]
    for name in ("the last to fit", "one too many"):
        start_run(client, name=name)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/?picked={'+'.join(picked)}")
        page.get_by_label("Compare the last to fit").check()
        told = page.get_by_text(f"At most {MOST_COMPARED} runs can be compared.")
        expect(told).to_be_visible()
        beyond = page.get_by_label("Compare one too many")
        beyond.click()
        expect(beyond).not_to_be_checked()
        expect(page.get_by_role("link", name=f"Compare {MOST_COMPARED} runs")).to_be_visible()
        page.get_by_label("Compare the last to fit").uncheck()
        expect(told).to_have_count(0)
        beyond.check()

    chromium.run(server.url, scenario)


def test_a_run_is_taken_out_with_one_click_and_comes_back(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    runs = [start_run(client, name=name) for name in ("stays", "leaves", "remains")]

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(compare_path(runs))
        headline = page.get_by_role("heading", level=1)
        expect(headline).to_contain_text("3 runs")
        page.get_by_role("link", name="Remove leaves").click()
        expect(headline).to_contain_text("2 runs")
        assert runs[1]["run_id"] not in page.url
        expect(page.get_by_role("link", name=re.compile("^Take"))).to_have_count(0)
        page.go_back()
        expect(headline).to_contain_text("3 runs")

    chromium.run(server.url, scenario)


def test_the_best_value_is_marked_where_an_objective_tells_which_it_is(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner, other = new_tuner(client), new_tuner(client, objective={"metric": "cost", "direction": "minimize"})
    runs = [finish_trial(client, tuner, accuracy, loss=1 - accuracy, cost=accuracy) for accuracy in (0.5, 0.9, 0.7)]
    runs.append(finish_trial(client, other, 0.8, loss=0.1, cost=0.25))
    against = new_tuner(client, objective={"metric": "accuracy", "direction": "minimize"})

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(compare_path(runs))
        marked = page.locator("td.top")
        expect(marked).to_have_text(["0.9", "0.25"])
        expect(page.get_by_role("row", name=re.compile("^accuracy")).locator(".top")).to_have_text("0.9")
        # What one wants high and another low has no best.
        page.goto(compare_path([*runs[:2], finish_trial(client, against, 0.6)]))
        expect(page.get_by_role("heading", level=1)).to_contain_text("3 runs")
        expect(marked).to_have_count(0)

    chromium.run(server.url, scenario)


def test_the_headline_says_which_run_is_best_and_goes_on_saying_it(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner, other = new_tuner(client), new_tuner(client, objective={"metric": "cost", "direction": "minimize"})
    runs = [finish_trial(client, tuner, accuracy, cost=accuracy) for accuracy in (0.5, 0.75)]
    (trial,) = suggest(client, tuner)
    running = start_run(client, trial_id=trial["trial_id"])
    log_epoch(client, running, 0, accuracy=0.25)
    baseline = start_run(client, name="baseline")
    log_epoch(client, baseline, 0, accuracy=0.75)

    def scenario(page: Page, seen: Seen) -> None:
        headline = page.get_by_role("heading", level=1)
        page.goto(compare_path([*runs, running]))
        expect(headline).to_have_text(
            re.compile(r"^Trial 1 is best of 3 runs: accuracy 0\.75; \d of 2 parameters differs?\.$")
        )
        expect(page.locator(".legend li")).to_have_text(["Trial 0×", "Trial 1×", "Trial 2×"])
        expect(page.locator("#connection")).to_have_text("Live")
        log_epoch(client, running, 1, accuracy=0.875)
        expect(headline).to_contain_text("Trial 2 is best of 3 runs: accuracy 0.875;")
        page.get_by_role("link", name="digits").click()
        expect(page.locator("#headline")).to_contain_text("Trial 1 is best")
        # One of no tuner is measured with the others; whoever is as good is named, too.
        page.goto(compare_path([*runs, baseline]))
        expect(headline).to_contain_text("Trial 1 and baseline are best of 3 runs: accuracy 0.75;")
        # Two things that are wanted; two names that are the same.
        page.goto(compare_path([*runs, finish_trial(client, other, 0.8, cost=0.25)]))
        first = page.locator(".legend li a:first-of-type").first
        expect(first).to_have_text(f"digits, trial 0 {runs[0]['run_id'][-8:]}")
        expect(headline).to_contain_text("Best of 3 runs: accuracy 0.8 in digits, trial 0 ")
        expect(headline).to_contain_text(", cost 0.25 in digits, trial 0 ")

    chromium.run(server.url, scenario)


def test_what_the_tuner_is_after_comes_first_however_much_is_logged(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client, objective={"metric": "wanted", "direction": "maximize"})
    others = {f"other_{number:02}": 1.0 for number in range(20)}
    runs = []
    for value in (0.5, 0.75):
        (trial,) = suggest(client, tuner)
        runs.append(start_run(client, trial_id=trial["trial_id"]))
        log_epoch(client, runs[-1], 0, **others)
        log_epoch(client, runs[-1], 1, **others, wanted=value)

    def scenario(page: Page, seen: Seen) -> None:
        for path in (compare_path(runs), f"/#/runs/{runs[0]['run_id']}"):
            page.goto(path)
            expect(page.locator("figure h3").first).to_have_text("wanted")
        page.go_back()
        rows = page.get_by_role("region", name="Side by side").locator("tbody").nth(1).locator(".lead")
        expect(rows.first).to_have_text("wanted")

    chromium.run(server.url, scenario)


def test_beyond_the_eighth_line_dashes_tell_lines_apart(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    runs = [start_run(client, name=f"line {number}") for number in range(34)]
    for number, run in enumerate(runs):
        log_batch(client, run, [(0, {"loss": number}), (1, {"loss": number / 2})])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(compare_path(runs))
        expect(page.locator("figure[data-drawn]")).to_be_visible()
        looks = page.locator(".legend .swatch").evaluate_all(
            "all => all.map((one) => getComputedStyle(one)).map((one) => one.backgroundColor + one.maskImage)"
        )
        assert len(looks) == len(runs)
        assert len(set(looks)) == 4 * 8 + 1  # and the others are grey
        # The same in the chart, as it is kept.
        with page.expect_download() as download:
            page.get_by_role("button", name="loss as SVG").click(force=True)
        kept = download.value.path().read_text(encoding="utf-8")
        drawn = {(line["stroke"], line["dash"]) for line in map(_look, re.findall('<path class="curve"[^>]*>', kept))}
        assert len(drawn) == len(set(looks))

    chromium.run(server.url, scenario)


def _look(path: str) -> dict[str, str]:
    """How a line of an SVG document is drawn."""
    found = {
        name: re.search(f' {key}="([^"]*)"', path) for name, key in (("stroke", "stroke"), ("dash", "stroke-dasharray"))
    }
    return {name: one[1] if one else "" for name, one in found.items()}


def test_curves_come_with_the_first_epoch(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    runs = [start_run(client, name=name) for name in ("one", "two")]

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(compare_path(runs))
        expect(page.locator("#connection")).to_have_text("Live")
        log_epoch(client, runs[0], 0, loss=3.0)
        log_epoch(client, runs[1], 0, loss=2.0)
        chart = page.locator("figure[data-drawn]").get_by_role("img", name=re.compile("^loss"))
        expect(chart).to_have_accessible_name("loss. one at 3, two at 2")

    chromium.run(server.url, scenario)


def test_runs_that_are_deleted_together_are_looked_for_once(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    runs = [start_run(client, name=name) for name in "abcdef"]
    log_epoch(client, runs[0], 0, loss=1.0)

    def scenario(page: Page, seen: Seen) -> None:
        page.clock.install()
        page.goto(compare_path(runs))
        expect(page.locator("#connection")).to_have_text("Live")
        asked: list[Route] = []
        page.route("**/v1/overview?page_size=1", lambda route: asked.append(route))
        for run in runs[2:]:
            delete_run(client, run)
        log_epoch(client, runs[0], 1, loss=0.5)
        expect(page.get_by_role("img", name=re.compile("a at 0.5"))).to_be_attached()  # it has heard of all
        page.clock.fast_forward(4000)  # nor is asked for their metrics, of which there are none
        assert len(asked) == 1
        page.unroute("**/v1/overview?page_size=1")  # which lets it go on
        expect(page.get_by_text("No longer there:")).to_be_visible()
        expect(page.locator(".legend, .key").get_by_role("link", name="b", exact=True)).to_be_visible()

    chromium.run(server.url, scenario, is_alone=True)
