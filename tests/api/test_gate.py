"""The gate: where there are keys nobody gets in without one, or does more than it says; and no page of others does."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from app.api.gate import cookie_name
from app.api.limits import Rate, Streams
from app.domain.access import Scope, is_well_formed, new_key
from app.domain.errors import RateLimited
from app.logs import Format
from app.service.keys import make_key as store_key
from app.store.engines import open_writer, parse
from tests import nursery
from tests.calls import JSON, SPACE, answer, create_tuner, problem, start_run
from tests.conftest import NewDatabase, Shared
from tests.documented import document
from tests.keys import keys, make_key
from tests.server import Server
from tests.waiting import eventually

MakeKey = Callable[..., str]

OPEN = {("get", "/healthz"), ("get", "/readyz"), ("post", "/v1/session"), ("delete", "/v1/session")}
"""What anybody may ask."""

READS = {"get", "head"}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    """A service with a key of each scope."""
    database = f"sqlite:///{tmp_path_factory.mktemp('locked') / 'tunetrack.db'}"
    with Server(database, env={"TUNETRACK_LOG_LEVEL": "debug"}) as server:
        found = {scope.value: make_key(server, scope.value) for scope in Scope}
        yield server, found


def client_of(server: Server, key: str | None = None) -> httpx.Client:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=server.url, headers=headers, trust_env=False, verify=False, timeout=30)


def everything() -> list[tuple[str, str]]:
    """Each operation of the document, and what else the service answers."""
    operations = [
        (method, path.replace("{", "").replace("}", ""))
        for path, item in document()["paths"].items()
        for method in item
        if method in ("get", "post", "patch", "delete", "put")
    ]
    return [*operations, ("get", "/openapi.json"), ("get", "/metrics"), ("get", "/docs"), ("get", "/no/such/path")]


def test_without_a_key_nothing_is_readable_or_changeable(locked: tuple[Server, dict[str, str]]) -> None:
    server, _ = locked
    with client_of(server) as client:
        for method, path in everything():
            response = client.request(method, path)
            if (method, path) in OPEN:
                assert response.status_code < 500
                assert response.json().get("code") != "unauthorized" if response.content else True
            else:
                problem(response, 401, "unauthorized")
                assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("make", ["{}", "", "x", "tunetrack_", "{}é", "{}x", "{} {}"])
def test_a_key_that_nobody_made_is_none(locked: tuple[Server, dict[str, str]], make: str) -> None:
    server, _ = locked
    key = make.replace("{}", new_key())
    response = httpx.get(f"{server.url}/v1/runs", headers=[(b"Authorization", f"Bearer {key}".strip().encode())])
    problem(response, 401, "unauthorized")


@pytest.mark.parametrize("scope", Scope)
def test_a_key_is_good_for_what_the_document_says(locked: tuple[Server, dict[str, str]], scope: Scope) -> None:
    server, found = locked
    with client_of(server, found[scope]) as client:
        for path, item in document()["paths"].items():
            for method, operation in item.items():
                needed = operation.get("security", [{"key": [Scope.read]}])[0]["key"][0]
                response = (
                    client.request(method, path.replace("{", "").replace("}", ""))
                    if path != ("/v1/events/stream")
                    else client.request(method, f"{path}?after=x")
                )
                is_refused = response.status_code == 403
                assert is_refused is not scope.allows(Scope(needed)), f"{scope} {method} {path}: {response.text}"
                if is_refused:
                    problem(response, 403, "forbidden", needs=needed)


def test_a_train_key_trains_and_makes_no_tuner(locked: tuple[Server, dict[str, str]]) -> None:
    server, found = locked
    with client_of(server, found["tune"]) as tuning, client_of(server, found["train"]) as training:
        problem(training.post("/v1/tuners", json={"space": SPACE}), 403, "forbidden", needs="tune")
        tuner = create_tuner(tuning)
        trial = answer(training.post(f"/v1/tuners/{tuner['tuner_id']}/suggest"))["trials"][0]
        run = start_run(training, trial_id=trial["trial_id"])
        problem(training.delete(f"/v1/runs/{run['run_id']}"), 403, "forbidden", needs="tune")


def test_only_who_may_register_webhooks_sees_their_addresses(locked: tuple[Server, dict[str, str]]) -> None:
    server, found = locked
    with client_of(server, found["tune"]) as tuning, client_of(server, found["admin"]) as admin:
        for path, status in (("/v1/observers", 200), ("/v1/observers/x", 404), ("/v1/observers/x/deliveries", 404)):
            problem(tuning.get(path), 403, "forbidden", needs="admin")
            assert admin.get(path).status_code == status


def test_a_revoked_key_is_good_for_nothing_within_seconds(locked: tuple[Server, dict[str, str]]) -> None:
    server, _ = locked
    key = make_key(server, "read")
    with client_of(server, key) as client:
        answer(client.get("/v1/runs"))
        key_id = next(line.split()[0] for line in keys(server, "list").stdout.splitlines()[::-1])
        assert keys(server, "revoke", key_id).returncode == 0
        eventually(lambda: client.get("/v1/runs").status_code == 401 or None)
        problem(client.get("/v1/runs"), 401, "unauthorized")
    assert keys(server, "revoke", key_id).returncode == 2


def test_a_stream_ends_with_the_key_that_opened_it(locked: tuple[Server, dict[str, str]]) -> None:
    server, found = locked
    key = make_key(server, "read")
    key_id = keys(server, "list").stdout.splitlines()[-1].split()[0]
    with client_of(server, key) as client, client.stream("GET", "/v1/events/stream") as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry:")
        assert keys(server, "revoke", key_id).returncode == 0
        eventually(lambda: client.get("/v1/runs").status_code == 401 or None)
        with client_of(server, found["train"]) as training:
            start_run(training)
        last_words = ""
        for line in lines:
            assert not line.startswith("data:")
            last_words = line or last_words
        assert last_words == ": the key of this stream is no longer valid"


@pytest.mark.parametrize(("hours", "status"), [(1, 200), (-1, 401)])
def test_a_key_is_good_until_it_expires(locked: tuple[Server, dict[str, str]], hours: int, status: int) -> None:
    server, _ = locked
    engine = open_writer(parse(server.database))
    with engine.begin() as connection:
        _, key = store_key(connection, "x", Scope.read, timedelta(hours=hours))
    engine.dispose()
    with client_of(server, key) as client:
        assert client.get("/v1/runs").status_code == status


@pytest.mark.parametrize("end", ["expired", "revoked"])
def test_the_last_key_that_is_good_no_more_opens_nothing(fresh_server: Server, end: str) -> None:
    with client_of(fresh_server) as client:
        answer(client.get("/v1/runs"))
        engine = open_writer(parse(fresh_server.database))
        with engine.begin() as connection:
            made, _ = store_key(connection, "x", Scope.admin, timedelta(hours=-1) if end == "expired" else None)
        engine.dispose()
        if end == "revoked":
            assert keys(fresh_server, "revoke", str(made.key_id)).returncode == 0
        eventually(lambda: client.get("/v1/runs").status_code == 401 or None)


def test_keys_are_listed_without_the_keys(locked: tuple[Server, dict[str, str]]) -> None:
    server, found = locked
    listed = keys(server, "list").stdout
    for scope, key in found.items():
        assert key not in listed
        assert f"{scope} key" in listed


def test_a_key_has_a_checksum_that_tells_a_mistyped_one() -> None:
    key = new_key()
    assert is_well_formed(key)
    swapped = key[:20] + ("a" if key[20] != "a" else "b") + key[21:]
    assert not is_well_formed(swapped)


def test_the_database_holds_no_key(locked: tuple[Server, dict[str, str]]) -> None:
    server, found = locked
    path = server.database.removeprefix("sqlite:///")
    stored = b"".join(Path(f"{path}{end}").read_bytes() for end in ("", "-wal"))
    for key in found.values():
        assert key.encode() not in stored
        assert key[14:30].encode() not in stored


def test_the_log_holds_no_key_no_query_and_no_body(locked: tuple[Server, dict[str, str]]) -> None:
    server, found = locked
    secret = "s3cr3t-7d1e"
    with client_of(server, found["admin"]) as client:
        start_run(client, name=secret)
        answer(client.get("/v1/runs", params={"filter": f'name = "{secret}"'}))
        problem(client.get(f"/v1/{secret}"), 404)
        problem(client.post("/v1/session", json={"key": secret}), 401)
        problem(
            client.post("/v1/runs", content=f'{{"{secret}'.encode(), headers={"Content-Type": "application/json"}), 400
        )
    assert "/v1/runs" in server.log  # where each request has a line
    assert secret not in server.log
    for key in found.values():
        assert key not in server.log


@pytest.mark.parametrize("form", Format)
def test_a_trace_tells_where_it_went_wrong_and_not_with_what(form: Format) -> None:
    code = f"""if True:
        import logging
        from app.logs import Format, Level, configure
        configure(Level.warning, Format.{form})
        def fail(key): raise ValueError("no luck")
        try: fail("s3cr3t" + "-7d1e")
        except ValueError: logging.getLogger("app").exception("it failed")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "no luck" in done.stderr
    assert "in fail" in done.stderr
    assert "s3cr3t-7d1e" not in done.stderr


