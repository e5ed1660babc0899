"""Who does not see a page, or not as it was drawn, can use it: what an engine finds, and what none can."""

import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.calls import JSON, answer, create_tuner, log_batch, log_epoch, start_run
from tests.dashboard.browser import Chromium, Seen
from tests.dashboard.scenes import SPACE, finish_trial, make_pages, new_tuner, varied_tuner
from tests.dashboard.test_contrast import NOTE_INKS
from tests.server import Server

LEFT_OUT = ["color-contrast", "color-contrast-enhanced"]
"""Rules of axe that are tested better elsewhere, or ask for more than is claimed."""
LOOK = """async (leftOut) => {
    const isWanted = ({ ruleId }) => [ruleId, { enabled: !leftOut.includes(ruleId) }];
    const rules = Object.fromEntries(axe.getRules().map(isWanted));
    const { violations, incomplete } = await axe.run(document, { rules });
    const unsure = incomplete.filter(({ id }) => id === "aria-valid-attr-value");
    const tell = ({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 150)}`);
    return [...violations, ...unsure].flatMap(tell);
}"""

LISTEN = """() => {
    window.said = [];
    const hear = (changes) => new Set(changes.map(({ target }) => (target.closest ?? target.parentElement.closest).call(
        target.closest ? target : target.parentElement, "[aria-live], [role=status], [role=alert]"))).forEach(
        (one) => one?.textContent && said.push(one.textContent));
    new MutationObserver(hear).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
"""Notes what a screen reader would say."""
RGB = """inks.map(([colour]) => {
    const one = document.createElement("i");
    one.style.color = colour;
    one.style.forcedColorAdjust = "none";
    document.body.append(one);
    return getComputedStyle(one).color;
})"""
"""What the canvases were painted with, as a style tells it."""


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The engine."""
    if shutil.which("npm") is None:
        pytest.skip("THERE IS NO NPM HERE: no engine looks at what is accessible")
    folder = tmp_path_factory.mktemp("npm") / "axe"
    shutil.copytree(Path(__file__).parent / "axe", folder)
    npm = ["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(npm, cwd=folder, check=True, timeout=300)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.slow
def test_an_engine_finds_nothing_on_any_page(
    axe: str, chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    pages = make_pages(client)

    def scenario(page: Page, seen: Seen) -> dict[str, list[str]]:
        found = {}
        for name, path in pages.items():
            page.goto("about:blank")
            page.goto(path)
            expect(page.locator("main")).not_to_have_attribute("aria-busy", "true")
            if name == "metrics":
                page.get_by_role("button", name="Edit", exact=True).click()
                expect(page.get_by_role("dialog")).to_be_visible()
            for toggle in page.locator(".chooser > summary:visible, figure:first-child button:text-is('Table')").all():
                toggle.dispatch_event("click")
            page.evaluate(axe)
            found[name] = page.evaluate(LOOK, LEFT_OUT)
        return {name: told for name, told in found.items() if told}

    assert not chromium.run(server.url, scenario, may_complain_of=("422", "no such page"))


def test_little_is_said_aloud_while_much_happens(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = new_tuner(client, name="busy")
    finish_trial(client, tuner, 0.1)

    def scenario(page: Page, seen: Seen) -> None:
        page.clock.install()
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.locator("#connection")).to_have_text("Live")
        page.evaluate(LISTEN)
        begin_ms = page.evaluate("performance.now()")
        for number in range(1, 4):
            finish_trial(client, tuner, 0.1 + number / 10)
            expect(page.locator("#headline")).to_contain_text(f"Trial {number} is best")
        page.wait_for_function("() => said.length > 0")
        first, *more = page.evaluate("said")
        assert first.startswith("Trial 1 is best: accuracy 0.2")
        # None, unless all of this took longer than somebody is left in peace.
        assert len(more) <= (page.evaluate("performance.now()") - begin_ms) / 10_000
        page.clock.fast_forward(10_000)
        page.wait_for_function("() => said.at(-1).startsWith('Trial 3 is best')")
        assert page.evaluate("said.at(-1)") == page.locator("#headline").inner_text().replace("\n", " ")
        page.clock.fast_forward(10_000)
        expect(page.locator("main > .view > [role=status]")).to_be_empty()

    chromium.run(server.url, scenario, is_alone=True)


def test_a_point_that_somebody_walks_to_is_told_once(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    run = start_run(client, name="walked")
    log_batch(client, run, [(epoch, {"loss": epoch}) for epoch in range(3)])

    def scenario(page: Page, seen: Seen) -> list[str]:
        page.goto(f"/#/runs/{run['run_id']}")
        expect(page.locator("#connection")).to_have_text("Live")
        chart = page.get_by_role("img", name=re.compile("^loss"))
        expect(page.locator("figure[data-drawn]")).to_be_visible()
        page.evaluate(LISTEN)
        page.locator(".end-mark").hover(force=True)
        expect(page.locator(".tip")).to_contain_text("at epoch 2")
        chart.focus()
        page.keyboard.press("Home")
        for epoch in (3, 4, 5):
            log_epoch(client, run, epoch, loss=epoch)
            expect(chart).to_have_accessible_name(re.compile(f"now {epoch}"))
        page.keyboard.press("ArrowRight")
        found: list[str] = page.evaluate("said")
        return found

    assert chromium.run(server.url, scenario) == ["loss, 0 at epoch 0", "loss, 1 at epoch 1"]


def test_it_can_be_read_at_four_hundred_percent(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    pages = make_pages(client)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        page.evaluate("localStorage.setItem('session', 'somebody (admin)')")
        page.route("**/v1/events/stream*", lambda route: route.abort())
        for name, path in pages.items():
            page.set_viewport_size({"width": 1280, "height": 1024})
            page.goto("about:blank")
            page.goto(path)
            expect(page.locator("main")).not_to_have_attribute("aria-busy", "true")
            if name not in ("refused", "nowhere"):
                expect(page.locator("#connection")).to_contain_text("lost")
            page.set_viewport_size({"width": 320, "height": 256})
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, name
            if name == "run":
                page.get_by_role("button", name="Edit", exact=True).click()
                assert page.get_by_role("dialog").evaluate("(one) => one.scrollWidth <= one.clientWidth")

    chromium.run(server.url, scenario, may_complain_of=("422", "no such page", "ERR_FAILED"))


def test_a_name_that_is_read_from_right_to_left_is_cut_in_its_middle(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    start_run(client, name="תחילת השם של ניסוי " * 5 + "סוף השם", tags=["rtl"])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/#/?filter=%22rtl%22+in+tags")
        parts = page.get_by_role("region", name="Runs").locator(".name span")
        expect(parts).to_have_count(2)
        beginning, end = (one.bounding_box() for one in parts.all())
        assert beginning is not None
        assert end is not None
        assert end["x"] < beginning["x"]

    chromium.run(server.url, scenario)


def test_where_few_colours_are_chosen_lines_have_theirs(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    runs = [start_run(client, name=name) for name in ("one", "two")]
    for run in runs:
        log_batch(client, run, [(epoch, {"loss": epoch}) for epoch in range(3)])

    def scenario(page: Page, seen: Seen) -> None:
        page.add_init_script(NOTE_INKS)
        page.goto("/#/compare?" + "&".join(f"run={run['run_id']}" for run in runs))
        expect(page.locator("figure[data-drawn]")).to_be_visible()
        swatches = page.locator(".legend .swatch").evaluate_all(
            "(all) => all.map((one) => getComputedStyle(one).backgroundColor)"
        )
        assert len(set(swatches)) == 2
        inks = page.evaluate(RGB)
        assert set(swatches) <= set(inks)

    chromium.run(server.url, scenario, forced_colors="active")


def tuner_of_some(client: httpx.Client) -> JSON:
    """A tuner with more trials than have a row at once."""
    tuner = create_tuner(client, space=SPACE)
    params = {"learning_rate": 0.05, "optimizer": "adam"}
    trials = [{"params": params, "score": number} for number in range(300)]
    answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/trials", json={"trials": trials}), 201)
    return tuner


def test_of_a_long_table_each_row_says_which_it_is(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = tuner_of_some(client)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        table = page.get_by_role("region", name="Trials")
        rows = table.locator("tbody tr[data-key]")
        expect(rows.first.get_by_role("rowheader")).to_have_text("299")
        expect(rows.first).to_have_attribute("aria-rowindex", "2")
        table.locator(".gap").last.evaluate("(one) => { one.isKept = true; }")
        table.evaluate("(one) => one.scrollTo(0, one.scrollHeight)")
        expect(rows.last.get_by_role("rowheader")).to_have_text("0")
        expect(rows.last).to_have_attribute("aria-rowindex", "301")
        assert rows.count() < 300
        assert table.locator(".gap").last.evaluate("(one) => one.isKept")  # or all rows were put in anew

    chromium.run(server.url, scenario)


def test_how_many_are_left_is_told_with_the_filter(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = varied_tuner(client)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        handle = page.get_by_role("slider", name="Filter by accuracy")
        handle.focus()
        page.keyboard.press("Shift+ArrowDown")
        expect(handle).to_have_attribute("aria-valuetext", re.compile(r"^0\.\d+ to 0\.\d+: 7 trials left$"))
        expect(handle).to_be_focused()

    chromium.run(server.url, scenario)


def test_on_paper_all_is_there_in_the_colours_of_paper(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = tuner_of_some(client)

    def scenario(page: Page, seen: Seen) -> None:
        page.set_viewport_size({"width": 1360, "height": 300})
        page.add_init_script(NOTE_INKS)
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        table = page.get_by_role("region", name="Trials")
        rows = table.locator("tbody tr[data-key]")
        expect(page.locator("figure[data-drawn]").first).to_be_visible()
        expect(page.locator("figure:not([data-drawn])")).not_to_have_count(0)
        on_screen = set(page.evaluate(RGB))
        page.evaluate("inks.length = 0")
        page.emulate_media(media="print", color_scheme="dark")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("figure:not([data-drawn])").count() == 0
        assert page.evaluate(RGB)[-1] not in on_screen  # what was being painted is finished first, as it was
        assert rows.count() == 300
        assert table.evaluate("(one) => one.scrollHeight <= one.clientHeight")
        expect(page.get_by_role("button", name="CSV")).to_have_count(0)
        page.emulate_media(media="screen", color_scheme="dark")
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert rows.count() < 300

    chromium.run(server.url, scenario, color_scheme="dark")
