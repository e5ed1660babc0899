"""Examples of events, and of observers who are told of them."""

from typing import Any

from app.api.examples.ids import AFTER, BEFORE, RUN_ID, TUNER_ID

EPOCH_END = {
    "event_id": 17,
    "type": "epoch_end",
    "timestamp": BEFORE,
    "run_id": RUN_ID,
    "epoch": 3,
    "metrics": {"loss": 0.41, "accuracy": 0.88},
}
TRAINING_END = {
    "event_id": 18,
    "type": "training_end",
    "timestamp": AFTER,
    "run_id": RUN_ID,
    "status": "finished",
    "final_metrics": {"accuracy": 0.85},
    "duration_s": 215.530865,
}
OBSERVER_ID = "019ab1c2-7d22-7e13-9f34-a45566778899"
FILTERS = {"types": ["training_end"], "tuner_id": TUNER_ID, "run_id": None, "tag": None}
URL = "https://ci.example.com/retrain"
WHEN = "final_metrics.accuracy < 0.9"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
OBSERVER = {
    "observer_id": OBSERVER_ID,
    "url": URL,
    **FILTERS,
    "when": WHEN,
    "state": "on",
    "off_reason": None,
    "create_time": BEFORE,
}
DELIVERY = {
    "delivery_id": "019ab1c2-8e33-7f24-a045-b56677889900",
    "event_id": 17,
    "state": "pending",
    "attempts": 1,
    "last_status": 503,
    "last_error": "the receiver answered 503",
    "next_attempt_time": AFTER,
    "create_time": BEFORE,
}

EXAMPLES: dict[str, Any] = {
    "EventPage": {"items": [EPOCH_END], "last_event_id": 17},
    "Event": EPOCH_END,
    "ObserverRequest": {"url": URL, "types": ["training_end"], "tuner_id": TUNER_ID, "when": WHEN},
    "ObserverPatch": {"state": "on"},
    "RotateRequest": {},
    "Observer": OBSERVER,
    "ObserverWithSecret": OBSERVER | {"secret": SECRET},
    "ObserverPage": {"items": [OBSERVER], "next_page_token": None},
    "Delivery": DELIVERY,
    "DeliveryPage": {"items": [DELIVERY], "next_page_token": None},
}
