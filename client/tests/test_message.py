"""What a message becomes on its way."""

import time

from tunetrack_client.message import Message, fold


def test_an_epoch_that_waited_says_when_it_was_and_one_that_did_not_leaves_that_to_the_service() -> None:
    noon = 1_777_896_000.25
    messages = [
        Message("/v1/runs/r/epochs", {"epoch": epoch, "metrics": {}}, "r", is_epoch=True, at=at)
        for epoch, at in enumerate([noon, time.time()])
    ]
    (request,) = fold(messages)
    assert request.body == {
        "epochs": [
            {"epoch": 0, "metrics": {}, "timestamp": "2026-05-04T12:00:00.250000Z"},
            {"epoch": 1, "metrics": {}},
        ]
    }
