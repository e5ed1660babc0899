"""What is on a page can be seen: contrast as WCAG AA has it, in light and in dark, and where the focus is."""

import re
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.dashboard.browser import Chromium, Seen
from tests.dashboard.scenes import make_pages, varied_tuner
from tests.server import Server

AUDIT = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
NOTE_INKS = """
    window.inks = [];
    for (const [name, ink] of [["stroke", "strokeStyle"], ["fill", "fillStyle"]]) {
        const paint = CanvasRenderingContext2D.prototype[name];
        CanvasRenderingContext2D.prototype[name] = function (...args) {
            inks.push([this[ink], this.globalAlpha, this.canvas]);
            return paint.apply(this, args);
        };
    }
"""
FOCUS = """() => {
    const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
    const has = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && style.outlineColor === accent;
    const isStroked = at instanceof SVGElement && style.stroke === accent && parseFloat(style.strokeWidth) >= 2;
    const name = at.getAttribute("aria-label") ?? at.textContent.trim().slice(0, 30);
    return { name: `${at.tagName} ${name}`, isSeen: (has || isStroked) && box.width > 0 && box.height > 0,
             isEnd: at === document.body };
}"""


def test_text_and_marks_stand_out_from_their_ground(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    pages = make_pages(client)

    def audit(page: Page, name: str) -> list[str]:
        told: dict[str, Any] = page.evaluate(f"({AUDIT})(inks)")
        assert told["n"] >= 5, name
        return list(told["faint"])

    def scenario(page: Page, seen: Seen) -> dict[str, list[str]]:
        page.set_viewport_size({"width": 1360, "height": 2400})  # all charts are seen, and so drawn
        page.add_init_script(NOTE_INKS)
        found: dict[str, list[str]] = {}
        for name, path in pages.items():
            page.emulate_media(color_scheme="light")
            page.goto("about:blank")
            page.goto(path)
            expect(page.locator("main")).not_to_have_attribute("aria-busy", "true")
            charts = page.locator("figure:visible").all()
            for chart in charts:
                expect(chart).to_have_attribute("data-drawn", re.compile(r"\d"))
            if name == "run":
                page.get_by_role("button", name="Edit", exact=True).click()
                page.get_by_label("Name").fill("x" * 251)
                page.get_by_role("button", name="Save").click()
                expect(page.get_by_role("dialog").get_by_role("alert")).not_to_be_empty()
            found[f"{name}, light"] = audit(page, name)
            drawn = [chart.get_attribute("data-drawn") or "" for chart in charts]
            page.evaluate("inks.length = 0")
            page.emulate_media(color_scheme="dark")
            for chart, before in zip(charts, drawn, strict=True):
                expect(chart).not_to_have_attribute("data-drawn", before)
            found[f"{name}, dark"] = audit(page, name)
        return {name: faint for name, faint in found.items() if faint}

    assert not chromium.run(server.url, scenario, may_complain_of=("422", "no such page"))


def test_whoever_walks_with_the_keyboard_sees_where_they_are(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = varied_tuner(client)

    def scenario(page: Page, seen: Seen) -> list[str]:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.get_by_role("slider", name="Filter by accuracy")).to_be_visible()
        page.evaluate(
            "const probe = document.body.appendChild(document.createElement('span'));"
            "probe.style.color = 'var(--accent)'; window.accent = getComputedStyle(probe).color; probe.remove();"
        )
        walked = []
        for _ in range(120):
            page.keyboard.press("Tab")
            here = page.evaluate(FOCUS)
            if here["isEnd"]:
                break
            assert here["isSeen"], here
            walked.append(here["name"])
        return walked

    walked = chromium.run(server.url, scenario)
    for name in ("Skip to the content", "Pause", "Best so far", "Learning curves", "Filter by accuracy", "Columns"):
        assert any(name in one for one in walked), (name, walked)
