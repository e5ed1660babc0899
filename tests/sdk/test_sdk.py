"""The clients that are generated from the OpenAPI document: their types hold, and they do what the service does."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import Shared
from tests.docs.test_docs import LOCAL, blocks
from tests.documented import document
from tests.server import COMMAND, Server
from tunetrack_client import Client, float_range

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def run(*command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(command, cwd=cwd, env=os.environ | (env or {}), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_with_a_key(shared: Shared, *command: str | Path, env: Mapping[str, str] | None = None) -> str:
    """The output of a program that is told the address of a service that wants a key, and the key."""
    with Server(shared.new_database("sqlite")) as server:
        create = ("keys", "create", "--name", "sdk", "--scope", "tune", "--database", server.database)
        return run(*command, server.url, run(COMMAND, *create).strip(), env=env)


def test_the_generated_python_client(shared: Shared, tmp_path: Path) -> None:
    run("make", "sdk-python", f"SDK={tmp_path}")
    package = tmp_path / "python"
    models = {path.stem.replace("_", "") for path in (package / "tunetrack_api" / "models").glob("[a-z]*.py")}
    assert models <= {name.lower() for name in document()["components"]["schemas"]}, "a name that no person gave"
    assert (package / "pyproject.toml").exists()
    types = {"MYPYPATH": str(package)}
    flags = ["--strict", "--no-incremental", "--config-file", ""]
    run(sys.executable, "-m", "mypy", *flags, HERE / "scenario.py", env=types)
    path = {"PYTHONPATH": str(package)}
    assert run_with_a_key(shared, sys.executable, HERE / "scenario.py", env=path) == "all is well\n"
    readme = "\n".join(blocks(package / "README.md", "python")).replace(LOCAL, shared.server("sqlite").url)
    assert run(sys.executable, "-c", readme, env=path).startswith("Trial(")


@pytest.mark.skipif(shutil.which("npm") is None, reason="THERE IS NO NPM HERE: the TypeScript client is not tested")
def test_the_generated_typescript_client(shared: Shared, tmp_path: Path) -> None:
    run("make", "sdk-typescript", f"SDK={tmp_path}")
    modules = tmp_path / "node_modules"
    modules.mkdir()
    (modules / "tunetrack-api").symlink_to(tmp_path / "typescript")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    options = json.loads((ROOT / "openapi" / "ts" / "sdk.tsconfig.json").read_text())["compilerOptions"]
    options |= {"rootDir": ".", "outDir": "built", "noUncheckedIndexedAccess": True}
    files = ["scenario.ts", "widget.ts", "widget_test.ts", "readme.ts"]
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": files}))
    for file in (HERE / "scenario.ts", HERE / "widget_test.ts", ROOT / "examples" / "widget" / "widget.ts"):
        shutil.copy(file, tmp_path)
    url = shared.server("sqlite").url
    (tmp_path / "readme.ts").write_text(
        "\n".join(blocks(tmp_path / "typescript" / "README.md", "ts")).replace(LOCAL, url)
    )
    run(ROOT / "openapi" / "ts" / "node_modules" / ".bin" / "tsc", "-p", tmp_path)
    assert run_with_a_key(shared, "node", tmp_path / "built" / "scenario.js") == "all is well\n"
    assert len(run("node", tmp_path / "built" / "readme.js").splitlines()) == 5
    # The example that is written with it: a widget that follows a tuner.
    with Client(url, spool=tmp_path / "spool") as client:
        tuner = client.tuner({"x": float_range(0.0, 1.0)}, objective="gain", max_trials=2)
        for trial in tuner.trials():
            with trial.run() as one:
                for epoch in range(3):
                    one.log(epoch, gain=epoch + trial.number)
    assert run("node", tmp_path / "built" / "widget_test.js", url, tuner.tuner_id) == "3 2 6\n"
