"""Webhooks as things of the API: registered, shown, changed, removed; and their secrets, which nothing else shows."""

import base64
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.calls import JSON, answer, list_all, problem
from tests.conftest import WEBHOOKS, NewDatabase, open_client
from tests.receiver import HOST
from tests.server import Server

URL = f"http://{HOST}:9/hook?token=1"
NOWHERE = "019ab1c2-0000-7000-8000-000000000000"
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def register(client: httpx.Client, **body: Any) -> JSON:
    """A new webhook, about events that never come here."""
    return answer(client.post("/v1/observers", json={"url": URL, "run_id": NOWHERE} | body), 201)


def without_secret(observer: JSON) -> JSON:
    """The observer as everybody is shown it."""
    return {name: value for name, value in observer.items() if name != "secret"}


def test_a_new_webhook_is_on_and_has_a_secret_that_is_shown_once(client: httpx.Client) -> None:
    response = client.post("/v1/observers", json={"url": URL, "types": ["run_start"], "run_id": NOWHERE})
    observer = answer(response, 201)
    assert response.headers["location"] == f"/v1/observers/{observer['observer_id']}"
    assert observer | {"observer_id": "", "create_time": "", "secret": ""} == {
        "observer_id": "",
        "url": URL,
        "types": ["run_start"],
        "tuner_id": None,
        "run_id": NOWHERE,
        "tag": None,
        "when": None,
        "state": "on",
        "off_reason": None,
        "create_time": "",
        "secret": "",
    }
    assert len(base64.b64decode(observer["secret"].removeprefix("whsec_"))) == 32
    assert answer(client.get(response.headers["location"])) == without_secret(observer)


def test_a_secret_of_ones_own_is_taken(client: httpx.Client) -> None:
    assert register(client, secret=SECRET)["secret"] == SECRET


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": None},
        {"url": ""},
        {"url": URL, "types": ["run_begin"]},
        {"url": URL, "types": "run_start"},
        {"url": URL, "run_id": "x"},
        {"url": URL, "tag": ""},
        {"url": URL, "secret": "short"},
        {"url": URL, "secret": "whsec_" + base64.b64encode(b"x" * 23).decode()},
        {"url": URL, "secret": "whsec_" + base64.b64encode(b"x" * 65).decode()},
        {"url": URL, "secret": SECRET[:-1] + "!"},
        {"url": URL, "state": "off"},
        {"url": URL, "typo": 1},
    ],
)
def test_a_webhook_that_makes_no_sense_is_refused(client: httpx.Client, body: JSON) -> None:
    found = problem(client.post("/v1/observers", json=body), 422, "invalid-request")
    assert SECRET[:-1] not in str(found)


@pytest.mark.parametrize(
    "when", ["type =", "typ = 'run_start'", "metrics.loss < ", "1 = 1; drop table events", "(" * 99]
)
def test_a_rule_that_does_not_parse_is_refused_with_the_place(client: httpx.Client, when: str) -> None:
    found = problem(client.post("/v1/observers", json={"url": URL, "when": when}), 422, "bad-filter")
    assert 0 <= found["position"] <= len(when)
    path = f"/v1/observers/{register(client)['observer_id']}"
    problem(client.patch(path, json={"when": when}), 422, "bad-filter")
    assert answer(client.patch(path, json={"when": 'type = "run_start"'}))["when"] == 'type = "run_start"'
    assert answer(client.patch(path, json={"when": None}))["when"] is None


@pytest.mark.parametrize(
    ("types", "when", "told"),
    [
        ([], 'type = "traning_end"', "training_end"),
        ([], 'status in ("finished", "complete")', "failed"),
        ([], 'state = "finished"', "completed"),
        (["training_end"], "metrics.accuracy < 0.9", "final_metrics"),
        ([], 'type = "training_end" and metrics.accuracy < 0.9', "final_metrics"),
        (["trial_end", "tuner_end"], 'not (status = "failed")', "state"),
        (["epoch_end"], 'type = "training_end"', "none of the types"),
    ],
)
def test_a_rule_that_would_never_be_met_is_refused_with_what_there_is(
    client: httpx.Client, types: list[str], when: str, told: str
) -> None:
    found = problem(client.post("/v1/observers", json={"url": URL, "types": types, "when": when}), 422, "bad-filter")
    assert told in found["detail"]
    path = f"/v1/observers/{answer(client.post('/v1/observers', json={'url': URL}), 201)['observer_id']}"
    problem(client.patch(path, json={"types": types, "when": when}), 422, "bad-filter")
    assert answer(client.get(path))["when"] is None


def test_types_that_do_not_fit_the_rule_that_is_there_are_refused(client: httpx.Client) -> None:
    when = "final_metrics.loss < 1 or metrics.loss < 1"
    body = {"url": URL, "types": ["epoch_end", "training_end"], "when": when}
    path = f"/v1/observers/{answer(client.post('/v1/observers', json=body), 201)['observer_id']}"
    for types, wanting in ((["epoch_end"], "final_metrics"), (["training_end"], "metrics")):
        found = problem(client.patch(path, json={"types": types}), 422, "bad-filter")
        assert found["position"] == when.rindex(wanting)
    assert answer(client.patch(path, json={"types": []}))["when"] == when


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/", "ftp://8.8.8.8/", "x"]
)
def test_an_address_that_is_not_allowed_is_refused_when_it_is_registered_and_when_it_is_changed(
    client: httpx.Client, url: str
) -> None:
    problem(client.post("/v1/observers", json={"url": url}), 422, "webhook-url-not-allowed")
    observer = register(client)
    problem(client.patch(f"/v1/observers/{observer['observer_id']}", json={"url": url}), 422, "webhook-url-not-allowed")
    assert answer(client.get(f"/v1/observers/{observer['observer_id']}"))["url"] == URL


