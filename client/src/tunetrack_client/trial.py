"""One proposal of a tuner, held by this worker."""

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tunetrack_client.errors import LeaseLost, Refused
from tunetrack_client.message import Message
from tunetrack_client.outbox import Outbox
from tunetrack_client.run import Run
from tunetrack_client.wire import LONGEST_NAME, Value, short, tag_list, to_wire, why

LONGEST_SILENCE_S = 30.0
"""A run is heard of at least so often, whatever its lease: that is how soon it learns that it should stop."""


class Trial:
    """Parameters to try, and the ways to tell what came of them: a run, or a bare result.

    While it is open, its lease is renewed in the background for as long as this process lives.
    """

    def __init__(self, outbox: Outbox, wire: Mapping[str, Any], metrics: Sequence[str], lease_s: float) -> None:
        self.trial_id: str = wire["trial_id"]
        self.tuner_id: str = wire["tuner_id"]
        self.number: int = wire["number"]
        self.params: dict[str, Any] = wire["params"]
        self.attempt: int = wire["attempt"]
        self.why: dict[str, Any] = wire["why"]
        self.metrics = metrics
        """The objectives' metrics."""
        self.is_open = True
        """Whether its outcome is still to be told."""
        self.error: Refused | None = None
        """What the service refused last of what was said about it."""
        self._outbox = outbox
        self._run: Run | None = None  # what it is refused is told to the trial
        self._silence_s = min(lease_s / 3, LONGEST_SILENCE_S)
        self._path = f"/v1/trials/{self.trial_id}"
        self._is_handed_back = False
        self._pid = os.getpid()
        outbox.listen(self.trial_id, self)
        self._keep_alive()

    def __repr__(self) -> str:
        return f"Trial(number={self.number}, params={self.params}, attempt={self.attempt})"

    def run(self, *, name: str = "", tags: Sequence[str] = (), note: str = "", resume: bool = False) -> Run:
        """Start the training of it, as a tracked run: `with trial.run() as run:`. Its end is the trial's result.

        Args:
            resume: for trainings that go on from a checkpoint. A worker that was interrupted or killed, and comes again
                under its name before the lease is over, is handed this trial again, and goes on with the same run;
                without it, a new run takes its place.
        """
        self._require_open()
        run_id = str(uuid.uuid5(uuid.UUID(self.trial_id), str(self.attempt)) if resume else uuid.uuid4())
        body = {"run_id": run_id, "trial_id": self.trial_id, "attempt": self.attempt}
        body |= {"name": short("the name", name, LONGEST_NAME), "tags": tag_list(tags), "note": short("the note", note)}
        run = Run(self._outbox, run_id, self.params, self, is_resumable=resume)
        run.start(body, self._silence_s)
        self._run = run
        self._outbox.let_go(self.trial_id)
        return run

    def result(self, score: Value | Mapping[str, Value] | None = None, /, **scores: Value) -> None:
        """Tell the score, e.g. `trial.result(0.9)`; of several objectives by their names, e.g.
        `trial.result(loss=0.3, size=12)` or `trial.result({"val/loss": 0.3, "size": 12})`. A run of it that goes on is
        finished with that.

        Raises:
            TypeError, ValueError: these are not numbers, one for each objective.
        """
        values = by_objective(self.metrics, score, scores)
        if (run := self._open_run) is not None:
            run.final(values)
            run.end("finished")
        else:
            self._conclude(outcome(values))

    def fail(self, reason: str | BaseException = "") -> None:
        """It went wrong, and may be tried again while the tuner's `max_attempts` allow. A run of it fails, too."""
        if (run := self._open_run) is not None:
            run.end("failed", reason)
        else:
            self._conclude({"state": "failed", "reason": why(reason)})

    def infeasible(self, reason: str | BaseException = "") -> None:
        """These parameters make no sense, and are never to be tried again. A run of it that goes on fails."""
        run = self._open_run
        self._conclude({"state": "infeasible", "reason": why(reason)}, run)
        if run is not None:
            run.end("failed", reason)

    def release(self) -> None:
        """Hand it back as it came, for another worker to take up. Harmless where it has its outcome, and in a forked
        process, which may end before the one that holds it."""
        if self.is_open and self._is_held_here:
            self._close()
            self._is_handed_back = True
            self._outbox.put(Message(f"{self._path}/release", {"attempt": self.attempt}, self.trial_id))

    def died(self, reason: BaseException) -> None:
        """Its program ends by an error, most likely that of its training. Harmless where it has its outcome.

        A loop is not told why it is left, and hands its trial back: at the last attempt, that has failed all the same.
        """
        if self.is_open and self._is_held_here:
            self.fail(reason)
        elif self._is_handed_back:
            self._tell({"state": "failed", "reason": why(reason)}, self.trial_id)

    @contextmanager
    def held(self) -> Iterator["Trial"]:
        """Whoever leaves without an outcome has failed; whoever is interrupted hands it back."""
        try:
            yield self
        except BaseException:
            self.release()
            raise
        if self.is_open:
            self.fail("the trainer went on without an outcome")

    def told(self, answer: dict[str, Any]) -> None:
        """The service took what was said (called in the background)."""

    def refused(self, error: Refused, *, is_partial: bool = False) -> None:
        """The service did not take what was said (called in the background)."""
        self._outbox.let_go(self.trial_id)
        if not isinstance(error, LeaseLost):  # another has it: nobody's mistake
            self.error = error

    @property
    def _is_held_here(self) -> bool:
        return os.getpid() == self._pid

    @property
    def _open_run(self) -> Run | None:
        return self._run if self._run is not None and self._run.is_open else None

    def _conclude(self, told: dict[str, Any], run: Run | None = None) -> None:
        self._require_open()
        self._close()
        self._tell(told, self.trial_id if run is None else run.run_id)  # so that it comes before the run's end

    def _tell(self, told: dict[str, Any], about: str) -> None:
        body = {"trial_id": self.trial_id, "attempt": self.attempt} | told
        self._outbox.put(Message(f"/v1/tuners/{self.tuner_id}/result", body, about))

    def _keep_alive(self) -> None:
        beat = {"attempt": self.attempt}
        self._outbox.keep_alive(self.trial_id, f"{self._path}/heartbeat", self._silence_s, beat, is_known=True)

    def _close(self) -> None:
        self.is_open = False
        self._outbox.let_go(self.trial_id)

    def _require_open(self) -> None:
        if not self.is_open:
            raise RuntimeError(f"trial {self.number} has its outcome already")


def by_objective(
    metrics: Sequence[str], score: Value | Mapping[str, Value] | None, scores: Mapping[str, Value]
) -> dict[str, Value]:
    """What was told, by the metrics of the objectives.

    Raises:
        TypeError: that is not one value of each.
    """
    named = score if isinstance(score, Mapping) else {metric: score for metric in metrics[:1] if score is not None}
    values = {**named, **scores}
    if values.keys() != set(metrics):
        raise TypeError(
            f"a value of {' and one of '.join(metrics)} is expected, and {', '.join(values) or 'none'} is told"
        )
    return values


def outcome(values: Mapping[str, Value]) -> dict[str, Any]:
    """A result as the service takes it.

    Raises:
        TypeError, ValueError: a value is no number.
    """
    told = to_wire(values)
    return {"scores": told} if len(told) > 1 else {"score": next(iter(told.values()))}
