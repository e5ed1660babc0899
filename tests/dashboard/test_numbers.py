"""Numbers as people read them: ticks that tell each other apart, values that lie too close or too far, what is none."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.calls import answer, end_run, log_batch, report, start_run, suggest
from tests.conftest import Shared
from tests.dashboard.browser import Chromium, Seen
from tests.dashboard.scenes import finish_trial, new_tuner
from tests.server import Server

LARGEST = 1.7976931348623157e308
NEIGHBOURS = (0.3, 0.1 + 0.2)

ToldBy = Callable[[str, str], Any]


@pytest.fixture(scope="module")
def told_by(chromium: Chromium, shared: Shared) -> Iterator[ToldBy]:
    """What an expression comes to, in which `it` is a module of the dashboard; all of them in one page."""
    with chromium.opened(shared.server("sqlite").url) as look:

        def find_script(page: Page, _: Seen) -> str:
            page.goto("/")
            return str(page.locator("script[type=module]").evaluate("script => script.src"))

        script = look(find_script)

        def told(module: str, expression: str) -> Any:
            module_url = json.dumps(script.replace("main.js", module))
            return look(lambda page, _: page.evaluate(f"import({module_url}).then((it) => {expression})"))

        yield told


@pytest.mark.parametrize(
    "values",
    [
        (0.9981, 0.9987),
        (123456.7, 123457.1),
        (1234567.1, 1234567.2),
        (-1000.11, -1000),
        (1e-12, 1.2e-11),
        (1e-310, 2e-310),
        (12_345_678, 12_345_690),
        (-1.7e308, 1.7e308),
        (-LARGEST, LARGEST),
        (LARGEST, LARGEST),
        (1.7e18, 1.7e18 + 256),
        (0.99999999, 1.0),
        (0, 0),
        NEIGHBOURS,
    ],
)
def test_the_ticks_of_an_axis_differ_and_are_short(told_by: ToldBy, values: tuple[float, float]) -> None:
    axis = f"it.linear(it.extent({json.dumps(values)}), [0, 100])"
    ticks = told_by("scale.js", f"{axis}.ticks(6).map((one) => it.label(one))")
    assert 2 <= len(ticks) <= 9
    assert len(set(ticks)) == len(ticks), ticks
    assert max(map(len, ticks)) <= 9, ticks
    places = told_by("scale.js", f"{json.dumps(values)}.map({axis})")
    assert all(0 <= place <= 100 for place in places), places


@pytest.mark.parametrize("values", [(-5e-324, 5e-324), (5e-324, 1e-323), (1e-323, 1e-322)])
def test_an_axis_finer_than_numbers_are_has_few_ticks_or_none(told_by: ToldBy, values: tuple[float, float]) -> None:
    ticks = told_by("scale.js", f"it.linear({json.dumps(values)}, [0, 100]).ticks(12.7)")
    assert len(ticks) <= 30


def test_nothing_is_marked_between_two_epochs(told_by: ToldBy) -> None:
    assert told_by("scale.js", "it.linear([1, 3], [0, 100], true).ticks(6)") == [1, 2, 3]
    of_integers = 'it.ofSpec({type: "int_range", min: 1, max: 3}, [0, 100], []).ticks(6)'
    assert told_by("scale.js", of_integers) == [1, 2, 3]


def test_a_narrow_axis_has_two_ticks_at_least(told_by: ToldBy) -> None:
    assert told_by("scale.js", "it.linear([1, 303], [56, 320], true).ticks(2.9)") == [100, 200, 300]
    assert told_by("scale.js", "it.linear([3.2, 3.8], [0, 100], true).ticks(3)") == []


def test_a_value_alone_between_others_that_are_none_is_drawn(told_by: ToldBy) -> None:
    curve = "{xs: [0, 1, 2, 3], ys: [1, 'NaN', 2, 3], name: 'loss', colour: null}"
    drawn = told_by("lines.js", f"it.lines([{curve}], 400, 200).vector()[0].getAttribute('d')")
    assert re.fullmatch("M[^ML]+L[^ML]+M[^ML]+L[^ML]+", drawn), drawn


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.9996, "1.0 s"),
        (59.6, "1 min 0 s"),
        (119.7, "2 min 0 s"),
        (3599.8, "1 h 0 min"),
        (7199.0, "2 h 0 min"),
        (86_399.0, "1 d 0 h"),
        (172_799.0, "2 d 0 h"),
        (95.2, "1 min 35 s"),
    ],
)
def test_a_duration_has_no_sixtieth_second(told_by: ToldBy, seconds: float, text: str) -> None:
    assert told_by("dom.js", f"it.duration({seconds})") == text


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.5, 0.8, None, "NaN"], ["0.5000", "0.8000", "–", "NaN"]),
        ([0.912341, 0.912342, 0.5], ["0.912341", "0.912342", "0.500000"]),
        ([0.1234567, 0.12345671, 0.5], ["0.12345670", "0.12345671", "0.50000000"]),
        ([0.3, 0.1 + 0.2, 0.300000000001], ["0.3000"] * 3),  # beyond 8 digits they count as equal
        ([0.999997], ["0.999997"]),
        ([-0.99996, None, 0.5], ["-0.99996", "–", "0.50000"]),
        ([0.9999999999], ["1.0000"]),
        ([1.000004], ["1.0000"]),
        ([1e-5], ["1.000e-5"]),
        ([9.9, 10.01, 250], ["9.9000", "10.0100", "250.0000"]),
        ([1234.5, 2345.678, 0], ["1234.5", "2345.7", "0.0"]),
        ([123456.01, 123456.02], ["123456.01", "123456.02"]),
        ([0.0012345678, 0.0012345679], ["0.0012345678", "0.0012345679"]),
        ([12_345_678, 12_345_690, 0.25], ["1.234568e+7", "1.234569e+7", "0.2500"]),
        ([1e-5, 1.0001e-5, -0.5], ["1.0000e-5", "1.0001e-5", "-0.5000"]),
        ([-LARGEST, LARGEST], ["-1.798e+308", "1.798e+308"]),
        ([], []),
    ],
)
def test_scores_of_a_column_align_and_neighbours_differ(told_by: ToldBy, values: list[Any], texts: list[str]) -> None:
    column = json.dumps(values)
    assert told_by("dom.js", f"{column}.map(it.scoresOf({column}))") == texts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.999997, "0.999997"),
        (0.99995, "0.99995"),
        (-0.99997, "-0.99997"),
        (0.9999999999, "1"),
        (0.99994, "0.9999"),
        (1.000001, "1"),
    ],
)
def test_what_is_less_than_one_is_not_told_as_one(told_by: ToldBy, value: float, text: str) -> None:
    assert told_by("dom.js", f"it.num({value})") == text


def test_the_best_of_scores_that_are_almost_perfect_is_seen_on_the_start_page(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client, name="almost perfect", objective={"metric": "r2", "direction": "maximize"})
    for score in (0.999994, 0.999997):
        report(client, tuner, params={"learning_rate": 0.01, "optimizer": "adam"}, score=score)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/#/?tuner_filter=name+%3D+%22almost+perfect%22")
        row = page.get_by_role("row", name=re.compile("^almost perfect"))
        expect(row.get_by_role("strong")).to_have_text("0.999997")
        expect(row.get_by_role("img")).to_have_accessible_name(re.compile("^From 0.99999 to 0.999997 in 2 steps"))
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.locator("#headline")).to_contain_text("Trial 1 is best: r2 0.999997, found")

    chromium.run(server.url, scenario)


def test_a_score_shows_more_digits_when_a_closer_one_comes(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client)
    for number in range(2):
        run = start_run(client, name=f"close {number}", tags=["close"])
        log_batch(client, run, [(0, {"accuracy": 0.25 + number / 2})])
        finish_trial(client, tuner, 0.25 + number / 2)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        trials = page.get_by_role("region", name="Trials").locator("tbody tr")
        expect(trials).to_contain_text(["0.7500", "0.2500"])
        expect(page.locator("#connection")).to_have_text("Live")
        finish_trial(client, tuner, 0.750001)
        expect(trials).to_contain_text(["0.750001", "0.750000", "0.250000"])
        page.goto("/#/?filter=%22close%22+in+tags&order_by=metrics.accuracy")
        rows = page.get_by_role("region", name="Runs").locator("tbody tr")
        expect(rows).to_contain_text(["0.2500", "0.7500"])
        expect(page.locator("#connection")).to_have_text("Live")
        log_batch(client, start_run(client, tags=["close"]), [(0, {"accuracy": 0.750001})])
        expect(rows).to_contain_text(["0.250000", "0.750000", "0.750001"])

    chromium.run(server.url, scenario)


def test_scores_that_differ_in_their_last_bit_are_drawn(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client)
    for score in (*NEIGHBOURS, *NEIGHBOURS):
        (trial,) = suggest(client, tuner)
        report(client, tuner, trial_id=trial["trial_id"], score=score)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        expect(page.locator("#headline")).to_contain_text("Trial 1 is best: accuracy 0.3")
        expect(page.locator("figure[data-drawn]").first).to_be_visible()

    chromium.run(server.url, scenario)


def test_a_metric_that_is_never_finite_says_so(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    run = start_run(client, params={"k" * 200: "v" * 500, "lr": 0.01})
    log_batch(client, run, [(0, {"loss": "NaN", "wide": -1.7e308}), (1, {"loss": "Infinity", "wide": 1.7e308})])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        expect(page.locator("figure", has_text="loss")).to_contain_text("No value is a finite number")
        expect(page.get_by_role("img", name=re.compile("^wide"))).to_have_accessible_name(re.compile("2 epochs"))
        loss = page.locator(".facts > div", has_text="loss")
        expect(loss).to_contain_text("Infinity")
        expect(loss.locator(".note")).to_have_count(0)
        # A long name leaves room for its value.
        widths = page.locator(".pairs dd").evaluate_all("all => all.map((one) => one.offsetWidth)")
        assert min(widths) > 60, widths

    chromium.run(server.url, scenario)


@pytest.mark.parametrize(("direction", "told"), [("maximize", "highest 4 at 1"), ("minimize", "lowest 1 at 2")])
def test_a_runs_best_value_is_that_of_its_objective_and_never_guessed(
    chromium: Chromium, server: Server, client: httpx.Client, direction: str, told: str
) -> None:
    tuner = new_tuner(client, objective={"metric": "error_free", "direction": direction})
    (trial,) = suggest(client, tuner)
    run = start_run(client, trial_id=trial["trial_id"])
    for epoch, value in enumerate((2, 4, 1)):
        log_batch(client, run, [(epoch, {"error_free": value, "log_loss": value, "same": 5})])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        facts = page.locator(".facts > div")
        expect(facts.filter(has_text="error_free").locator(".note")).to_have_text([told])
        expect(facts.filter(has_text="log_loss").locator(".note")).to_have_text(["lowest 1 at 2", "highest 4 at 1"])
        expect(facts.filter(has_text="same").locator(".note")).to_have_count(0)

    chromium.run(server.url, scenario)


def test_a_run_that_only_ended_shows_what_it_came_to(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    run = start_run(client, name="a tree")
    end_run(client, run, final_metrics={"accuracy": 0.8125, "log_loss": 0.5})

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        expect(page.locator(".facts")).to_contain_text("accuracy0.8125")
        expect(page.locator(".card", has_text="Final metrics")).to_contain_text("log_loss0.5")
        expect(page.locator(".empty")).to_have_text("It ended without an epoch.")

    chromium.run(server.url, scenario)


def test_what_a_trial_of_several_objectives_was_expected_to_reach_is_told_in_short_numbers(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    objectives = [{"metric": "loss", "direction": "minimize"}, {"metric": "hits", "direction": "maximize"}]
    tuner = new_tuner(client, strategy="gp", objectives=objectives)
    rates = [0.0001 * 1.6**number for number in range(14)]
    for rate in rates:
        params = {"learning_rate": rate, "optimizer": "adam"}
        report(client, tuner, params=params, scores={"loss": (rate - 0.01) ** 2, "hits": 100 * rate})
    (trial,) = suggest(client, tuner)
    run = start_run(client, trial_id=trial["trial_id"])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        chosen = page.locator(".card", has_text="How it was chosen")
        told = chosen.get_by_role("definition").filter(has_text="hits")
        expect(told).to_have_count(2)  # the means, and how sure they are
        short = r"-?[\d.]{1,9}(e-?\d+)?"
        for one in told.all():
            expect(one.locator("div")).to_have_text([re.compile(f"^{name} {short}$") for name in ("loss", "hits")])

    assert set(trial["why"]["means"]) == {"loss", "hits"}
    chromium.run(server.url, scenario)


def test_the_parents_of_a_trial_are_numbers_and_no_code(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    tuner = new_tuner(client, strategy="nsga2", options={"population": 2})
    for rate in (0.01, 0.02, 0.03):
        report(client, tuner, params={"learning_rate": rate, "optimizer": "adam"}, score=rate)
    (trial,) = suggest(client, tuner)
    run = start_run(client, trial_id=trial["trial_id"])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto(f"/#/runs/{run['run_id']}")
        chosen = page.locator(".card", has_text="How it was chosen")
        expect(chosen).to_contain_text("parents")
        mother, father = trial["why"]["parents"]
        expect(chosen.get_by_role("definition").filter(has_text=",")).to_have_text(f"{mother}, {father}")

    chromium.run(server.url, scenario)


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (None, ["–"]),
        ([], ["none"]),
        ({}, ["none"]),
        ([0.123456789, 1e-7, None, True], ["0.1235, 1e-7, –, true"]),
        (["a, b", "c"], ["a, b", "c"]),
        ({"loss": 0.123456789, "hits": "NaN"}, ["loss 0.1235", "hits NaN"]),
        ({"kind": "rf", "fit": {"trees": [1, 2], "oob": {"r2": 0.5}, "left": {}}},
         ["kind rf", "fit.trees 1, 2", "fit.oob.r2 0.5", "fit.left none"]),
        ([{"lr": 0.0123456, "at": {"ei": 2}}, {"lr": 0.5}, []], ["lr 0.01235, at.ei 2", "lr 0.5", "none"]),
        ([[1, 0.25], [0.25, 1]], ["1, 0.25", "0.25, 1"]),
        ({"pairs": [[1, 2], [3, 4]], "words": ["a", "b"]}, ["pairs 1, 2; 3, 4", "words a; b"]),
    ],
)  # fmt: skip
def test_what_a_strategy_says_of_its_choice_is_no_code_however_it_is_nested(
    told_by: ToldBy, value: Any, lines: list[str]
) -> None:
    place = f"it.h('dd', null, it.told({json.dumps(value)}))"
    lines_of = "(place) => (place.normalize(), [...place.childNodes].map((one) => one.textContent))"
    assert told_by("dom.js", f"({lines_of})({place})") == lines


def test_what_was_imported_is_no_progress_of_a_budget(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    tuner = new_tuner(client, name="half imported", budget={"max_trials": 4})
    params = {"learning_rate": 0.01, "optimizer": "adam"}
    trials = [{"params": params, "score": score / 10} for score in range(6)]
    answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/trials", json={"trials": trials}), 201)
    finish_trial(client, tuner, 0.9)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        row = page.get_by_role("region", name="Tuners").get_by_role("row", name=re.compile("half imported"))
        expect(row).to_contain_text("1 of 4")
        expect(row.get_by_role("progressbar")).to_have_js_property("value", 1)
        page.goto(f"/#/tuners/{tuner['tuner_id']}")
        progress = page.locator(".facts > div", has_text="Progress")
        expect(progress).to_contain_text("1 of 4")
        expect(progress.get_by_role("progressbar")).to_have_js_property("value", 1)

    chromium.run(server.url, scenario)


def test_the_best_scores_of_tuners_of_one_metric_are_told_apart(
    chromium: Chromium, server: Server, client: httpx.Client
) -> None:
    for metric, name, score in (("hits", "a", 0.98412), ("hits", "b", 0.984119), ("misses", "c", 0.25)):
        tuner = new_tuner(client, name=f"apart {name}", objective={"metric": metric, "direction": "maximize"})
        report(client, tuner, params={"learning_rate": 0.01, "optimizer": "adam"}, score=score)

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/")
        for name, text in (("a", "0.984120"), ("b", "0.984119"), ("c", "0.2500")):
            row = page.get_by_role("row", name=re.compile(f"apart {name}"))
            expect(row.get_by_role("strong")).to_have_text(text)

    chromium.run(server.url, scenario)


def test_infinities_are_sorted_as_what_they_are(chromium: Chromium, server: Server, client: httpx.Client) -> None:
    for value in ("-Infinity", -3.0, "NaN", -5.0, "Infinity", 2.0):
        log_batch(client, start_run(client, name=f"at {value}", tags=["infinite"]), [(0, {"gain": value})])

    def scenario(page: Page, seen: Seen) -> None:
        page.goto("/#/?filter=%22infinite%22+in+tags")
        runs = page.get_by_role("region", name="Runs")
        up = ["at -Infinity", "at -5.0", "at -3.0", "at 2.0", "at Infinity"]
        runs.get_by_role("button", name="gain").click()
        expect(runs.locator("tbody tr .name")).to_have_text([*reversed(up), "at NaN"])
        runs.get_by_role("button", name="gain").click()
        expect(runs.locator("tbody tr .name")).to_have_text([*up, "at NaN"])

    chromium.run(server.url, scenario)


@pytest.mark.parametrize("text", ["😀" * 20, "a" + "😀" * 20])
def test_a_name_is_cut_between_letters(told_by: ToldBy, text: str) -> None:
    name = json.dumps(text)
    cut = f"[it.cut({name}, 8), it.cutName({name}, 8)].map((one) => [one.isWellFormed(), [...one].length])"
    assert told_by("scale.js", cut) == [[True, 8], [True, 8]]
    parts = f"[...it.nameLink({name}, '#/').children].map((one) => one.textContent)"
    assert told_by("dom.js", f"{parts}.every((one) => one.isWellFormed())")
    assert "".join(told_by("dom.js", parts)) == text