@pytest.mark.parametrize("length", ["0d", "-1d", "9", "x", "1y"])
def test_a_length_that_makes_no_sense_is_refused(locked: tuple[Server, dict[str, str]], length: str) -> None:
    server, _ = locked
    made = keys(server, "create", "--name", "x", "--scope", "read", "--expires", length)
    assert (made.returncode, made.stdout) == (2, "")


def test_a_service_that_others_can_reach_does_not_start_without_a_key(new_database: NewDatabase) -> None:
    done = nursery.run("serve", "--host", "0.0.0.0", "--port", "0", "--database", new_database())
    assert (done.returncode, done.stdout) == (2, "")
    assert "tunetrack keys create" in done.stderr


# ---------------------------------------------------------------------------------------------------- signing in


def test_a_browser_signs_in_with_a_key_and_out_again(locked: tuple[Server, dict[str, str]]) -> None:
    server, found = locked
    with client_of(server) as browser:
        problem(browser.post("/v1/session", json={"key": new_key()}), 401, "unauthorized")
        signed_in = browser.post("/v1/session", json={"key": found["read"]})
        assert answer(signed_in) == {"name": "read key", "scope": "read"}
        cookie = signed_in.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        answer(browser.get("/v1/runs"))
        assert answer(browser.get("/v1/session"))["scope"] == "read"
        problem(browser.post("/v1/runs"), 403, "forbidden")
        assert browser.delete("/v1/session").status_code == 204
        problem(browser.get("/v1/runs"), 401, "unauthorized")


