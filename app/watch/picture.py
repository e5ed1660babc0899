"""What is known from the events so far, and how it is shown: drawn in a terminal, in lines elsewhere."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from app.watch.follow import Event

_BLOCKS = "▁▂▃▄▅▆▇█"
_CURVE_WIDTH = 25
_BAR_WIDTH = 62
_METRICS_SHOWN = 3
_LINES_KEPT_FREE = 7
_SCORED = ("completed", "stopped")
_STYLES = {"running": "cyan", "finished": "green", "stopped": "yellow", "failed": "red", "crashed": "red"}


@dataclass(slots=True)
class Run:
    """A run under way, or one that was."""

    run_id: str
    number: int | None = None
    worker: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    status: str = "running"
    epoch: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    curve: list[float] = field(default_factory=list)


@dataclass
class Picture:
    """The state of things after the events so far.

    Args:
        metric: whose curves are drawn; by default the first that is heard of.
        direction: in which scores are better; None where there are several objectives, and no best trial.
        n_trials, n_epochs: how many there will be, where that is known.
        is_of_tuner: whether all of it is of one tuner.
    """

    metric: str | None = None
    direction: str | None = "maximize"
    n_trials: int | None = None
    n_epochs: int | None = None
    is_of_tuner: bool = False
    start_s: float = field(default_factory=time.monotonic)
    n_streamed: int = 0
    runs: dict[str, Run] = field(default_factory=dict)
    started: dict[str, Event] = field(default_factory=dict)
    """The last `trial_start` of each trial."""
    ended: dict[str, Event] = field(default_factory=dict)
    """The last `trial_end` of each trial that has its outcome."""
    best: Event | None = None
    end: Event | None = None
    """The `tuner_end`, once there is one."""
    is_connected: bool = True
    low: float = math.inf
    high: float = -math.inf
    """Curves are drawn between these heights; known here, so that no frame looks at all that was seen."""

    def take(self, event: Event) -> None:
        """Note an event."""
        match event["type"]:
            case "trial_start":
                self.started[event["trial_id"]] = event
            case "trial_end":
                self.ended[event["trial_id"]] = event
                # Of several objectives there is no one score, and no best trial.
                if event["state"] in _SCORED and event["score"] is not None and self._is_best(event["score"]):
                    self.best = event
            case "tuner_end":
                self.end = event
            case "reset":
                self.runs, self.started, self.ended, self.best, self.end = {}, {}, {}, None, None
                self.low, self.high = math.inf, -math.inf
            case "run_delete":
                self.runs.pop(event["run_id"], None)
            case _ if "run_id" in event:
                self._take_run(event, self.runs.setdefault(event["run_id"], Run(event["run_id"])))

    def _take_run(self, event: Event, run: Run) -> None:
        match event["type"]:
            case "run_start":
                run.params = event["params"]
                trial = self.started.get(event["trial_id"] or "", {})
                run.number, run.worker = trial.get("number"), trial.get("worker")
            case "epoch_end":
                self.n_streamed += 1
                run.epoch = max(event["epoch"], run.epoch or 0)
                run.metrics |= {key: float(value) for key, value in event["metrics"].items()}
                self.metric = self.metric or next(iter(run.metrics), None)
                if self.metric is not None and self.metric in event["metrics"]:
                    value = run.metrics[self.metric]
                    run.curve.append(value)
                    if math.isfinite(value):
                        self.low, self.high = min(self.low, value), max(self.high, value)
            case "training_end":
                run.status = event["status"]
                run.metrics |= {key: float(value) for key, value in event["final_metrics"].items()}
            case "run_crash":
                run.status = "crashed"
            case "run_resume":
                run.status = "running"

    def _is_best(self, score: float) -> bool:
        sign = 1 if self.direction == "maximize" else -1
        return self.best is None or sign * score > sign * self.best["score"]

    @property
    def elapsed_s(self) -> float:
        """Since the first look."""
        return time.monotonic() - self.start_s

    @property
    def best_score(self) -> str:
        """For people."""
        return "-" if self.best is None else f"{self.best['score']:.4f}"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """A line on the tuner or the whole, then a line a run, as many as fit."""
        yield self._head()
        room = max(3, (options.height or console.height) - _LINES_KEPT_FREE)
        running = [run for run in self.runs.values() if run.status == "running"]
        others = [run for run in self.runs.values() if run.status != "running"]
        shown = [*sorted(running, key=lambda run: (run.worker or "", run.run_id)), *reversed(others)][:room]
        if not shown:
            yield Text("nothing has begun yet", "dim")
            return
        yield self._table(shown)
        if len(self.runs) > len(shown):
            yield Text(f"and {len(self.runs) - len(shown)} more runs", "dim")

    def _head(self) -> RenderableType:
        rest = Text.assemble(", ", (str(self.n_streamed), "b"), f" epochs streamed, {self.elapsed_s:.0f} s")
        if not self.is_connected:
            rest.append(", ").append("the connection is lost; trying again", "b red")
        if not self.is_of_tuner:
            return Text.assemble((str(len(self.runs)), "b"), " runs", rest, "\n")
        of_all = "" if self.n_trials is None else f"/{self.n_trials}"
        text = Text.assemble((str(len(self.ended)), "b"), f"{of_all} trials")
        if self.direction is not None:
            text.append(f", best {self.metric or 'score'} ").append(self.best_score, "b green")
        text.append_text(rest).append("\n")
        if self.n_trials is None:
            return text
        return Group("", ProgressBar(total=self.n_trials, completed=len(self.ended), width=_BAR_WIDTH), text)

    def _table(self, shown: Sequence[Run]) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for name in ("run", "trial", "worker", "epoch", self.metric or ""):
            table.add_column(Text(name), no_wrap=True)
        table.add_column("metrics", no_wrap=True)
        table.add_column("parameters")
        of_all = "" if self.n_epochs is None else f"/{self.n_epochs}"
        for run in shown:
            metrics = sorted(run.metrics.items(), key=lambda one: one[0] != self.metric)[:_METRICS_SHOWN]
            table.add_row(
                Text(run.run_id[-8:], _STYLES.get(run.status, "")),
                "" if run.number is None else str(run.number),
                Text(run.worker or ""),
                "" if run.epoch is None else f"{run.epoch + 1:>3}{of_all}",
                Text(sparkline(run.curve, self.low, self.high, self.n_epochs), _STYLES.get(run.status, "")),
                Text(" ".join(f"{name}={value:.4g}" for name, value in metrics)),
                Text(in_words(run.params), "dim", no_wrap=True, overflow="ellipsis"),
            )
        return table


def sparkline(curve: Sequence[float], low: float, high: float, n_expected: int | None = None) -> str:
    """A curve as blocks between these heights, at most 25 wide; ? where it is no number, dots for what is expected."""
    spread = high / 2 - low / 2  # in halves, so that even the largest floats have a difference
    stride = -(-max(len(curve), n_expected or 0) // _CURVE_WIDTH) or 1
    blocks = ""
    for value in curve[stride - 1 :: stride] if len(curve) >= stride else curve[-1:]:
        if not math.isfinite(value):
            blocks += "?"
        else:
            height = (value / 2 - low / 2) / spread if spread > 0 else 0.5
            blocks += _BLOCKS[min(int(height * len(_BLOCKS)), len(_BLOCKS) - 1)]
    return blocks.ljust(-(-(n_expected or 0) // stride), "·")


def in_words(params: dict[str, Any]) -> str:
    """Parameters in a line."""
    return " ".join(f"{name}={brief(value)}" for name, value in params.items())


def brief(value: object) -> str:
    """A parameter's value, in three digits where it has more."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
