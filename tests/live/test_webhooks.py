"""Webhooks over the wire: who is called about what, signed how, tried again when, and what a bad receiver can do."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from standardwebhooks import WebhookVerificationError

from tests import waiting
from tests.calls import (
    JSON,
    answer,
    create_tuner,
    end_run,
    list_all,
    list_events,
    log_batch,
    log_epoch,
    report,
    start_run,
    suggest,
)
from tests.conftest import WEBHOOKS, NewDatabase, open_client
from tests.receiver import Receiver
from tests.server import Server
from tests.subscriber import Subscriber


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody to call."""
    with Receiver() as receiver:
        yield receiver


def register(client: httpx.Client, url: str, **body: Any) -> JSON:
    """A new webhook, with its secret."""
    return answer(client.post("/v1/observers", json={"url": url} | body), 201)


def path_of(observer: JSON) -> str:
    """Where it is."""
    return f"/v1/observers/{observer['observer_id']}"


def deliveries(client: httpx.Client, observer: JSON) -> list[JSON]:
    """All its deliveries, oldest first."""
    return list_all(client, f"{path_of(observer)}/deliveries")[::-1]


def eventually(look: Callable[[], Any], timeout_s: float = waiting.PATIENCE_S) -> Any:
    """What is found, once there is something."""
    return waiting.eventually(lambda: look() or None, timeout_s)


def test_a_receiver_gets_each_event_once_signed_and_as_the_stream_tells_it(
    client: httpx.Client, receiver: Receiver
) -> None:
    run = start_run(client, tags=["ä \u2028 🚀"])
    observer = register(client, receiver.url("200-all"), run_id=run["run_id"])
    for epoch in range(5):
        log_epoch(client, run, epoch, loss=1 / (epoch + 1))
    end_run(client, run, final_metrics={"loss": "NaN"})
    calls = receiver.wait_for("200-all", 6)
    expected = {str(event["event_id"]): event for event in list_events(client, run_id=run["run_id"])[1:]}
    assert {call.message_id: call.message["data"] for call in calls} == expected
    for call in calls:
        call.verify(observer["secret"])
        assert call.message.keys() == {"type", "timestamp", "data"}
        assert call.message["type"] == call.message["data"]["type"]
        assert call.message["timestamp"] == call.message["data"]["timestamp"]
        assert call.headers["content-type"] == "application/json"
        with pytest.raises(WebhookVerificationError):
            call.verify("whsec_" + "A" * 32)
    eventually(lambda: [one["state"] for one in deliveries(client, observer)] == ["delivered"] * 6)
    assert len(receiver.at("200-all")) == 6


def test_a_webhook_hears_of_what_it_asked_for_and_of_nothing_else(client: httpx.Client, receiver: Receiver) -> None:
    tuner = create_tuner(client, tags=["mine"])
    register(client, receiver.url("200-types"), types=["trial_end", "tuner_end"])
    register(client, receiver.url("200-tuner"), tuner_id=tuner["tuner_id"])
    register(client, receiver.url("200-tag"), tag="mine", types=["trial_start"])
    register(client, receiver.url("200-none"), tag="nobody's")
    start = log_epoch(client, start_run(client), 0, loss=1.0)["event_id"]
    trial = suggest(client, tuner)[0]
    run = start_run(client, trial_id=trial["trial_id"])
    log_epoch(client, run, 0, loss=1.0)
    report(client, tuner, trial_id=trial["trial_id"], score=1.0)
    for path, query in (
        ("200-types", {"type": ["trial_end", "tuner_end"]}),
        ("200-tuner", {"tuner_id": tuner["tuner_id"]}),
        ("200-tag", {"tag": "mine", "type": "trial_start"}),
    ):
        expected = {str(event["event_id"]) for event in list_events(client, after=start, **query)}
        assert {call.message_id for call in receiver.wait_for(path, len(expected))} == expected != set()
    assert not receiver.at("200-none")


def test_a_retraining_trigger_fires_only_when_a_model_got_worse(client: httpx.Client, receiver: Receiver) -> None:
    when = 'type = "training_end" and final_metrics.accuracy < 0.9 and "production" in tags'
    observer = register(client, receiver.url("200-retrain"), when=when)
    assert observer["when"] == when
    for accuracy, tag in ((0.95, "production"), (0.85, "laptop"), ("NaN", "production")):
        end_run(client, start_run(client, tags=[tag]), final_metrics={"accuracy": accuracy})
    run = start_run(client, tags=["production"])
    end_run(client, run, final_metrics={"accuracy": 0.85})
    (call,) = receiver.wait_for("200-retrain", 1)
    assert (call.message["type"], call.message["data"]["run_id"]) == ("training_end", run["run_id"])
    last = log_epoch(client, start_run(client), 0, loss=1.0)["event_id"]
    register(client, receiver.url("200-after"), when=f"event_id > {last} and metrics.loss is nan")
    other = start_run(client)
    log_epoch(client, other, 0, loss=0.5)
    log_epoch(client, other, 1, loss="NaN")
    (after,) = receiver.wait_for("200-after", 1)
    assert after.message["data"]["epoch"] == 1
    assert len(receiver.at("200-retrain")) == 1