def test_a_browser_is_signed_in_to_several_services_of_one_host(
    locked: tuple[Server, dict[str, str]], fresh_server: Server
) -> None:
    server, found = locked
    signed_in = {server: found["read"], fresh_server: make_key(fresh_server, "read")}
    with httpx.Client(trust_env=False) as browser:
        for one, key in signed_in.items():
            answer(browser.post(f"{one.url}/v1/session", json={"key": key}))
        for one in signed_in:
            answer(browser.get(f"{one.url}/v1/runs"))
        assert browser.delete(f"{server.url}/v1/session").status_code == 204
        problem(browser.get(f"{server.url}/v1/runs"), 401, "unauthorized")
        answer(browser.get(f"{fresh_server.url}/v1/runs"))


OTHERS_COOKIES = ['seen={"page": 1}', "a/b=1", "a,b=1", "plain", "said=two words", 'quoted="a"b"', "=", ";;", "a=\xff"]


@pytest.mark.parametrize("other", OTHERS_COOKIES)
def test_cookies_of_other_services_on_this_host_sign_nobody_out(
    locked: tuple[Server, dict[str, str]], other: str
) -> None:
    server, found = locked
    own = f"{cookie_name(f'127.0.0.1:{server.port}')}={found['read']}"
    with client_of(server) as browser:
        for cookies in (f"{other}; {own}", f"{own}; {other}"):
            answer(browser.get("/v1/runs", headers={b"Cookie": cookies.encode("latin-1")}))
        problem(browser.get("/v1/runs", headers={b"Cookie": other.encode("latin-1")}), 401, "unauthorized")


