"""The command: reads events, draws them, and ends when what it watches has ended."""

import ssl
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from queue import Empty
from typing import Any

import httpx
from rich.console import Console
from rich.live import Live
from rich.text import Text

from app.domain.legible import legible
from app.watch.follow import Event, Follower, in_background, service_at
from app.watch.picture import Picture, in_words

_FRAMES_PER_S = 8


class CannotWatch(Exception):
    """There is nothing to watch; the message says why."""


def watch(
    url: str,
    *,
    run_id: str | None,
    tuner_id: str | None,
    after: int | None,
    key: str | None,
    verify: ssl.SSLContext | bool,
    console: Console,
) -> None:
    """Show what happens to a run or a tuner, from its beginning to its end; or to everything, from now on.

    Args:
        verify: as httpx has it.
    Raises:
        CannotWatch: the service does not answer, or does not know the run or tuner, or refuses.
    """
    query: dict[str, str] = {}
    picture = Picture()
    past = 0
    ask = partial(_get, url, key, verify)
    if tuner_id is not None:
        seen = ask(f"/v1/tuners/{tuner_id}/overview?max_trials=1&max_curves=0")
        tuner = seen["tuner"]
        query["tuner_id"] = tuner["tuner_id"]
        past = _past_of(ask, tuner, seen["last_event_id"])
        goal = tuner["objective"] or {}
        picture = Picture(goal.get("metric"), goal.get("direction"), is_of_tuner=True)
        picture.n_trials = tuner["budget"].get("max_trials")
    if run_id is not None:
        query["run_id"] = ask(f"/v1/runs/{run_id}")["run_id"]
    if not query:
        ask("/v1/events?limit=1")
    elif after is None:
        after = 0

    def is_over(event: Event) -> bool:
        of_run = run_id is not None and event["type"] in ("training_end", "run_delete")
        is_end = event["type"] == "tuner_end" and event["event_id"] > past
        return of_run or (run_id is None and tuner_id is not None and is_end)

    show(Follower(url, query, after, key, verify), picture, console, is_over)


def _past_of(ask: Callable[[str], dict[str, Any]], tuner: dict[str, Any], last_event_id: int) -> int:
    """Up to which event a tuner that has ended has gone on since: its budget was raised."""
    is_open = tuner["state"] in ("active", "paused")
    ends = ask(f"/v1/events?type=tuner_end&tuner_id={tuner['tuner_id']}&limit=1000")["items"]
    return last_event_id if is_open or not ends else int(ends[-1]["event_id"]) - 1


def show(follower: Follower, picture: Picture, console: Console, is_over: Callable[[Event], bool]) -> None:
    """Draw what comes, or print it line by line where there is no terminal, until it is over.

    Raises:
        CannotWatch: the service refuses.
    """
    events = in_background(follower)
    drawing = Live(picture, console=console, refresh_per_second=_FRAMES_PER_S)
    has_ended = False
    with drawing if console.is_terminal else nullcontext():
        while not has_ended:
            try:
                event = events.get(timeout=0.5)
            except Empty:
                picture.is_connected = follower.is_connected
                continue
            if isinstance(event, Exception):
                raise CannotWatch(_reason(event)) from event
            picture.is_connected = True
            event = legible(event)
            picture.take(event)
            if not console.is_terminal:
                console.print(Text(line(event)), soft_wrap=True)
            has_ended = is_over(event)


def line(event: Event) -> str:
    """An event for people."""
    known = ("event_id", "type", "timestamp", "run_id", "tuner_id", "trial_id", "params", "metrics", "final_metrics")
    of = next((f"{name[:-3]} {event[name]}" for name in ("run_id", "trial_id", "tuner_id") if event.get(name)), "")
    maps = ("metrics", "final_metrics", "scores", "params")
    numbers: dict[str, Any] = next(filter(None, map(event.get, maps)), {})
    rest = {name: value for name, value in event.items() if name not in known and isinstance(value, str | int | float)}
    parts = (event.get("timestamp", ""), event["type"], of, in_words(rest), in_words(numbers))
    return "  ".join(part for part in parts if part)


def _get(url: str, key: str | None, verify: ssl.SSLContext | bool, path: str) -> dict[str, Any]:
    try:
        with service_at(url, key, verify, httpx.Timeout(10)) as service:
            answer = service.get(path)
        answer.raise_for_status()
        found: dict[str, Any] = legible(answer.json())
        return found
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise CannotWatch(_reason(error, url)) from error


def _reason(error: Exception, url: str = "") -> str:
    if isinstance(error, httpx.HTTPStatusError):
        try:
            return str(error.response.json()["detail"])
        except (ValueError, KeyError, TypeError):
            return f"{_shown(str(error.request.url))} answered {error.response.status_code}"
    return f"no tunetrack service answers at {_shown(url)}: {error}"


def _shown(url: str) -> str:
    """The address without the name and password that it may hold."""
    scheme, mark, rest = url.rpartition("://")
    return scheme + mark + rest.rpartition("@")[2]
