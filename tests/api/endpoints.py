"""Every endpoint that takes a body, with a body that it takes: what the tests of refusals start from."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

from tests.calls import JSON, SPACE, create_tuner, start_run, suggest

POSTS = [
    "create_tuner",
    "suggest",
    "report_result",
    "add_trials",
    "keep_trial",
    "release_trial",
    "start_run",
    "log_epoch",
    "log_epochs",
    "stop_run",
    "end_run",
]
"""Those that take a body; the names are only for these tests."""

OPTIONAL = {"suggest", "keep_trial", "release_trial", "start_run", "stop_run", "end_run"}
"""Those of whose body every field is optional."""

BODILESS = ["pause_tuner", "resume_tuner", "stop_tuner", "keep_run"]
"""Those that take no body."""


@dataclass(frozen=True, slots=True)
class Things:
    """A tuner with a running trial, and a running run, that a test may do with what it likes."""

    tuner: JSON
    trial: JSON
    run: JSON

    def path(self, endpoint: str) -> str:
        """Where this endpoint is."""
        tuner, run = f"/v1/tuners/{self.tuner['tuner_id']}", f"/v1/runs/{self.run['run_id']}"
        trial = f"/v1/trials/{self.trial['trial_id']}"
        return {
            "create_tuner": "/v1/tuners",
            "suggest": f"{tuner}/suggest",
            "report_result": f"{tuner}/result",
            "add_trials": f"{tuner}/trials",
            "keep_trial": f"{trial}/heartbeat",
            "release_trial": f"{trial}/release",
            "start_run": "/v1/runs",
            "log_epoch": f"{run}/epochs",
            "log_epochs": f"{run}/epochs/batch",
            "stop_run": f"{run}/stop",
            "end_run": f"{run}/end",
            "pause_tuner": f"{tuner}/pause",
            "resume_tuner": f"{tuner}/resume",
            "stop_tuner": f"{tuner}/stop",
            "keep_run": f"{run}/heartbeat",
        }[endpoint]

    def body(self, endpoint: str) -> JSON:
        """A body that this endpoint takes."""
        bodies: dict[str, JSON] = {
            "create_tuner": {"space": SPACE},
            "suggest": {"count": 1},
            "report_result": {"trial_id": self.trial["trial_id"], "score": 0.5},
            "add_trials": {"params": {"x": 0.5}},
            "keep_trial": {"attempt": 1},
            "release_trial": {"attempt": 1},
            "start_run": {"params": {"x": 1}},
            "log_epoch": {"epoch": 0, "metrics": {"loss": 0.5}},
            "log_epochs": {"epochs": [{"epoch": 0, "metrics": {"loss": 0.5}}]},
            "stop_run": {"reason": "the loss explodes"},
            "end_run": {"final_metrics": {"loss": 0.5}},
        }
        return bodies[endpoint]


def make_things(client: httpx.Client) -> Things:
    """New ones."""
    tuner = create_tuner(client)
    return Things(tuner, suggest(client, tuner)[0], start_run(client))


def send(client: httpx.Client, path: str, body: Any) -> httpx.Response:
    """A POST of anything: bytes and text as they are, all else as JSON in plain ASCII (lone surrogates included)."""
    content = body if isinstance(body, bytes | str) else json.dumps(body)
    return client.post(path, content=content, headers={"Content-Type": "application/json"})
