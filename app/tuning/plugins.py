"""Strategies and stoppers that other installed packages bring: entry points that join the tables at start."""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from app.tuning import registry
from app.tuning.stopping import registry as stopping
from app.tuning.stopping.stopper import Stopper
from app.tuning.strategy import Strategy

log = logging.getLogger(__name__)

STRATEGY_GROUP, STOPPER_GROUP = "tunetrack.strategies", "tunetrack.stoppers"

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Unfit(ValueError):
    """An entry point leads to something that is no plug-in, or to one that takes another's name."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A plug-in that could not join.

    Args:
        kind: `strategy` or `stopper`.
        name, value: of its entry point.
        reason: what was wrong, for people.
    """

    kind: str
    name: str
    value: str
    reason: str


left_out: list[LeftOut] = []
"""Those that could not join when it was last tried."""


def join_installed() -> None:
    """Add what is installed to the tables; what cannot join is logged, and listed in `left_out`.

    A broken plug-in leaves the rest as it is. Doing it again changes nothing.
    """
    installed = entry_points()
    left_out[:] = [
        *join("strategy", installed.select(group=STRATEGY_GROUP), _add_strategy),
        *join("stopper", installed.select(group=STOPPER_GROUP), _add_stopper),
    ]


def join(kind: str, found: Iterable[EntryPoint], add: Callable[[object], None]) -> list[LeftOut]:
    """Add what these entry points lead to, by their names; those that could not be."""
    complaints: list[LeftOut] = []
    for point in sorted(found, key=lambda point: (point.name, point.value)):
        try:
            add(point.load())
        # Code of somebody else may fail in any way that there is.
        except Exception as error:
            complaints.append(LeftOut(kind, point.name, point.value, f"{type(error).__name__}: {error}"))
            log.warning("plug-in %s (%s) is left out: %s", point.name, point.value, complaints[-1].reason)
    return complaints


def _add_strategy(kind: object) -> None:
    if not (isinstance(kind, type) and issubclass(kind, Strategy)):
        raise Unfit("it is no subclass of app.tuning.strategy.Strategy")
    _check(kind)
    if registry.STRATEGIES.get(kind.key) is not kind:
        registry.add(kind)


def _add_stopper(kind: object) -> None:
    if not (isinstance(kind, type) and issubclass(kind, Stopper)):
        raise Unfit("it is no subclass of app.tuning.stopping.stopper.Stopper")
    _check(kind)
    if stopping.STOPPERS.setdefault(kind.key, kind) is not kind:
        raise Unfit(f"there is a stopper {kind.key} already")


def _check(kind: Any) -> None:
    """What the tables and GET /v1/strategies need of it."""
    if getattr(kind, "__abstractmethods__", None):
        raise Unfit(f"it lacks {', '.join(sorted(kind.__abstractmethods__))}")
    for name in (getattr(kind, "key", None), *getattr(kind, "aliases", ())):
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise Unfit(f"key and aliases must be lower case letters, digits and underscores, not {name!r}")
    if not isinstance(getattr(kind, "description", None), str):
        raise Unfit("it has no description")
    for option in kind.options_schema["properties"].values():
        if not {"type", "default", "description"} <= option.keys():
            raise Unfit("each option needs a type, a default and a description")