# ------------------------------------------------------------------------------------------------ hostile pages


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", "", "127.0.0.1.nip.io"])
def test_a_foreign_host_is_refused_everywhere(client: httpx.Client, host: str) -> None:
    for path in ("/healthz", "/v1/runs", "/no/such/path"):
        problem(client.get(path, headers={"Host": host}), 403, "host-not-allowed")


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "[::1]:8000", "[::1]", "192.168.1.7:80"])
def test_an_address_and_localhost_are_no_foreign_hosts(client: httpx.Client, host: str) -> None:
    answer(client.get("/healthz", headers={"Host": host}))


FOREIGN: list[JSON] = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://["},
    {"Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_page_of_another_site_changes_nothing(client: httpx.Client, headers: JSON) -> None:
    problem(client.post("/v1/runs", headers=headers), 403, "origin-not-allowed")
    run = start_run(client)
    problem(client.delete(f"/v1/runs/{run['run_id']}", headers=headers), 403, "origin-not-allowed")
    answer(client.get(f"/v1/runs/{run['run_id']}", headers=headers))


@pytest.mark.parametrize("what", ["empty", "image", "script", "iframe"])
def test_a_page_of_another_site_loads_nothing_and_may_link_to_here(client: httpx.Client, what: str) -> None:
    of_others = {"Sec-Fetch-Site": "cross-site"}
    for path in ("/v1/runs", "/v1/events/stream", "/"):
        problem(client.get(path, headers=of_others | {"Sec-Fetch-Dest": what}), 403, "origin-not-allowed")
    answer(client.get("/v1/runs", headers={"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": what}))
    assert client.get("/", headers=of_others | {"Sec-Fetch-Dest": "document"}).status_code == 200


def test_a_page_of_our_own_changes_what_it_likes(client: httpx.Client) -> None:
    own = {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    answer(client.post("/v1/runs", headers=own), 201)


def test_no_other_site_may_read_unless_the_operator_says_so(new_database: NewDatabase) -> None:
    asked = {"Origin": "https://board.example", "Access-Control-Request-Method": "POST"}
    env = {"TUNETRACK_CORS_ORIGINS": "https://Board.example/", "TUNETRACK_ALLOWED_HOSTS": "tune.example,*.example.org"}
    with Server(new_database(), env=env) as server, client_of(server) as client:
        allowed = client.options("/v1/runs", headers=asked)
        assert allowed.headers["access-control-allow-origin"] == "https://board.example"
        answer(client.post("/v1/runs", headers={"Origin": "https://board.example"}), 201)
        refused = client.options("/v1/runs", headers={**asked, "Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in refused.headers
        problem(refused, 405, "method-not-allowed")
        for host, is_known in (("tune.example", True), ("a.example.org:1", True), ("example.org", False)):
            assert (client.get("/healthz", headers={"Host": host}).status_code == 200) is is_known


def test_every_answer_tells_browsers_to_do_nothing_else_with_it(client: httpx.Client) -> None:
    for path in ("/healthz", "/v1/runs", "/no/such/path", "/openapi.json"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers


# -------------------------------------------------------------------------------------------------- too much


def test_who_asks_too_often_is_told_to_wait(shared: Shared) -> None:
    env = {"TUNETRACK_RATE_LIMIT": "1"}
    with Server(shared.new_database("sqlite"), env=env) as server, client_of(server) as client:
        answers = [client.get("/v1/runs") for _ in range(10)]
        refused = [response for response in answers if response.status_code != 200]
        assert refused
        for response in refused:
            found = problem(response, 429, "rate-limited")
            assert int(response.headers["retry-after"]) == found["retry_after_s"] == 1
        for response in answers:
            assert response.headers["ratelimit-policy"] == '"requests";q=2;w=2'
            assert re.fullmatch(r'"requests";r=[01];t=[12]', response.headers["ratelimit"])
        health = client.get("/healthz")  # whoever watches over the service is never sent away
        assert answer(health)
        assert "ratelimit" not in health.headers


def test_each_who_asks_has_tokens_of_their_own() -> None:
    rate = Rate(0.001)
    assert [rate.take("a")[1] > 0, rate.take("a")[1] > 0, rate.take("b")[1] > 0] == [False, True, False]


def test_each_who_asks_has_streams_of_their_own_and_gets_them_back() -> None:
    streams = Streams(1)
    streams.enter("a")
    streams.enter("b")
    with pytest.raises(RateLimited):
        streams.enter("a")
    streams.leave("a")
    streams.enter("a")
