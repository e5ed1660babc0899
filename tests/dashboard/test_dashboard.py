"""The dashboard in a real browser: what it says, that it is live, and that nothing in it runs or leaves."""

import json
import re
import threading

import httpx
from playwright.sync_api import Page, expect

from tests.calls import (
    answer,
    create_tuner,
    end_run,
    get_run,
    get_tuner,
    log_batch,
    log_epoch,
    report,
    start_run,
    suggest,
)
from tests.dashboard.browser import Chromium, Seen
from tests.dashboard.scenes import SPACE, finish_trial, lose_trial, new_tuner
from tests.keys import make_key
from tests.server import Server

NASTY = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def test_the_sentence_changes_when_a_better_trial_ends(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client)
    finish_trial(client, tuner, 0.8)
    finish_trial(client, tuner, 0.7)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        headline = page.locator("#headline")
        expect(headline).to_contain_text("Trial 0 is best: accuracy 0.8, found 1 trial ago")
        expect(page.locator("#connection")).to_have_text("Live")
        finish_trial(client, tuner, 0.9)
        expect(headline).to_contain_text("Trial 2 is best: accuracy 0.9, found just now, 0.1 above the previous best")
        expect(page.get_by_role("row", name=re.compile("^2 "))).to_contain_text("0.9000")

    chromium.run(server.url, scenario)


