"""Every error is a problem document, whoever found it; and what is sent never comes back in one."""

import gzip
import json
import threading
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import Response

from app.api.application import build
from app.api.gate import Rules
from tests.api.endpoints import OPERATIONS, OPTIONAL, WRITES, Things, new_things, send
from tests.calls import JSON, PROBLEM, SPACE, answer, create_tuner, problem, start_run
from tests.waiting import eventually

SECRET = "s3cr3t-9b1f"


@pytest.fixture
def backend() -> str:
    """What is shown here is seen before a database is asked."""
    return "sqlite"


@pytest.fixture
def things(client: httpx.Client) -> Iterator[Things]:
    with new_things(client) as things:
        yield things


def get_paths(things: Things) -> dict[str, str]:
    """Every GET with a JSON answer."""
    tuner, run = f"/v1/tuners/{things.tuner['tuner_id']}", f"/v1/runs/{things.run['run_id']}"
    return {
        "list_tuners": "/v1/tuners",
        "get_tuner": tuner,
        "list_trials": f"{tuner}/trials",
        "get_best": f"{tuner}/best",
        "snapshot": f"{tuner}/snapshot",
        "get_trial": f"/v1/trials/{things.trial['trial_id']}",
        "list_strategies": "/v1/strategies",
        "list_runs": "/v1/runs",
        "get_run": run,
        "get_series": f"{run}/metrics",
        "list_events": "/v1/events",
        "stream_events": "/v1/events/stream",
    }


# ---- what nobody thought of ----


async def break_down(request: Request) -> Response:
    raise ZeroDivisionError


def test_a_failure_of_the_service_does_not_cut_the_next_request_off() -> None:
    app = build(None, "1", Rules())
    app.add_route("/dashboard/broken", break_down)
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started or None)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            for _ in range(5):
                response = client.get("/dashboard/broken")
                problem(response, 500, "internal")
                assert response.headers["Connection"] == "close"
    finally:
        server.should_exit = True
        thread.join()


# ---- the framework's own ----


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1", "/v1/", "/v1/nothing", "/v2/tuners", "/v1/tuners/x/y/z", "//v1/runs"]
)
def test_an_unknown_path_is_not_found(client: httpx.Client, path: str) -> None:
    problem(client.get(path), 404, "not-found")


