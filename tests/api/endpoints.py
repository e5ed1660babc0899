"""Every endpoint, as the document has it, with things to call it about: what the tests of refusals start from.

Nothing here is a list that could be forgotten: an operation that joins the document is asked for its body, or fails.
"""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx

from tests import receiver
from tests.calls import JSON, SPACE, answer, create_tuner, start_run, suggest
from tests.documented import document

OPERATIONS: dict[str, tuple[str, str]] = {
    item[method]["operationId"]: (method.upper(), path) for path, item in document()["paths"].items() for method in item
}
"""The method and the path of each operation, by its id."""


def _of(name: str) -> JSON:
    method, path = OPERATIONS[name]
    found: JSON = document()["paths"][path][method.lower()]
    return found


WRITES = [name for name, (method, _) in OPERATIONS.items() if method != "GET" and "requestBody" in _of(name)]
"""Those that take a body."""


def model_of(name: str) -> JSON:
    """The schema of the body that an operation takes; of several, the first."""
    schema = _of(name)["requestBody"]["content"]["application/json"]["schema"]
    found: JSON = document()["components"]["schemas"][schema.get("oneOf", [schema])[0]["$ref"].rpartition("/")[2]]
    return found


OPTIONAL = {name for name in WRITES if not _of(name)["requestBody"].get("required")}
"""Those of whose body every field is optional."""

BODILESS = [name for name, (method, _) in OPERATIONS.items() if method == "POST" and name not in WRITES]
"""Those that take none."""

ONCE = [name for name in OPERATIONS if any(one["name"] == "Idempotency-Key" for one in _of(name).get("parameters", ()))]
"""Those that are done once under one key."""

NOBODY = f"http://{receiver.HOST}:9/"
"""Where nobody listens."""


@dataclass
class Things:
    """A tuner with a running trial, a running run, and a webhook that is called about nothing: do what you like."""

    client: httpx.Client
    tuner: JSON
    trial: JSON
    run: JSON

    @cached_property
    def observer(self) -> JSON:
        """The webhook, registered when it is first wanted."""
        return answer(self.client.post("/v1/observers", json={"url": NOBODY, "run_id": str(uuid.uuid4())}), 201)

    @cached_property
    def delivery(self) -> JSON:
        """Something that the webhook was told."""
        return answer(self.client.post(f"/v1/observers/{self.observer['observer_id']}/test"), 202)

    def path(self, endpoint: str) -> str:
        """Where this endpoint is."""
        path = OPERATIONS[endpoint][1]
        for name in ("tuner", "trial", "run", "observer", "delivery"):
            if f"{{{name}_id}}" in path:
                path = path.replace(f"{{{name}_id}}", getattr(self, name)[f"{name}_id"])
        return path

    def body(self, endpoint: str) -> JSON:
        """A body that this endpoint takes."""
        bodies: dict[str, JSON] = {
            "create_tuner": {"space": SPACE},
            "edit_tuner": {"name": "another", "tags": ["t"], "budget": {"max_trials": 9}},
            "suggest": {"count": 1},
            "report_result": {"trial_id": self.trial["trial_id"], "score": 0.5},
            "add_trial": {"params": {"x": 0.5}},
            "renew_lease": {"attempt": 1},
            "release_trial": {"attempt": 1},
            "start_run": {"params": {"x": 1}},
            "edit_run": {"name": "another", "tags": ["t"], "params": {"y": 1}},
            "log_epoch": {"epoch": 0, "metrics": {"loss": 0.5}},
            "log_epoch_batch": {"epochs": [{"epoch": 0, "metrics": {"loss": 0.5}}]},
            "stop_run": {"reason": "the loss explodes"},
            "end_run": {"final_metrics": {"loss": 0.5}},
            "register_observer": {"url": NOBODY, "types": ["tuner_end"], "run_id": str(uuid.UUID(int=1))},
            "change_observer": {"types": ["tuner_end"], "tag": "nobody's"},
            "rotate_secret": {},
            "sign_in": {"key": "tunetrack_none"},
        }
        return bodies[endpoint]

    def send(self, endpoint: str, body: Any, query: str = "") -> httpx.Response:
        """A call with anything for its body."""
        return send(self.client, self.path(endpoint) + query, body, OPERATIONS[endpoint][0])

    def forget(self) -> None:
        """Take away what others would be slowed by."""
        if "observer" in self.__dict__:
            self.client.delete(f"/v1/observers/{self.observer['observer_id']}")


def make_things(client: httpx.Client) -> Things:
    """New ones."""
    tuner = create_tuner(client)
    return Things(client, tuner, suggest(client, tuner)[0], start_run(client))


@contextmanager
def new_things(client: httpx.Client) -> Iterator[Things]:
    """New ones, for a while."""
    things = make_things(client)
    yield things
    things.forget()


def send(client: httpx.Client, path: str, body: Any, method: str = "POST") -> httpx.Response:
    """A call with anything: bytes and text as they are, in pieces if they come so; all else as JSON in plain ASCII."""
    content = body if isinstance(body, bytes | str | Iterator) else json.dumps(body)
    return client.request(method, path, content=content, headers={"Content-Type": "application/json"})