def test_curves_grow_while_a_trainer_logs(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = new_tuner(client)
    (trial,) = suggest(client, tuner)
    run = start_run(client, trial_id=trial["trial_id"])
    log_epoch(client, run, 0, accuracy=0.1, loss=2.0)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        chart = page.get_by_role("img", name=re.compile("^accuracy"))
        expect(chart).to_have_accessible_name(re.compile("1 epoch, now 0.1"))
        for epoch in range(1, 6):
            log_epoch(client, run, epoch, accuracy=0.1 + epoch / 10, loss=2.0, late=1.0)
        expect(chart).to_have_accessible_name(re.compile(r"6 epochs, now 0\.6"))
        # A metric that is new has a chart of its own.
        expect(page.get_by_role("img", name=re.compile("^late"))).to_be_visible()
        end_run(client, run, final_metrics={"accuracy": 0.6})
        expect(page.locator(".title-line .badge")).to_have_text("finished")

    chromium.run(server.url, scenario)


def test_no_epoch_is_lost_over_a_restart(chromium: Chromium, fresh_server: Server, fresh_client: httpx.Client) -> None:
    run = start_run(fresh_client, name="long")
    log_epoch(fresh_client, run, 0, loss=9.0)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        connection = page.locator("#connection")
        expect(connection).to_have_text("Live")
        log_epoch(fresh_client, run, 1, loss=8.0)
        expect(page.get_by_role("img", name=re.compile("^loss"))).to_have_accessible_name(re.compile("2 epochs"))
        fresh_server.kill()
        expect(connection).to_contain_text("Connection lost")
        fresh_server.start()
        log_batch(fresh_client, run, [(epoch, {"loss": 8.0 - epoch}) for epoch in range(2, 7)])
        expect(connection).to_contain_text("Live")
        log_epoch(fresh_client, run, 7, loss=0.5)
        expect(page.get_by_role("img", name=re.compile("^loss"))).to_have_accessible_name(
            re.compile("8 epochs, now 0.5")
        )
        page.get_by_role("button", name="Table").first.click()
        told = page.evaluate(
            "[...document.querySelectorAll('.chart-table td:nth-child(2)')].map((one) => one.textContent)"
        )
        assert told == [str(epoch) for epoch in range(8)]

    chromium.run(fresh_server.url, scenario, may_complain_of=("Failed to load resource", "net::ERR"))


def test_text_of_users_is_text(chromium: Chromium, fresh_server: Server, fresh_client: httpx.Client) -> None:
    space = {NASTY: {"type": "choice", "options": [NASTY, "b"]}}
    tuner = create_tuner(fresh_client, name=NASTY, space=space, tags=[NASTY])
    report(fresh_client, tuner, params={NASTY: NASTY}, score=1.0)
    (trial,) = suggest(fresh_client, tuner, worker=NASTY)
    answer(
        fresh_client.post(
            f"/v1/tuners/{tuner['tuner_id']}/result",
            json={"trial_id": trial["trial_id"], "state": "infeasible", "reason": NASTY},
        )
    )
    run = start_run(fresh_client, name=NASTY, tags=[NASTY], note=NASTY, params={NASTY: NASTY})
    log_epoch(fresh_client, run, 0, **{NASTY: 1.0})

    def scenario(page: Page, seen: Seen) -> None:
        for path in ("/", f"/#/tuners/{tuner['tuner_id']}", f"/#/runs/{run['run_id']}"):
            page.goto(path)
            expect(page.get_by_text(NASTY).first).to_be_visible()
            assert page.locator("img[src=x], main script").count() == 0
            assert "owned" not in page.title().replace(NASTY, "")

    chromium.run(fresh_server.url, scenario)


def test_the_first_screen_is_small(chromium: Chromium, fresh_server: Server, fresh_client: httpx.Client) -> None:
    tuner = new_tuner(fresh_client, budget={"max_trials": 40})
    for number in range(12):
        finish_trial(fresh_client, tuner, 0.5 + number / 100)

    def scenario(page: Page, seen: Seen) -> dict[str, tuple[int, int]]:
        found = {}
        for path in ("/", f"/#/tuners/{tuner['tuner_id']}"):
            page.goto("about:blank")
            seen.requests.clear()
            devtools = page.context.new_cdp_session(page)
            devtools.send("Network.enable")
            devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
            sizes: list[int] = []
            devtools.on("Network.loadingFinished", lambda event, sizes=sizes: sizes.append(event["encodedDataLength"]))
            page.goto(path)
            expect(page.locator("#connection")).to_have_text("Live")
            expect(page.get_by_text("0.6100").first).to_be_visible()
            found[path] = (len([one for one in seen.requests if not one.startswith("data:")]), int(sum(sizes)))
        return found

    for path, (n_requests, n_bytes) in chromium.run(
        fresh_server.url, scenario, may_complain_of=("about:blank",)
    ).items():
        assert n_requests <= 15, path
        assert n_bytes < 150_000, path


def test_an_empty_service_says_what_to_do_next(chromium: Chromium, fresh_server: Server) -> None:
    def scenario(page: Page, seen: Seen) -> str:
        page.goto("/")
        expect(page.get_by_text("No tuners yet")).to_be_visible()
        return page.locator(".command code").first.inner_text()

    line = chromium.run(fresh_server.url, scenario)
    found = re.fullmatch(r"curl (\S+) -H 'Content-Type: application/json' -d '(.+)'", line)
    assert found is not None, line
    assert httpx.post(found[1], json=json.loads(found[2]), trust_env=False).status_code == 201


def test_who_had_to_sign_in_is_shown_commands_with_a_key(chromium: Chromium, fresh_server: Server) -> None:
    key = make_key(fresh_server, "tune")
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=fresh_server.url, headers=headers, trust_env=False) as client:

        def scenario(page: Page, seen: Seen) -> None:
            command = page.locator(".command code").filter(has_text="curl")
            expected = re.compile(r'^curl \S+ -H "Authorization: Bearer \$TUNETRACK_KEY" -H \S+ \S+ -d ')
            page.goto("/")
            page.get_by_label("API key").fill(key)
            page.get_by_role("button", name="Sign in").click()
            expect(command).to_have_text([expected, expected])
            tuner, run = new_tuner(client), start_run(client)
            for path in (f"tuners/{tuner['tuner_id']}", f"runs/{run['run_id']}"):
                page.goto(f"/#/{path}")
                expect(command).to_have_text([expected])
                expect(command).to_contain_text(path)

        chromium.run(fresh_server.url, scenario, may_complain_of=("401",))


