"""The demo from start to end; `python -m examples.digits --help` has its options."""

import argparse
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, Queue
from types import FrameType

import httpx
from rich.console import Console
from rich.live import Live

from app.watch.follow import Event, Follower, in_background
from app.watch.picture import Picture, brief

from .processes import TUNETRACK, DemoFailed, Service, Workers, running_service

FOLDER = Path(".tunetrack")
GOODBYE_S = 3.0
"""How long workers may take to see that the tuner is over."""

LAST_EVENTS_TIMEOUT_S = 15.0
"""How long after the last worker has gone the end of the tuner may still be on its way."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SPACE = {
    "learning_rate": {"type": "float_range", "min": 1e-4, "max": 1e-1, "log": True},
    "hidden_units": {"type": "int_range", "min": 16, "max": 256, "log": True},
    "l2": {"type": "float_range", "min": 1e-6, "max": 1e-1, "log": True},
    "batch_size": {"type": "choice", "options": [16, 32, 64, 128]},
    "activation": {"type": "choice", "options": ["relu", "tanh", "logistic"]},
}


@dataclass(frozen=True)
class Options:
    """The command line."""

    trials: int
    workers: int
    epochs: int
    keep: bool
    url: str | None


def demo(options: Options, console: Console) -> None:
    """Start a service, tune against it, show how it goes, and say what came of it.

    Raises:
        DemoFailed: it cannot go on.
    """
    database, log = new_files()
    start_service = running_service(database, log, keep=options.keep)
    with start_service if options.url is None else nullcontext(Service(options.url.rstrip("/"))) as service:
        tuner_id = create_tuner(service.url, options.trials)
        say(console, f"{options.trials} trials of {options.epochs} epochs at {service.url}\ntuner {tuner_id}")
        picture = Picture("accuracy", n_trials=options.trials, n_epochs=options.epochs, is_of_tuner=True)
        workers = Workers(service.url, tuner_id, count=options.workers, epochs=options.epochs, log=log)
        with at_work(workers, service.url, tuner_id):
            watch(service, tuner_id, workers, picture, console)
    report(console, picture)
    say(console, f"Look at it again:\n{again(options, service, tuner_id, database)}")


def again(options: Options, service: Service, tuner_id: str, database: str) -> str:
    """How to look at the best trial, for the shell."""
    best = f"/v1/tuners/{tuner_id}/best"
    if options.url is not None:
        return f"  curl {service.url}{best}"
    if options.keep and service.process is not None:
        return f"  curl {service.url}{best}\n  kill {service.process.pid}  # stops the service; its data: {database}"
    serve = f"{shlex.quote(os.path.relpath(TUNETRACK))} serve --port 8000 --database {database}"
    return f"  {serve}\n  curl http://127.0.0.1:8000{best}"


def new_files() -> tuple[str, Path]:
    """The URL of a new database, and the log beside it, in a folder that git does not see."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / ".gitignore").write_text("*\n")
    stem = FOLDER / f"digits-{datetime.now(UTC).astimezone():%Y%m%d-%H%M%S-%f}"
    return f"sqlite:///{stem}.db", stem.with_suffix(".log")


def create_tuner(url: str, n_trials: int) -> str:
    """The id of a new tuner.

    Raises:
        DemoFailed: nobody answers there, or somebody refuses.
    """
    tuner = {
        "name": "digits",
        "space": SPACE,
        "objective": {"metric": "accuracy", "direction": "maximize"},
        "budget": {"max_trials": n_trials},
        "stopper": {"type": "asha", "min_epochs": 3},
        "seed": 7,
        "tags": ["demo"],
    }
    try:
        answer = httpx.post(f"{url}/v1/tuners", json=tuner, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["tuner_id"])
    except httpx.HTTPStatusError as error:
        raise DemoFailed(f"the service refuses the tuner: {error.response.text}") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError) as error:
        raise DemoFailed(f"no tunetrack service answers at {url}: {error}") from error


@contextmanager
def at_work(workers: Workers, url: str, tuner_id: str) -> Iterator[None]:
    """Have the workers work; where the demo cannot go on, stop the tuner, which tells them at their next epoch."""
    patience_s = GOODBYE_S
    try:
        workers.start()
        yield
    except BaseException:
        patience_s = GOODBYE_S if stop_tuner(url, tuner_id) else 0.0
        raise
    finally:
        workers.stop(patience_s)


