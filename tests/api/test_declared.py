"""Each error that an operation declares it sends, and each that it sends it declares.

The second half is looked at in every test: see `tests/documented.py`. This is the first half. What every operation may
answer follows from a rule (`ANYWHERE`); all else is provoked here, one by one.
"""

import http.client
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from app.api.application import build
from app.api.gate import Rules
from app.api.strict import StrictRoute
from app.service.snapshot import checksum
from tests.api.endpoints import BODILESS, ONCE, OPERATIONS, WRITES, Things, new_things
from tests.calls import JSON, end_run, log_epoch, problem, report, start_run, suggest
from tests.conftest import Shared
from tests.documented import document

NOBODY_ID = str(uuid.UUID(int=7))


def codes(name: str) -> set[str]:
    """The errors that an operation declares."""
    method, path = OPERATIONS[name]
    responses = document()["paths"][path][method.lower()]["responses"]
    return {
        code
        for status, response in responses.items()
        if status[0] in "45"
        for code in re.findall(r"`([a-z-]+)`", response["description"])
    }


def anywhere(name: str) -> set[str]:
    """What an operation answers because of who asks, or how it comes, or how the service is: seen in other tests.

    The gate: test_gate.py. Requests that are none: live/test_limits.py. A store that is away or full: chaos/.
    """
    method, path = OPERATIONS[name]
    operation = document()["paths"][path][method.lower()]
    found = {"malformed-http", "request-timeout", "address-too-long", "headers-too-large", "internal"}
    if "security" in operation:
        found |= {"unauthorized", "rate-limited", "store-busy"}
        found |= {"forbidden"} if operation["security"] != [{"key": ["read"]}] else set()
        found |= {"storage-full"} if method != "GET" else set()
    if name in ("sign_in", "get_session"):
        found |= {"unauthorized", "store-busy"}
    if name == "get_readiness":
        found |= {"not-ready"}  # test_health.py
    if name in ONCE:
        found |= {"idempotency-in-progress"}  # test_idempotency.py
    if name in ("register_observer", "rotate_secret"):
        found |= {"no-secret-key"}  # test_observers.py
    return found


# ---- what is wrong in the same way wherever it is ----


def call(things: Things, name: str, **options: Any) -> httpx.Response:
    """A call of an operation."""
    return things.client.request(OPERATIONS[name][0], things.path(name), **options)


def announce_too_much(things: Things, name: str) -> httpx.Response:
    """A call whose body is said to be larger than any may be, and never comes."""
    url = things.client.base_url
    connection = http.client.HTTPConnection(url.host, url.port, timeout=30)
    try:
        connection.putrequest(OPERATIONS[name][0], things.path(name))
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(10**9))
        connection.endheaders()
        answered = connection.getresponse()
        request = httpx.Request(OPERATIONS[name][0], url.join(things.path(name)))
        return httpx.Response(answered.status, headers=answered.getheaders(), content=answered.read(), request=request)
    finally:
        connection.close()


