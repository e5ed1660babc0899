"""The clients that are generated from the OpenAPI document: their types hold, and they do what the service does."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.conftest import Shared
from tests.dashboard.browser import Chromium, Seen
from tests.docs.test_docs import LOCAL, blocks
from tests.documented import document
from tests.keys import make_key
from tests.server import Server
from tunetrack_client import Client, float_range

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TYPESCRIPT = ROOT / "openapi" / "ts" / "node_modules"
CORS = "TUNETRACK_CORS_ORIGINS"


def run(*command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(command, cwd=cwd, env=os.environ | (env or {}), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_with_a_key(shared: Shared, *command: str | Path, env: Mapping[str, str] | None = None) -> str:
    """The output of a program that is told the address of a service that wants a key, and the key."""
    with Server(shared.new_database("sqlite")) as server:
        return run(*command, server.url, make_key(server, "tune"), env=env)


@pytest.mark.slow
def test_the_generated_python_client(shared: Shared, tmp_path: Path) -> None:
    run("make", "sdk-python", f"SDK={tmp_path}")
    package = tmp_path / "python"
    models = {path.stem.replace("_", "") for path in (package / "tunetrack_api" / "models").glob("[a-z]*.py")}
    assert models <= {name.lower() for name in document()["components"]["schemas"]}, "a name that no person gave"
    assert (package / "pyproject.toml").exists()
    types = {"MYPYPATH": str(package)}
    flags = ["--strict", "--cache-dir", str(ROOT / ".mypy_cache" / "sdk"), "--config-file", ""]  # of what it imports
    run(sys.executable, "-m", "mypy", *flags, HERE / "scenario.py", env=types)
    path = {"PYTHONPATH": str(package)}
    assert run_with_a_key(shared, sys.executable, HERE / "scenario.py", env=path) == "all is well\n"
    readme = "\n".join(blocks(package / "README.md", "python")).replace(LOCAL, shared.server("sqlite").url)
    assert run(sys.executable, "-c", readme, env=path).startswith("Trial(")


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the TypeScript client in it, as `typescript`.

    Built once for all processes of a test run: two that install at once what it is built with take it from each other.
    """
    if shutil.which("npm") is None:
        pytest.skip("THERE IS NO NPM HERE: the TypeScript client is not tested")
    own = tmp_path_factory.getbasetemp()
    of_all = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = of_all / "sdk"
    with (of_all / "sdk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            run("make", "sdk-typescript", f"SDK={of_all / 'sdk-in-the-making'}")
            (of_all / "sdk-in-the-making").rename(folder)
    return folder


@pytest.mark.slow
def test_the_generated_typescript_client(shared: Shared, typescript: Path, tmp_path: Path) -> None:
    modules = tmp_path / "node_modules"
    modules.mkdir()
    (modules / "tunetrack-api").symlink_to(typescript / "typescript")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    options = json.loads((ROOT / "openapi" / "ts" / "sdk.tsconfig.json").read_text())["compilerOptions"]
    options |= {"rootDir": ".", "outDir": "built", "noUncheckedIndexedAccess": True}
    files = ["scenario.ts", "readme.ts"]
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": files}))
    shutil.copy(HERE / "scenario.ts", tmp_path)
    readme = "\n".join(blocks(typescript / "typescript" / "README.md", "ts"))
    (tmp_path / "readme.ts").write_text(readme.replace(LOCAL, shared.server("sqlite").url))
    run(TYPESCRIPT / ".bin" / "tsc", "-p", tmp_path)
    assert run_with_a_key(shared, "node", tmp_path / "built" / "scenario.js") == "all is well\n"
    assert len(run("node", tmp_path / "built" / "readme.js").splitlines()) == 5


@pytest.mark.slow
def test_the_widget_is_built_as_it_says_and_draws_in_a_browser(
    shared: Shared, typescript: Path, chromium: Chromium, tmp_path: Path
) -> None:
    """The folders lie as in a checkout, so that nothing is built into this one."""
    widget = tmp_path / "examples" / "widget"
    shutil.copytree(ROOT / "examples" / "widget", widget, ignore=shutil.ignore_patterns("sdk", "node_modules", "*.js"))
    (tmp_path / "sdk").symlink_to(typescript)
    (tmp_path / "openapi" / "ts").mkdir(parents=True)
    (tmp_path / "openapi" / "ts" / "node_modules").symlink_to(TYPESCRIPT)
    assert "http.server" in run("sh", widget / "build.sh")

    with (
        serving(widget) as origin,
        Server(shared.new_database("sqlite"), env={CORS: origin}) as server,
        Client(server.url, spool=tmp_path / "spool") as client,
    ):
        tuner = client.tuner({"x": float_range(0.0, 1.0)}, objective="gain", max_trials=3)

        def train() -> None:
            for trial in tuner.trials(limit=1):
                with trial.run() as one:
                    for epoch in range(3):
                        one.log(epoch, gain=epoch + trial.number)

        train()
        train()

        def look(page: Page, _: Seen) -> None:
            page.goto(f"{origin}/?url={server.url}&tuner={tuner.tuner_id}")
            page.wait_for_function("document.querySelectorAll('polyline').length === 2")
            assert page.locator("#best").inner_text() == "3"
            train()  # and it is drawn, with nothing asked for anew
            page.wait_for_function("document.querySelectorAll('polyline').length === 3")
            page.wait_for_function("document.getElementById('best').value === '4'")
            page.goto(f"{origin}/?url={server.url}&tuner=nonsense")
            page.wait_for_function("document.getElementById('best').value.startsWith('There is no tuner')")

        chromium.run(origin, look, may_complain_of=(server.url, "404"))


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The files of a folder, at a free port; its address."""
    files = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(folder)))
    thread = threading.Thread(target=files.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{files.server_port}"
    files.shutdown()
    thread.join()
    files.server_close()


class Files(SimpleHTTPRequestHandler):
    """They are sent without a word."""

    def log_message(self, *_: object) -> None:
        """Nothing."""
