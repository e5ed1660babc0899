"""What the learning curves of a tuner cost a browser while fifty runs log, frame by frame.

    .venv/bin/python -m benchmarks.frames                       # half a minute
    .venv/bin/python -m benchmarks.frames --beside FOLDER       # in turn with the static files of another version

A real Chromium looks at a tuner with 50 runs of 1,000 epochs; then each run logs on, ten epochs a second, 500 events in
all. Times between frames depend on what else the machine does; milliseconds of the page's main thread a second, by the
thread's own clock, do so far less. Compare within one run.
"""

import argparse
import asyncio
import random
import re
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, Route, expect

from tests.calls import JSON, create_tuner, log_batch, start_run, suggest
from tests.dashboard.browser import Chromium, Seen
from tests.server import Server

N_RUNS = 50
N_EPOCHS = 1000
UPDATES_A_SECOND = 10
_FRAMES = """
    window.frames_seen = [];
    let last = performance.now();
    const look = (now) => { frames_seen.push(now - last); last = now; requestAnimationFrame(look); };
    requestAnimationFrame(look);
"""
_CLOCKS = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")


def main() -> None:
    """Fill a service, look at it, and print a line for each version in each round."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each look (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="how often each version has its turn (%(default)s)")
    parser.add_argument("--beside", type=Path, help="a folder with the static files of another version")
    options = parser.parse_args()
    print(f"{'version':10}{'frames/s':>10}{'p50 ms':>9}{'p95':>7}{'p99':>7}{'max':>7}   main thread, ms a second")
    with tempfile.TemporaryDirectory() as folder, Server(f"sqlite:///{folder}/frames.db") as server:
        chromium = Chromium()
        try:
            for _ in range(options.rounds):
                for name, files in (("this", None), ("beside", options.beside)):
                    if name == "this" or files is not None:
                        print(f"{name:10}{look(chromium, server, files, options.seconds)}", flush=True)
        finally:
            chromium.close()


def look(chromium: Chromium, server: Server, files: Path | None, seconds: float) -> str:
    """What one version took, in words."""
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        tuner = create_tuner(client, name="frames", space={"x": {"type": "float_range", "min": 0.0, "max": 1.0}})
        trials = suggest(client, tuner, count=N_RUNS)
        runs = [start_run(client, trial_id=trial["trial_id"]) for trial in trials]

        def scenario(page: Page, seen: Seen) -> str:
            if files is not None:
                page.route(re.compile(r"/dashboard/\w+/\S+"), lambda route: _from(files, route))
            devtools = page.context.new_cdp_session(page)
            devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
            page.goto(f"/#/tuners/{tuner['tuner_id']}")
            expect(page.locator("#connection")).to_have_text("Live")
            grow(client, runs, 0, N_EPOCHS)
            chart = page.get_by_role("img", name=re.compile("^Learning curves"))
            expect(chart).to_be_visible()
            page.wait_for_timeout(2000)  # the frames of the filling are not those that are measured
            logging = Logging(server.url, runs, seconds)
            page.evaluate(_FRAMES)
            assert page.context.browser is not None
            processes = page.context.browser.new_browser_cdp_session()
            before, started = _clocks(devtools) | _processes(processes), time.monotonic()
            logging.start()
            while logging.is_alive():
                page.wait_for_timeout(200)
            after, took = _clocks(devtools) | _processes(processes), time.monotonic() - started
            frames: list[float] = page.evaluate("frames_seen")
            spent = {name: 1000 * (after[name] - before[name]) / took for name in (*_CLOCKS, "renderer", "GPU")}
            return _told(frames, took, spent)

        return chromium.run(server.url, scenario)


def _told(frames: list[float], took: float, spent: dict[str, float]) -> str:
    cuts = statistics.quantiles(frames, n=100)
    figures = "".join(f"{value:7.0f}" for value in (cuts[94], cuts[98], max(frames)))
    clocks = ", ".join(f"{name.removesuffix('Duration').lower()} {value:.0f}" for name, value in spent.items())
    return f"{len(frames) / took:10.1f}{cuts[49]:9.1f}{figures}   {clocks}"


def _from(folder: Path, route: Route) -> None:
    route.fulfill(path=folder / route.request.url.rpartition("/")[2])


def _clocks(devtools: Any) -> dict[str, float]:
    return {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}


def _processes(devtools: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in devtools.send("SystemInfo.getProcessInfo")["processInfo"]:
        found[one["type"]] = found.get(one["type"], 0.0) + one["cpuTime"]
    return found


def grow(client: httpx.Client, runs: list[JSON], first: int, last: int) -> None:
    """Epochs of all runs, in large pieces."""
    for run in runs:
        log_batch(client, run, [(epoch, {"score": _value(run, epoch)}) for epoch in range(first, last)])


def _value(run: JSON, epoch: int) -> float:
    draw = random.Random(f"{run['run_id']} {epoch}")
    return 1 - 0.8 * 0.995**epoch + draw.gauss(0, 0.01)


class Logging(threading.Thread):
    """All runs log; each tells its epochs of a second at once, so that the page and not the service is what is busy."""

    def __init__(self, url: str, runs: list[JSON], seconds: float) -> None:
        super().__init__()
        self._url, self._runs, self._seconds = url, runs, seconds

    def run(self) -> None:
        asyncio.run(self._log())

    async def _log(self) -> None:
        async with httpx.AsyncClient(base_url=self._url, trust_env=False, timeout=60) as client:
            started = time.monotonic()
            for turn in range(int(self._seconds) * N_RUNS):
                second, place = divmod(turn, N_RUNS)
                await asyncio.sleep(max(0.0, started + turn / N_RUNS - time.monotonic()))
                run, first = self._runs[place], N_EPOCHS + second * UPDATES_A_SECOND
                epochs = [
                    {"epoch": epoch, "metrics": {"score": _value(run, epoch)}}
                    for epoch in range(first, first + UPDATES_A_SECOND)
                ]
                answer = await client.post(f"/v1/runs/{run['run_id']}/epochs/batch", json={"epochs": epochs})
                answer.raise_for_status()


if __name__ == "__main__":
    main()