def reuse_a_key(things: Things, name: str) -> httpx.Response:
    """A call with a key that another one had."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    things.client.post("/v1/runs", headers=headers)
    body = None if name in BODILESS else things.body(name)
    return call(things, name, json=body, headers=headers)


JSON_TYPE = {"Content-Type": "application/json"}
OF_OTHERS = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}
EVERYWHERE: dict[str, Callable[[Things, str], httpx.Response]] = {
    "invalid-request": lambda things, name: call(things, name, params={"typo": 1}),
    "host-not-allowed": lambda things, name: call(things, name, headers={"Host": "evil.example"}),
    "origin-not-allowed": lambda things, name: call(things, name, headers=OF_OTHERS),
    "malformed-json": lambda things, name: call(things, name, content=b"{", headers=JSON_TYPE),
    "unsupported-media-type": lambda things, name: call(things, name, content=b"{}"),
    "too-large": announce_too_much,
    "idempotency-key-reused": reuse_a_key,
}


def nothing_there(things: Things, name: str, noun: str) -> httpx.Response:
    """A call about something that does not exist."""
    method, path = OPERATIONS[name]
    body = things.body(name) if name in WRITES else None
    for other in ("tuner", "trial", "run", "observer", "delivery"):
        wanted = (
            NOBODY_ID if other == noun else getattr(things, other)[f"{other}_id"] if f"{{{other}_id" in path else ""
        )
        path = path.replace(f"{{{other}_id}}", wanted)
    return things.client.request(method, path, json=body)


# ---- what is wrong in a way of its own ----


def lose(things: Things) -> JSON:
    """A run on the trial, which another worker has by now."""
    run = start_run(things.client, trial_id=things.trial["trial_id"], attempt=1)
    things.client.post(f"/v1/trials/{things.trial['trial_id']}/release")
    suggest(things.client, things.tuner)
    return run


def lost(things: Things, name: str) -> httpx.Response:
    """A call of a run that has lost its trial."""
    things.run = lose(things)
    return call(things, name, json=things.body(name) if name in WRITES else None)


def late(things: Things, name: str) -> httpx.Response:
    """A call of the first worker for a trial that another has."""
    lose(things)
    return call(things, name, json=things.body(name) | {"attempt": 1})


def ended(things: Things, name: str, **body: Any) -> httpx.Response:
    """A call of a run that has ended."""
    end_run(things.client, things.run, final_metrics={"loss": 0.1})
    return call(things, name, json=body or (things.body(name) if name in WRITES else None))


def decided(things: Things, name: str, **body: Any) -> httpx.Response:
    """A call for a trial that has ended."""
    report(things.client, things.tuner, trial_id=things.trial["trial_id"], score=0.1)
    return call(things, name, json=things.body(name) | body)


def stopped(things: Things, name: str, **body: Any) -> httpx.Response:
    """A call of a tuner that was stopped."""
    call(things, "stop_tuner")
    return call(things, name, json=body or None)


def on_a_waiting_trial_of_a_stopped_tuner(things: Things, name: str) -> httpx.Response:
    """A run for a trial that nobody has, and nobody will have."""
    things.client.post(f"/v1/trials/{things.trial['trial_id']}/release")
    return stopped(things, name, trial_id=things.trial["trial_id"])


def again_otherwise(things: Things, name: str, noun: str) -> httpx.Response:
    """The same id for something else."""
    chosen = {f"{noun}_id": str(uuid.uuid4())}
    call(things, name, json=things.body(name) | chosen)
    return call(things, name, json=things.body(name) | chosen | {"name": "another"})


def logged_otherwise(things: Things, name: str) -> httpx.Response:
    """Another value for the same epoch."""
    log_epoch(things.client, things.run, 0, loss=0.1)
    return call(things, name, json=things.body(name))


def without_its_metric(things: Things, name: str) -> httpx.Response:
    """The end of a trial's run that never logged what the tuner looks at."""
    things.run = start_run(things.client, trial_id=things.trial["trial_id"])
    return call(things, name)


def body(**fields: Any) -> Callable[[Things, str], httpx.Response]:
    """A call with these fields."""
    return lambda things, name: call(things, name, json=things.body(name) | fields)


def only(**fields: Any) -> Callable[[Things, str], httpx.Response]:
    """A call with only these fields."""
    return lambda things, name: call(things, name, json=fields)


def asked(**query: str) -> Callable[[Things, str], httpx.Response]:
    """A call with this query."""
    return lambda things, name: call(things, name, params=query)


_LOGGING = ("log_epoch", "log_epoch_batch")
_OF_RUNS = (*_LOGGING, "keep_run_alive", "end_run")
_OF_TRIALS = ("report_result", "renew_lease", "release_trial")
_OF_WEBHOOKS = ("register_observer", "change_observer")
_FILTERED = ("export_runs", "list_overviews", "list_runs", "list_trials", "list_tuners")

