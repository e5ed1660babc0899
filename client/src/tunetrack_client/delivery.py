"""Messages on their way, and what becomes of them."""

import logging
from collections import Counter
from typing import Any, Protocol
from weakref import WeakValueDictionary

from tunetrack_client.connection import Connection
from tunetrack_client.errors import (
    DuplicateMetricKey,
    IdConflict,
    LeaseLost,
    NotAllowed,
    ParamExists,
    Refused,
    RunEnded,
    ServiceFailed,
    Unavailable,
    UnknownRun,
    UnknownTrial,
)
from tunetrack_client.message import JSON, STARTS, Request
from tunetrack_client.wire import is_same_param

log = logging.getLogger("tunetrack_client")

_FINAL = (LeaseLost, UnknownRun, UnknownTrial)
"""After one of these, nothing more that is said about the run or the trial can be heard."""


class Listener(Protocol):
    """Who wants to know what the service said."""

    def told(self, answer: dict[str, Any]) -> None:
        """It took something that was said."""

    def refused(self, error: Refused, *, is_partial: bool = False) -> None:
        """It did not.

        Args:
            is_partial: what it did not take were single values; all else may still come to a good end.
        """


class Delivery:
    """Sends requests one after another, and tells the listeners of each run or trial what came of it."""

    def __init__(self, connection: Connection) -> None:
        # Who is gone wants to know nothing; a worker may go through trials without end.
        self.listeners = WeakValueDictionary[str, Listener]()
        self.n_delivered = 0
        self.refusals: Counter[str] = Counter()
        self._connection = connection
        self._lost: set[str] = set()
        self._said_again: set[str] = set()

    def send(self, request: Request) -> None:
        """Deliver it, once and for all: what the service refuses is told, and done with.

        Raises:
            Unavailable: not now; send it again.
            ServiceFailed: it may be this that it fails at; send it again, or `give_up`.
        """
        if request.path == STARTS:  # whoever begins it again is told again what becomes of it
            self._lost.discard(request.about)
        if request.about in self._lost:
            self.refusals["lost before"] += len(request.messages)
            return
        try:
            answer = self._answer(request)
        except NotAllowed as error:
            raise Unavailable(f"{self._connection.shown_url} does not take the key: {error}") from error
        except ServiceFailed:
            raise
        except Refused as error:
            if (said := request.as_said()) is not None:
                self.send(said)
                return
            if len(request.messages) == 1 or isinstance(error, _FINAL):
                self.give_up(request, error)
                return
            # All or nothing: one is wrong, and the others are not to be lost for it.
            for part in request.parts():
                self.send(part)
        else:
            self.n_delivered += len(request.messages)
            if (listener := self.listeners.get(request.about)) is not None:
                listener.told(answer)

    def _answer(self, request: Request) -> JSON:
        body = request.body
        while True:
            try:
                answer: JSON = self._connection.send(request.method, request.path, body)
                return answer
            except IdConflict as error:
                if request.path != STARTS or request.as_said() is not None:
                    raise
                return self._go_on(request, error)
            except DuplicateMetricKey as error:
                body = {"epochs": self._news(request, body["epochs"], error)}
                if not body["epochs"]:
                    return {}

    def _news(self, request: Request, epochs: list[JSON], error: DuplicateMetricKey) -> list[JSON]:
        """Of these epochs what the service has not. A training that goes on from a checkpoint says much again, and a
        little different: first values are kept, and that is told once.

        Raises:
            Refused, Unavailable
        """
        epoch, name, stored, sent = (error.problem[word] for word in ("epoch", "key", "stored", "sent"))
        detail = f"Epoch {epoch} has {name} = {stored} already, and keeps it; {sent} is left out."
        if request.about not in self._said_again:
            self._said_again.add(request.about)
            log.warning("%s Later ones of this run are, too, without a word", detail)
        self.tell(request, DuplicateMetricKey(error.problem | {"detail": detail}), is_partial=True)
        known: dict[int, JSON] = {one["epoch"]: {} for one in epochs}
        if len(epochs) == 1:
            known[epoch][name] = stored
        else:
            path, before = f"{STARTS}/{request.about}/metrics", min(known) - 1
            found = self._connection.send("GET", path, query={} if before < 0 else {"after_epoch": before})
            for metric, series in found["series"].items():
                for number, value in zip(series["epochs"], series["values"], strict=True):
                    if number in known:
                        known[number][metric] = value
        news = []
        for one in epochs:
            values, there = one["metrics"], known[one["epoch"]]
            self.refusals[error.code] += sum(there.get(metric, value) != value for metric, value in values.items())
            if new := {metric: value for metric, value in values.items() if metric not in there}:
                news.append(one | {"metrics": new})
                there |= new  # what comes twice in these is known from then on
        return news

    def _go_on(self, request: Request, error: IdConflict) -> JSON:
        """A run that was begun with other words: a training that is told otherwise when it comes again must not be lost
        for that. What may change is changed, and params keep their first values, as epochs do.

        Raises:
            Refused: it has ended, or is the training of another trial.
            Unavailable: not now; send it again.
        """
        path, said = f"{STARTS}/{request.about}", request.body
        run: JSON = self._connection.send("GET", path)
        if said.get("trial_id") != run["trial_id"]:
            raise error
        if run["status"] not in ("running", "crashed"):
            detail = f"Run {request.about} has ended as {run['status']}: another training needs another key."
            raise RunEnded(error.problem | {"code": "run-ended", "detail": detail})
        params, kept = said.get("params") or {}, run["params"]
        change = {word: said[word] for word in ("name", "tags", "note") if said.get(word) and said[word] != run[word]}
        if added := {name: value for name, value in params.items() if name not in kept}:
            change["params"] = added
        if change:
            run = self._connection.send("PATCH", path, change)
        for name, value in params.items():
            if not is_same_param(value, run["params"][name]):
                self._left_out(request, name, run["params"][name], value)
        return run

    def _left_out(self, request: Request, name: str, kept: Any, sent: Any) -> None:
        detail = f"Run {request.about} goes on with {name} = {kept!r}, as it began; {sent!r} is left out."
        log.warning("%s", detail)
        told = ParamExists({"code": "param-exists", "status": 409, "detail": detail, "name": name})
        self.tell(request, told, is_partial=True)

    def tell(self, request: Request, error: Refused, *, is_partial: bool) -> None:
        """Let the listener know that it was not taken."""
        if (listener := self.listeners.get(request.about)) is not None:
            listener.refused(error, is_partial=is_partial)

    def give_up(self, request: Request, error: Refused) -> None:
        """Tell that it was refused, and be done with it."""
        self.refusals[error.code] += len(request.messages)
        is_start = request.path == STARTS
        if is_start or isinstance(error, _FINAL):
            self._lost.add(request.about)
        log.warning(
            "%s was refused%s: %s", request.path, ", and all that this run says is left out" if is_start else "", error
        )
        self.tell(request, error, is_partial=any(message.is_epoch for message in request.messages))
