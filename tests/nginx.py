"""A real nginx in front of services."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.ports import reserve

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

needs_nginx = pytest.mark.skipif(NGINX is None, reason="NO NGINX HERE: install nginx-light")


def serving(servers: str) -> str:
    """A configuration of nothing but these, as `nginx` wants it."""
    folders = "".join(f"{kind}_temp_path /tmp/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"pid /tmp/nginx.pid; error_log /dev/stderr; events {{}} http {{ access_log off; {folders} {servers} }}"


@contextmanager
def nginx(folder: Path, configuration: str, probe: str = "/healthz") -> Iterator[str]:
    """nginx with a configuration that listens on 8000 and writes below /tmp: on a free port, in this folder.

    Args:
        probe: where a service answers.
    Returns:
        its address.
    """
    with reserve() as place:
        port = place.getsockname()[1]
        text = configuration.replace("listen 8000", f"listen 127.0.0.1:{port}")
        text = text.replace("/tmp/", f"{folder}/").replace("/dev/stderr", f"{folder}/errors.log")
        written = folder / "nginx.conf"
        written.write_text(text)
        process = subprocess.Popen([str(NGINX), "-c", str(written), "-g", "daemon off;"])
        try:
            with httpx.Client(transport=httpx.HTTPTransport(retries=10), trust_env=False) as client:
                client.get(f"http://127.0.0.1:{port}{probe}").raise_for_status()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)
