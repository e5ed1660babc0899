"""The service behind a proxy that lets in who has signed in elsewhere: the configuration that docs/team.md shows."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.keys import make_key
from tests.nginx import needs_nginx, nginx, serving
from tests.server import Server

TEAM = Path(__file__).parents[2] / "docs" / "team.md"

pytestmark = needs_nginx


class SignIn(BaseHTTPRequestHandler):
    """What oauth2-proxy answers: 202 to whoever has its cookie, else 401; and a page to sign in."""

    def do_GET(self) -> None:
        has_signed_in = "_oauth2_proxy=ann" in self.headers.get("Cookie", "")
        page = b"Sign in"
        self.send_response(200 if self.path != "/oauth2/auth" else 202 if has_signed_in else 401)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def url(fresh_server: Server, tmp_path: Path) -> Iterator[str]:
    """Where the service is, through the proxy; who has signed in may look."""
    (block,) = re.findall(r"```nginx\n(.*?)```", TEAM.read_text(), re.DOTALL)
    with ThreadingHTTPServer(("127.0.0.1", 0), SignIn) as sign_in:
        threading.Thread(target=sign_in.serve_forever, daemon=True).start()
        block = block.replace("127.0.0.1:8000", f"127.0.0.1:{fresh_server.port}")
        block = block.replace("127.0.0.1:4180", f"127.0.0.1:{sign_in.server_port}")
        block = block.replace("tunetrack_…", make_key(fresh_server, "read"))
        with nginx(tmp_path, serving(block), "/oauth2/sign_in") as host:
            yield host
        sign_in.shutdown()


def test_who_has_signed_in_may_look_and_programs_come_with_keys(fresh_server: Server, url: str) -> None:
    train = {"Authorization": f"Bearer {make_key(fresh_server, 'train')}"}
    signed_in = {"Cookie": "_oauth2_proxy=ann"}
    with httpx.Client(base_url=url, trust_env=False) as client:
        assert client.get("/v1/runs").text == "Sign in"
        assert client.get("/v1/runs", headers={"Authorization": "Bearer tunetrack_guessed"}).status_code == 401
        assert client.post("/v1/runs", json={}, headers=train).status_code == 201
        assert len(client.get("/v1/runs", headers=signed_in).json()["items"]) == 1
        assert client.get("/v1/session", headers=signed_in).json()["scope"] == "read"
        assert client.post("/v1/runs", json={}, headers=signed_in).json()["code"] == "forbidden"