def stop_tuner(url: str, tuner_id: str) -> bool:
    """Whether the service took notice that nobody wants the tuner any more."""
    try:
        return httpx.post(f"{url}/v1/tuners/{tuner_id}/stop", timeout=2).is_success
    except httpx.HTTPError:
        return False


def watch(service: Service, tuner_id: str, workers: Workers, picture: Picture, console: Console) -> None:
    """Show what happens until the tuner has ended.

    Raises:
        DemoFailed: the service, the workers, or the stream are gone before that.
    """
    follower = Follower(service.url, {"tuner_id": tuner_id})
    events = in_background(follower)
    last_sign_s = time.monotonic()
    with Live(picture, console=console, refresh_per_second=8) if console.is_terminal else nullcontext():
        while picture.end is None:
            event = next_event(events)
            picture.is_connected = follower.is_connected
            if event is not None:
                picture.take(event)
                if not console.is_terminal and event["type"] == "trial_end":
                    say(console, line(event, picture))
            service.check()
            if workers.check() or event is not None:
                last_sign_s = time.monotonic()
            elif time.monotonic() - last_sign_s > LAST_EVENTS_TIMEOUT_S:
                raise DemoFailed("the workers are done, but nothing tells that the tuner has ended")


def next_event(events: Queue[Event | Exception]) -> Event | None:
    """The next event, or None where none comes for a moment.

    Raises:
        DemoFailed: there will be no more.
    """
    try:
        event = events.get(timeout=0.5)
    except Empty:
        return None
    if isinstance(event, Exception):
        raise DemoFailed(f"the event stream has ended: {event}") from event
    return event


def line(event: Event, picture: Picture) -> str:
    """What the end of a trial means."""
    accuracy = f"accuracy {event['score']:.4f}" if event["score"] is not None else event["reason"]
    return (
        f"trial {event['number']} {event['state']}, {accuracy}; {len(picture.ended)}/{picture.n_trials} trials, "
        f"best {picture.best_score}, {picture.n_streamed} epochs streamed, {picture.elapsed_s:.0f} s"
    )


def report(console: Console, picture: Picture) -> None:
    """Say what came of it.

    Raises:
        DemoFailed: nothing did.
    """
    end = picture.end or {}
    best = end.get("best")
    if best is None:
        raise DemoFailed(f"the tuner is {end.get('state')} ({end.get('reason')}), and no trial has a score")
    number, accuracy = best["number"], f"accuracy {best['score']:.4f}"
    say(console, f"\nBest of {len(picture.ended)} trials is number {number}, {accuracy}, with")
    width = max(map(len, best["params"]))
    for name, value in best["params"].items():
        say(console, f"  {name.ljust(width)}  {brief(value)}")
    n_stopped = sum(trial["state"] == "stopped" for trial in picture.ended.values())
    early = f"; {n_stopped} trials were stopped early" if n_stopped else ""
    say(console, f"{picture.n_streamed} epochs were streamed, in {picture.elapsed_s:.0f} s{early}.\n")


def say(console: Console, text: str) -> None:
    """Print as it is: no markup, no line breaks of rich's own."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def whole(text: str) -> int:
    """A number of things, one at least."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 on")
    return int(text)


def read_options() -> Options:
    """The command line, read."""
    parser = argparse.ArgumentParser(prog="python -m examples.digits", description="Tune a small network on digits.")
    parser.add_argument("--trials", type=whole, default=40, help="how many to try (default: %(default)s)")
    parser.add_argument("--workers", type=whole, default=4, help="processes that train (default: %(default)s)")
    parser.add_argument("--epochs", type=whole, default=25, help="of each trial (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the service running at the end")
    parser.add_argument("--url", help="of a running service, instead of starting one")
    return Options(**vars(parser.parse_args()))


def interrupt(signum: int, frame: FrameType | None) -> None:
    """Stop, once: a second signal must not disturb the tidying up."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> None:
    """Run the demo; the exit status is 0 where it came to its end."""
    options = read_options()
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    # Whatever proxy there is, it is not for a service on this machine.
    os.environ["no_proxy"] = ",".join([os.environ.get("no_proxy", os.environ.get("NO_PROXY", "")), "127.0.0.1"])
    console = Console()
    try:
        demo(options, console)
    except (DemoFailed, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        say(console, "stopped")
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
