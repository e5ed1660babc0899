"""The dashboard's files: sent with a strict policy, kept by the browser, and nothing else of the disk."""

import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from app.dashboard.shell import STATIC

SCRIPTS = sorted(STATIC.glob("*.js"))


def version(client: httpx.Client) -> str:
    """The name under which the page asks for its files."""
    found = re.search(r"dashboard/([0-9a-f]{16})/main\.js", client.get("/").text)
    assert found is not None
    return found[1]


def test_the_page_allows_nothing_but_its_own_files(client: httpx.Client) -> None:
    page = client.get("/")
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", [*SCRIPTS, STATIC / "style.css"], ids=lambda path: path.name)
def test_each_file_is_sent_as_it_lies_there_and_may_be_kept(client: httpx.Client, path: Path) -> None:
    name = path.name
    sent = client.get(f"/dashboard/{version(client)}/{name}")
    assert sent.content == (STATIC / name).read_bytes()
    assert sent.headers["content-type"].startswith("text/css" if name.endswith("css") else "text/javascript")
    assert "immutable" in sent.headers["cache-control"]
    again = client.get(f"/dashboard/{version(client)}/{name}", headers={"If-None-Match": sent.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_page_is_asked_for_each_time_and_sent_only_when_it_changed(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["cache-control"] == "no-cache"
    assert client.get("/", headers={"If-None-Match": f'W/"x", {page.headers["etag"]}'}).status_code == 304
    assert client.get("/", headers={"If-None-Match": '"x"'}).status_code == 200


def test_a_page_of_an_older_release_gets_the_files_that_there_are(client: httpx.Client) -> None:
    sent = client.get("/dashboard/0000000000000000/main.js")
    assert (sent.status_code, sent.headers["cache-control"]) == (200, "no-cache")


@pytest.mark.parametrize(
    "name",
    ["shell.py", "..%2fshell.py", "%2e%2e%2f%2e%2e%2fmain.py", "..%5cshell.py", "index.html", "%00", "main.js%00"],
)
def test_nothing_else_of_the_disk_can_be_had(client: httpx.Client, name: str) -> None:
    assert client.get(f"/dashboard/x/{name}").status_code == 404


def test_the_page_takes_no_other_method(client: httpx.Client) -> None:
    refused = client.post("/", json={})
    assert (refused.status_code, refused.json()["code"]) == (405, "method-not-allowed")
    assert client.head("/").status_code == 200


PARSE = """
    const { readFileSync } = require("fs"), { SourceTextModule } = require("vm");
    for (const path of process.argv.slice(1)) new SourceTextModule(readFileSync(path, "utf8"), { identifier: path });
"""


def test_each_script_is_a_module_that_parses() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here to check the syntax with; the browser does it in the other tests")
    command = [node, "--experimental-vm-modules", "--eval", PARSE, *map(str, SCRIPTS)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_no_script_makes_markup_of_text_or_asks_anybody_else() -> None:
    for path in SCRIPTS:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            path
        )
        assert set(re.findall(r"https?://[\w./]+", text)) <= {"http://www.w3.org/2000/svg"}, path
