"""How the pages are looked at: by touch, by key, over an address; with many trials, several objectives, trials lost."""

import json
import re

import httpx
import pytest
from playwright.sync_api import CDPSession, Locator, Page, expect

from tests.calls import JSON, answer, log_batch, log_epoch, report, start_run, suggest
from tests.dashboard.browser import Chromium, Seen
from tests.dashboard.scenes import OBJECTIVES, finish_trial, lose_trial, new_tuner, varied_tuner
from tests.keys import make_key
from tests.server import Server

N_MANY = 1_200


def chart_of(page: Page, title: str) -> Locator:
    """A chart, drawn."""
    chart = page.locator("figure", has=page.get_by_role("heading", name=title, exact=True))
    chart.scroll_into_view_if_needed()
    expect(chart).to_have_attribute("data-drawn", re.compile(r"\d"))
    return chart


def test_several_objectives_have_a_front_a_sentence_and_columns(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client, objectives=OBJECTIVES)
    for accuracy, latency in ((0.9, 30.0), (0.5, 10.0), (0.6, 40.0), (0.9, 30.0), (0.7, 10.0)):
        finish_trial(client, tuner, accuracy, latency=latency)
    path = f"/v1/tuners/{tuner['tuner_id']}"
    assert [one["number"] for one in answer(client.get(f"{path}/pareto"))["items"]] == [0, 3, 4]

    def scenario(page: Page, seen: Seen) -> int:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        headline = page.locator("#headline")
        expect(headline).to_have_text(
            "3 of 5 trials are unbeaten, the newest found just now. "
            "Best: accuracy 0.9 in trial 0, latency 10 in trial 4."
        )
        expect(page.locator("#connection")).to_have_text("Live")
        n_requests = len([one for one in seen.requests if not one.startswith("data:")])
        chart = chart_of(page, "Objectives")
        expect(chart.locator(".dot.best")).to_have_count(3)
        expect(chart.locator(".step.front")).to_have_count(1)
        strands = chart_of(page, "Parameters and score")
        expect(strands.locator(".strand.best")).to_have_count(3)
        expect(chart_of(page, "What matters")).to_contain_text("mean over the objectives")
        for title in ("accuracy", "latency"):
            expect(strands.get_by_role("slider", name=f"Filter by {title}")).to_be_visible()
        rows = page.get_by_role("region", name="Trials")
        # Those that none beats come first, the best at the first objective before the others.
        expect(rows.locator("tbody th")).to_have_text(["0", "3", "4", "1", "2"])
        expect(rows.get_by_role("img", name="Unbeaten")).to_have_count(3)
        rows.get_by_role("button", name="latency").click()
        rows.get_by_role("button", name="latency").click()
        expect(rows.locator("th[aria-sort=ascending]")).to_have_text("latency")
        finish_trial(client, tuner, 0.95, latency=5.0)
        expect(headline).to_contain_text("1 of 6 trials is unbeaten, found just now.")
        finish_trial(client, tuner, 0.4, latency=50.0)
        expect(headline).to_contain_text("1 of 7 trials is unbeaten, found 1 trial ago.")
        return n_requests

    assert chromium.run(server.url, scenario) <= 15


