"""The calls that many tests make, each of which must succeed; and what a refusal must look like."""

from collections.abc import Sequence
from typing import Any

import httpx

JSON = dict[str, Any]

SPACE: JSON = {"x": {"type": "float_range", "min": 0.0, "max": 1.0}}
DAY_S = 86_400.0
PROBLEM = "application/problem+json"


def answer(response: httpx.Response, *statuses: int) -> JSON:
    """The JSON object of a response that has one of these statuses (200 unless told)."""
    request = response.request
    assert response.status_code in (statuses or (200,)), (
        f"{request.method} {request.url} -> {response.status_code} {response.text}"
    )
    found = response.json()
    assert isinstance(found, dict)
    return found


def problem(response: httpx.Response, status: int, *codes: str, **members: Any) -> JSON:
    """The problem document of a refusal, which must be complete, with one of these codes and these members."""
    found = answer(response, status)
    assert response.headers["content-type"].split(";")[0] == PROBLEM
    assert found["status"] == status
    assert found["type"] == f"/problems/{found['code']}"
    assert not codes or found["code"] in codes, found
    for name in ("title", "detail", "instance", "request_id"):
        assert isinstance(found[name], str), (name, found)
        assert found[name].strip(), (name, found)
    assert {name: found.get(name) for name in members} == members
    return found


def refused(response: httpx.Response, *statuses: int) -> None:
    """It is a problem with one of these statuses."""
    path = response.request.url.path
    assert response.status_code in statuses, f"{path} -> {response.status_code} {response.text[:300]}"
    problem(response, response.status_code)


def create_tuner(client: httpx.Client, **body: Any) -> JSON:
    """A new tuner, over [0, 1] unless a space is given; with the strategy that thinks least.

    What a test leaves running is not taken from its worker while other tests look at the same service.
    """
    return answer(client.post("/v1/tuners", json={"space": SPACE, "strategy": "random", "lease_s": DAY_S} | body), 201)


def get_tuner(client: httpx.Client, tuner: JSON) -> JSON:
    """The tuner as it is now."""
    return answer(client.get(f"/v1/tuners/{tuner['tuner_id']}"))


def ask(client: httpx.Client, tuner: JSON, **body: Any) -> JSON:
    """The whole answer of a suggest."""
    return answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/suggest", json=body))


def suggest(client: httpx.Client, tuner: JSON, count: int = 1, **body: Any) -> list[JSON]:
    """As many trials as were asked for."""
    trials: list[JSON] = ask(client, tuner, count=count, **body)["trials"]
    assert len(trials) == count
    return trials


def report(client: httpx.Client, tuner: JSON, **body: Any) -> JSON:
    """The answer to a result."""
    return answer(client.post(f"/v1/tuners/{tuner['tuner_id']}/result", json=body))


def get_trial(client: httpx.Client, trial: JSON) -> JSON:
    """The trial as it is now."""
    return answer(client.get(f"/v1/trials/{trial['trial_id']}"))


def start_run(client: httpx.Client, **body: Any) -> JSON:
    """A new run."""
    return answer(client.post("/v1/runs", json=body), 201)


def get_run(client: httpx.Client, run: JSON) -> JSON:
    """The run as it is now."""
    return answer(client.get(f"/v1/runs/{run['run_id']}"))


def log_epoch(client: httpx.Client, run: JSON, epoch: int, **metrics: float | str) -> JSON:
    """The answer to one epoch."""
    return answer(client.post(f"/v1/runs/{run['run_id']}/epochs", json={"epoch": epoch, "metrics": metrics}))


def log_batch(client: httpx.Client, run: JSON, epochs: Sequence[tuple[int, JSON]]) -> JSON:
    """The answer to a batch of epochs."""
    body = {"epochs": [{"epoch": epoch, "metrics": metrics} for epoch, metrics in epochs]}
    return answer(client.post(f"/v1/runs/{run['run_id']}/epochs/batch", json=body))


def end_run(client: httpx.Client, run: JSON, **body: Any) -> JSON:
    """The run, ended."""
    return answer(client.post(f"/v1/runs/{run['run_id']}/end", json=body))


def get_series(client: httpx.Client, run: JSON, **query: Any) -> JSON:
    """The run's series: for each key its epochs and values."""
    found = answer(client.get(f"/v1/runs/{run['run_id']}/metrics", params=query))
    assert found["run_id"] == run["run_id"]
    series: JSON = found["series"]
    return series


def list_all(client: httpx.Client, path: str, **query: Any) -> list[JSON]:
    """All the items of a list, page by page."""
    items: list[JSON] = []
    query = {"page_size": 1000} | query
    while True:
        page = answer(client.get(path, params=query))
        assert len(page["items"]) <= query["page_size"]
        items += page["items"]
        if page["next_page_token"] is None:
            return items
        assert page["items"], "an empty page that is not the last"
        assert page["next_page_token"] != query.get("page_token"), "a page that leads to itself"
        query["page_token"] = page["next_page_token"]


def list_events(client: httpx.Client, **query: Any) -> list[JSON]:
    """All the events that match."""
    events: list[JSON] = []
    after = query.pop("after", 0)
    while True:
        page = answer(client.get("/v1/events", params=query | {"after": after, "limit": 1000}))
        if not page["items"]:
            assert page["last_event_id"] == after
            return events
        assert page["last_event_id"] == page["items"][-1]["event_id"] > after
        events += page["items"]
        after = page["last_event_id"]
