"""The image is built for real, and the service started in it: `make image-test`, as root on Debian or Ubuntu.

No container engine is needed: buildah builds and runs with chroot isolation. Nothing is pulled: the base image is made
here, from the distribution's own packages, and goes by the name that the Dockerfile asks for. So this shows that the
Dockerfile is right, not that the base image is.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent
WORK = ROOT / ".image-test"
TRUST = Path("/etc/ssl/certs/ca-certificates.crt")
IMAGE = "tunetrack-image-test"
UID = 10001
_PACKAGES = "python3,python3-venv,ca-certificates"


def say(what: str) -> None:
    """A line of progress."""
    sys.stdout.write(f"image-test: {what}\n")
    sys.stdout.flush()


def run(*command: str | Path, quiet: bool = True) -> str:
    """What a command says; where it fails, its last lines and the end."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT if quiet else None, text=True)
    if done.returncode:
        sys.exit(f"image-test: {' '.join(map(str, command))} failed ({done.returncode}):\n{done.stdout[-4000:]}")
    return done.stdout.strip()


def buildah(command: str, *arguments: str | Path, quiet: bool = True) -> str:
    """The same of buildah, with a store of its own."""
    return run(*_buildah(), command, *arguments, quiet=quiet)


def _buildah() -> list[str | Path]:
    return ["buildah", "--root", WORK / "store", "--runroot", WORK / "run", "--storage-driver", "vfs"]


def require_tools() -> None:
    """buildah and debootstrap, installed where they can be."""
    missing = [name for name in ("buildah", "debootstrap") if shutil.which(name) is None]
    if missing and (os.geteuid() != 0 or shutil.which("apt-get") is None):
        sys.exit(f"image-test: {' and '.join(missing)} needed, and root and apt-get to install them")
    if os.geteuid() != 0:
        sys.exit("image-test: only root can build with chroot isolation")
    if missing:
        say(f"installing {' and '.join(missing)}")
        run("apt-get", "update")
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        run("apt-get", "install", "--yes", "--no-install-recommends", *missing)


def make_base() -> None:
    """A stand-in of the base image: what runs here, with python and pip where the real one has them."""
    names = set(re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    assert len(names) == 1, f"all stages stand on one base image, not on {names}"
    (name,) = names
    if any(one.endswith(f"/{name}") for one in buildah("images", "--format", "{{.Name}}:{{.Tag}}").split()):
        return
    tree = WORK / "base"
    if not (tree / "usr/local/bin/pip").exists():
        say(f"making a stand-in of {name} (some minutes)")
        shutil.rmtree(tree, ignore_errors=True)
        release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
        run("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", release["VERSION_CODENAME"].strip('"'), tree)
        shutil.rmtree(tree / "var/cache/apt/archives", ignore_errors=True)
        run("chroot", tree, "python3", "-m", "venv", "/usr/local")
        if TRUST.exists():
            shutil.copy(TRUST, tree / "etc/ssl/certs/ca-certificates.crt")
    container = buildah("from", "scratch")
    run("cp", "--archive", f"{tree}/.", buildah("mount", container))
    buildah("umount", container)
    trusts = [f"--env={name}={TRUST}" for name in ("SSL_CERT_FILE", "PIP_CERT")]
    buildah("config", "--env=PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin", *trusts, container)
    buildah("commit", "--rm", "--disable-compression", container, name)
    shutil.rmtree(tree)


def build() -> dict[str, Any]:
    """Build it; what the image says of itself."""
    say("building the image")
    options = ["--isolation", "chroot", "--network", "host", "--pull-never", "--format", "docker"]
    buildah("bud", *options, "--disable-compression", "--tag", IMAGE, ROOT)
    described: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"]
    return described


class Container:
    """The image as a container, which is removed at the end."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.name = buildah("from", "--pull-never", IMAGE)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]

    def command(self, *words: str) -> list[str | Path]:
        """How something is run in it, as the user that the image names."""
        options: list[str | Path] = ["--isolation", "chroot", "--env", f"TUNETRACK_PORT={self.port}"]
        return [*_buildah(), "run", *options, self.name, "--", *words]

    @contextmanager
    def serving(self) -> Iterator[int]:
        """What the image starts; the id of its process."""
        words = [*self.config["Entrypoint"], *self.config["Cmd"]]
        process = subprocess.Popen(self.command(*words), stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("tunetrack is listening on http://0.0.0.0:"), line
            pid = _find(process.pid, b"/tunetrack\0serve\0")
            yield pid
            os.kill(pid, signal.SIGTERM)
            status = process.wait(30)
            assert status == 0, f"it ended with {status}"
            say("SIGTERM: it has gone, exit status 0")
        finally:
            process.kill()


def _find(ancestor: int, named: bytes) -> int:
    """The process below another one that was started so."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(parent, []).append(int(entry.name))
    below = [ancestor]
    for one in below:
        below += children.get(one, [])
    return next(one for one in reversed(below) if named in Path(f"/proc/{one}/cmdline").read_bytes())


def check(config: dict[str, Any]) -> None:
    """Start the service, ask it, stop it."""
    assert config["User"] == f"{UID}:{UID}", config["User"]
    assert config["Healthcheck"]["Test"][0] == "CMD", config["Healthcheck"]
    container = Container(config)
    try:
        refused = subprocess.run(container.command("tunetrack", "serve"), stderr=subprocess.PIPE, text=True)
        assert refused.returncode == 2, refused
        assert "there is no key yet" in refused.stderr, refused
        key = run(*container.command("tunetrack", "keys", "create", "--name", "me", "--scope", "admin"), quiet=False)
        say("starting it")
        with container.serving() as pid, httpx.Client(base_url=f"http://127.0.0.1:{container.port}") as client:
            uids = re.search(r"^Uid:\s+(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
            assert uids is not None
            assert set(uids[1].split()) == {str(UID)}, uids
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()) == (200, {"status": "ok"}), ready.text
            assert client.get("/v1/tuners").status_code == 401
            known = client.get("/v1/tuners", headers={"Authorization": f"Bearer {key}"})
            assert known.status_code == 200, known.text
            assert client.get("/").status_code == 200
            run(*container.command(*config["Healthcheck"]["Test"][1:]))
            say(f"it is ready, as uid {UID}, and its health check passes")
    finally:
        buildah("rm", container.name)


def main() -> None:
    """All of it."""
    began = time.monotonic()
    require_tools()
    WORK.mkdir(exist_ok=True)
    make_base()
    check(build())
    say(f"all is well ({time.monotonic() - began:.0f} s; {WORK.name} keeps the stand-in for the next time)")


if __name__ == "__main__":
    main()
