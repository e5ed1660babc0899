"""One training, tracked."""

import logging
import math
import mmap
import os
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from tunetrack_client.errors import (
    DuplicateMetricKey,
    InvalidRequest,
    LeaseLost,
    MissingObjective,
    Refused,
    RunEnded,
    UnknownRun,
)
from tunetrack_client.forks import n_forks
from tunetrack_client.message import Message
from tunetrack_client.outbox import Outbox
from tunetrack_client.wire import (
    LONGEST_NAME,
    MOST_METRICS,
    Value,
    check_name,
    is_same_param,
    plain,
    short,
    tag_list,
    to_wire,
    why,
)

if TYPE_CHECKING:
    from tunetrack_client.trial import Trial

log = logging.getLogger("tunetrack_client")

Status = Literal["finished", "failed", "stopped"]
_LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run should stop: by which rule, for which reason, and the epoch that was judged."""

    rule: str
    reason: str
    epoch: int | None = None


class Run:
    """A training that is going on. Its methods return at once; the network is somebody else's work.

    As a context it ends by itself: `finished`; `stopped` where it was told to stop and did; `failed` where an exception
    leaves the block. One that is interrupted (Ctrl-C, `sys.exit`) hands its trial back, for another worker to take up;
    one that `is_resumable` stays as it is, for the same program to go on with.
    """

    def __init__(
        self,
        outbox: Outbox,
        run_id: str,
        params: Mapping[str, Any],
        trial: "Trial | None" = None,
        *,
        is_resumable: bool = False,
    ) -> None:
        self.run_id = run_id
        self.params = dict(params)
        self.trial = trial
        self.error: Refused | None = None
        """What the service refused last of what this run said, None where it took everything."""
        self._outbox = outbox
        self._is_resumable = is_resumable
        self._stop: Stop | None = None
        self._has_obeyed = mmap.mmap(-1, 1)  # a byte that forked processes share: one may train what another ends
        self._is_open = True
        self._started_as: tuple[dict[str, Any], float] | None = None
        self._pid, self._n_forks = os.getpid(), n_forks()
        self._logged: dict[str, tuple[int, float | str]] = {}
        self._final: dict[str, float | str] = {}
        self._names: set[str] = set()
        self._left_out: set[str] = set()
        self._is_full = False

    def __repr__(self) -> str:
        return f"Run(run_id={self.run_id!r}, params={self.params}, is_open={self._is_open})"

    def __deepcopy__(self, _: object) -> Self:
        return self  # scikit-learn copies an estimator with its callbacks

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_open:
            return
        if kind is None:
            self.end()
        elif issubclass(kind, Exception):
            self.end("failed", error)
        elif self._is_resumable:
            self._close()
        elif self.trial is not None:
            self._is_open = False
            self._outbox.let_go(self.run_id)
            self.trial.release()
        else:
            self.end("failed")

    @property
    def url(self) -> str:
        """Where a browser shows it."""
        return f"{self._outbox.shown_url}/#/runs/{self.run_id}"

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self._is_open

    @property
    def should_stop(self) -> bool:
        """Whether the training is hopeless, or no longer wanted, as far as is known by now."""
        if self._stop is not None:
            self._has_obeyed[0] = True
        return self._stop is not None

    @property
    def stop(self) -> Stop | None:
        """Why it should stop; the rule `lease-lost` means that another worker has the trial."""
        return self._stop

    def log(self, epoch: int, metrics: Mapping[str, Value] | None = None, /, **more: Value) -> None:
        """Tell what was measured at an epoch, e.g. `run.log(3, loss=0.41)` or `run.log(3, {"val/loss": 0.41})`.

        Epochs may come in any order, and the metrics of one in several calls. A second value of a metric at an epoch is
        left out, with a warning: whoever logs each batch counts batches. So is a metric whose name the service does
        not take, and one too many.

        Raises:
            TypeError, ValueError: a value is no number, or the epoch is none.
            RuntimeError: the run has ended.
        """
        self._require_open()
        # A tensor is compared with no number of more bits than it has.
        if isinstance(epoch, bool) or not (0 <= epoch < math.inf and epoch == int(epoch) < 2**63):
            raise ValueError(f"an epoch is a whole number from 0 on, not {epoch!r}")
        values = self._taken(to_wire({**(metrics or {}), **more}))
        self._has_obeyed[0] = False
        new = {name: value for name, value in values.items() if self._is_first(int(epoch), name, value)}
        if new or not values:
            self._say("/epochs", {"epoch": int(epoch), "metrics": new}, is_epoch=True)

    def final(self, metrics: Mapping[str, Value] | None = None, /, **more: Value) -> None:
        """Tell what came out in the end, of no epoch in particular; a trial's score is taken from here first."""
        self._require_open()
        self._final |= self._taken(to_wire({**(metrics or {}), **more}))

    def edit(
        self,
        params: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        note: str | None = None,
    ) -> None:
        """Add what was not known when it began: params join those that there are; tags and the rest replace them.

        Raises:
            TypeError, ValueError: a param is no finite number, text or boolean, or has another value already; or more
                is said than a run takes.
            RuntimeError: the run has ended.
        """
        self._require_open()
        added = plain(params or {})
        for param, value in added.items():
            known = self.params.get(param, value)
            if not is_same_param(known, value):
                raise ValueError(f"param {param!r} is {known!r} already, and params are never changed")
        words: dict[str, Any] = {"params": added or None, "tags": None if tags is None else tag_list(tags)}
        words["name"] = None if name is None else short("the name", name, LONGEST_NAME)
        words["note"] = None if note is None else short("the note", note)
        self.params |= added
        self._say("", {word: value for word, value in words.items() if value is not None}, method="PATCH")

    def end(self, status: Status | None = None, reason: str | BaseException | None = None) -> None:
        """End it, which is the result of its trial, too. A second end changes nothing.

        Args:
            status: by default `stopped` where `should_stop` was seen to be true and nothing was logged after that,
                else `finished`.
            reason: why it failed or was stopped; its trial keeps that.
        Raises:
            MissingObjective: it finished without the metric that its tuner looks at; it is ended as failed. What one
                that `is_resumable` logged before, or a forked process did, only the service knows: there `trials`
                raises it.
        """
        if not self._is_open:
            return
        status = status or ("stopped" if self._has_obeyed[0] else "finished")
        is_known = not self._is_resumable and (self._names or self._n_forks == n_forks())
        missing = self._missing() if status == "finished" and is_known else None
        if missing is not None:
            status, reason = "failed", missing.detail
        self._close()
        body: dict[str, Any] = {"status": status, "final_metrics": self._final}
        if reason is not None and status != "finished":
            body["reason"] = why(reason)[:_LONGEST_REASON]
        self._say("/end", body)
        if missing is not None:
            raise missing

    def flush(self, timeout_s: float = 60.0) -> bool:
        """Wait until the service has heard all that was said so far; whether it has. Nothing needs this but tests,
        and epochs that are so quick that they should wait for the word to stop."""
        return self._outbox.flush(timeout_s)

    def told(self, answer: dict[str, Any]) -> None:
        """The service's word on what was said (called in the background)."""
        stop = answer.get("stop")
        if stop is not None and self._stop is None:
            self._stop = Stop(stop["rule"], stop["reason"], stop.get("epoch"))

    def refused(self, error: Refused, *, is_partial: bool = False) -> None:
        """The service did not take what was said (called in the background)."""
        self.error = error
        if isinstance(error, LeaseLost | UnknownRun | RunEnded):
            self._stop = Stop(error.code, error.detail)
            self._outbox.let_go(self.run_id)
        elif isinstance(error, MissingObjective):
            self._say("/end", {"status": "failed", "reason": error.detail[:_LONGEST_REASON]})
        if self.trial is not None and not is_partial:
            self.trial.refused(error)

    def start(self, body: dict[str, Any], silence_s: float) -> None:
        """Tell that it begins, and keep it alive from then on (whoever makes a run calls this).

        Args:
            body: of the request that starts it.
        """
        self._outbox.listen(self.run_id, self)
        if self._is_open:
            path = f"/v1/runs/{self.run_id}/heartbeat"
            self._outbox.keep_alive(self.run_id, path, silence_s, holder=weakref.ref(self))
        self._outbox.put(Message("/v1/runs", body, self.run_id))
        self._started_as, self._pid = (body, silence_s), os.getpid()

    def _say(self, path: str, body: dict[str, Any], *, is_epoch: bool = False, method: str = "POST") -> None:
        if self._started_as is not None and os.getpid() != self._pid:
            self.start(*self._started_as)  # in a forked process, which may be heard first; once more is harmless
        self._outbox.put(Message(f"/v1/runs/{self.run_id}{path}", body, self.run_id, is_epoch, method=method))

    def _taken(self, values: dict[str, float | str]) -> dict[str, float | str]:
        """Without those for whose names the service would refuse all that is said with them."""
        return {name: value for name, value in values.items() if name in self._names or self._takes(name)}

    def _takes(self, name: str) -> bool:
        """Whether a metric that is new may join those of this run. Which may not is told, once."""
        if name in self._left_out or self._is_full:
            return False
        try:
            check_name("the name of a metric", name)
        except ValueError as error:
            self._left_out.add(name)
            detail = f"{error}; it is left out, and all else is kept"
        else:
            self._is_full = len(self._names) == MOST_METRICS
            if not self._is_full:
                self._names.add(name)
                return True
            detail = f"a run has at most {MOST_METRICS:,} metrics, by name: {name!r} is left out, and so are later ones"
        self.error = InvalidRequest({"code": "invalid-request", "status": 422, "detail": detail})
        log.warning("%s", detail)
        return False

    def _is_first(self, epoch: int, name: str, value: float | str) -> bool:
        """Whether it says no second thing of this epoch. The service would refuse each such value by itself, and of
        whoever logs every batch under its epoch, these are nearly all."""
        last_epoch, stored = self._logged.get(name, (None, None))
        if last_epoch == epoch and stored != value:
            if not isinstance(self.error, DuplicateMetricKey):
                detail = f"Epoch {epoch} has {name} = {stored} already, and keeps it; {value} is left out."
                facts = {"epoch": epoch, "key": name, "stored": stored, "sent": value}
                self.error = DuplicateMetricKey(
                    {"code": "duplicate-metric-key", "status": 409, "detail": detail} | facts
                )
                log.warning("%s Later ones are, too, without a word: log an epoch once, or count batches", detail)
            return False
        self._logged[name] = (epoch, value)
        return True

    def _close(self) -> None:
        self._is_open = False
        self._outbox.let_go(self.run_id)
        if self.trial is not None:
            self.trial.is_open = False

    def _require_open(self) -> None:
        if not self._is_open:
            raise RuntimeError("this run has ended")

    def _missing(self) -> MissingObjective | None:
        wanted = [] if self.trial is None else self.trial.metrics
        missing = next((metric for metric in wanted if metric not in self._names), None)
        if missing is None:
            return None
        known = ", ".join(sorted(self._names)) or "nothing"
        detail = f"The tuner optimises {missing!r}, which this run never logged; it logged {known}."
        return MissingObjective({"code": "missing-objective", "status": 422, "detail": detail, "metric": missing})