def test_webhooks_are_listed_newest_first_in_pages(client: httpx.Client) -> None:
    made = [without_secret(register(client)) for _ in range(3)]
    assert list_all(client, "/v1/observers", page_size=2)[:3] == made[::-1]
    assert "secret" not in client.get("/v1/observers").text


def test_a_change_changes_what_it_names_and_null_takes_a_filter_away(client: httpx.Client) -> None:
    observer = without_secret(register(client, types=["run_start"], tag="a"))
    path = f"/v1/observers/{observer['observer_id']}"
    assert answer(client.patch(path, json={})) == observer
    changes = {"types": ["tuner_end", "tuner_end"], "tag": None, "tuner_id": NOWHERE, "url": URL + "2"}
    expected = observer | changes | {"types": ["tuner_end"]}
    assert answer(client.patch(path, json=changes)) == expected
    assert answer(client.get(path)) == expected
    for refused in ({"types": None}, {"url": None}, {"state": None}, {"state": "paused"}, {"secret": SECRET}):
        problem(client.patch(path, json=refused), 422, "invalid-request")
    assert answer(client.get(path)) == expected


def test_a_removed_webhook_is_unknown(client: httpx.Client) -> None:
    observer = register(client)
    path = f"/v1/observers/{observer['observer_id']}"
    answer(client.post(f"{path}/test"), 202)
    assert client.delete(path).status_code == 204
    for call in (
        client.get(path),
        client.delete(path),
        client.patch(path, json={"state": "on"}),
        client.post(f"{path}/test"),
        client.post(f"{path}/rotate"),
        client.get(f"{path}/deliveries"),
        client.post(f"{path}/deliveries/{NOWHERE}/redeliver"),
        client.get("/v1/observers/x"),
    ):
        problem(call, 404, "unknown-observer")


def test_a_delivery_of_another_webhook_is_unknown(client: httpx.Client) -> None:
    mine, other = register(client), register(client)
    delivery = answer(client.post(f"/v1/observers/{mine['observer_id']}/test"), 202)
    for delivery_id in (delivery["delivery_id"], NOWHERE, "x"):
        path = f"/v1/observers/{other['observer_id']}/deliveries/{delivery_id}/redeliver"
        problem(client.post(path), 404, "unknown-delivery")


def test_deliveries_are_listed_newest_first_by_state_and_in_pages(client: httpx.Client) -> None:
    observer = register(client)
    path = f"/v1/observers/{observer['observer_id']}"
    made = [answer(client.post(f"{path}/test"), 202)["delivery_id"] for _ in range(5)]
    found = list_all(client, f"{path}/deliveries", page_size=2)
    assert [one["delivery_id"] for one in found] == made[::-1]
    assert {one["state"] for one in found} == {"pending"}
    assert list_all(client, f"{path}/deliveries", state=["delivered", "failed"]) == []
    problem(client.get(f"{path}/deliveries", params={"state": "lost"}), 422, "invalid-request")
    problem(client.get(f"{path}/deliveries", params={"page_token": "x"}), 422, "invalid-request")


def test_a_registration_that_is_repeated_is_one_and_its_secret_is_not_kept(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "register-once"}
    body = {"url": URL, "run_id": NOWHERE}
    first = client.post("/v1/observers", json=body, headers=headers)
    second = client.post("/v1/observers", json=body, headers=headers)
    assert second.headers["idempotent-replayed"] == "true"
    assert answer(second, 201) == answer(first, 201) | {"secret": None}


def test_no_secret_lies_in_the_database_and_its_key_is_for_the_owner_alone(tmp_path: Path) -> None:
    database = tmp_path / "secret.db"
    own = {"TUNETRACK_WEBHOOK_ALLOW": WEBHOOKS["TUNETRACK_WEBHOOK_ALLOW"]}
    with Server(f"sqlite:///{database}", env=own) as server, open_client(server) as client:
        key_file = tmp_path / "secret.db-key"
        assert not key_file.exists()
        headers = {"Idempotency-Key": "k"}
        response = client.post("/v1/observers", json={"url": URL, "secret": SECRET}, headers=headers)
        made = answer(response, 201)
        rotated = answer(client.post(f"/v1/observers/{made['observer_id']}/rotate", headers={"Idempotency-Key": "l"}))
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        server.terminate()
        server.start()
        answer(client.post(f"/v1/observers/{made['observer_id']}/rotate"))  # the key was found again
        server.terminate()
        log = server.log
    with closing(sqlite3.connect(database)) as connection:
        everything = "\n".join(connection.iterdump())
    raw = database.read_bytes()
    for secret in (SECRET, rotated["secret"]):
        bare = secret.removeprefix("whsec_")
        assert bare not in everything
        assert bare.encode() not in raw
        assert base64.b64decode(bare) not in raw
        assert bare not in log


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_replicas_without_a_key_register_no_webhook_and_say_what_to_do(new_database: NewDatabase) -> None:
    with Server(new_database(), env={"TUNETRACK_SECRET_KEY": ""}) as server, open_client(server) as client:
        found = problem(client.post("/v1/observers", json={"url": "https://8.8.8.8/"}), 409, "no-secret-key")
        assert "TUNETRACK_SECRET_KEY" in found["detail"]