def test_a_filter_that_does_not_parse_is_told_at_the_place(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    start_run(client, name="found", tags=["dashboard-filter"])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        field = page.get_by_role("search", name="Search runs").get_by_label("Filter")
        field.fill("name = = 3")
        field.press("Enter")
        expect(page.locator("#runs-failure mark")).to_have_text("=")
        expect(field).to_have_attribute("aria-invalid", "true")
        field.fill('"dashboard-filter" in tags')
        field.press("Enter")
        expect(page.locator("table[hidden], #runs-failure mark")).to_have_count(0)
        expect(page.get_by_role("region", name="Runs").locator("tbody tr")).to_have_count(1)
        assert "filter=" in page.url

    chromium.run(server.url, scenario, may_complain_of=("422",))


def test_runs_can_be_compared(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    runs = [start_run(client, name=f"rival {lr}", params={"lr": lr, "same": 1}) for lr in (0.1, 0.2)]
    for run in runs:
        log_batch(client, run, [(epoch, {"loss": 1.0}) for epoch in range(3)])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        for run in runs:
            page.get_by_label(f"Compare {run['name']}").check()
        page.get_by_role("link", name="Compare 2 runs").click()
        expect(page.get_by_role("heading", name="2 runs; 1 of 2 parameters differs.")).to_be_visible()
        expect(page.locator("tr.differs")).to_contain_text("lr")
        chart = page.get_by_role("img", name=re.compile("^loss"))
        log_epoch(client, runs[0], 3, loss=0.25)
        expect(chart).to_have_accessible_name(re.compile("rival 0.1 at 0.25"))

    chromium.run(server.url, scenario)


def test_with_keys_somebody_signs_in_and_is_told_what_a_key_cannot_do(chromium: Chromium, fresh_server: Server) -> None:
    keys = {scope: make_key(fresh_server, scope) for scope in ("read", "admin")}
    admin = {"Authorization": f"Bearer {keys['admin']}"}
    with httpx.Client(base_url=fresh_server.url, headers=admin, trust_env=False) as client:
        run = start_run(client, name="secret")

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("API key").fill("wrong")
        dialog.get_by_role("button", name="Sign in").click()
        expect(dialog.get_by_role("alert")).not_to_be_empty()
        assert page.get_by_text("secret").count() == 0
        dialog.get_by_label("API key").fill(keys["read"])
        dialog.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="secret").click()
        expect(page.locator("#connection")).to_have_text("Live")
        page.get_by_role("button", name="Stop", exact=True).click()
        expect(page.get_by_role("alert")).not_to_be_empty()

    chromium.run(fresh_server.url, scenario, may_complain_of=("401", "403"))
    with httpx.Client(base_url=fresh_server.url, headers=admin, trust_env=False) as client:
        assert get_run(client, run)["stop_requested"] is False


def test_a_run_can_be_stopped(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    run = start_run(client, name="hopeless")

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        page.get_by_role("button", name="Stop", exact=True).click()
        expect(page.get_by_role("button", name="Told to stop")).to_be_disabled()

    chromium.run(server.url, scenario)
    assert log_epoch(client, run, 0, loss=1.0)["should_stop"] is True


def test_a_tuner_is_stopped_for_good_only_when_that_is_meant(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        with page.expect_event("dialog") as asked:
            page.once("dialog", lambda dialog: dialog.dismiss())
            page.get_by_role("button", name="Stop").click()
        assert "cannot be resumed" in asked.value.message
        assert get_tuner(client, tuner)["state"] == "active"
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("button", name="Stop")).to_have_count(0)

    chromium.run(server.url, scenario)
    assert get_tuner(client, tuner)["state"] == "stopped"


def test_charts_are_brushed_zoomed_walked_and_kept(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = new_tuner(client, space=SPACE)
    for accuracy in (0.2, 0.5, 0.9):
        finish_trial(client, tuner, accuracy)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        rows = page.get_by_role("region", name="Trials").locator("tbody tr")
        expect(rows).to_have_count(3)
        handle = page.get_by_role("slider", name="Filter by accuracy")
        handle.focus()
        for _ in range(8):
            page.keyboard.press("ArrowUp")
            handle = page.get_by_role("slider", name="Filter by accuracy")
            handle.focus()
        expect(rows).to_have_count(1)
        page.get_by_role("button", name="Clear filters").click()
        expect(rows).to_have_count(3)
        chart = page.get_by_role("img", name=re.compile("^Best so far"))
        chart.focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".tip:visible")).to_contain_text("Trial 0")
        page.keyboard.press("+")
        page.get_by_role("button", name="Reset zoom").click()
        for kind, start in (("SVG", b"<svg"), ("PNG", b"\x89PNG"), ("CSV", b"run,epoch,accuracy")):
            with page.expect_download() as download:
                page.get_by_role("button", name=f"Learning curves as {kind}").click()
            assert download.value.path().read_bytes().startswith(start)

    chromium.run(server.url, scenario)


def test_a_download_that_nobody_answers_is_told_and_can_be_asked_for_again(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    run = start_run(client, name="kept at last")
    log_epoch(client, run, 0, loss=1.0)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        expect(page.locator("figure[data-drawn]")).to_have_count(1)
        page.route("**/keep.js", lambda route: route.abort(), times=1)
        button = page.get_by_role("button", name="loss as CSV")
        with page.expect_event("dialog") as told:
            page.once("dialog", lambda dialog: dialog.accept())
            button.click()
        assert told.value.message == "The service does not answer."
        with page.expect_download() as download:
            button.click()
        assert download.value.path().read_bytes().startswith(b"run,epoch,loss")

    chromium.run(server.url, scenario, may_complain_of=("ERR_FAILED",))


def test_keys_that_are_pressed_faster_than_frames_come_all_count(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client)
    for accuracy in (0.2, 0.5, 0.9):
        finish_trial(client, tuner, accuracy)
    press = """(axis) => { for (let n = 0; n < 8; n++)
        axis.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp", bubbles: true, cancelable: true })); }"""

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        rows = page.get_by_role("region", name="Trials").locator("tbody tr")
        expect(rows).to_have_count(3)
        page.get_by_role("slider", name="Filter by accuracy").evaluate(press)
        expect(rows).to_have_count(1)

    chromium.run(server.url, scenario)


def test_a_touch_that_the_browser_takes_for_scrolling_leaves_the_filter(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client)
    for accuracy in (0.2, 0.5, 0.9):
        finish_trial(client, tuner, accuracy)
    touch = """(axis, end) => { for (const [type, target] of [["pointerdown", axis], [end, window]])
        target.dispatchEvent(new PointerEvent(type, { pointerType: "touch", clientY: 5, bubbles: true })); }"""

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        handle = page.get_by_role("slider", name="Filter by accuracy")
        handle.focus()
        page.keyboard.press("Shift+ArrowDown")
        clear = page.get_by_role("button", name="Clear filters")
        expect(clear).to_be_visible()
        handle.evaluate(touch, "pointercancel")
        expect(clear).to_be_visible()
        handle.evaluate(touch, "pointerup")
        expect(clear).to_be_hidden()

    chromium.run(server.url, scenario)


def test_it_fits_a_phone_and_each_theme(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = new_tuner(client, name="a search whose name is longer than a phone is wide", budget={"max_attempts": 1})
    run = finish_trial(client, tuner, 0.9)
    lose_trial(client, tuner, reason="a reason that is longer than a phone is wide, too")
    wide = new_tuner(client, name="wide", objective={"metric": "validation_cross_entropy_of_the_student_model" * 2})
    report(client, wide, trial_id=suggest(client, wide)[0]["trial_id"], score=0.5)

    def scenario(page: Page, seen: Seen) -> str:
        page.set_viewport_size({"width": 360, "height": 740})
        for path in ("/", f"/#/tuners/{tuner['tuner_id']}", f"/#/runs/{run['run_id']}"):
            page.goto(path)
            expect(page.locator("#connection")).to_have_text("Live")
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        line = page.locator("tr", has=page.locator(f"a[href='#/tuners/{tuner['tuner_id']}']"))
        for path, best in (
            ("/", line.get_by_role("strong")),
            (f"/#/tuners/{tuner['tuner_id']}", page.locator("tr.best .score")),
        ):
            page.goto(path)
            box = best.bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= 360
        page.goto(f"/#/tuners/{wide['tuner_id']}")
        drawn = page.locator(".plot text")
        expect(drawn.filter(has_text="…")).not_to_have_count(0)
        assert drawn.evaluate_all("all => Math.max(...all.map((one) => one.getBoundingClientRect().right))") <= 360
        colour: str = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return colour

    colours = {chromium.run(server.url, scenario, color_scheme=scheme) for scheme in ("light", "dark")}
    assert len(colours) == 2


def test_many_curves_are_drawn_at_most_once_a_frame(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = new_tuner(client)
    trials = suggest(client, tuner, count=5)
    runs = [start_run(client, trial_id=trial["trial_id"]) for trial in trials]

    def log() -> None:
        for epoch in range(40):
            for run in runs:
                log_epoch(client, run, epoch, accuracy=epoch / 40)

    def scenario(page: Page, seen: Seen) -> tuple[int, int]:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.locator("#connection")).to_have_text("Live")
        page.evaluate(
            "window.frames_seen = 0; const count = () => { frames_seen++; requestAnimationFrame(count); }; count();"
        )
        chart = page.locator("figure", has=page.get_by_role("heading", name="Learning curves"))
        before = int(chart.get_attribute("data-drawn") or 0)
        logging = threading.Thread(target=log)
        logging.start()
        logging.join()
        expect(chart.get_by_role("img")).to_have_accessible_name(re.compile(r"0\.975"))
        return int(chart.get_attribute("data-drawn") or 0) - before, int(page.evaluate("frames_seen"))

    n_drawn, n_frames = chromium.run(server.url, scenario)
    assert 0 < n_drawn <= n_frames