OWN: dict[tuple[str, str], Callable[[Things, str], httpx.Response]] = {
    **{(name, "bad-filter"): asked(filter="((") for name in _FILTERED},
    **{(name, "bad-filter"): body(when="((") for name in _OF_WEBHOOKS},
    **{(name, "webhook-url-not-allowed"): body(url="http://10.0.0.1/") for name in _OF_WEBHOOKS},
    **{(name, "unknown-run"): asked(run_id=NOBODY_ID) for name in ("compare_runs", "get_many_metrics")},
    **{(name, "duplicate-metric-key"): logged_otherwise for name in _LOGGING},
    **{(name, "lease-lost"): lost for name in _OF_RUNS},
    **{(name, "lease-lost"): late for name in _OF_TRIALS},
    **{(name, "run-ended"): ended for name in (*_OF_RUNS, "stop_run")},
    **{(name, "trial-ended"): decided for name in _OF_TRIALS},
    **{(name, "tuner-stopped"): stopped for name in ("pause_tuner", "resume_tuner")},
    ("start_run", "unknown-trial"): body(trial_id=NOBODY_ID),
    ("start_run", "id-conflict"): lambda things, name: again_otherwise(things, name, "run"),
    ("start_run", "trial-ended"): lambda things, name: decided(things, name, trial_id=things.trial["trial_id"]),
    ("start_run", "tuner-stopped"): on_a_waiting_trial_of_a_stopped_tuner,
    ("start_run", "lease-lost"): lambda things, name: (
        lose(things),
        call(things, name, json={"trial_id": things.trial["trial_id"], "attempt": 1}),
    )[1],
    ("end_run", "missing-objective"): without_its_metric,
    ("edit_run", "run-ended"): lambda things, name: ended(things, name, params={"new": 1}),
    ("edit_run", "param-exists"): lambda things, name: (
        call(things, name, json={"params": {"y": 1}}),
        call(things, name, json={"params": {"y": 2}}),
    )[1],
    **{
        (edit, "precondition-failed"): lambda things, name: call(
            things, name, json={"name": "x"}, headers={"If-Match": '"older"'}
        )
        for edit in ("edit_run", "edit_tuner")
    },
    ("report_result", "unknown-trial"): body(trial_id=NOBODY_ID),
    ("report_result", "params-out-of-space"): only(params={"x": 7.0}, score=1.0),
    ("add_trial", "params-out-of-space"): only(params={"x": 7.0}),
    ("add_trial", "tuner-stopped"): lambda things, name: stopped(things, name, params={"x": 0.5}),
    ("get_best_trial", "unknown-trial"): call,
    ("create_tuner", "id-conflict"): lambda things, name: again_otherwise(things, name, "tuner"),
    ("create_tuner", "invalid-space"): only(space={}),
    ("create_tuner", "unknown-strategy"): body(strategy="astrology"),
    ("create_tuner", "params-out-of-space"): lambda things, name: call(
        things, name, json={"snapshot": broken_snapshot(things)}
    ),
}


def broken_snapshot(things: Things) -> JSON:
    """A snapshot with a trial outside of its space."""
    snapshot: JSON = things.client.get(f"/v1/tuners/{things.tuner['tuner_id']}/snapshot").json()
    snapshot["trials"][0]["params"]["x"] = 7.0
    return snapshot | {"checksum": checksum(snapshot)}


def provocation(name: str, code: str) -> Callable[[Things, str], httpx.Response] | None:
    """What makes an operation answer this, where anything does."""
    if (name, code) in OWN:
        return OWN[name, code]
    noun = code.removeprefix("unknown-")
    if f"{{{noun}_id}}" in OPERATIONS[name][1]:
        return lambda things, name: nothing_there(things, name, noun)
    return EVERYWHERE.get(code)


@pytest.fixture(scope="module")
def things(shared: Shared) -> Iterator[Things]:
    """For calls that change nothing."""
    with new_things(shared.client("sqlite")) as found:
        yield found


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_error_that_is_declared_is_sent(things: Things, name: str) -> None:
    assert anywhere(name) <= codes(name)
    for code in sorted(codes(name) - anywhere(name)):
        provoke = provocation(name, code)
        assert provoke is not None, f"nothing is known to make {name} answer {code}"
        if (name, code) not in OWN:
            found = provoke(things, name)
            assert problem(found, found.status_code)["code"] == code, f"{name} {code}"


@pytest.mark.parametrize(("name", "code"), OWN, ids=[" ".join(pair) for pair in OWN])
def test_each_error_of_its_own_is_sent_where_it_is_declared(client: httpx.Client, name: str, code: str) -> None:
    assert code in codes(name)
    with new_things(client) as things:
        found = OWN[name, code](things, name)
        assert problem(found, found.status_code)["code"] == code


def test_each_route_is_an_operation_of_the_document() -> None:
    routes = [route for route in build(None, "0", Rules()).routes if isinstance(route, StrictRoute)]
    known = {(method, path) for method, path in OPERATIONS.values()}
    served = {(method, route.path) for route in routes for method in route.methods or ()}
    assert served == known
    # What is no such route serves the document itself.
    others = [route for route in build(None, "0", Rules()).routes if not isinstance(route, StrictRoute)]
    assert {getattr(route, "path", "") for route in others} == {"/openapi.json"}