def test_what_fails_is_tried_again_under_the_same_id(client: httpx.Client, receiver: Receiver) -> None:
    receiver.statuses["moody"] = 503
    run = start_run(client)
    observer = register(client, receiver.url("moody"), run_id=run["run_id"])
    log_epoch(client, run, 0, loss=1.0)
    (due,) = eventually(lambda: [one for one in deliveries(client, observer) if one["last_status"] == 503])
    assert due["state"] == "pending"
    assert due["last_error"] == "the receiver answered 503"
    assert due["next_attempt_time"] > due["create_time"]
    receiver.statuses["moody"] = 204
    # Where five seconds have passed by then, it has been tried twice, and the next time is a minute later.
    (done,) = eventually(
        lambda: [one for one in deliveries(client, observer) if one["state"] == "delivered"], 2 * waiting.PATIENCE_S
    )
    assert (done["last_status"], done["last_error"], done["next_attempt_time"]) == (204, None, None)
    calls = receiver.at("moody")
    assert len({(call.message_id, call.body) for call in calls}) == 1
    assert [call.status for call in calls] == [503] * (done["attempts"] - 1) + [204]


@pytest.mark.slow
def test_when_a_receiver_is_back_all_that_waited_comes_at_once(client: httpx.Client, receiver: Receiver) -> None:
    receiver.statuses["down"] = 500
    run = start_run(client)
    observer = register(client, receiver.url("down"), run_id=run["run_id"])
    for epoch in range(20):
        log_epoch(client, run, epoch, loss=1.0)
    eventually(lambda: all(one["attempts"] for one in deliveries(client, observer)))
    receiver.statuses["down"] = 200
    eventually(lambda: [one["state"] for one in deliveries(client, observer)] == ["delivered"] * 20)
    assert max(one["attempts"] for one in deliveries(client, observer)) <= 3


def test_a_receiver_that_says_410_is_called_no_more_and_an_event_tells(
    server: Server, client: httpx.Client, receiver: Receiver
) -> None:
    run = start_run(client)
    with Subscriber(server.url, type="observer_off") as watcher:
        observer = register(client, receiver.url("410"), run_id=run["run_id"])
        log_epoch(client, run, 0, loss=1.0)
        (event,) = watcher.wait_for(1)
        assert event.data["observer_id"] == observer["observer_id"]
        assert "410" in event.data["reason"]
    found = answer(client.get(path_of(observer)))
    assert (found["state"], found["off_reason"]) == ("off", event.data["reason"])
    assert f"the webhook {observer['observer_id']} is switched off" in server.log
    missed = log_epoch(client, run, 1, loss=1.0)["event_id"]
    receiver.statuses["410"] = 200
    assert answer(client.patch(path_of(observer), json={"state": "on"}))["off_reason"] is None
    assert receiver.wait_for("410", 2)[-1].message_id == str(missed), "what happened meanwhile is not lost"
    assert deliveries(client, observer)[0]["state"] == "failed"


def test_a_failed_delivery_is_sent_again_when_asked_for(client: httpx.Client, receiver: Receiver) -> None:
    run = start_run(client)
    observer = register(client, receiver.url("200-again"), run_id=run["run_id"])
    log_epoch(client, run, 0, loss=1.0)
    first = receiver.wait_for("200-again", 1)[0]
    (delivery,) = eventually(lambda: [one for one in deliveries(client, observer) if one["state"] == "delivered"])
    path = f"{path_of(observer)}/deliveries/{delivery['delivery_id']}/redeliver"
    assert answer(client.post(path), 202)["state"] == "pending"
    second = receiver.wait_for("200-again", 2)[1]
    assert (first.message_id, first.body) == (second.message_id, second.body)


def test_a_test_is_signed_and_comes_also_to_one_that_is_off(client: httpx.Client, receiver: Receiver) -> None:
    observer = register(client, receiver.url("200-test"), types=["tuner_end"])
    client.patch(path_of(observer), json={"state": "off"})
    delivery = answer(client.post(f"{path_of(observer)}/test"), 202)
    assert delivery["event_id"] is None
    (call,) = receiver.wait_for("200-test", 1)
    call.verify(observer["secret"])
    assert call.message["type"] == "test"
    assert call.message["data"] == {"observer_id": observer["observer_id"]}
    eventually(lambda: [one["state"] for one in deliveries(client, observer)] == ["delivered"])


