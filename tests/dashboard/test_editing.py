"""Names, tags and notes are changed where they stand, and nothing that somebody typed or wrote is lost."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Dialog, Locator, Page, Request, Route, expect

from tests.calls import JSON, answer, get_run, get_tuner, log_epoch, start_run
from tests.dashboard.browser import Chromium, Seen
from tests.dashboard.scenes import finish_trial, new_tuner
from tests.keys import make_key
from tests.nginx import needs_nginx, nginx, serving
from tests.server import Server

TAGS = "Tags, one on each line"


def open_editor(page: Page) -> Locator:
    """The dialog, once it is there."""
    page.get_by_role("button", name="Edit", exact=True).click()
    return page.get_by_role("dialog", name=re.compile("^Edit this (run|tuner)$"))


def save(editor: Locator) -> None:
    editor.get_by_role("button", name="Save").click()


def path_of(thing: JSON) -> str:
    """Where a run or a tuner is."""
    return f"runs/{thing['run_id']}" if "run_id" in thing else f"tuners/{thing['tuner_id']}"


def edit(client: httpx.Client, thing: JSON, **changes: object) -> None:
    """What somebody else changes."""
    answer(client.patch(f"/v1/{path_of(thing)}", json=changes))


def meanwhile(route: Route, client: httpx.Client, thing: JSON, changes: JSON) -> None:
    """What somebody else changes just before a request arrives."""
    edit(client, thing, **changes)
    route.continue_()


def test_a_run_is_named_tagged_and_annotated_with_the_keyboard_alone(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    run = start_run(client, name="first try", tags=["a, b"])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        page.get_by_role("link", name="first try").click()
        opener = page.get_by_role("button", name="Edit", exact=True)
        opener.press("Enter")
        expect(page.get_by_role("dialog", name="Edit this run").get_by_label("Name")).to_be_focused()
        page.keyboard.press("ControlOrMeta+A")
        page.keyboard.type("the one to beat")
        page.keyboard.press("Tab")
        page.keyboard.press("ControlOrMeta+End")
        page.keyboard.type("\nwarm start\n")
        page.keyboard.press("Tab")
        page.keyboard.type("Rate halved.\nSee the log.")
        page.keyboard.press("ControlOrMeta+Enter")
        expect(page.get_by_role("heading", name="the one to beat")).to_be_visible()
        expect(opener).to_be_focused()
        expect(page.locator(".title-line .tag")).to_have_text(["a, b", "warm start"])
        expect(page.locator(".card", has_text="Note").locator(".text")).to_have_text("Rate halved. See the log.")
        page.get_by_role("link", name="tunetrack").click()
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name="the one to beat"))
        expect(row.locator(".tag")).to_have_text(["a, b", "warm start"])

    chromium.run(server.url, scenario)
    now = get_run(client, run)
    assert (now["name"], now["tags"], now["note"]) == (
        "the one to beat",
        ["a, b", "warm start"],
        "Rate halved.\nSee the log.",
    )


def test_runs_are_renamed_with_their_tuner_also_where_its_name_comes_last(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client, name="old name")
    finish_trial(client, tuner, 0.5)

    def scenario(page: Page, seen: Seen) -> None:
        held: list[Route] = []

        def let_go(request: Request) -> None:
            if "/v1/runs?" in request.url:
                while held:
                    held.pop().continue_()

        page.goto(f"/#/?filter=tuner_id+%3D+%22{tuner['tuner_id']}%22")
        runs = page.get_by_role("table", name="Runs")
        expect(runs).to_contain_text("old name")
        page.route("**/v1/overview?*", lambda route: held.append(route))
        page.on("requestfinished", let_go)
        answer(client.patch(f"/v1/tuners/{tuner['tuner_id']}", json={"name": "new name"}))
        page.evaluate("dispatchEvent(new Event('edit'))")
        expect(runs).to_contain_text("new name")

    chromium.run(server.url, scenario)


def test_runs_are_renamed_with_their_tuner_also_where_that_is_not_listed(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client, name="unlisted")
    finish_trial(client, tuner, 0.5)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/?filter=tuner_id+%3D+%22{tuner['tuner_id']}%22&tuner_filter=name+%3D+%22nobody%22")
        runs = page.get_by_role("table", name="Runs")
        expect(runs).to_contain_text("unlisted, trial 0")
        for name in ("unlisted too", "unlisted still"):
            answer(client.patch(f"/v1/tuners/{tuner['tuner_id']}", json={"name": name}))
            page.evaluate("dispatchEvent(new Event('edit'))")
            expect(runs).to_contain_text(f"{name}, trial 0")

    chromium.run(server.url, scenario)


def test_a_tuner_is_named_and_tagged_and_every_window_shows_it(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client, name="unnamed search")
    run = finish_trial(client, tuner, 0.5)

    def scenario(page: Page, seen: Seen) -> None:
        paths = ("/", f"/#/tuners/{tuner['tuner_id']}", f"/#/runs/{run['run_id']}")
        others = [page.context.new_page() for _ in paths]
        for path, other in zip(paths, others, strict=True):
            other.goto(path)
            expect(other.get_by_text("unnamed search").first).to_be_visible()
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        editor = open_editor(page)
        assert editor.get_by_label("Note").count() == 0  # a tuner has none
        editor.get_by_label("Name").fill("wide search")
        editor.get_by_label(TAGS).fill("spring")
        save(editor)
        for one in (page, *others):
            expect(one.get_by_text("wide search").first).to_be_visible()
            expect(one.get_by_text("unnamed search")).to_have_count(0)
        # The list has tuners of other tests as well.
        places: list[Page | Locator] = [page, others[0].get_by_role("row").filter(has_text="wide search"), others[1]]
        for place in places:
            expect(place.locator(".tag", has_text="spring")).to_have_count(1)
        page.get_by_role("button", name="Pause").click()
        for place in places:
            expect(place.locator(".badge", has_text="paused")).to_have_count(1)

    chromium.run(server.url, scenario)
    assert (get_tuner(client, tuner)["name"], get_tuner(client, tuner)["tags"]) == ("wide search", ["spring"])


def test_a_comparison_calls_runs_as_they_are_called_now(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    runs = [start_run(client, name=name) for name in ("one of two", "the other one")]

    def scenario(page: Page, seen: Seen) -> None:
        other = page.context.new_page()
        other.goto(f"/#/compare?run={runs[0]['run_id']}&run={runs[1]['run_id']}")
        expect(other.get_by_role("columnheader", name="one of two")).to_be_visible()
        page.goto(f"/#/runs/{runs[0]['run_id']}")
        editor = open_editor(page)
        editor.get_by_label("Name").fill("the best of two")
        save(editor)
        expect(other.get_by_role("columnheader", name="the best of two")).to_be_visible()

    chromium.run(server.url, scenario)


def test_what_somebody_edits_elsewhere_is_seen_without_an_event(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    run = start_run(client, name="seen by two")

    def scenario(page: Page, seen: Seen) -> None:
        page.clock.install()
        for path in ("/", f"/#/runs/{run['run_id']}"):
            edit(client, run, tags=["before"])
            page.goto(path)
            expect(page.locator("#connection")).to_have_text("Live")
            expect(page.locator(".tag", has_text="before")).to_have_count(1)
            edit(client, run, tags=["afterwards"])
            page.clock.fast_forward(31_000)
            page.clock.fast_forward(1_000)
            expect(page.locator(".tag", has_text="afterwards")).to_have_count(1)

    chromium.run(server.url, scenario, is_alone=True)


def test_what_is_typed_stays_while_epochs_come_and_until_the_service_takes_it(
    chromium: Chromium, fresh_server: Server, fresh_client: httpx.Client
) -> None:
    run = start_run(fresh_client, name="short")

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        expect(page.locator("#connection")).to_have_text("Live")
        editor = open_editor(page)
        name, note = editor.get_by_label("Name"), editor.get_by_label("Note")
        name.fill("x" * 251)
        note.fill("typed for long")
        log_epoch(fresh_client, run, 0, loss=0.5)
        expect(page.get_by_role("img", name=re.compile("^loss"), include_hidden=True)).to_have_count(1)
        save(editor)
        expect(editor.get_by_role("alert")).to_contain_text("250")
        expect(name).to_have_attribute("aria-invalid", "true")
        expect(name).to_be_focused()
        name.fill("short enough")
        fresh_server.kill()
        save(editor)
        expect(editor.get_by_role("alert")).to_have_text("The service does not answer. Try again in a moment.")
        expect(name).not_to_have_attribute("aria-invalid", "true")
        fresh_server.start()
        expect(note).to_have_value("typed for long")
        save(editor)
        expect(page.get_by_role("heading", name="short enough")).to_be_visible()

    chromium.run(fresh_server.url, scenario, may_complain_of=("Failed to load resource", "net::ERR"))
    now = get_run(fresh_client, run)
    assert (now["name"], now["note"]) == ("short enough", "typed for long")


def test_what_is_typed_while_it_is_saved_stays_until_it_is_saved_too(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    run = start_run(client, name="long to save", tags=["old"])

    def scenario(page: Page, seen: Seen) -> None:
        held: list[Route] = []

        def hold(route: Route) -> None:
            route.continue_() if route.request.post_data == "{}" else held.append(route)

        page.goto(f"/#/{path_of(run)}")
        editor = open_editor(page)
        editor.get_by_label(TAGS).fill("new\nnew")
        page.route(f"**/v1/{path_of(run)}", hold)
        editor.get_by_label("Note").fill("Rate halved")
        with page.expect_request(lambda request: request.post_data not in (None, "{}")):
            page.keyboard.press("Control+Enter")
        page.keyboard.type(", and doubled.")
        held.pop().continue_()
        expect(page.locator(".tag")).to_have_text(["new"])
        expect(editor.get_by_label("Note")).to_have_value("Rate halved, and doubled.")
        assert get_run(client, run)["note"] == "Rate halved"
        page.unroute(f"**/v1/{path_of(run)}")
        save(editor)
        expect(editor).to_have_count(0)

    chromium.run(server.url, scenario)
    assert get_run(client, run)["note"] == "Rate halved, and doubled."


def test_an_editor_that_comes_late_opens_on_no_other_page_and_only_once(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    runs = [start_run(client, name=name) for name in ("left", "gone to")]
    left, gone_to = (f"**/v1/{path_of(run)}" for run in runs)

    def scenario(page: Page, seen: Seen) -> None:
        held: list[Route] = []
        page.route(left, lambda route: held.append(route))
        page.goto(f"/#/{path_of(runs[0])}")
        with page.expect_request(left):
            page.get_by_role("button", name="Edit", exact=True).click()
        page.evaluate(f"location.hash = '#/{path_of(runs[1])}'")
        expect(page.get_by_role("heading", name="gone to")).to_be_visible()
        with page.expect_response(left):
            held.pop().continue_()
        expect(open_editor(page).get_by_label("Name")).to_have_value("gone to")
        page.keyboard.press("Escape")
        # Who is in doubt presses it again.
        page.route(gone_to, lambda route: held.append(route), times=1)
        page.get_by_role("button", name="Edit", exact=True).dblclick()
        expect(page.get_by_label("Name")).to_be_focused()
        page.keyboard.press("Escape")
        with page.expect_response(gone_to):
            held.pop().continue_()
        page.evaluate("new Promise(requestAnimationFrame)")
        expect(page.get_by_role("dialog")).to_have_count(0)

    chromium.run(server.url, scenario)


@pytest.mark.parametrize("start", [start_run, new_tuner], ids=["run", "tuner"])
def test_nobodys_words_are_replaced_unseen(
    chromium: Chromium, server: Server, client: httpx.Client, start: Callable[..., JSON]
) -> None:
    thing = start(client, name="disputed")
    path = path_of(thing)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/{path}")
        editor = open_editor(page)
        editor.get_by_label("Name").fill("mine")
        edit(client, thing, tags=["theirs"])
        # And once more, between the look and the change.
        changes = iter([{}, {"name": "theirs"}])
        page.route(f"**/v1/{path}", lambda route: meanwhile(route, client, thing, next(changes, {})))
        save(editor)
        expect(editor.get_by_role("alert")).to_contain_text("theirs")
        assert answer(client.get(f"/v1/{path}"))["name"] == "theirs"
        expect(editor.get_by_label("Name")).to_have_value("mine")
        save(editor)
        expect(editor).to_have_count(0)

    chromium.run(server.url, scenario, may_complain_of=("412",))
    now = answer(client.get(f"/v1/{path}"))
    assert (now["name"], now["tags"]) == ("mine", ["theirs"])


def test_a_change_of_something_else_meanwhile_is_no_matter(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    run = start_run(client, name="both of us")

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        editor = open_editor(page)
        editor.get_by_label("Note").fill("mine")
        changes = iter([{}, {"tags": ["theirs"]}])  # between the look and the change
        page.route(f"**/v1/runs/{run['run_id']}", lambda route: meanwhile(route, client, run, next(changes, {})))
        save(editor)
        expect(editor).to_have_count(0)

    chromium.run(server.url, scenario, may_complain_of=("412",))
    assert (get_run(client, run)["note"], get_run(client, run)["tags"]) == ("mine", ["theirs"])


@needs_nginx
@pytest.mark.parametrize(
    "manners",
    ["gzip on; gzip_types application/json;", """proxy_hide_header ETag; add_header ETag '"of the proxy"' always;"""],
    ids=["packing", "renaming"],
)
def test_what_is_edited_behind_a_proxy_with_manners_of_its_own_is_saved(
    chromium: Chromium, server: Server, client: httpx.Client, tmp_path: Path, manners: str
) -> None:
    run = start_run(client, name="before")
    place = f"location / {{ proxy_pass {server.url}; proxy_set_header Host $http_host; {manners} }}"

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        editor = open_editor(page)
        editor.get_by_label("Name").fill("after")
        save(editor)
        expect(editor).to_have_count(0)

    with nginx(tmp_path, serving(f"server {{ listen 8000; {place} }}")) as url:
        chromium.run(url, scenario, may_complain_of=("412",))
    assert get_run(client, run)["name"] == "after"


def test_who_may_not_change_it_is_told_before_they_type(chromium: Chromium, fresh_server: Server) -> None:
    keys = {scope: make_key(fresh_server, scope) for scope in ("read", "admin")}
    admin = {"Authorization": f"Bearer {keys['admin']}"}
    with httpx.Client(base_url=fresh_server.url, headers=admin, trust_env=False) as client:
        tuner, run = new_tuner(client, name="not mine"), start_run(client, name="not mine either")

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        page.get_by_role("dialog").get_by_label("API key").fill(keys["read"])
        page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
        for path, one, needed in (
            (f"/#/tuners/{tuner['tuner_id']}", tuner, "tune"),
            (f"/#/runs/{run['run_id']}", run, "train"),
        ):
            page.goto(path)
            expect(page.locator(".title-line .name")).to_have_text(one["name"])
            page.get_by_role("button", name="Edit", exact=True).click()
            expect(page.get_by_role("alert")).to_contain_text(f"needs a key of scope {needed}")
            assert page.get_by_role("dialog").count() == 0

    chromium.run(fresh_server.url, scenario, may_complain_of=("401", "403"))


def test_what_is_typed_outlives_the_key_that_it_was_begun_with(chromium: Chromium, fresh_server: Server) -> None:
    key = make_key(fresh_server, "admin")
    headers = {"Authorization": f"Bearer {key}"}

    def sign_in(page: Page, heading: str) -> None:
        dialog = page.get_by_role("dialog", name=heading, exact=True)
        dialog.get_by_label("API key").fill(key)
        dialog.get_by_role("button", name="Sign in").click()

    with httpx.Client(base_url=fresh_server.url, headers=headers, trust_env=False) as client:
        run = start_run(client, name="before")

        def scenario(page: Page, seen: Seen) -> None:
            page.goto(f"/#/runs/{run['run_id']}")
            sign_in(page, "Sign in")
            editor = open_editor(page)
            editor.get_by_label("Name").fill("afterwards")
            page.context.clear_cookies()  # as when the key has expired
            save(editor)
            sign_in(page, "Sign in again")
            expect(page.get_by_role("heading", name="afterwards")).to_be_visible()
            expect(page.get_by_role("dialog")).to_have_count(0)

        chromium.run(fresh_server.url, scenario, may_complain_of=("401",))
        assert get_run(client, run)["name"] == "afterwards"


def test_what_is_typed_stays_where_another_window_asks_for_a_key_first(
    chromium: Chromium, fresh_server: Server
) -> None:
    key = make_key(fresh_server, "admin")
    headers = {"Authorization": f"Bearer {key}"}

    with httpx.Client(base_url=fresh_server.url, headers=headers, trust_env=False) as client:
        run = start_run(client, name="before")

        def scenario(page: Page, seen: Seen) -> None:
            page.goto(f"/#/runs/{run['run_id']}")
            page.get_by_label("API key").fill(key)
            page.get_by_role("button", name="Sign in").click()
            editor = open_editor(page)
            editor.get_by_label("Name").fill("afterwards")
            other = page.context.new_page()
            other.goto("/")
            expect(other.locator("#connection")).to_have_text("Live")
            page.context.clear_cookies()  # as when the key has expired
            other.get_by_role("link", name="before").click()
            expect(page.locator("#session button")).to_have_count(0)
            other.get_by_label("API key").fill(key)
            other.get_by_role("button", name="Sign in").click()
            expect(page.locator("#session button")).to_have_count(1)
            save(editor)
            expect(page.get_by_role("heading", name="afterwards")).to_be_visible()

        chromium.run(fresh_server.url, scenario, may_complain_of=("401",))
        assert get_run(client, run)["name"] == "afterwards"


@pytest.mark.parametrize("way", ["Escape", "Cancel"])
def test_what_was_typed_is_dropped_only_when_that_is_meant(
    chromium: Chromium, server: Server, client: httpx.Client, way: str
) -> None:
    run = start_run(client, name="kept")

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        answers = iter([False, False, True])
        asked: list[str] = []

        def on_dialog(dialog: Dialog) -> None:
            asked.append(dialog.message)
            dialog.accept() if next(answers) else dialog.dismiss()

        page.on("dialog", on_dialog)

        def leave() -> None:
            page.keyboard.press("Escape") if way == "Escape" else editor.get_by_role("button", name="Cancel").click()

        editor = open_editor(page)
        expect(editor.get_by_label("Name")).to_be_focused()
        leave()  # nothing was typed
        expect(editor).to_have_count(0)
        expect(page.get_by_role("button", name="Edit", exact=True)).to_be_focused()
        open_editor(page).get_by_label("Name").fill("typed")
        for n_asked in (1, 2):
            leave()
            assert len(asked) == n_asked
            expect(editor.get_by_label("Name")).to_have_value("typed")
        leave()
        expect(editor).to_have_count(0)

    chromium.run(server.url, scenario)
    assert get_run(client, run)["name"] == "kept"


def test_the_editor_fits_a_phone_and_goes_with_its_page(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    run = start_run(client, name="n" * 250, tags=["t" * 250] * 20, note="word " * 2000)

    def scenario(page: Page, seen: Seen) -> None:
        page.set_viewport_size({"width": 360, "height": 640})
        page.goto("/")
        page.goto(f"/#/runs/{run['run_id']}")
        editor = open_editor(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        box = editor.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert box["height"] <= 640
        editor.get_by_role("button", name="Save").scroll_into_view_if_needed()
        expect(editor.get_by_role("button", name="Save")).to_be_in_viewport()
        page.go_back()
        expect(page.get_by_role("heading", name="Recent runs")).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_count(0)

    chromium.run(server.url, scenario)
