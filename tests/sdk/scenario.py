"""What a program does with the generated Python client; type-checked, and run against a live service by test_sdk.py."""

import json
import sys
import uuid
from collections.abc import Iterator

from tunetrack_api import AuthenticatedClient
from tunetrack_api.api.events import list_events
from tunetrack_api.api.runs import end_run, get_run, log_epoch, start_run
from tunetrack_api.api.trials import suggest
from tunetrack_api.api.tuners import create_tuner, get_tuner
from tunetrack_api.models import (
    Budget,
    EndRequest,
    EndStatus,
    EpochAnswer,
    EpochEndEvent,
    EpochRequest,
    EventPage,
    FloatRange,
    Metrics,
    NonFinite,
    Objective,
    Problem,
    Run,
    RunRequest,
    RunStatus,
    Space,
    Suggestion,
    SuggestRequest,
    ThresholdStopper,
    TrainingEndEvent,
    Tuner,
    TunerRequest,
    TunerState,
)

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])


def follow(after: int, tuner_id: str) -> Iterator[EpochEndEvent | TrainingEndEvent]:
    """The epochs and ends of the tuner's runs, from the stream, typed."""
    query: dict[str, str | int] = {"tuner_id": tuner_id, "after": after}
    with client.get_httpx_client().stream("GET", "/v1/events/stream", params=query) as response:
        for line in response.iter_lines():
            if line.startswith("data: "):
                (event,) = EventPage.from_dict({"items": [json.loads(line[6:])], "last_event_id": 0}).items
                if isinstance(event, EpochEndEvent | TrainingEndEvent):
                    yield event


space = Space()
space["x"] = FloatRange(type_="float_range", min_=0.0, max_=1.0)
body = TunerRequest(
    space=space,
    objective=Objective(metric="gain"),
    budget=Budget(max_trials=1),
    stopper=ThresholdStopper(type_="threshold", min_=0.5),
)
tuner = create_tuner.sync(client=client, body=body)
assert isinstance(tuner, Tuner)
assert isinstance(tuner.space["x"], FloatRange)
tuner_id = str(tuner.tuner_id)

suggestion = suggest.sync(tuner_id, client=client, body=SuggestRequest(worker="w"))
assert isinstance(suggestion, Suggestion)
(trial,) = suggestion.trials
run = start_run.sync(client=client, body=RunRequest(trial_id=trial.trial_id, attempt=trial.attempt))
assert isinstance(run, Run)
assert run.params["x"] == trial.params["x"]
run_id = str(run.run_id)

for epoch, gain in enumerate((0.9, 0.1)):
    metrics = Metrics()
    metrics["gain"], metrics["loss"] = gain, NonFinite.NAN
    answer = log_epoch.sync(run_id, client=client, body=EpochRequest(epoch=epoch, metrics=metrics))
    assert isinstance(answer, EpochAnswer)
    assert answer.should_stop == (epoch == 1)
    if answer.should_stop:
        assert answer.stop is not None
        assert answer.stop.rule == "threshold"

ended = end_run.sync(run_id, client=client, body=EndRequest(status=EndStatus.STOPPED))
assert isinstance(ended, Run)
assert ended.status is RunStatus.STOPPED
assert ended.metrics["loss"] is NonFinite.NAN

refusal = log_epoch.sync(run_id, client=client, body=EpochRequest(epoch=7, metrics=metrics))
assert isinstance(refusal, Problem)
assert (refusal.status, refusal.code) == (409, "run-ended")
missing = get_run.sync(str(uuid.uuid4()), client=client)
assert isinstance(missing, Problem)
assert missing.code == "unknown-run"
wrong = suggest.sync(tuner_id, client=client, body=SuggestRequest(count=0))
assert isinstance(wrong, Problem)
assert wrong.errors
assert "count" in wrong.errors[0].loc

completed = get_tuner.sync(tuner_id, client=client)
assert isinstance(completed, Tuner)
assert completed.state is TunerState.COMPLETED

first = next(follow(0, tuner_id))  # cut after the first, and resumed after it
rest = follow(first.event_id, tuner_id)
second, third = next(rest), next(rest)
assert isinstance(second, EpochEndEvent)
assert second.epoch == 1
assert isinstance(third, TrainingEndEvent)
page = list_events.sync(client=client, tuner_id=[tuner.tuner_id], after=second.event_id)
assert isinstance(page, EventPage)
assert third in page.items
print("all is well")  # noqa: T201 -- to the test
