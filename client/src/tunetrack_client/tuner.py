"""One search, as a worker sees it."""

import logging
import os
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunetrack_client.trial import Trial, by_objective, outcome
from tunetrack_client.wire import Value, plain, tag_list, with_numbers

if TYPE_CHECKING:
    from tunetrack_client.client import Client

JSON = dict[str, Any]

log = logging.getLogger("tunetrack_client")

_PAUSE_S = 1.0
"""Between one question and the next, where the service does not say when to ask again."""

_AN_OBJECTIVE = '"loss" or {"metric": "loss", "direction": "minimize"}'

_TOLD_AFTER_S = 10.0
_WAITING = (
    "%r is %s and has no trial to give just now; waiting. One that a dead worker held comes when its %g s are over"
)


class Tuner:
    """A search that exists at the service."""

    def __init__(self, client: "Client", wire: JSON) -> None:
        self.tuner_id: str = wire["tuner_id"]
        self.name: str = wire["name"]
        self.space: dict[str, JSON] = wire["space"]
        self.metrics: list[str] = [objective["metric"] for objective in wire["objectives"]]
        self._client = client
        self._lease_s: float = wire["lease_s"]
        self._path = f"/v1/tuners/{self.tuner_id}"

    def __repr__(self) -> str:
        return f"Tuner({self.name or self.tuner_id})"

    @property
    def url(self) -> str:
        """Where a browser shows it."""
        return f"{self._client.outbox.shown_url}/#/tuners/{self.tuner_id}"

    def trials(self, worker: str | None = None, *, limit: int | None = None) -> Iterator[Trial]:
        """Trial after trial, until the tuner has no more to give; waits where it has none just now.

        Each turn of the loop ends with an outcome: that of a run, or a result. A turn that ends without one has failed,
        and so has one by whose exception the program ends. A loop that is left otherwise hands its trial back, the
        first time: a program that catches its exceptions and loops again would be given that trial for ever.

        Args:
            worker: who asks. One that comes again under its old name is handed the trial that it held;
                two at once must not share a name. By default one that no other process has.
            limit: how many at most.
        Raises:
            Unavailable: the service was away for longer than the client's `patience_s`.
            Refused: it did not take an outcome.
        """
        worker = worker or _own_name()
        n_given, waited_s = 0, 0.0
        while limit is None or n_given < limit:
            self._client.flush_or_raise()
            answer = self._ask(1, worker)
            if not answer["trials"]:
                if answer["tuner_state"] in ("completed", "stopped"):
                    return
                pause_s = _PAUSE_S if answer["retry_after_s"] is None else answer["retry_after_s"]
                if waited_s < _TOLD_AFTER_S <= waited_s + pause_s:
                    log.warning(_WAITING, self, answer["tuner_state"], self._lease_s)
                waited_s += pause_s
                time.sleep(pause_s)
            for trial in map(self._trial, answer["trials"]):
                n_given, waited_s = n_given + 1, 0.0
                self._client.under_way.add(trial)
                with trial.held():
                    try:
                        yield trial
                    except GeneratorExit:
                        self._leave(trial)
                        raise
                self._client.under_way.discard(trial)
                self._settle(trial)

    def suggest(self, count: int = 1, *, worker: str | None = None) -> list[Trial]:
        """So many trials at once, fewer where there are none just now; for loops of your own making.

        Each is held, and kept alive, until it has its outcome or is released.
        """
        self._client.flush_or_raise()
        return [self._trial(wire) for wire in self._ask(count, worker or _own_name())["trials"]]

    def enqueue(self, params: Mapping[str, Any], *, partial: bool = False) -> None:
        """Have these parameters tried next; if `partial`, what they leave out is drawn at random."""
        body = {"params": plain(params)} | ({"partial": True} if partial else {})
        self._client.ask("POST", f"{self._path}/trials", body, is_new=True)

    def observe(
        self, params: Mapping[str, Any], score: Value | Mapping[str, Value] | None = None, /, **scores: Value
    ) -> None:
        """Tell what is known from elsewhere, the scores as in `Trial.result`: the strategy learns from it. The same
        again changes nothing."""
        told = outcome(by_objective(self.metrics, score, scores))
        self._client.ask("POST", f"{self._path}/result", {"params": plain(params)} | told)

    @property
    def best(self) -> JSON | None:
        """The best trial so far, as the service shows it; None while there is none, and with several objectives."""
        best: JSON | None = self.fetch()["best"]
        return best

    @property
    def state(self) -> str:
        """`active`, `paused`, `stopped` or `completed`."""
        return str(self.fetch()["state"])

    def fetch(self) -> JSON:
        """The tuner as the service shows it now: counts, best, budget and all."""
        return self._client.get(self._path)

    def history(self, filter: str | None = None, order_by: str | None = None) -> Iterator[JSON]:
        """All its trials, by number unless told otherwise, as the service shows them."""
        return map(with_numbers, self._client.pages(f"{self._path}/trials", filter=filter, order_by=order_by))

    def pareto(self) -> list[JSON]:
        """The trials that no other beats in every objective; with one objective, the best."""
        return [with_numbers(trial) for trial in self._client.get(f"{self._path}/pareto")["items"]]

    def importance(self, metric: str | None = None) -> dict[str, float]:
        """How much of the scores' variance each parameter explains; empty while there is too little to tell.

        Args:
            metric: an objective, whose scores are meant; of several the mean over all where none is named.
        Raises:
            KeyError: it is no objective of this tuner.
        """
        found = self._client.get(f"{self._path}/importance")
        shares: dict[str, float] = found["importance"] if metric is None else found["by_metric"][metric]
        return shares

    def edit(
        self,
        *,
        max_trials: int | None = None,
        budget: Mapping[str, Any] | None = None,
        name: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> None:
        """Change its budget, of which what is not named stays, or its name or tags. One that was completed goes on
        where its budget was raised."""
        body = {"budget": _budget(max_trials, budget), "name": name, "tags": None if tags is None else tag_list(tags)}
        self._client.ask("PATCH", self._path, {field: value for field, value in body.items() if value is not None})

    def pause(self) -> None:
        """Hand out nothing for a while."""
        self._client.ask("POST", f"{self._path}/pause")

    def resume(self) -> None:
        """Hand out again."""
        self._client.ask("POST", f"{self._path}/resume")

    def stop(self) -> None:
        """Hand out nothing any more, and tell all its runs to stop."""
        self._client.ask("POST", f"{self._path}/stop")

    def _ask(self, count: int, worker: str) -> JSON:
        answer: JSON = self._client.ask("POST", f"{self._path}/suggest", {"count": count, "worker": worker})
        return answer

    def _trial(self, wire: JSON) -> Trial:
        return Trial(self._client.outbox, wire, self.metrics, self._lease_s)

    def _leave(self, trial: Trial) -> None:
        """No loop is told why it is left: twice at the same trial is taken for the trial's fault."""
        if trial.is_open and trial.trial_id in self._client.left:
            trial.fail("its loop was left again without an outcome")
        elif trial.is_open:
            self._client.left.add(trial.trial_id)

    def _settle(self, trial: Trial) -> None:
        """Raise an outcome that the service will not take: it would hand out the same trial for ever."""
        self._client.flush_or_raise()
        if trial.error is not None:
            raise trial.error


def _own_name() -> str:
    """A name for a worker that gave none: its machine and process are for people, the rest makes it one of its kind."""
    return f"{socket.gethostname()[:200]}-{os.getpid()}-{uuid.uuid4().hex[:6]}"


def request(
    space: Mapping[str, Mapping[str, Any]],
    *,
    objective: str | Mapping[str, Any] | None,
    direction: str | None,
    objectives: Sequence[str | Mapping[str, Any]] | None,
    max_trials: int | None,
    budget: Mapping[str, Any] | None,
    stopper: str | Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
    **rest: Any,
) -> JSON:
    """The body that creates a tuner, from what a person would say."""
    body: JSON = {name: value for name, value in rest.items() if value is not None}
    body["space"] = {name: _spec(name, spec) for name, spec in space.items()}
    if objectives is not None:
        if objective is not None:
            raise ValueError("give either an objective or several objectives")
        if isinstance(objectives, str | Mapping):  # whose letters or keys would be the metrics
            raise TypeError(f"objectives are a list, each like {_AN_OBJECTIVE}, not {objectives!r:.100}")
        body["objectives"] = [_objective(one, direction) for one in objectives]
    elif objective is not None or direction is not None:
        body["objective"] = _objective(objective or {}, direction)
    if (spent := _budget(max_trials, budget)) is not None:
        body["budget"] = spent
    if stopper is not None:
        body["stopper"] = {"type": stopper} if isinstance(stopper, str) else stopper
    return body


def _spec(name: str, spec: Any) -> JSON:
    if not isinstance(spec, Mapping):
        raise TypeError(
            f"parameter {name!r} must be made by int_range, float_range, choice or flag, and is {spec!r:.100}"
        )
    return dict(spec)


def _objective(one: str | Mapping[str, Any], direction: str | None) -> JSON:
    if not isinstance(one, str | Mapping):
        raise TypeError(f"an objective is like {_AN_OBJECTIVE}, not {one!r:.100}; several are objectives=[…]")
    named = {"metric": one} if isinstance(one, str) else dict(one)
    return ({} if direction is None else {"direction": direction}) | named


def _budget(max_trials: int | None, budget: Mapping[str, Any] | None) -> JSON | None:
    named = dict(budget or {}) | ({} if max_trials is None else {"max_trials": max_trials})
    return named or None
