"""What is known of a tuner from its events alone, and how it is shown: drawn in a terminal, in lines elsewhere."""

import math
import time
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .follow import Event

BLOCKS = "▁▂▃▄▅▆▇█"
SPARKLINE_WIDTH = 25
BAR_WIDTH = 62

SCORED = ("completed", "stopped")


@dataclass
class Run:
    """A run under way, or one that was."""

    number: int
    worker: str
    params: dict[str, Any]
    accuracies: list[float] = field(default_factory=list)
    epoch: int = -1


@dataclass
class Progress:
    """The state of the tuner after the events so far."""

    n_trials: int
    n_epochs: int
    start_s: float = field(default_factory=time.monotonic)
    n_streamed: int = 0
    ended: dict[str, Event] = field(default_factory=dict)
    """The last `trial_end` of each trial that has its outcome."""
    best: Event | None = None
    started: dict[str, Event] = field(default_factory=dict)
    """The last `trial_start` of each trial."""
    running: dict[str, Run] = field(default_factory=dict)
    end: Event | None = None

    def take(self, event: Event) -> None:
        """Note an event."""
        match event["type"]:
            case "trial_start":
                self.started[event["trial_id"]] = event
            case "run_start":
                trial = self.started[event["trial_id"]]
                self.running = {
                    run_id: run for run_id, run in self.running.items() if run.number != trial["number"]
                }  # a new run on a trial takes the place of an earlier one
                self.running[event["run_id"]] = Run(trial["number"], trial["worker"], event["params"])
            case "epoch_end":
                self.n_streamed += 1
                run = self.running.get(event["run_id"])
                if run is not None:
                    run.epoch = event["epoch"]
                    run.accuracies.append(float(event["metrics"]["accuracy"]))
            case "training_end" | "run_crash":
                self.running.pop(event["run_id"], None)
            case "trial_end":
                self.ended[event["trial_id"]] = event
                if event["state"] in SCORED and (self.best is None or event["score"] > self.best["score"]):
                    self.best = event
            case "tuner_end":
                self.end = event

    @property
    def elapsed_s(self) -> float:
        """Since the first look."""
        return time.monotonic() - self.start_s

    @property
    def best_accuracy(self) -> str:
        """For people."""
        return "-" if self.best is None else f"{self.best['score']:.4f}"

    def line(self, event: Event) -> str | None:
        """What the event that was just taken means, where it is worth a line."""
        if event["type"] != "trial_end":
            return None
        accuracy = f"accuracy {event['score']:.4f}" if event["state"] in SCORED else event["reason"]
        return (
            f"trial {event['number']} {event['state']}, {accuracy}; {len(self.ended)}/{self.n_trials} trials, "
            f"best {self.best_accuracy}, {self.n_streamed} epochs streamed, {self.elapsed_s:.0f} s"
        )

    def __rich__(self) -> RenderableType:
        """The whole picture: a line on the tuner, then a line a run."""
        head = Table.grid()
        head.add_row()
        head.add_row(ProgressBar(total=self.n_trials, completed=len(self.ended), width=BAR_WIDTH))
        head.add_row(
            f"[b]{len(self.ended)}[/]/{self.n_trials} trials, best accuracy [b green]{self.best_accuracy}[/], "
            f"[b]{self.n_streamed}[/] epochs streamed, {self.elapsed_s:.0f} s"
        )
        if not self.running:
            return head if self.started else Group(head, "", "[dim]the workers are starting[/]")
        runs = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for name in ("worker", "trial", "epoch", "", "accuracy"):
            runs.add_column(name, no_wrap=True)
        runs.add_column("parameters")
        for run in sorted(self.running.values(), key=lambda run: run.worker):
            runs.add_row(
                run.worker,
                str(run.number),
                f"{run.epoch + 1:>2}/{self.n_epochs}",
                Text(sparkline(run.accuracies, self.n_epochs), "cyan"),
                f"{run.accuracies[-1]:.4f}" if run.accuracies else "",
                Text(
                    " ".join(f"{name}={brief(value)}" for name, value in run.params.items()),
                    "dim",
                    no_wrap=True,
                    overflow="ellipsis",
                ),
            )
        return Group(head, "", runs)


def sparkline(accuracies: list[float], n_epochs: int) -> str:
    """The epochs so far as blocks, those to come as dots; an error ten times smaller is four blocks higher."""
    stride = -(-n_epochs // SPARKLINE_WIDTH)
    heights = [-4 * math.log10(max(1 - accuracy, 1e-9)) for accuracy in accuracies[::stride]]
    blocks = "".join(BLOCKS[min(int(height), len(BLOCKS) - 1)] for height in heights)
    return blocks.ljust(-(-n_epochs // stride), "·")


def brief(value: object) -> str:
    """A parameter's value, in three digits where it has more."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
