"""The door: what a program holds that talks to a service."""

import atexit
import logging
import os
import ssl
import sys
import time
import uuid
import weakref
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from multiprocessing import util
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tunetrack_client import events
from tunetrack_client.backlog import Backlog, default_folder
from tunetrack_client.connection import JSON, Connection, shown
from tunetrack_client.errors import Forbidden, IdConflict, Unavailable, UnknownTuner
from tunetrack_client.outbox import Outbox
from tunetrack_client.run import Run
from tunetrack_client.space import is_same_space
from tunetrack_client.trial import LONGEST_SILENCE_S, Trial
from tunetrack_client.tuner import Tuner, request
from tunetrack_client.wire import LONGEST_NAME, plain, short, tag_list, with_numbers

log = logging.getLogger("tunetrack_client")

DEFAULT_URL = "http://127.0.0.1:8000"
_NAMESPACE = uuid.UUID("5e0b6c1a-3f1d-5d0e-9a57-74756e657472")
"""What makes an id of a key."""


class Client:
    """A service, as one process sees it. May be shared by threads; in another process it begins anew.

    Args:
        url: where it listens; by default `TUNETRACK_URL`, else http://127.0.0.1:8000.
        key: its API key, if it wants one; by default `TUNETRACK_KEY`.
        patience_s: how long a question (for a tuner, a trial, a list) is repeated while the service is away.
            What a training says is never waited for, and kept for as long as it takes.
        spool: the folder for what could not be delivered; by default `TUNETRACK_SPOOL`, else
            `~/.local/state/tunetrack/spool`. `tunetrack-client sync` delivers it later.
        exit_timeout_s: how long the end of the program may wait for the service.
        ssl_context: for HTTPS, with whom to trust and a certificate to show; by default what `SSL_CERT_FILE`,
            `TUNETRACK_CLIENT_CERT` and `TUNETRACK_CLIENT_CERT_KEY` name.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        patience_s: float = 120.0,
        spool: Path | str | None = None,
        exit_timeout_s: float = 10.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._given = (url and shown(url), patience_s, spool, exit_timeout_s)
        self.url = url or os.environ.get("TUNETRACK_URL") or DEFAULT_URL
        self._connection = Connection(self.url, key or os.environ.get("TUNETRACK_KEY"), ssl_context)
        folder = default_folder() if spool is None else Path(spool).expanduser()
        self.outbox = Outbox(self._connection, lambda: Backlog(self.url, folder))
        self._patience_s = patience_s
        self._exit_timeout_s = exit_timeout_s
        self.under_way = weakref.WeakSet[Trial]()
        """What loops over trials have given, and have not come back from."""
        self.left = set[str]()
        """The trials at which such loops were left without an outcome."""
        self._at_exit = _call_weakly(self)
        atexit.register(self._at_exit)
        self._end_with_child()
        util.register_after_fork(self, Client._end_with_child)

    def __repr__(self) -> str:
        return f"Client({self.outbox.shown_url!r})"

    def __deepcopy__(self, _: object) -> Self:
        return self  # scikit-learn copies what an estimator is given

    def __reduce__(self) -> tuple[Any, ...]:
        """Elsewhere, or from a file, it begins anew. Key and SSL context stay behind: others may see such a file."""
        return _again, self._given

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell_of(error)
        self.close()

    def tuner(
        self,
        space: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        key: str | None = None,
        tuner_id: str | None = None,
        name: str | None = None,
        objective: str | Mapping[str, Any] | None = None,
        direction: str | None = None,
        objectives: Sequence[str | Mapping[str, Any]] | None = None,
        strategy: str | None = None,
        options: Mapping[str, Any] | None = None,
        max_trials: int | None = None,
        budget: Mapping[str, Any] | None = None,
        stopper: str | Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        seed: int | None = None,
        lease_s: float | None = None,
        tags: Sequence[str] | None = None,
    ) -> Tuner:
        """Create a search, or join one: without a `space` that of `tuner_id` or `key`, which must exist.

        Args:
            key: a name of your own. Workers that create a tuner with the same key and the same words share one; those
                whose API key is for training alone join it, if its space is the same.
            objective, direction: the metric to look at, and `maximize` or `minimize` (default: score, maximize).
            objectives: several metrics; one with another direction as `{"metric": …, "direction": …}`.
            max_trials: short for `budget={"max_trials": …}`.
            stopper: a name such as "asha", or the whole of it with its options.
        Raises:
            ValueError: the key is blank.
            IdConflict: the key is taken by a tuner that was created with other words.
            InvalidSpace, InvalidRequest, UnknownStrategy: it makes no sense.
            UnknownTuner: there is none to join.
        """
        if key is not None and tuner_id is not None:
            raise ValueError("give either a key or a tuner_id: the key stands for an id")
        known_id = tuner_id if key is None else _id_of(key)
        if space is None:
            if known_id is None:
                raise ValueError("a new tuner needs a space, and an old one its tuner_id or its key")
            try:
                return Tuner(self, self.get(f"/v1/tuners/{known_id}"))
            except UnknownTuner as error:
                if key is None:
                    raise
                detail = f"There is no tuner of the key {key!r} yet: whoever comes first gives its space."
                raise UnknownTuner(error.problem | {"detail": detail}) from None
        body = request(
            space,
            objective=objective,
            direction=direction,
            objectives=objectives,
            max_trials=max_trials,
            budget=budget,
            stopper=stopper,
            tuner_id=known_id or str(uuid.uuid4()),
            name=key if name is None else name,
            strategy=strategy,
            options=None if options is None else dict(options),
            seed=seed,
            lease_s=lease_s,
            tags=None if tags is None else tag_list(tags),
        )
        try:
            return Tuner(self, self._create_or_join(body, known_id))
        except IdConflict as error:
            join = f"key={key!r}" if tuner_id is None else f"tuner_id={tuner_id!r}"
            raise IdConflict(error.problem | {"detail": _told_otherwise(error.problem["differs"], join)}) from None

    def _create_or_join(self, body: JSON, known_id: str | None) -> JSON:
        try:
            created: JSON = self.ask("POST", "/v1/tuners", body)
            return created
        except Forbidden as error:  # a key for training creates nothing; what is there it may join
            there = None if known_id is None else self._find(known_id)
            if there is None:
                raise
            if not is_same_space(body["space"], there["space"]):
                raise IdConflict(error.problem | {"code": "id-conflict", "status": 409, "differs": ["space"]}) from None
            return there
        except IdConflict as error:  # it was created with other words, and may have been edited to these
            there = self.get(f"/v1/tuners/{known_id}")
            differs = error.problem["differs"] + ["seed"] * (body.get("seed", there["seed"]) != there["seed"])
            if differs:
                raise IdConflict(error.problem | {"differs": differs}) from None
            return there

    def _find(self, tuner_id: str) -> JSON | None:
        try:
            return self.get(f"/v1/tuners/{tuner_id}")
        except UnknownTuner:
            return None

    def run(
        self,
        params: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        name: str | None = None,
        tags: Sequence[str] = (),
        note: str = "",
        stale_after_s: float | None = 600.0,
    ) -> Run:
        """Start a run that belongs to no tuner: `with client.run({"lr": 0.01}) as run:`. Needs no service to begin.

        Args:
            key: a name of your own, for a training that goes on from a checkpoint. The same key goes on with the same
                run, for as long as it has not ended. Epochs logged anew keep their first values, and so do params.
            stale_after_s: when its process has been dead for so long, it is given up as crashed; None is never.
        Raises:
            TypeError, ValueError: a param is no finite number, text or boolean, or more is said than a run takes; the
                key is blank.
        """
        run_id = str(uuid.uuid4()) if key is None else _id_of(key)
        run = Run(self.outbox, run_id, plain(params or {}), is_resumable=key is not None)
        body: JSON = {"run_id": run_id, "params": dict(run.params), "tags": tag_list(tags)}
        body["note"] = short("the note", note)
        body["name"] = (
            short("the key", key or "", LONGEST_NAME) if name is None else short("the name", name, LONGEST_NAME)
        )
        if stale_after_s is not None:
            body["stale_after_s"] = stale_after_s
        silence_s = min(LONGEST_SILENCE_S, (stale_after_s or 3 * LONGEST_SILENCE_S) / 3)
        run.start(body, silence_s)
        return run

    def runs(self, filter: str | None = None, order_by: str | None = None) -> Iterator[JSON]:
        """Runs, newest first unless told otherwise, as the service shows them."""
        return map(with_numbers, self.pages("/v1/runs", filter=filter, order_by=order_by))

    def curves(self, run_id: str, *metrics: str, max_points: int | None = None) -> dict[str, JSON]:
        """The values of these metrics, or of all, at each epoch: `pandas.DataFrame(client.curves(run_id)["loss"])`.

        Args:
            max_points: thinned to so many of each, with their first, last and extreme ones.
        """
        has_commas = any("," in metric for metric in metrics)  # which part the names in the question
        keys = None if has_commas else ",".join(metrics) or None
        found = self.get(f"/v1/runs/{run_id}/metrics", keys=keys, max_points=max_points)
        series: dict[str, JSON] = with_numbers(found)["series"]
        if has_commas:
            return {metric: series.get(metric, {"epochs": [], "values": []}) for metric in metrics}
        return series

    def tuners(self, filter: str | None = None) -> Iterator[JSON]:
        """Tuners, newest first, as the service shows them."""
        return self.pages("/v1/tuners", filter=filter)

    def events(
        self,
        after: int | None = None,
        *,
        type: str | Sequence[str] = (),
        run_id: str | Sequence[str] = (),
        tuner_id: str | Sequence[str] = (),
        tag: str | Sequence[str] = (),
    ) -> Iterator[events.Event]:
        """Events as they happen, each once and none left out, over however many connections it takes; endless.

        Args:
            after: those after this id, 0 for all that there are; by default what happens from now on.
            type, run_id, tuner_id, tag: only these; several mean any of them.
        Raises:
            Refused: the service does not take the question.
        """
        filters = {"type": type, "run_id": run_id, "tuner_id": tuner_id, "tag": tag}
        chosen = {name: [only] if isinstance(only, str) else list(only) for name, only in filters.items()}
        return events.follow(self._connection, after, chosen)

    def get(self, path: str, **query: Any) -> JSON:
        """The answer to a question, e.g. `client.get("/v1/runs/" + run_id)`.

        Raises:
            Unavailable, Refused
        """
        answer: JSON = self.ask("GET", path, query=query)
        return answer

    def pages(self, path: str, **query: Any) -> Iterator[JSON]:
        """All the items of a list, page by page."""
        token = None
        while True:
            page = self.get(path, page_size=1000, page_token=token, **query)
            yield from page["items"]
            token = page["next_page_token"]
            if token is None:
                return

    def ask(
        self,
        method: str,
        path: str,
        body: JSON | None = None,
        query: Mapping[str, Any] | None = None,
        *,
        is_new: bool = False,
    ) -> Any:
        """The answer to a request, sent again while the service is away.

        Args:
            is_new: each one makes something new, so that only an Idempotency-Key keeps a repeat from doing it twice.
        Raises:
            Unavailable: it was away for longer than `patience_s`.
            Refused: it says no.
        """
        known = {name: value for name, value in (query or {}).items() if value is not None}
        once = str(uuid.uuid4()) if is_new else None
        return self._connection.ask(method, path, body, known, once=once, patience_s=self._patience_s)

    def flush(self, timeout_s: float = 60.0) -> bool:
        """Wait until the service has heard all that was said so far; whether it has."""
        return self.outbox.flush(timeout_s)

    def flush_or_raise(self) -> None:
        """Wait until the service has heard all that was said so far.

        Raises:
            Unavailable: it has not, for longer than `patience_s`.
        """
        if not self.outbox.flush(self._patience_s):
            why = self.outbox.trouble or f"{self.outbox.shown_url} is slow"
            raise Unavailable(f"{why}; what was said has not been taken, and is kept")

    def close(self) -> None:
        """Hand back the trials of loops that are under way, deliver what was said, and keep on disk what cannot be
        delivered; done at exit, too."""
        self._close_until(time.monotonic() + self._exit_timeout_s)

    def _end_with_child(self) -> None:
        """A process that multiprocessing began may end without a look at what atexit holds."""
        self._at_end = util.Finalize(None, self._at_exit, exitpriority=0)

    def _close_at_exit(self) -> None:
        if not hasattr(sys, "ps1"):  # at a prompt, or in a notebook, it need not be what the training ended by
            self._tell_of(getattr(sys, "last_value", None))  # what nobody caught
        # The end of a program waits for all its clients together no longer than for one.
        self._close_until(_end_began() + self._exit_timeout_s)

    def _tell_of(self, error: BaseException | None) -> None:
        """The training may be to blame for an error, but not for an interruption, nor for the way to the service."""
        if isinstance(error, Exception) and not isinstance(error, Unavailable):
            for trial in list(self.under_way):
                trial.died(error)

    def _close_until(self, deadline: float) -> None:
        atexit.unregister(self._at_exit)
        self._at_end.cancel()
        for trial in list(self.under_way):
            trial.release()  # of a loop that is left without a word, as by whoever calls next() and is interrupted
        try:
            self.outbox.flush(max(deadline - time.monotonic(), 0.0))
        finally:  # whoever is tired of waiting for it (Ctrl-C) loses nothing
            left = self.outbox.close()
            self._connection.close()
            if left:
                why = self.outbox.trouble or f"{self.outbox.shown_url} has not heard all"
                files = " and ".join(map(str, left))
                log.warning("%s; what is left is in %s: run `tunetrack-client sync`", why, files)


def _again(url: str | None, patience_s: float, spool: Path | str | None, exit_timeout_s: float) -> Client:
    return Client(url, patience_s=patience_s, spool=spool, exit_timeout_s=exit_timeout_s)


def _told_otherwise(differs: Sequence[str], join: str) -> str:
    """What to do about a tuner that was created with other words."""
    change = (
        "its edit(…) changes that" if {*differs} <= {"name", "tags", "budget"} else "a new search takes another key"
    )
    return (
        f"There is one already, created with another {' and another '.join(differs)}: tuner({join}) joins it, {change}."
    )


def _id_of(key: str) -> str:
    """The id that a key stands for.

    Raises:
        ValueError: it is blank, as a variable may be that is not set: all would share it.
    """
    if not key.strip():
        raise ValueError(f"the key is blank: {key!r:.100}")
    return str(uuid.uuid5(_NAMESPACE, key))


def _call_weakly(client: Client) -> Any:
    """Closes the client, if there is still one: the exit must not be what keeps it alive."""
    reference = weakref.ref(client)

    def close() -> None:
        if (alive := reference()) is not None:
            alive._close_at_exit()

    return close


@cache
def _end_began() -> float:
    return time.monotonic()
