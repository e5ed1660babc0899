"""Renders each page of the dashboard, light and dark, with the demo's data: `python -m tests.dashboard.screenshots`."""

import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect

from tests.dashboard.browser import Chromium, Seen
from tests.server import Server

FOLDER = Path(__file__).parents[2] / "docs" / "images"
SIZE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 780}


def main() -> None:
    """Run the demo, and look at it."""
    with tempfile.TemporaryDirectory() as folder, Server(f"sqlite:///{folder}/demo.db") as server:
        demo = ["--trials", "40", "--workers", "2", "--epochs", "25", "--url", server.url]
        subprocess.run([sys.executable, "-m", "examples.digits", *demo], check=True, stdout=subprocess.DEVNULL)
        chromium = Chromium()
        try:
            for scheme in ("light", "dark"):
                render(chromium, server.url, scheme)
        finally:
            chromium.close()


def render(chromium: Chromium, url: str, scheme: str) -> None:
    """Each page in one colour scheme."""
    for name, path in pages(url).items():
        shoot(chromium, url, path, FOLDER / f"{name}-{scheme}.png", scheme, SIZE)
    shoot(chromium, url, pages(url)["tuner"], FOLDER / f"phone-{scheme}.png", scheme, PHONE)


def pages(url: str) -> dict[str, str]:
    """The pages, and where each is."""
    with httpx.Client(base_url=url, trust_env=False) as client:
        (tuner,) = client.get("/v1/tuners").json()["items"]
        seen = client.get(f"/v1/tuners/{tuner['tuner_id']}/overview").json()
    ranked = sorted(zip(seen["trials"]["score"], seen["trials"]["run_id"], strict=True), reverse=True)
    best = [run_id for _, run_id in ranked]
    return {
        "start": "/",
        "tuner": f"/#/tuners/{tuner['tuner_id']}",
        "run": f"/#/runs/{best[0]}",
        "compare": "/#/compare?" + "&".join(f"run={run_id}" for run_id in (best[0], best[4], best[20], best[-4])),
    }


def shoot(chromium: Chromium, url: str, path: str, file: Path, scheme: str, size: dict[str, int]) -> None:
    """One page as it is when it has settled."""

    def scenario(page: Page, seen: Seen) -> None:
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        page.goto(path)
        expect(page.locator("#connection")).to_have_text("Live")
        if path != "/":
            expect(page.locator("figure[data-drawn]").first).to_be_visible()
        page.wait_for_timeout(500)  # nothing tells that a picture has settled
        page.screenshot(path=file)

    FOLDER.mkdir(parents=True, exist_ok=True)
    chromium.run(url, scenario, color_scheme=scheme)


if __name__ == "__main__":
    main()
