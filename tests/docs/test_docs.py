"""The documentation is true: its code runs, its links lead somewhere, and nothing a user can meet is left out of it."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from app.api import problems
from app.api.goal_models import Budget
from app.cli import cli
from app.domain.errors import DomainError
from app.domain.events import EVENT_TYPES
from app.observers import counters  # noqa: F401 -- they join the registry
from app.service import metrics
from app.tuning.registry import STRATEGIES
from app.tuning.stopping.registry import STOPPERS
from tests import receiver
from tests.conftest import WEBHOOKS, Shared
from tests.server import Server

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "client" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LOCAL = "http://127.0.0.1:8000"


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


NEVER_END = ("curl -N", ".venv/bin/tunetrack watch")
"""Commands that follow the stream for ever: tests/live and tests/watch have them."""

ELSEWHERE = {
    "make demo": "the tests of examples/digits",
    "tunetrack keys": "tests/test_cli.py: a key is shown once, and revoked by its own id",
    "tunetrack copy": "tests/test_cli.py: a service goes on with a copy in another database",
    "tunetrack import mlflow.db": "tests/importing",
    "tunetrack import http": "tests/importing",
    "stateDiagram-v2": "a picture",
    "metrics.val_loss": "tests/service/test_filter_language.py",
    "location /tunetrack/": "tests/dashboard/test_sub_path.py",
    "map $http_authorization": "tests/live/test_sign_in_elsewhere.py",
    "#!/bin/sh\n#SBATCH": "tests/examples: a worker that is preempted goes on from its checkpoint",
    "apiVersion: batch/v1": "likewise",
}
"""Blocks and lines that are not run here, by how they begin, and who runs them."""

_EXPORT = "".join(
    f"open({name!r}, 'wb').write(httpx.get({LOCAL!r} + '/v1/runs/export?' + {query!r}, timeout=60).content)\n"
    for name, query in (
        ("tunetrack-runs-20261124T081500Z.parquet", "format=parquet"),
        ("tunetrack-runs-20261124T081500Z.csv", "format=csv"),
        ("runs.ndjson", "format=ndjson"),
        ("epochs.ndjson", "format=ndjson&what=epochs"),
    )
)
BEFORE = {
    "docs/import-export.md": f"import httpx\nhttpx.post('{LOCAL}/v1/runs', json={{'name': 'one'}})\n{_EXPORT}",
    "docs/team.md": """
import sys
from types import ModuleType, SimpleNamespace
sys.modules["torch"] = torch = ModuleType("torch")
torch.distributed = SimpleNamespace(
    init_process_group=lambda: None, get_rank=lambda: 0, broadcast_object_list=lambda told: None
)
def train(params, run):
    run.log(0, val_loss=params["lr"])
""",
    "docs/events.md": """
from datetime import UTC, datetime
from standardwebhooks import Webhook
secret, body, now = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", '{"data": {}}', datetime.now(UTC)
signature = Webhook(secret).sign("17", now, body)
headers = {"webhook-id": "17", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
""",
}
"""What must be there before the Python code of a page makes sense."""


def fenced(page: Path) -> list[tuple[str, str]]:
    """All the code blocks of a page, each with its language."""
    return re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def runnable(block: str) -> str:
    """The block without what is run elsewhere, or never ends."""
    lines = [line for line in block.splitlines() if not line.startswith((*NEVER_END, *ELSEWHERE, "make test"))]
    return "\n".join(lines) + "\n" if len(lines) > 0 and not block.startswith(tuple(ELSEWHERE)) else ""


@pytest.mark.parametrize("page", [page for page in PAGES if fenced(page)], ids=lambda page: f"{page.relative_to(ROOT)}")
def test_the_code_of_a_page_runs(page: Path, shared: Shared, tmp_path: Path) -> None:
    if page.name == "import-export.md":  # which takes all runs there are, and wants none that other tests left
        with Server(shared.new_database("sqlite"), env=WEBHOOKS) as server:
            run_code(page, server, tmp_path)
    else:
        run_code(page, shared.server("sqlite"), tmp_path)


def run_code(page: Path, server: Server, tmp_path: Path) -> None:
    """Run all code of a page."""
    env = os.environ | {"TUNETRACK_URL": server.url, "TUNETRACK_SPOOL": str(tmp_path / "spool")}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"

    def run(*command: str) -> None:
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, "\n".join((*command, done.stdout, done.stderr))

    def here(code: str) -> str:
        return code.replace(LOCAL, server.url).replace("https://ci.example.com/", f"http://{receiver.HOST}:9/")

    python = [BEFORE.get(f"{page.relative_to(ROOT)}", "")]
    python += [runnable(block) for language, block in fenced(page) if language == "python"]
    if any(python):
        run(sys.executable, "-W", "error", "-c", here("\n".join(python)))
    for language, block in fenced(page):
        if language == "sh" and runnable(block):
            run("sh", "-ec", here(runnable(block).replace("curl ", "curl --fail-with-body ")))
        elif language == "toml":
            tomllib.loads(block)
        else:
            assert language in ("python", "sh") or not runnable(block), f"nobody runs this:\n{block}"


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("room", sorted(ROOT.glob("app/*/__init__.py")), ids=lambda path: path.parent.name)
def test_the_first_lines_of_a_room_name_what_lies_there(room: Path) -> None:
    said = ast.get_docstring(ast.parse(room.read_text())) or ""
    there = {path.stem for path in room.parent.glob("*.py")} - {"__init__"}
    assert not [name for name in sorted(there) if not name.endswith("_models") and not re.search(rf"\b{name}\b", said)]


def text() -> str:
    """All that is said anywhere."""
    return "\n".join(page.read_text() for page in PAGES)


def things() -> Iterator[str]:
    """What a user can meet: commands, options, variables, events, strategies, stoppers, metrics, error codes."""
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
    yield from Budget.model_fields
    for strategy in STRATEGIES.values():
        yield from (strategy.key, *strategy.options_schema["properties"])
    for stopper in STOPPERS.values():
        yield from (stopper.key, *stopper.options_schema["properties"])
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