def test_after_a_rotation_both_secrets_sign(client: httpx.Client, receiver: Receiver) -> None:
    observer = register(client, receiver.url("200-rotated"), types=["tuner_end"])
    rotated = answer(client.post(f"{path_of(observer)}/rotate"))
    assert rotated["secret"] != observer["secret"]
    client.post(f"{path_of(observer)}/test")
    (call,) = receiver.wait_for("200-rotated", 1)
    assert len(call.headers["webhook-signature"].split(" ")) == 2
    call.verify(observer["secret"])
    call.verify(rotated["secret"])


def test_the_event_of_one_that_is_switched_off_waits_and_its_own_hand_is_told_apart(
    client: httpx.Client, receiver: Receiver
) -> None:
    run = start_run(client)
    observer = register(client, receiver.url("200-paused"), run_id=run["run_id"])
    off = answer(client.patch(path_of(observer), json={"state": "off"}))
    assert (off["state"], off["off_reason"]) == ("off", "switched off by request")
    ids = [log_epoch(client, run, epoch, loss=1.0)["event_id"] for epoch in range(3)]
    client.patch(path_of(observer), json={"state": "on"})
    assert {call.message_id for call in receiver.wait_for("200-paused", 3)} == {str(one) for one in ids}


def test_what_was_looked_at_before_a_filter_changed_is_not_judged_by_the_new_one_after_a_restart(
    new_database: NewDatabase, receiver: Receiver
) -> None:
    with Server(new_database(), env=WEBHOOKS) as server, open_client(server) as client:
        first, other = start_run(client), start_run(client)
        observer = register(client, receiver.url("200-moved"), run_id=first["run_id"])
        register(client, receiver.url("200-witness"), run_id=other["run_id"])
        for epoch in range(3):
            log_epoch(client, other, epoch, loss=1.0)
        receiver.wait_for("200-witness", 3)  # so these were looked at
        answer(client.patch(path_of(observer), json={"run_id": other["run_id"]}))
        server.kill()
        server.start()
        last = log_epoch(client, other, 3, loss=1.0)["event_id"]
        eventually(lambda: deliveries(client, observer))
        assert [one["event_id"] for one in deliveries(client, observer)] == [last]


BAD = ["hang", "500", "endless", "drip", "redirect", "cut", "302", "404"]


def test_a_receiver_that_refuses_is_not_asked_about_each_event_at_once(
    client: httpx.Client, receiver: Receiver
) -> None:
    n_events, run = 100, start_run(client)
    for path in ("200-good", "500-bad"):
        register(client, receiver.url(path), run_id=run["run_id"])
    begin = time.monotonic()
    log_batch(client, run, [(epoch, {"loss": 1.0}) for epoch in range(n_events)])
    receiver.wait_for("200-good", n_events)
    n_calls = len(receiver.wait_for("500-bad", 1))
    most = 8 + 2 + (time.monotonic() - begin)  # those under way when it first failed, and then one a second
    assert n_calls <= most


@pytest.mark.slow
def test_bad_receivers_of_every_kind_starve_no_good_one(client: httpx.Client, receiver: Receiver) -> None:
    run = start_run(client)
    bad = {kind: register(client, receiver.url(kind), run_id=run["run_id"]) for kind in BAD}
    good = register(client, receiver.url("200-good"), run_id=run["run_id"])
    for epoch in range(50):
        log_epoch(client, run, epoch, loss=1.0)
    receiver.wait_for("200-good", 50)
    eventually(lambda: [one["state"] for one in deliveries(client, good)] == ["delivered"] * 50)

    def error(kind: str) -> str | None:
        said = {one["last_error"] for one in deliveries(client, bad[kind]) if one["attempts"]} - {None}
        return ", ".join(said) or None

    assert "500" in eventually(lambda: error("500"))
    assert "redirects are not followed" in eventually(lambda: error("redirect"))
    assert not receiver.at("redirected"), "a redirect was followed"
    assert "connection failed" in eventually(lambda: error("cut"))
    assert "within 15 s" in eventually(lambda: error("hang"))
    assert "within 15 s" in eventually(lambda: error("drip"))
    endless = eventually(lambda: [one for one in deliveries(client, bad["endless"]) if one["state"] == "delivered"])
    assert len(endless) <= 50  # its status was 2xx; what it says more is not listened to
    for observer in bad.values():
        assert client.delete(path_of(observer)).status_code == 204