def test_a_slash_too_much_is_told(client: httpx.Client) -> None:
    assert "slash" in problem(client.post("/v1/runs/", json={}), 404, "not-found")["detail"]
    assert "slash" not in problem(client.get("/v1/nothing"), 404, "not-found")["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/tuners", {"GET", "HEAD", "POST"}),
        ("DELETE", "/v1/runs", {"GET", "HEAD", "POST"}),
        ("GET", "/v1/tuners/{tuner_id}/suggest", {"POST"}),
        ("GET", "/v1/tuners/{tuner_id}/result", {"POST"}),
        ("PUT", "/v1/tuners/{tuner_id}", {"GET", "HEAD"}),
        ("POST", "/v1/tuners/{tuner_id}/best", {"GET", "HEAD"}),
        ("GET", "/v1/runs/{run_id}/epochs", {"POST"}),
        ("PUT", "/v1/runs/{run_id}/epochs/batch", {"POST"}),
        ("GET", "/v1/runs/{run_id}/end", {"POST"}),
        ("POST", "/v1/runs/{run_id}/metrics", {"GET", "HEAD"}),
        ("POST", "/v1/events", {"GET", "HEAD"}),
        ("POST", "/v1/events/stream", {"GET", "HEAD"}),
        ("POST", "/v1/strategies", {"GET", "HEAD"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    client: httpx.Client, things: Things, method: str, path: str, allowed: set[str]
) -> None:
    path = path.format(tuner_id=things.tuner["tuner_id"], run_id=things.run["run_id"])
    response = client.request(method, path)
    problem(response, 405, "method-not-allowed")
    assert allowed <= set(response.headers["allow"].split(", "))


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "json",
        "",
    ],
)
def test_a_body_must_be_json_by_its_header(client: httpx.Client, things: Things, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    for endpoint in WRITES:
        content = json.dumps(things.body(endpoint)).encode()
        problem(
            client.request(OPERATIONS[endpoint][0], things.path(endpoint), content=content, headers=headers),
            415,
            "unsupported-media-type",
        )


@pytest.mark.parametrize("endpoint", WRITES)
def test_a_compressed_body_is_refused(client: httpx.Client, things: Things, endpoint: str) -> None:
    content = gzip.compress(json.dumps(things.body(endpoint)).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    problem(
        client.request(OPERATIONS[endpoint][0], things.path(endpoint), content=content, headers=headers),
        415,
        "unsupported-media-type",
    )


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_may_be_spelled_in_several_ways(client: httpx.Client, content_type: str) -> None:
    content = json.dumps({"space": SPACE}).encode()
    answer(client.post("/v1/tuners", content=content, headers={"Content-Type": content_type}), 201)


@pytest.mark.parametrize("endpoint", sorted(OPTIONAL))
def test_no_body_at_all_means_an_empty_one(client: httpx.Client, things: Things, endpoint: str) -> None:
    answer(client.request(OPERATIONS[endpoint][0], things.path(endpoint)), 200, 201)


@pytest.mark.parametrize("endpoint", sorted(set(WRITES) - OPTIONAL))
def test_no_body_where_one_is_needed_is_refused(client: httpx.Client, things: Things, endpoint: str) -> None:
    response = client.request(OPERATIONS[endpoint][0], things.path(endpoint))
    assert response.status_code in (400, 415, 422)
    problem(response, response.status_code)
    empty = things.send(endpoint, b"")
    assert empty.status_code in (400, 422)
    problem(empty, empty.status_code, "malformed-json", "invalid-request")


# ---- what is unknown ----


@pytest.mark.parametrize("endpoint", WRITES)
def test_an_unknown_field_is_refused_by_name(client: httpx.Client, things: Things, endpoint: str) -> None:
    body = things.body(endpoint) | {"typo_field": SECRET}
    response = things.send(endpoint, body)
    found = problem(response, 422, "invalid-request")
    assert any("typo_field" in error["loc"] for error in found["errors"])
    assert SECRET not in response.text


@pytest.mark.parametrize("thing", ["tuner", "run"])
def test_an_edit_of_the_wrong_shape_is_refused(client: httpx.Client, things: Things, thing: str) -> None:
    path = things.path("pause_tuner" if thing == "tuner" else "stop_run").rpartition("/")[0]
    before = answer(client.get(path))
    bodies: list[object] = [{"typo_field": 1}, {"name": 7}, {"tags": "x"}, {"tags": [7]}, {"name": "\x00"}, [], "x"]
    for body in bodies:
        response = client.patch(path, json=body)
        assert response.status_code in (400, 422), (body, response.text)
        problem(response, response.status_code)
    problem(client.patch(path, content=b"{", headers={"Content-Type": "application/json"}), 400, "malformed-json")
    problem(client.patch(path, content=b"{}", headers={"Content-Type": "text/plain"}), 415, "unsupported-media-type")
    assert answer(client.get(path)) == before


@pytest.mark.parametrize("endpoint", WRITES)
def test_an_unknown_query_parameter_of_a_write_is_refused(client: httpx.Client, things: Things, endpoint: str) -> None:
    response = things.send(endpoint, things.body(endpoint), "?typo_field=1")
    problem(response, 422, "invalid-request")


def test_an_unknown_query_parameter_of_a_read_is_refused(client: httpx.Client, things: Things) -> None:
    for path in get_paths(things).values():
        response = client.get(path, params={"typo_field": SECRET})
        found = problem(response, 422, "invalid-request")
        assert any("typo_field" in error["loc"] for error in found["errors"]), path
        assert SECRET not in response.text


def test_a_query_parameter_that_is_given_twice_is_refused_where_one_would_be_left_out(client: httpx.Client) -> None:
    for path, query in (
        ("/v1/runs", 'filter=name="a"&filter=name="b"'),
        ("/v1/runs/export", 'filter=name="a"&filter=name="b"'),
        ("/v1/tuners", "page_size=2&page_size=2"),
        ("/v1/events", "after=1&after=2"),
        ("/v1/events/stream", "after=1&after=2"),
    ):
        found = problem(client.get(f"{path}?{query}"), 422, "invalid-request")
        name = query.partition("=")[0]
        assert found["errors"][0]["loc"] == ["query", name], path
        assert name in found["detail"]
    assert client.get("/v1/events?type=run_start&type=epoch_end&tag=a&tag=b").status_code == 200


def test_a_nested_unknown_field_is_refused(client: httpx.Client, things: Things) -> None:
    for body in (
        {"space": {"x": {"type": "float_range", "min": 0, "max": 1, "typo_field": 1}}},
        {"space": SPACE, "budget": {"typo_field": 1}},
        {"space": SPACE, "objective": {"metric": "m", "typo_field": 1}},
    ):
        problem(send(client, "/v1/tuners", body), 422)
    epochs = {"epochs": [{"epoch": 0, "metrics": {"loss": 1.0}, "typo_field": 1}]}
    problem(things.send("log_epoch_batch", epochs), 422, "invalid-request")


# ---- what a problem tells, and what it does not ----


def test_each_problem_has_a_request_id_of_its_own(client: httpx.Client) -> None:
    ids = {problem(client.get("/nothing"), 404)["request_id"] for _ in range(5)}
    assert len(ids) == 5


def test_a_validation_error_names_each_place(client: httpx.Client) -> None:
    body = {"space": SPACE, "seed": "x", "tags": [1, "ok", 2], "name": 5}
    found = problem(send(client, "/v1/tuners", body), 422, "invalid-request")
    for error in found["errors"]:
        assert error.keys() == {"loc", "message"}
        assert error["message"].strip()
    places = [[part for part in error["loc"] if part != "body"] for error in found["errors"]]
    assert sorted(places, key=str) == sorted([["seed"], ["tags", 0], ["tags", 2], ["name"]], key=str)


@pytest.mark.parametrize(
    ("body", "place", "words"),
    [
        ({"budget": {"trials": 5}}, "budget.trials", "did you mean max_trials?"),
        ({"objectives": [{"metrik": "loss"}]}, "objectives.0.metrik", "there are: metric, direction"),
        ({"space": {"x": {"type": "flag", "wen": {}}}}, "space.x.wen", "did you mean when?"),
        ({"space": {"x": {"min": 0, "max": 1}}}, "space.x", "one of int_range, float_range, choice, flag"),
        ({"space": {"x": {"type": "float", "min": 0}}}, "space.x", "one of int_range, float_range, choice, flag"),
        ({"space": {"x": [0, 1]}}, "space.x", "An object is expected"),
        ({"space": ["x"]}, "space", "An object is expected"),
        ({"objective": {"metric": " "}}, "objective.metric", "must not be blank"),
        ({"tags": ["ok", ""]}, "tags.1", "must not be blank"),
        ({"space": {"int_range": {"type": "int_range", "min": 1}}}, "space.int_range.max", "required"),
        ({"space": {"x": {"type": "choice", "options": [1, None]}}}, "space.x.options.1", "a finite number"),
        ({"stopper": "asha"}, "stopper", "An object is expected"),
        ({"budget": {"max_trials": 3.0}}, "budget.max_trials", "written without a point"),
        ({"space": {"x": {"type": "int_range", "min": 1.0, "max": 3}}}, "space.x.min", "written without a point"),
    ],
    ids=json.dumps,
)
def test_a_mistake_is_told_what_would_be_right(client: httpx.Client, body: JSON, place: str, words: str) -> None:
    found = problem(send(client, "/v1/tuners", {"space": SPACE} | body), 422, "invalid-request")
    assert f"body.{place}: " in found["detail"]
    assert words in found["detail"]


@pytest.mark.parametrize("time", ["2026-11-24 07:00:00 +0000", "2026-11-24T07:00:00", "Tue, 24 Nov 2026 07:00:00 GMT"])
def test_a_time_that_a_language_writes_by_itself_is_told_what_would_be_right(client: httpx.Client, time: str) -> None:
    found = problem(send(client, "/v1/runs", {"start_time": time}), 422, "invalid-request")
    assert found["errors"][0]["message"] == "A time with its zone is expected, such as 2026-11-24T07:00:00Z"


def test_a_mistake_in_the_name_of_an_entry_is_told_from_one_in_its_value(client: httpx.Client) -> None:
    for params, place in (({" ": 1}, [" ", "[key]"]), ({"lr": []}, ["lr"])):
        found = problem(send(client, "/v1/runs", {"params": params}), 422, "invalid-request")
        assert found["errors"][0]["loc"] == ["body", "params", *place]


def test_a_mistake_in_one_of_several_trials_is_found_there(client: httpx.Client) -> None:
    tuner_id = send(client, "/v1/tuners", {"space": SPACE}).json()["tuner_id"]
    body = {"trials": [{"params": {"lr": 0.1}}, {"parms": {"lr": 0.1}}]}
    found = problem(send(client, f"/v1/tuners/{tuner_id}/trials", body), 422, "invalid-request")
    assert {tuple(error["loc"][:3]) for error in found["errors"]} == {("body", "trials", 1)}
    assert "did you mean params?" in found["errors"][-1]["message"]


def test_one_trial_and_a_list_of_them_are_not_sent_together(client: httpx.Client) -> None:
    tuner_id = send(client, "/v1/tuners", {"space": SPACE}).json()["tuner_id"]
    body = {"trials": [{"params": {"lr": 0.1}}], "params": {"lr": 0.1}}
    found = problem(send(client, f"/v1/tuners/{tuner_id}/trials", body), 422, "invalid-request")
    assert found["detail"] == "body.params: No such field; there are: trials"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"epoch": 3, "metrics": {"loss": NaN}}', '"NaN"'),  # as Python's json.dumps writes a loss that diverged
        (b'{"epoch": 3, "metrics": {"loss": -Infinity}}', '"-Infinity"'),
        (b'\xef\xbb\xbf{"epoch": 3, "metrics": {}}', "byte order mark"),  # as some editors save it
        ('{"epoch": 3, "metrics": {}}'.encode("utf-16"), "UTF-8"),
        (b'{"epoch": 3, "metrics": {"loss": nan}}', "line 1 column 35"),
    ],
)
def test_what_often_is_wrong_with_json_is_told(client: httpx.Client, body: bytes, told: str) -> None:
    path = f"/v1/runs/{start_run(client)['run_id']}/epochs"
    refused = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert told in problem(refused, 400, "malformed-json")["detail"]