def test_what_matters_is_told_for_each_of_several_objectives(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    space = {name: {"type": "float_range", "min": 0, "max": 1} for name in ("width", "depth")}
    tuner = new_tuner(client, space=space, objectives=OBJECTIVES)
    for i in range(30):
        params = {"width": (i * 7 % 30) / 29, "depth": i / 29}
        scores = {"accuracy": params["width"], "latency": params["depth"] + 0.3 * params["width"]}
        report(client, tuner, params=params, scores=scores)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        chart = chart_of(page, "What matters")
        expect(chart.locator(".legend li")).to_have_text(["accuracy", "latency"])
        rows = chart.locator(".bar-row")
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text("width")
        lengths = [[float(bar.get_attribute("width") or 0) for bar in row.locator("rect").all()] for row in rows.all()]
        assert lengths[0][0] > 10 * lengths[1][0]
        assert lengths[1][1] > 5 * lengths[0][1]
        chart.get_by_role("button", name="What matters as a table").click()
        expect(chart.locator("th")).to_have_text(["parameter", "accuracy", "latency", "mean"])

    chromium.run(server.url, scenario)


def test_of_several_objectives_each_has_its_learning_curves(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client, objectives=OBJECTIVES)
    finish_trial(client, tuner, 0.5, latency=30.0)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        chart = chart_of(page, "Learning curves")
        expect(chart.get_by_role("img")).to_have_accessible_name(re.compile("1 curve of accuracy .* Trial 0 at 0.4844"))
        page.get_by_label("Learning curves of").select_option("latency")
        expect(chart.get_by_role("img")).to_have_accessible_name(re.compile("1 curve of latency .* Trial 0 at 30"))
        expect(chart.locator("svg text", has_text="latency")).to_be_visible()
        page.wait_for_url(re.compile("curves=latency"))
        # Live, and for whom the address is sent.
        finish_trial(client, tuner, 0.6, latency=25.0)
        expect(chart.get_by_role("img")).to_have_accessible_name(re.compile("2 curves of latency .* Trial 1 at 25"))
        page.reload()
        expect(page.get_by_label("Learning curves of")).to_have_value("latency")
        expect(chart.get_by_role("img")).to_have_accessible_name(re.compile("2 curves of latency"))

    chromium.run(server.url, scenario)


def test_of_several_objectives_those_that_none_beats_are_compared(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client, objectives=OBJECTIVES)
    fronts = [finish_trial(client, tuner, 0.1 * number, latency=float(number)) for number in range(1, 8)]
    for _ in range(5):
        finish_trial(client, tuner, 0.69, latency=40.0)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.locator(".legend a")).to_have_text([f"Trial {number}" for number in (0, 2, 3, 5, 6)])
        page.get_by_role("link", name="Compare 5 of the 7 unbeaten").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Best of 5 runs"))
        assert {run["run_id"] for run in fronts} > set(re.findall(r"run=([0-9a-f-]+)", page.url))

    chromium.run(server.url, scenario)


