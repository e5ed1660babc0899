"""What the service tells Prometheus: that what happens is counted, once."""

import logging
from collections.abc import Callable

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.api.gate import _Visit
from tests.calls import create_tuner, log_epoch, problem, start_run, suggest
from tests.conftest import WEBHOOKS, NewDatabase, open_client
from tests.receiver import Receiver
from tests.server import Server
from tests.subscriber import Subscriber
from tests.waiting import SHORT_S, eventually, trial_in


def counted(client: httpx.Client) -> dict[str, float]:
    """All that is told, by name and labels as they stand there."""
    text = client.get("/metrics").raise_for_status().text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {f"{one.name}{sorted(one.labels.values()) or ''}": one.value for one in samples}


def more(client: httpx.Client, before: dict[str, float]) -> Callable[[str], float]:
    """By how much each has risen since."""
    after = counted(client)
    return lambda name: after.get(name, 0.0) - before.get(name, 0.0)


def test_requests_are_counted_by_the_template_of_their_route(client: httpx.Client) -> None:
    run = start_run(client)
    before = counted(client)
    log_epoch(client, run, 0, loss=1.0)
    log_epoch(client, run, 1, loss=1.0)
    problem(client.post(f"/v1/runs/{run['run_id']}/epochs", json={"epoch": -1, "metrics": {}}), 422)
    problem(client.get("/no/such/path"), 404)
    client.request("FOO", "/healthz")
    rose = more(client, before)
    assert rose("tunetrack_http_requests_total['/v1/runs/{run_id}/epochs', '200', 'POST']") == 2
    assert rose("tunetrack_http_requests_total['/v1/runs/{run_id}/epochs', '422', 'POST']") == 1
    assert rose("tunetrack_http_request_seconds_count['/v1/runs/{run_id}/epochs', 'POST']") == 3
    assert rose("tunetrack_http_requests_total['404', 'GET', 'none']") == 1
    assert not [name for name in counted(client) if "no/such" in name or "FOO" in name]
    assert rose("tunetrack_write_batch_requests_sum") >= 2
    assert rose("tunetrack_commit_seconds_count") == rose("tunetrack_write_batch_seconds_count") >= 2
    assert 0 < rose("tunetrack_commit_seconds_sum") < rose("tunetrack_write_batch_seconds_sum")
    assert counted(client)["process_resident_memory_bytes"] > 1e6


def test_what_becomes_of_trials_streams_and_webhooks_is_counted(new_database: NewDatabase) -> None:
    with (
        Server(new_database(), env=WEBHOOKS) as server,
        open_client(server) as client,
        Receiver() as receiver,
        Subscriber(server.url, after=0) as watcher,
    ):
        client.post("/v1/observers", json={"url": receiver.url("hook"), "types": ["trial_start"]}).raise_for_status()
        tuner = create_tuner(client, lease_s=SHORT_S)
        trial = suggest(client, tuner)[0]
        trial_in(client, trial, "stale")
        watcher.wait_for(1)
        eventually(lambda: counted(client)["tunetrack_event_streams"] or None)
        eventually(lambda: counted(client).get("tunetrack_webhook_deliveries_total['delivered']"))
        eventually(lambda: counted(client).get("tunetrack_events_total['trial_start']"))
        eventually(lambda: counted(client)["tunetrack_leases_expired_total"] or None)
        now = counted(client)
        assert now["tunetrack_think_seconds_count['random']"] == 1
        assert now["tunetrack_leases_expired_total"] == 1


def test_a_request_that_breaks_the_service_is_counted_and_logged_as_500(caplog: pytest.LogCaptureFixture) -> None:
    visit = _Visit({"state": {}}, None, "GET")  # type: ignore[arg-type]  # it sends nothing

    def break_down() -> None:
        try:
            raise ZeroDivisionError
        finally:
            visit.end()

    with caplog.at_level(logging.WARNING), pytest.raises(ZeroDivisionError):
        break_down()
    assert caplog.records[-1].__dict__["status"] == 500
