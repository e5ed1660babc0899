"""Settings in the environment, TUNETRACK_…: from files, and with a word about names that are no settings."""

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

import typer.core

from app.cli.failing import fail

_OURS = "TUNETRACK_"
_OF_TESTS = "TUNETRACK_TEST_"
_FILE = "_FILE"
_ELSEWHERE = frozenset(
    {
        "TUNETRACK_SECRET_KEY",
        "TUNETRACK_KEY",
        "TUNETRACK_URL",
        "TUNETRACK_SPOOL",
        "TUNETRACK_CLIENT_CERT",
        "TUNETRACK_CLIENT_CERT_KEY",
    }
)
"""Settings that are no option of any command: secrets, and what clients read."""

_KUBERNETES = re.compile(r"TUNETRACK_(SERVICE_HOST|SERVICE_PORT.*|PORT_\d+_.*)")
"""What a cluster sets in every container, where a service is called tunetrack; its TUNETRACK_PORT is a URL."""


def read_files(known: frozenset[str]) -> None:
    """TUNETRACK_X_FILE names a file that holds TUNETRACK_X: how secrets come into containers."""
    for name in known - os.environ.keys():
        if path := os.environ.get(name + _FILE):
            try:
                os.environ[name] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                fail(f"{name}{_FILE}: {path} cannot be read: {getattr(error, 'strerror', None) or error}", status=1)


def forget_links() -> None:
    """A port that Kubernetes wrote is not ours to listen on."""
    if "://" in os.environ.get("TUNETRACK_PORT", ""):
        del os.environ["TUNETRACK_PORT"]


def find_strangers(environment: Mapping[str, str], known: frozenset[str]) -> Iterator[str]:
    """A sentence for each variable that looks like a setting and is none."""
    for name in sorted(environment):
        stem = name.removesuffix(_FILE)
        is_known = stem in known or _KUBERNETES.fullmatch(name) or name.startswith(_OF_TESTS)
        if is_known or not name.startswith(_OURS):
            continue
        words = {one.removeprefix(_OURS): one for one in sorted(known)}
        near = get_close_matches(stem.removeprefix(_OURS), words, n=1)
        end = name.removeprefix(stem)
        yield f"{name} is not a setting; " + (f"did you mean {words[near[0]]}{end}?" if near else "nothing reads it")


def settings_of(command: typer.core.TyperCommand | typer.core.TyperGroup) -> frozenset[str]:
    """The variables that a command or any below it reads."""
    found = set(_ELSEWHERE)
    for parameter in command.params:
        named = getattr(parameter, "envvar", None) or ()
        found |= {named} if isinstance(named, str) else set(named)
    for below in getattr(command, "commands", {}).values():
        found |= settings_of(below)
    return frozenset(found)