@pytest.mark.parametrize("endpoint", WRITES)
def test_what_was_sent_is_not_echoed(client: httpx.Client, things: Things, endpoint: str) -> None:
    bodies: list[JSON] = [{name: {SECRET: SECRET} for name in things.body(endpoint)}]
    bodies += [dict.fromkeys(things.body(endpoint), SECRET), {name: [SECRET] for name in things.body(endpoint)}]
    for body in bodies:
        response = things.send(endpoint, body)
        if response.status_code not in (200, 201):
            assert response.status_code in (401, 422)  # a key that is none is no bad request
            problem(response, response.status_code)
            values = json.loads(response.text)
            for error in values.get("errors", []):
                assert SECRET not in error["message"]
    response = things.send(endpoint, f'{{"name": "{SECRET}", broken')
    problem(response, 400, "malformed-json")
    assert SECRET not in response.text


@pytest.mark.parametrize(
    "name",
    [
        "nonsense",
        "0",
        "%00",
        "..%2F..%2Fetc%2Fpasswd",
        "'",
        "%F0%9F%9A%80",
        "%FF",
        "a" * 3000,
        "01890a5d-ac96-774b-bcce-b302099a8057x",
    ],
)
def test_an_id_that_is_none_is_not_found(client: httpx.Client, name: str) -> None:
    for path in (f"/v1/tuners/{name}", f"/v1/runs/{name}", f"/v1/trials/{name}", f"/v1/runs/{name}/metrics"):
        problem(client.get(path), 404)
    problem(client.post(f"/v1/runs/{name}/end"), 404)
    problem(send(client, f"/v1/tuners/{name}/suggest", {}), 404)


def test_a_problem_is_given_to_a_client_that_wants_html(client: httpx.Client) -> None:
    response = client.get("/nothing", headers={"Accept": "text/html"})
    assert response.headers["content-type"].split(";")[0] == PROBLEM


def test_a_refused_write_changes_nothing(client: httpx.Client, things: Things) -> None:
    for endpoint in WRITES:
        things.send(endpoint, things.body(endpoint) | {"typo_field": 1})
        things.send(endpoint, things.body(endpoint), "?typo_field=1")
    assert answer(client.get(f"/v1/runs/{things.run['run_id']}")) == things.run
    assert answer(client.get(f"/v1/trials/{things.trial['trial_id']}")) == things.trial


def test_an_error_leaves_the_connection_usable(client: httpx.Client) -> None:
    for _ in range(3):
        send(client, "/v1/tuners", b"\xff" * 100)
        create_tuner(client)
