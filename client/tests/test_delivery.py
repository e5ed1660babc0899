"""What becomes of a message that the service fails at."""

import pytest

from tunetrack_client.connection import Connection
from tunetrack_client.delivery import Delivery
from tunetrack_client.errors import ServiceFailed, Unavailable
from tunetrack_client.message import Message, fold


def test_a_message_that_the_service_fails_at_again_and_again_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ServiceFailed({"code": "internal", "status": 500, "detail": "A fault."})

    connection = Connection("http://127.0.0.1:9")
    monkeypatch.setattr(connection, "send", fail)
    delivery = Delivery(connection)
    (request,) = fold([Message("/v1/runs/r/end", {"status": "finished"}, "r")])
    for _ in range(4):
        with pytest.raises(Unavailable, match="failed: A fault"):
            delivery.send(request)
    delivery.send(request)
    assert delivery.refusals == {"internal": 1}
