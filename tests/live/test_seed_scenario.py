"""The scenario that the project began with, over a live service, with somebody watching."""

from tests.calls import answer, create_tuner, end_run, get_run, list_events, log_epoch, start_run, suggest
from tests.conftest import open_client
from tests.server import Server
from tests.subscriber import Subscriber


def test_a_tuned_and_tracked_training_is_seen_by_whoever_watches(server: Server) -> None:
    with open_client(server) as client, Subscriber(server.url, type=["epoch_end", "training_end"]) as watcher:
        tuner = create_tuner(
            client,
            strategy="random",
            space={
                "learning_rate": {"type": "float_range", "min": 1e-4, "max": 1e-1},
                "num_layers": {"type": "int_range", "min": 1, "max": 6},
            },
        )
        params = suggest(client, tuner)[0]["params"]
        assert 1e-4 <= params["learning_rate"] <= 1e-1
        assert params["num_layers"] in range(1, 7)

        run = start_run(client, params=params, tags=["integration-test"])
        for epoch in range(3):
            log_epoch(client, run, epoch, loss=1 / (epoch + 1))
        ended = end_run(client, run, final_metrics={"accuracy": 0.85})

        assert ended["duration_s"] >= 0
        assert get_run(client, run)["metrics"] == {"loss": 1 / 3, "accuracy": 0.85}

        # An event of something else, after all that is to be seen: what has not come by then does not come.
        last = log_epoch(client, start_run(client), 0, marker=1.0)["event_id"]
        *seen, _marker = watcher.wait_for_id(last)
        assert [(event.type, event.data["run_id"]) for event in seen] == [
            ("epoch_end", run["run_id"]),
            ("epoch_end", run["run_id"]),
            ("epoch_end", run["run_id"]),
            ("training_end", run["run_id"]),
        ]
        assert [event.data["epoch"] for event in seen[:3]] == [0, 1, 2]
        assert [event.data["metrics"] for event in seen[:3]] == [{"loss": 1.0}, {"loss": 0.5}, {"loss": 1 / 3}]
        assert seen[3].data["final_metrics"] == {"accuracy": 0.85}
        assert seen[3].data["status"] == "finished"
        assert seen[3].data["duration_s"] == ended["duration_s"]
        assert list_events(client, tag="integration-test", run_id=run["run_id"])[1:] == [event.data for event in seen]


def test_the_events_are_recorded_when_nobody_watches(server: Server) -> None:
    with open_client(server) as client:
        run = start_run(client)
        for epoch in range(3):
            log_epoch(client, run, epoch, loss=1 / (epoch + 1))
        end_run(client, run, final_metrics={"accuracy": 0.85})
        types = [event["type"] for event in list_events(client, run_id=run["run_id"])]
        assert types == ["run_start", "epoch_end", "epoch_end", "epoch_end", "training_end"]
        assert answer(client.get("/healthz"))
