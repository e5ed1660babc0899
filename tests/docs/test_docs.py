"""The documentation is true: its code runs, its links lead somewhere, and nothing a user can meet is left out of it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from app.api import problems
from app.cli import cli
from app.domain.errors import DomainError
from app.domain.events import EVENT_TYPES
from app.observers import counters  # noqa: F401 -- they join the registry
from app.service import metrics
from tests.conftest import Shared
from tests.server import Server

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "client" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LOCAL = "http://127.0.0.1:8000"


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", ["docs/tutorial.md", "docs/migrating.md", "client/README.md"])
def test_the_python_code_of_a_page_runs(page: str, shared: Shared, tmp_path: Path) -> None:
    url = shared.server("sqlite").url
    code = "\n".join(blocks(ROOT / page, "python")).replace(LOCAL, url)
    env = os.environ | {"TUNETRACK_URL": url, "TUNETRACK_SPOOL": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout


def test_the_commands_of_the_guide_succeed(shared: Shared) -> None:
    with Server(shared.new_database("sqlite")) as server:
        for block in blocks(ROOT / "docs" / "guide.md", "sh"):
            script = "set -e\n" + block.replace(LOCAL, server.url)
            done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, block + done.stdout + done.stderr


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def text() -> str:
    """All that is said anywhere."""
    return "\n".join(page.read_text() for page in PAGES)


def things() -> Iterator[str]:
    """What a user can meet: commands, options and their variables, events, metrics, error codes."""
    root = typer.main.get_command(cli)
    commands = [root]
    for command in commands:
        commands += getattr(command, "commands", {}).values()
        for option in command.params:
            if option.param_type_name == "option" and not option.hidden:  # type: ignore[attr-defined]
                yield from (name for name in option.opts if name.startswith("--"))
            yield from [option.envvar] if isinstance(option.envvar, str) else option.envvar or ()
    yield from (f"tunetrack {name}" for name in root.commands)  # type: ignore[attr-defined]
    yield from EVENT_TYPES
    for family in metrics.REGISTRY.collect():
        if family.name.startswith("tunetrack_"):
            yield family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
    kinds = [DomainError]
    for kind in kinds:
        kinds += kind.__subclasses__()
        if not kind.__subclasses__() and kind.__name__ != "GivenUp":  # which never leaves the service
            yield problems.code_of(kind)


@pytest.mark.parametrize(
    "thing", sorted(set(things()) - {"--help", "--version", "--install-completion", "--show-completion"})
)
def test_it_is_documented(thing: str) -> None:
    assert re.search(rf"(?<![\w-]){re.escape(thing)}(?![\w-])", text()), f"{thing} is in no page"