def test_what_was_stopped_or_lost_can_be_seen(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = varied_tuner(client)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        curves = chart_of(page, "Learning curves")
        expect(curves.locator(".stop-mark")).to_have_count(2)
        expect(curves).to_contain_text("×: stopped early")
        best = chart_of(page, "Best so far")
        expect(best).to_contain_text("○ stopped early, × failed")
        best.get_by_role("img").focus()
        told = []
        for _ in range(10):
            page.keyboard.press("ArrowRight")
            told.append(best.locator(".tip").inner_text().splitlines())
        assert [lines[0] for lines in told[6:]] == [
            "Trial 6, stopped early",
            "Trial 7, stopped early",
            "Trial 8: failed",
            "Trial 9: infeasible",
        ]
        assert told[8][1] == "out of memory"

    chromium.run(server.url, scenario)


def test_what_was_lost_does_not_lie_among_the_best(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = new_tuner(client, objective={"metric": "accuracy", "direction": "minimize"}, budget={"max_attempts": 1})
    for accuracy in (0.5, 0.2, 0.9):
        finish_trial(client, tuner, accuracy)
    lose_trial(client, tuner)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        for title in ("Best so far", "learning_rate"):
            chart = chart_of(page, title)
            with page.expect_download() as download:
                chart.get_by_role("button", name=f"{title} as SVG").click()
            found = re.search(r'class="lost-mark" d="M[\d.]+ ([\d.]+)', download.value.path().read_text())
            assert found is not None
            best = float(chart.locator(".dot.best").get_attribute("cy") or 0)
            assert best < float(found[1]) - 10

    chromium.run(server.url, scenario)


def test_of_many_parameters_those_that_matter_are_seen_beside_the_score(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    space = {f"p{number:02}": {"type": "float_range", "min": 0.0, "max": 1.0} for number in range(20)}
    tuner = new_tuner(client, space=space)
    for trial in suggest(client, tuner, count=60):
        report(client, tuner, trial_id=trial["trial_id"], score=trial["params"]["p19"])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        strands = chart_of(page, "Parameters and score")
        expect(strands).to_contain_text("12 of 20 parameters, the most important")
        expect(strands.get_by_role("slider")).to_have_count(13)
        expect(strands.get_by_role("slider", name="Filter by p19")).to_be_visible()
        expect(strands.get_by_role("slider", name="Filter by accuracy")).to_be_in_viewport(ratio=1)
        heads = page.get_by_role("region", name="Trials").get_by_role("columnheader")
        expect(heads.filter(has_text=re.compile("^p"))).to_have_count(12)
        expect(heads.filter(has_text="p19")).to_have_count(1)

    chromium.run(server.url, scenario)


def test_a_tuner_that_only_failed_says_why(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = new_tuner(client, budget={"max_attempts": 1})
    lose_trial(client, tuner)
    lose_trial(client, tuner, state="infeasible", reason="no such shape")

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.locator("#headline")).to_have_text(
            "None of 2 trials has a score: 1 failed, 1 infeasible. The last one: no such shape"
        )

    chromium.run(server.url, scenario)


def test_a_long_reason_can_be_read_to_its_end_without_a_mouse(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client, budget={"max_attempts": 1})
    finish_trial(client, tuner, 0.5)
    lose_trial(client, tuner, reason=f"CUDA {'out of memory ' * 20}at layer 17")

    def scenario(page: Page, seen: Seen) -> None:
        page.set_viewport_size({"width": 390, "height": 780})
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        reason = page.get_by_role("region", name="Trials", exact=True).locator("details")
        expect(reason.get_by_text("at layer 17")).to_be_hidden()
        reason.locator("summary").focus()
        page.keyboard.press("Enter")
        expect(reason.get_by_text("at layer 17")).to_be_visible()
        # It stays open, and is where the focus is, while others come.
        finish_trial(client, tuner, 0.75)
        expect(page.get_by_role("region", name="Trials", exact=True).locator("tbody tr")).to_have_count(3)
        expect(reason.get_by_text("at layer 17")).to_be_visible()
        expect(reason.locator("summary")).to_be_focused()

    chromium.run(server.url, scenario)


def test_the_best_trials_parameters_are_told_without_a_click(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client)
    run = finish_trial(client, tuner, 0.9)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.locator(".chips")).to_contain_text(run["params"]["optimizer"])
        page.get_by_role("link", name="Open trial 0").click()
        expect(page.get_by_role("heading", name="Trial 0")).to_be_visible()

    chromium.run(server.url, scenario)


def test_how_a_tuner_is_looked_at_stands_in_the_address(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = varied_tuner(client)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        rows = page.get_by_role("region", name="Trials")
        handle = page.get_by_role("slider", name="Filter by accuracy")
        handle.focus()
        for _ in range(3):
            page.keyboard.press("ArrowUp")  # the focus stays where it is while the chart is drawn anew
        expect(handle).to_have_attribute("aria-valuetext", re.compile(r" to "))
        expect(rows.locator("tbody tr")).not_to_have_count(11)
        n_left = rows.locator("tbody tr").count()
        assert 0 < n_left < 8
        page.get_by_text("Columns", exact=True).click()
        page.get_by_role("checkbox", name="Worker").uncheck()
        page.get_by_role("checkbox", name="Attempt").check()
        rows.get_by_role("button", name="Trial").click()
        chart = chart_of(page, "Learning curves")
        chart.get_by_role("img").focus()
        page.keyboard.press("+")
        page.keyboard.press("Shift+ArrowRight")
        for part in ("only.=", "columns=", "sort=-Trial", "zoom.learning-curves="):
            expect(page).to_have_url(re.compile(re.escape(part)))
        address = page.url
        page.goto("about:blank")
        page.goto(address)
        expect(rows.locator("tbody tr")).to_have_count(n_left)
        expect(rows.get_by_role("columnheader", name="Worker")).to_have_count(0)
        expect(rows.get_by_role("columnheader", name="Attempt")).to_be_visible()
        expect(rows.locator("th[aria-sort=descending]")).to_have_text("Trial")
        expect(chart_of(page, "Learning curves").get_by_role("button", name="Reset zoom")).to_be_visible()
        page.get_by_role("button", name="Clear filters").click()
        expect(rows.locator("tbody tr")).to_have_count(11)
        expect(page).not_to_have_url(re.compile(r"only\."))

    chromium.run(server.url, scenario)


def test_many_metrics_are_grouped_and_found_by_name(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    few, many = start_run(client), start_run(client)
    names = [f"{part}/{name}_{number}" for number in range(11) for part in ("train", "val") for name in ("acc", "loss")]
    names += [f"other_{number}" for number in range(20)]
    log_batch(client, few, [(0, dict.fromkeys(names[:12], 1.0))])
    log_batch(client, many, [(0, dict.fromkeys(names, 1.0)), (1, dict.fromkeys(names, 2.0))])

    def scenario(page: Page, seen: Seen) -> None:
        charts, box = page.locator("figure"), page.get_by_label("Find metrics")
        page.goto(f"/#/runs/{few['run_id']}")
        expect(charts).to_have_count(12)
        expect(box).to_have_count(0)
        page.goto(f"/#/runs/{many['run_id']}")
        told = page.get_by_role("status").filter(has_text="metrics")
        expect(told).to_have_text("64 metrics; the first 60 are shown")
        expect(charts).to_have_count(60)
        groups = page.locator(".gallery details")
        expect(groups.get_by_role("heading", level=2)).to_have_text(["train", "val"])
        expect(charts.first).to_contain_text("other_")  # what has no prefix comes first
        groups.first.locator("summary").click()
        expect(groups.first.locator("figure").first).to_be_hidden()
        # Those that are not shown are found, too, and grow.
        expect(page.locator("#connection")).to_have_text("Live")
        box.fill("LOSS val/")
        expect(told).to_have_text("11 of 64 metrics")
        expect(charts).to_have_count(11)
        expect(groups).to_have_count(1)
        log_batch(client, many, [(2, dict.fromkeys(names, 3.5))])
        expect(page.get_by_role("img", name=re.compile("^val.loss_10"))).to_have_accessible_name(re.compile("now 3.5"))
        expect(box).to_be_focused()
        expect(page).to_have_url(re.compile("metric=LOSS"))
        page.reload()
        expect(charts).to_have_count(11)
        box.fill("nothing like it")
        expect(told).to_have_text("0 of 64 metrics")
        expect(charts).to_have_count(0)
        box.fill("")
        expect(charts).to_have_count(60)

    chromium.run(server.url, scenario)


def _touch(devtools: CDPSession, kind: str, *fingers: tuple[float, float]) -> None:
    points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(fingers)]
    devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_fingers_point_zoom_and_move(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = varied_tuner(client)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        chart = chart_of(page, "Best so far")
        best = chart.locator(".dot.best")
        expect(best).to_be_visible()
        spot = best.bounding_box()
        assert spot is not None
        at = (spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2)
        page.touchscreen.tap(*at)
        expect(chart.locator(".tip")).to_contain_text("Trial 3")
        expect(chart.locator(".tip")).to_contain_text("Tap again to open it")
        box = chart.get_by_role("img").bounding_box()
        assert box is not None
        middle, y = box["x"] + box["width"] / 2, box["y"] + 60
        devtools = page.context.new_cdp_session(page)
        _touch(devtools, "touchStart", (middle - 20, y), (middle + 20, y))
        for reach in (40, 60, 80):
            _touch(devtools, "touchMove", (middle - reach, y), (middle + reach, y))
        _touch(devtools, "touchEnd")
        expect(page).to_have_url(re.compile(r"zoom\.best-so-far="))
        (low, high) = _zoom(page)
        assert 1 < low < high < 10
        before = page.url
        _touch(devtools, "touchStart", (middle, y))
        for shift in (20, 40, 60):
            _touch(devtools, "touchMove", (middle + shift, y))
        _touch(devtools, "touchEnd")
        expect(page).not_to_have_url(before)
        (moved_low, moved_high) = _zoom(page)
        assert moved_low < low
        assert moved_high - moved_low == pytest.approx(high - low, rel=0.01)
        chart.get_by_role("button", name="Reset zoom").click()
        page.touchscreen.tap(*at)
        expect(chart.locator(".tip")).to_contain_text("Trial 3")
        page.touchscreen.tap(*at)
        expect(page.get_by_role("heading", name="Trial 3")).to_be_visible()

    chromium.run(server.url, scenario, has_touch=True)


def _zoom(page: Page) -> list[float]:
    """What is shown of the chart, as the address says 200 ms after the first of some changes: timers come in order."""
    page.evaluate("new Promise((done) => setTimeout(done, 250))")
    found = re.search(r"zoom\.best-so-far=([\d.]+)", page.url)
    assert found is not None, page.url
    return [float(one) for one in found[1].split("..")]


def tuner_of_many(client: httpx.Client) -> JSON:
    """A tuner with more trials than are read at once."""
    tuner = new_tuner(client, space={"x": {"type": "float_range", "min": 0.0, "max": 1.0}})
    sent = [{"params": {"x": number / N_MANY}, "score": (number * 7919) % N_MANY / N_MANY} for number in range(N_MANY)]
    for start in range(0, N_MANY, 1000):
        path = f"/v1/tuners/{tuner['tuner_id']}/trials"
        answer(client.post(path, json={"trials": sent[start : start + 1000]}), 201)
    return tuner


def test_trials_that_are_read_later_are_drawn_when_they_are_there(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = tuner_of_many(client)

    def scenario(page: Page, seen: Seen) -> None:
        page.add_init_script("Date.now = () => 1e6")  # so that nothing is drawn because time has passed
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        chart = page.get_by_role("group", name=re.compile("^Parameters and score"))
        expect(chart).to_have_accessible_name(re.compile(f"{N_MANY:,} trials"))

    chromium.run(server.url, scenario)


def test_more_than_a_thousand_trials_are_all_there(
    chromium: Chromium, fresh_server: Server, fresh_client: httpx.Client
) -> None:
    tuner = tuner_of_many(fresh_client)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.locator(".card-head .note")).to_have_text(f"{N_MANY:,} trials")
        expect(page.get_by_role("group", name=re.compile(f"^Parameters and score. {N_MANY:,} trials"))).to_be_visible()
        rows = page.get_by_role("region", name="Trials")
        expect(rows.get_by_role("table")).to_have_attribute("aria-rowcount", str(N_MANY + 1))
        rows.get_by_role("button", name="Trial").click()
        rows.get_by_role("button", name="Trial").click()
        expect(rows.locator("tbody tr:not(.gap)").first).to_contain_text("0")
        rows.evaluate("(one) => one.scrollTo(0, one.scrollHeight)")
        expect(rows.get_by_role("row", name=re.compile(f"^{N_MANY - 1:,} "))).to_be_visible()
        assert rows.locator("tbody tr").count() < 200
        # It stays so when something changes.
        lose_trial(fresh_client, tuner)
        expect(page.locator(".card-head .note")).to_have_text(f"{N_MANY + 1:,} trials")

    chromium.run(fresh_server.url, scenario)


def test_long_texts_leave_room_for_what_stands_beside_them(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    path = "s3://bucket/" + "very/long/" * 500
    runs = [start_run(client, name=name, params={"path": path + name}, note="a line\n" * 1000) for name in "ab"]

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{runs[0]['run_id']}")
        expect(page.get_by_role("heading", name="Events")).to_be_visible()
        assert page.evaluate("() => document.documentElement.scrollHeight < 2 * innerHeight")
        page.get_by_text(path).focus()  # as it is by Tab, so that it can be scrolled with the keyboard
        page.keyboard.press("End")
        page.wait_for_function("() => document.activeElement.scrollTop > 0")
        page.goto(f"/#/compare?run={runs[0]['run_id']}&run={runs[1]['run_id']}")
        expect(page.get_by_title(path)).to_have_count(2)
        assert [one.get_attribute("title") for one in page.get_by_title(path).all()] == [path + "a", path + "b"]

    chromium.run(server.url, scenario)


def test_who_signed_in_can_sign_out_and_is_told_when_that_ends(chromium: Chromium, fresh_server: Server) -> None:
    key = make_key(fresh_server, "admin")
    with httpx.Client(base_url=fresh_server.url, headers={"Authorization": f"Bearer {key}"}, trust_env=False) as client:
        start_run(client, name="secret")

    def sign_in(page: Page, heading: str) -> None:
        dialog = page.get_by_role("dialog", name=heading, exact=True)
        dialog.get_by_label("API key").fill(key)
        dialog.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("link", name="secret")).to_be_visible()

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        expect(page.locator("#connection")).to_have_text("Signed out")
        page.keyboard.press("Escape")  # it does not leave an empty page behind
        page.keyboard.press("Escape")
        sign_in(page, "Sign in")
        page.route("**/v1/session", lambda route: route.abort(), times=1)
        with page.expect_event("dialog") as told:
            page.once("dialog", lambda dialog: dialog.accept())  # a click may wait for what it opens
            page.get_by_role("button", name="Sign out").click()
        assert told.value.message == "You are still signed in. The service does not answer."
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("dialog", name="Sign in", exact=True)).to_be_visible()
        assert page.get_by_text("secret").count() == 0
        assert page.context.cookies() == []
        sign_in(page, "Sign in")
        page.context.clear_cookies()  # as after 30 days, when the key may be good still
        page.get_by_role("link", name="secret").click()
        expect(page.get_by_role("dialog")).to_contain_text("You were signed in as “admin key (admin)”")
        dialog = page.get_by_role("dialog", name="Sign in again")
        dialog.get_by_label("API key").fill(key)
        dialog.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="secret")).to_be_visible()

    chromium.run(fresh_server.url, scenario, may_complain_of=("401", "ERR_FAILED"))


def test_ids_and_parameters_are_copied_whole(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = new_tuner(client)
    run = finish_trial(client, tuner, 0.9)
    params = answer(client.get(f"/v1/runs/{run['run_id']}"))["params"]

    def scenario(page: Page, seen: Seen) -> None:
        for path, identity in (("tuners", tuner["tuner_id"]), ("runs", run["run_id"])):
            page.goto(f"/#/{path}/{identity}")
            page.get_by_role("button", name="Copy", exact=True).click()
            expect(page.get_by_role("button", name="Copied")).to_be_visible()
            assert page.evaluate("navigator.clipboard.readText()") == identity
            page.get_by_role("button", name="Copy as JSON").click()
            expect(page.get_by_role("button", name="Copied")).to_have_count(2)
            assert json.loads(page.evaluate("navigator.clipboard.readText()")) == params

    chromium.run(server.url, scenario, permissions=["clipboard-read", "clipboard-write"])


def test_of_a_long_name_the_end_is_seen(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    for seed in (16, 17):
        start_run(client, name=f"a name that says much before it comes to the seed {seed}")

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        for seed in (16, 17):
            link = page.get_by_role("link", name=re.compile(f"^a name that says .* seed {seed}$"))
            whole, end = link.bounding_box(), link.get_by_text(re.compile(f"^.{{1,12}}{seed}$")).bounding_box()
            assert whole is not None
            assert end is not None
            assert whole["width"] < 310
            assert end["x"] + end["width"] <= whole["x"] + whole["width"] + 1

    chromium.run(server.url, scenario)


def test_a_run_that_lost_its_trial_is_not_among_the_best_for_what_another_made_of_it(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client, budget={"max_attempts": 2})
    (trial,) = suggest(client, tuner)
    log_batch(client, start_run(client, trial_id=trial["trial_id"]), [(0, {"accuracy": 0.1})])
    path = f"/v1/tuners/{tuner['tuner_id']}/result"
    answer(client.post(path, json={"trial_id": trial["trial_id"], "state": "failed", "reason": "preempted"}))
    for accuracy in (0.9, 0.8, 0.7, 0.6, 0.5):
        finish_trial(client, tuner, accuracy)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.locator(".legend a")).to_have_count(5)
        assert sorted(page.locator(".legend a").all_text_contents()) == [f"Trial {number}" for number in range(5)]

    chromium.run(server.url, scenario)


def test_a_run_is_called_by_its_trial_wherever_it_is_listed(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client, name="named")
    for name in ("", "own name"):
        (trial,) = suggest(client, tuner)
        start_run(client, trial_id=trial["trial_id"], name=name, tags=["named"])
    start_run(client, name="no trial", tags=["named"])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/#/?filter=%22named%22+in+tags")
        rows = page.get_by_role("region", name="Runs").locator("tbody tr")
        expect(rows.locator(".name")).to_have_text(["no trial", "own name", "named, trial 0"])
        expect(rows.locator(".note:visible")).to_have_text(["named, trial 1"])
        rows.get_by_role("link", name="own name").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Trial 1")
        expect(page.locator(".title-line")).to_contain_text("own name")

    chromium.run(server.url, scenario)


def test_a_phone_shows_what_is_wanted_and_whether_it_still_gets_better(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client, name="a search on a phone", objective={"metric": "wanted", "direction": "maximize"})
    for score in (0.25, 0.5):
        finish_trial(client, tuner, score, wanted=score)

    def scenario(page: Page, seen: Seen) -> None:
        page.set_viewport_size({"width": 390, "height": 780})
        page.goto(f"/#/?filter=tuner_id+%3D+%22{tuner['tuner_id']}%22")
        runs = page.get_by_role("region", name="Runs")
        expect(runs.get_by_role("columnheader").nth(2)).to_have_text("wanted")
        line = page.get_by_role("region", name="Tuners").get_by_role("row", name=re.compile("a search on a phone"))
        places = (runs.get_by_role("cell", name="0.5000").first, line.get_by_role("img", name=re.compile("^From 0.25")))
        for place in places:
            box = place.bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= 390 - 28, box
        expect(runs.locator("tbody .badge:visible").first).to_have_text("finished")

    chromium.run(server.url, scenario)


def test_a_curve_that_explodes_can_be_read_on_a_logarithmic_scale(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    run, narrow = start_run(client), start_run(client)
    losses: list[float | str] = [2.0, 1.0, 0.5, 4e3, 5e5, "NaN", "NaN"]
    log_batch(client, run, [(epoch, {"loss": loss, "accuracy": 0.5 - epoch / 10}) for epoch, loss in enumerate(losses)])
    log_epoch(client, narrow, 0, loss=1.0)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        loss = chart_of(page, "loss")
        expect(loss.locator("figcaption")).to_contain_text("NaN from 5 on")
        button = page.get_by_role("button", name="loss on a log scale")
        assert button.get_attribute("aria-pressed") == "false"
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        ticks = loss.locator(".tick text")
        for text in ("100", "10,000"):
            expect(ticks.filter(has_text=re.compile(f"^{text}$"))).to_have_count(1)
        loss.get_by_role("img").focus()
        page.keyboard.press("End")
        expect(loss.locator(".tip")).to_contain_text("500,000 at epoch 4")
        expect(page).to_have_url(re.compile("look.loss=log"))
        page.reload()
        expect(chart_of(page, "loss").locator(".tick text", has_text="10,000")).to_have_count(1)
        # Where it tells no more it is not offered.
        expect(page.get_by_role("button", name="accuracy on a log scale")).to_be_hidden()

    chromium.run(server.url, scenario)


def test_a_noisy_curve_can_be_smoothed_where_all_of_it_is_there(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    short, long = start_run(client, name="short"), start_run(client, name="long")
    for run, n_epochs in ((short, 400), (long, 2000)):
        epochs: list[tuple[int, JSON]] = [(epoch, {"loss": epoch % 2 + 1.0}) for epoch in range(n_epochs)]
        for start in range(0, n_epochs, 1000):
            log_batch(client, run, epochs[start : start + 1000])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{short['run_id']}")
        loss = chart_of(page, "loss")
        page.get_by_role("button", name="loss smooth").click()
        expect(page).to_have_url(re.compile("look.loss=smooth"))
        with page.expect_download() as download:
            page.get_by_role("button", name="loss as SVG").click()
        pale, strong = re.findall(
            '<path class="curve"[^>]* stroke-opacity="([^"]+)"', download.value.path().read_text()
        )
        assert {pale, strong} == {"0.25", "1"}
        end = loss.locator(".end-mark").bounding_box()
        ticks = [
            loss.locator(".tick text").filter(has_text=re.compile(f"^{one}$")).bounding_box() for one in (1.6, 1.4)
        ]
        assert end is not None
        assert ticks[0] is not None
        assert ticks[1] is not None
        assert ticks[0]["y"] < end["y"] < ticks[1]["y"]
        # Of a long one the extremes are there, whose mean is another.
        page.goto(f"/#/runs/{long['run_id']}?look.loss=smooth")
        expect(page.get_by_role("heading", name="long")).to_be_visible()
        with page.expect_download() as download:
            chart_of(page, "loss").get_by_role("button", name="loss as SVG").click()
        assert download.value.path().read_text().count('class="curve"') == 1

    chromium.run(server.url, scenario)


def column_of(cell: Locator) -> tuple[float, float]:
    """Where a cell is and how wide, from side to side; what is above it may come later, and move it down."""
    box = cell.bounding_box()
    assert box is not None
    return box["x"], box["width"]


def test_what_a_row_is_of_stays_in_sight_and_its_runs_are_one_click_away(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client)
    runs = [finish_trial(client, tuner, number / 10) for number in range(8)]

    def scenario(page: Page, seen: Seen) -> None:
        page.set_viewport_size({"width": 390, "height": 780})
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        trials = page.get_by_role("region", name="Trials", exact=True)
        first = trials.get_by_role("link", name="7", exact=True)
        first.scroll_into_view_if_needed()
        place = column_of(first)
        assert trials.evaluate("(one) => { one.scrollLeft = 200; return one.scrollLeft; }") > 0
        assert column_of(first) == place
        page.get_by_role("link", name="Pick some to compare").press("Enter")
        expect(page.get_by_role("region", name="Runs").locator("tbody tr")).to_have_count(len(runs))
        # Who walks with the keyboard goes on within the new page.
        expect(page.get_by_role("main")).to_be_focused()
        page.goto("/#/compare?" + "&".join(f"run={run['run_id']}" for run in runs))
        table = page.get_by_role("region", name="Side by side")
        name = table.get_by_role("rowheader", name="accuracy")
        place = column_of(name)
        assert table.evaluate("(one) => { one.scrollLeft = 300; return one.scrollLeft; }") > 0
        assert column_of(name) == place

    chromium.run(server.url, scenario)


def test_who_signs_in_or_out_does_so_once_for_all_windows(chromium: Chromium, fresh_server: Server) -> None:
    key = make_key(fresh_server, "admin")

    def scenario(page: Page, seen: Seen) -> None:
        other = page.context.new_page()
        for one in (page, other):
            one.goto("/")
            expect(one.get_by_role("dialog", name="Sign in")).to_be_visible()
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        for one in (page, other):
            expect(one.get_by_role("button", name="Sign out")).to_be_visible()
            expect(one.get_by_role("dialog")).to_have_count(0)
            expect(one.locator("#connection")).to_have_text("Live")
        page.get_by_role("button", name="Sign out").click()
        for one in (page, other):
            expect(one.get_by_role("dialog", name="Sign in")).to_be_visible()
            expect(one.get_by_role("heading", name="Recent runs", include_hidden=True)).to_have_count(0)

    chromium.run(fresh_server.url, scenario, may_complain_of=("401",))
